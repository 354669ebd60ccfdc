/**
 * Byte-level BPE: a vocabulary of bytes and of the symbols that merges make from them.
 *
 * Ids: the specials from 0, then the 256 bytes in the order of byte-level.ts, then the merges in the order in which
 * they were learned. Hugging Face's trainer gives the same ids for the same pieces.
 */
import { asBytes, type DocumentSource } from '../documents.ts';
import {
  END_OF_TEXT,
  type Encoded,
  invalidId,
  joinEncoded,
  MAX_16_BIT_VOCABULARY,
  type TokenArray,
  type Tokenizer,
  tokenArray,
} from '../tokenizer.ts';
import { readTokenizerFile, type TokenizerFile } from '../tokenizer-file.ts';
import { type BpeParts, readBpe, writeBpe } from './bpe-file.ts';
import { type BpeTrainingOptions, trainBpe } from './bpe-training.ts';
import { TypeScriptEncoder } from './bpe-typescript.ts';
import { SYMBOL_BYTE } from './byte-level.ts';
import type { Merges } from './merges.ts';
import { type Implementation, type NativeBpe, type NativeEncoder, nativeBpe } from './native.ts';
import { eachPiece, type Pretokenizer } from './pretokenizer.ts';

/** Options that all ways of making a BpeTokenizer have. */
export interface BpeOptions {
  /** Default: native if it is built. */
  implementation?: Implementation;
}

/**
 * A byte-level BPE tokenizer. Any bytes can be encoded, and decoding restores them.
 *
 * @example
 * const tokenizer = await BpeTokenizer.train(['A2|B2|', 'A2|'], { vocabularySize: 300 });
 * tokenizer.decode(tokenizer.encode('A2|')); // 'A2|'
 */
export class BpeTokenizer implements Tokenizer {
  readonly kind = 'bpe';
  readonly vocabularySize: number;
  readonly endOfText: number;
  readonly pretokenizer: Pretokenizer;
  readonly #parts: BpeParts;
  readonly #native: NativeEncoder | undefined;
  /** The encoder in TypeScript; undefined if there is a native one. */
  readonly #typescript: TypeScriptEncoder | undefined;
  /** Token `id` stands for the bytes #bytes[#offsets[id]] up to, not including, #bytes[#offsets[id + 1]]. */
  readonly #bytes: Uint8Array;
  readonly #offsets: Uint32Array;

  /** @internal Use `train` or `load`. */
  constructor(parts: BpeParts, { implementation }: BpeOptions = {}) {
    this.#parts = parts;
    this.pretokenizer = parts.pretokenizer;
    this.vocabularySize = parts.vocabulary.length;
    this.endOfText = parts.specials.get(END_OF_TEXT) ?? -1;
    const native = nativeBpe(implementation);
    this.#native = native ? nativeEncoder(native, parts) : undefined;
    this.#typescript = this.#native ? undefined : new TypeScriptEncoder(parts.merges);
    [this.#bytes, this.#offsets] = tokenBytes(parts);
  }

  /**
   * Trains a tokenizer. Memory use grows with the distinct pieces of the corpus, not with its length.
   *
   * @param source the documents, each a text or its UTF-8 bytes
   * @throws TokenizerError if the corpus is empty or the vocabulary size is not possible
   */
  static async train(source: DocumentSource, options: BpeTrainingOptions): Promise<BpeTokenizer> {
    return new BpeTokenizer(await trainBpe(source, options), options);
  }

  /**
   * Loads a tokenizer.json of byte-level BPE with one of the three pre-tokenizers.
   *
   * @throws TokenizerError if the file cannot be read or holds another tokenizer; the message names the file
   */
  static load(file: string, options?: BpeOptions): BpeTokenizer {
    return BpeTokenizer.fromFile(readTokenizerFile(file), file, options);
  }

  /** @internal Like `load`, for a file that was read already. */
  static fromFile(json: TokenizerFile, file: string, options?: BpeOptions): BpeTokenizer {
    return new BpeTokenizer(readBpe(json, file), options);
  }

  /** The learned merges. Their number is vocabularySize − 256 − number of specials. */
  get merges(): Merges {
    return this.#parts.merges;
  }

  encode(text: string | Uint8Array): TokenArray {
    const bytes = asBytes(text);
    if (this.#native) return this.#native.encode(bytes);
    const encoder = this.#typescript!;
    const ids: number[] = [];
    eachPiece(bytes, this.pretokenizer, (start, end) => {
      for (const symbol of encoder.encode(bytes.subarray(start, end))) ids.push(this.#parts.ids[symbol]);
    });
    return tokenArray(this.vocabularySize, ids);
  }

  async encodeAll(documents: (string | Uint8Array)[], { threads = 1 } = {}): Promise<Encoded> {
    const bytes = documents.map(asBytes);
    if (!this.#native) return joinEncoded(this, bytes);
    return this.#native.encodeAll(bytes, threads);
  }

  decode(ids: ArrayLike<number>): string {
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(this.decodeBytes(ids));
  }

  decodeBytes(ids: ArrayLike<number>): Uint8Array {
    const offsets = this.#offsets;
    let length = 0;
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i];
      if (!(id >= 0 && id < this.vocabularySize)) throw invalidId(id, this.vocabularySize);
      length += offsets[id + 1] - offsets[id];
    }
    const result = new Uint8Array(length);
    let n = 0;
    for (let i = 0; i < ids.length; i++) {
      const end = offsets[ids[i] + 1];
      for (let at = offsets[ids[i]]; at < end; at++) result[n++] = this.#bytes[at];
    }
    return result;
  }

  save(file: string): void {
    writeBpe(this.#parts, file);
  }
}

/** The addon's encoder, or undefined for the rare file whose merges it refuses (see NativeBpe.Encoder). */
function nativeEncoder(
  native: NativeBpe,
  { merges, ids, vocabulary, pretokenizer }: BpeParts,
): NativeEncoder | undefined {
  try {
    return new native.Encoder(merges, ids, vocabulary.length > MAX_16_BIT_VOCABULARY, pretokenizer);
  } catch {
    return undefined;
  }
}

/** The bytes of all tokens, concatenated by id, and the offset at which each begins. Specials have no bytes. */
function tokenBytes({ merges, ids, vocabulary }: BpeParts): [Uint8Array, Uint32Array] {
  const symbols: Uint8Array[] = Array.from(SYMBOL_BYTE, (byte) => Uint8Array.of(byte));
  for (let k = 0; 2 * k < merges.length; k++) {
    symbols.push(Buffer.concat([symbols[merges[2 * k]], symbols[merges[2 * k + 1]]]));
  }
  const byId: Uint8Array[] = new Array(vocabulary.length);
  symbols.forEach((bytes, symbol) => {
    byId[ids[symbol]] = bytes;
  });
  const offsets = new Uint32Array(vocabulary.length + 1);
  for (let id = 0; id < vocabulary.length; id++) offsets[id + 1] = offsets[id] + (byId[id]?.length ?? 0);
  const bytes = new Uint8Array(offsets[vocabulary.length]);
  byId.forEach((token, id) => {
    bytes.set(token, offsets[id]);
  });
  return [bytes, offsets];
}
