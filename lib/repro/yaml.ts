/** The YAML library, to be imported dynamically: it takes longer to load than node to start. */
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
