/** The YAML library. Load it with `loadYaml` (load-yaml.ts): importing it takes longer than starting Node. */
export {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  parse,
  parseDocument,
  stringify,
} from 'yaml';
