/**
 * Documents on their way to the addon: as UTF-8, and many of them laid end to end, since one call for each would cost more
 * than its work.
 */

export type DocumentSource = Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>;

export function asBytes(text: string | Uint8Array): Uint8Array {
  return typeof text === 'string' ? Buffer.from(text, 'utf8') : text;
}

/** Documents laid end to end, and where each ends. */
export function layEndToEnd(documents: Uint8Array[]): [Uint8Array, Float64Array] {
  const ends = new Float64Array(documents.length);
  let end = 0;
  documents.forEach((document, i) => {
    ends[i] = end += document.length;
  });
  return [documents.length === 1 ? documents[0] : Buffer.concat(documents, end), ends];
}
