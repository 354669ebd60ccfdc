/**
 * The interface that all tokenizers implement: text to ids, ids to text, and saving as a tokenizer.json.
 *
 * An id is an index into the vocabulary, 0 ≤ id < vocabularySize. Specials are ids that encoding never produces: a text
 * that spells `<|endoftext|>` is encoded as its characters or bytes. Specials stand for no text, so decoding skips
 * them.
 */
import { TokenizerError } from './errors.ts';

/** Separates the documents of a token stream. It is also the prompt from which a new document is sampled. */
export const END_OF_TEXT = '<|endoftext|>';

/** The largest vocabulary whose ids fit in 16 bits. */
export const MAX_16_BIT_VOCABULARY = 0x10000;

/** Ids of a text: 2 bytes each for vocabularies of up to 65,536 ids, otherwise 4 bytes. */
export type TokenArray = Uint16Array | Uint32Array;

/** A trained tokenizer. */
export interface Tokenizer {
  readonly kind: 'char' | 'bpe' | 'music';
  /** Number of ids, specials included. */
  readonly vocabularySize: number;
  /** Id of `<|endoftext|>`, or of the special used in its place. −1 if the vocabulary has none. */
  readonly endOfText: number;
  /** Encodes a text, or bytes that are read as UTF-8. */
  encode(text: string | Uint8Array): TokenArray;
  /** Encodes many documents. With the addon this runs on other threads, so the event loop stays free. */
  encodeAll(documents: (string | Uint8Array)[], options?: { threads?: number }): Promise<Encoded>;
  /**
   * Decodes ids to text. Invalid UTF-8 becomes U+FFFD.
   *
   * @throws TokenizerError if an id is not in the vocabulary
   */
  decode(ids: ArrayLike<number>): string;
  /** Like `decode`, but returns the bytes. */
  decodeBytes(ids: ArrayLike<number>): Uint8Array;
  /** Writes a Hugging Face tokenizer.json, atomically. */
  save(file: string): void;
}

/** The ids of several documents. */
export interface Encoded {
  /** The ids of all documents, concatenated. */
  ids: TokenArray;
  /** End of each document in `ids`, exclusive. */
  ends: Uint32Array;
}

/**
 * Makes an array of ids, wide enough for the vocabulary.
 *
 * @param vocabularySize number of ids, which decides between 2 and 4 bytes per id
 * @param length the length of an array of zeros, or the ids to copy
 */
export function tokenArray(vocabularySize: number, length: number | Iterable<number>): TokenArray {
  const Width = vocabularySize <= MAX_16_BIT_VOCABULARY ? Uint16Array : Uint32Array;
  return typeof length === 'number' ? new Width(length) : Width.from(length);
}

/** The error for an id that is not in the vocabulary. */
export function invalidId(id: number, vocabularySize: number): TokenizerError {
  return new TokenizerError(
    `no token has the id ${id}: this vocabulary has ${vocabularySize}, 0 to ${vocabularySize - 1}`,
  );
}

/** Encodes documents one by one and concatenates the ids: `encodeAll` of a tokenizer without an addon. */
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
