/**
 * What every tokenizer is, whatever its vocabulary is made of: text to ids and back, and a file that others can open.
 *
 * An id is an index into the vocabulary, 0 ≤ id < vocabularySize. Specials are ids that no text encodes to: a text that
 * spells `<|endoftext|>` is encoded as the characters it is made of. They stand for no text, so decoding passes over them.
 */

/** Between documents of a token stream, and the prompt from which a new document is sampled. */
export const END_OF_TEXT = '<|endoftext|>';

export type TokenArray = Uint16Array | Uint32Array;

export interface Tokenizer {
  readonly kind: 'char' | 'bpe' | 'music';
  /** all ids: specials counted */
  readonly vocabularySize: number;
  /** id of `<|endoftext|>`, or of what stands for it; −1 in a vocabulary that has none */
  readonly endOfText: number;
  /** Ids of a text, or of bytes taken as UTF-8. Uint16Array where the vocabulary fits 16 bits. */
  encode(text: string | Uint8Array): TokenArray;
  /** Many documents at once; where the addon is built this leaves the event loop free. */
  encodeAll(documents: (string | Uint8Array)[], options?: { threads?: number }): Promise<Encoded>;
  /** The text; bytes that are no UTF-8 become U+FFFD. Throws on an id that is not in the vocabulary. */
  decode(ids: ArrayLike<number>): string;
  decodeBytes(ids: ArrayLike<number>): Uint8Array;
  /** Writes a Hugging Face tokenizer.json, whole or not at all. */
  save(file: string): void;
}

/** Encodes many documents at once: what the token store is filled with. */
export interface Encoded {
  /** the documents' ids, one after another */
  ids: TokenArray;
  /** where each document ends in ids, exclusive */
  ends: Uint32Array;
}

/** Whatever is wrong with a corpus, a tokenizer file or a token store; the message is for people. */
export class TokenizerError extends Error {
  override readonly name = 'TokenizerError';
}

/** An array of ids wide enough for this vocabulary: 2 bytes an id up to 65,536 ids, else 4. */
export function tokenArray(vocabularySize: number, length: number | Iterable<number>): TokenArray {
  const Width = vocabularySize <= 0x10000 ? Uint16Array : Uint32Array;
  return typeof length === 'number' ? new Width(length) : Width.from(length);
}

export function invalidId(id: number, vocabularySize: number): TokenizerError {
  return new TokenizerError(
    `no token has the id ${id}: this vocabulary has ${vocabularySize}, 0 to ${vocabularySize - 1}`,
  );
}

/** Documents encoded one by one and laid end to end. */
export function joinEncoded(tokenizer: Tokenizer, documents: (string | Uint8Array)[]): Encoded {
  const parts = documents.map((document) => tokenizer.encode(document));
  const ids = tokenArray(
    tokenizer.vocabularySize,
    parts.reduce((length, part) => length + part.length, 0),
  );
  const ends = new Uint32Array(parts.length);
  let end = 0;
  parts.forEach((part, i) => {
    ids.set(part, end);
    ends[i] = end += part.length;
  });
  return { ids, ends };
}
