/**
 * The YAML library. Load it with `loadYaml` (load-yaml.ts): importing it takes longer than starting Node.
 *
 * Numbers that JavaScript would change are read and written as WrittenNumber (written-number.ts), and a number that is a
 * key of a mapping as the text of the file.
 */
import {
  type CreateNodeOptions,
  type Document,
  type DocumentOptions,
  isScalar,
  type ParseOptions,
  parseDocument as parseWithLibrary,
  type ScalarTag,
  type SchemaOptions,
  stringify as stringifyWithLibrary,
  type ToStringOptions,
  visit,
} from 'yaml';
import { WrittenNumber, writtenNumber } from './written-number.ts';

export { type Document, isAlias, isCollection, isMap, isPair, isScalar, isSeq, LineCounter } from 'yaml';

/** Writes a WrittenNumber. It is never chosen for reading, because `keepNumbers` makes them. */
const WRITTEN_NUMBER: ScalarTag = {
  tag: '!written-number',
  default: true,
  identify: (value) => value instanceof WrittenNumber,
  resolve: (text) => text,
  stringify: ({ value }) => String(value),
};

/** Parses a document that may be changed and written again. */
export function parseDocument(
  text: string,
  options: ParseOptions & DocumentOptions & SchemaOptions = {},
): Document.Parsed {
  const document = parseWithLibrary(text, { ...options, customTags: [WRITTEN_NUMBER] });
  keepNumbers(document);
  return document;
}

/**
 * The value of a text.
 *
 * @throws YAMLParseError if it is not valid
 */
export function parse(text: string): unknown {
  const document = parseDocument(text);
  for (const error of document.errors) throw error;
  return document.toJS();
}

/** The text of a value. */
export function stringify(
  value: unknown,
  options: DocumentOptions & SchemaOptions & CreateNodeOptions & ToStringOptions = {},
): string {
  return stringifyWithLibrary(value, { ...options, customTags: [WRITTEN_NUMBER] });
}

function keepNumbers(document: Document.Parsed): void {
  visit(document, {
    Pair: (_, { key }) => {
      if (isScalar(key) && typeof key.value === 'number' && key.source !== undefined) key.value = key.source;
    },
    Scalar: (_, node) => {
      if (typeof node.value === 'number' && node.source !== undefined)
        node.value = writtenNumber(node.source, node.value);
    },
  });
}
