/** The types in which callers pass documents, and the conversion to UTF-8 bytes, which the algorithms use. */

/** A corpus: a list or a stream of documents. */
export type DocumentSource = Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>;

/** A text as UTF-8. Bytes are returned unchanged. */
export function asBytes(text: string | Uint8Array): Uint8Array {
  return typeof text === 'string' ? Buffer.from(text, 'utf8') : text;
}
