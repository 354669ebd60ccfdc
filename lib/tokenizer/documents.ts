/** Documents as callers have them, and as UTF-8, which is what the algorithms work on. */

export type DocumentSource = Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>;

export function asBytes(text: string | Uint8Array): Uint8Array {
  return typeof text === 'string' ? Buffer.from(text, 'utf8') : text;
}
