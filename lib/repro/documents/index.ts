/**
 * Reads, checks and edits YAML and JSON documents of any content.
 *
 *   source-document.ts  a parsed file, in which every key has a line and column
 *   read-document.ts    reads a file; yaml-document.ts, toml.ts   parse its text
 *   file-source.ts      where a pipeline's files are read from
 *   json.ts             plain values: lookup by dotted key, comparison, canonical text
 *   written-number.ts   numbers that JavaScript would change, with their text; numbers.ts   all numbers of a value
 *   json-text.ts        JSON texts with such numbers
 *   nul.ts              NUL characters in values
 *   schema.ts           checks against a JSON Schema, with readable messages
 *   yaml-editor.ts      changes values and keeps comments and layout
 *   load-yaml.ts, yaml.ts, ajv.ts   the libraries, loaded when they are needed; ajv-options.ts   how ajv is called
 */
export { OPTIONS } from './ajv-options.ts';
export { type EditedFiles, type FileSource, folderSource, NO_EDITS } from './file-source.ts';
export {
  canonical,
  differences,
  equal,
  equalAsWritten,
  isMapping,
  type Json,
  keyPath,
  leaves,
  lookUp,
} from './json.ts';
export { parseJson, unpackJson, withNumbers, writeJson } from './json-text.ts';
export { loadYaml, type YamlDocument, type YamlLibrary } from './load-yaml.ts';
export { findNul } from './nul.ts';
export { numberOf, rounded, toPortable } from './numbers.ts';
export { parseSettings, parseSource, readDocument, readDocumentFrom, readText } from './read-document.ts';
export { checkAgainstSchema, checkWith, readSchema, show } from './schema.ts';
export type { KeyPath, SourceDocument } from './source-document.ts';
export { ofInteger, WrittenNumber } from './written-number.ts';
export { rewrite } from './yaml-editor.ts';
