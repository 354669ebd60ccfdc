/**
 * Reads, checks and edits YAML and JSON documents of any content.
 *
 *   source-document.ts   parses a text; every key has a line and column
 *   toml.ts          TOML texts
 *   file-source.ts   where a pipeline's files are read from
 *   json.ts          plain values: lookup by dotted key, comparison, canonical text
 *   written-number.ts   numbers that JavaScript would change, with their text
 *   nul.ts           NUL characters in values
 *   schema.ts        checks against a JSON Schema, with readable messages
 *   yaml-editor.ts   changes values and keeps comments and layout
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
export { loadYaml, type YamlDocument, type YamlLibrary } from './load-yaml.ts';
export { findNul } from './nul.ts';
export { checkAgainstSchema, checkWith, readSchema, show } from './schema.ts';
export {
  type KeyPath,
  parseSettings,
  parseSource,
  readDocument,
  readDocumentFrom,
  readText,
  type SourceDocument,
} from './source-document.ts';
export {
  numberOf,
  ofInteger,
  parseJson,
  rounded,
  toPortable,
  unpackJson,
  WrittenNumber,
  withNumbers,
  writeJson,
} from './written-number.ts';
export { rewrite } from './yaml-editor.ts';
