export { Ajv2020, OPTIONS } from './ajv.ts';
export {
  type KeyPath,
  parseSettings,
  parseSource,
  readDocument,
  readDocumentFrom,
  readText,
  type SourceDocument,
} from './document.ts';
export { type EditedFiles, type FileSource, folderSource, NO_EDITS } from './file-source.ts';
export { canonical, differences, equal, isMapping, type Json, keyPath, leaves, lookUp } from './json.ts';
export { loadYaml, type YamlDocument, type YamlLibrary } from './load-yaml.ts';
export { checkAgainstSchema, checkWith, readSchema, show } from './schema.ts';
export { rewrite } from './yaml-editor.ts';
