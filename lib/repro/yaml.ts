/** The YAML library, to be imported dynamically: it takes longer to load than node to start. */
export { type Document, isAlias, isMap, isSeq, LineCounter, parse, parseDocument, stringify } from 'yaml';
