/**
 * Byte-level BPE: a vocabulary of bytes and of what merges make of them.
 *
 * Ids: specials from 0, then the 256 bytes in the order of their characters (byte-level.ts), then the merges as learned:
 * what Hugging Face's trainer gives for the same pieces. The algorithms are bpe-reference.ts, and native/bpe where that is
 * built, with the same results. Training is bpe-training.ts, its tokenizer.json bpe-file.ts.
 */
import { type BpeParts, readBpe, writeBpe } from './bpe-file.ts';
import { type Merges, ReferenceEncoder } from './bpe-reference.ts';
import { type BpeTrainingOptions, trainBpe } from './bpe-training.ts';
import { SYMBOL_BYTE } from './byte-level.ts';
import { asBytes, type DocumentSource } from './documents.ts';
import { type Implementation, type NativeBpe, type NativeEncoder, nativeBpe } from './native.ts';
import { eachPiece, type Pretokenizer } from './pretokenizer.ts';
import {
  END_OF_TEXT,
  type Encoded,
  invalidId,
  joinEncoded,
  type TokenArray,
  type Tokenizer,
  tokenArray,
} from './tokenizer.ts';
import { readTokenizerFile, type TokenizerFile } from './tokenizer-file.ts';

export interface BpeOptions {
  /** native where it is built, unless told otherwise */
  implementation?: Implementation;
}

export class BpeTokenizer implements Tokenizer {
  readonly kind = 'bpe';
  readonly vocabularySize: number;
  readonly endOfText: number;
  readonly pretokenizer: Pretokenizer;
  readonly #parts: BpeParts;
  readonly #native: NativeEncoder | undefined;
  /** where there is no native one */
  readonly #reference: ReferenceEncoder | undefined;
  /** the bytes of token `id` are #bytes[#offsets[id]] up to #bytes[#offsets[id + 1]]; none for specials */
  readonly #bytes: Uint8Array;
  readonly #offsets: Uint32Array;

  /** @internal use train or load */
  constructor(parts: BpeParts, { implementation }: BpeOptions = {}) {
    this.#parts = parts;
    this.pretokenizer = parts.pretokenizer;
    this.vocabularySize = parts.vocabulary.length;
    this.endOfText = parts.specials.get(END_OF_TEXT) ?? -1;
    const native = nativeBpe(implementation);
    this.#native = native ? nativeEncoder(native, parts) : undefined;
    this.#reference = this.#native ? undefined : new ReferenceEncoder(parts.merges);
    [this.#bytes, this.#offsets] = tokenBytes(parts);
  }

  /**
   * Learns merges from documents; their ids are those of Hugging Face's trainer. Memory is in the distinct pieces of the
   * corpus, not its length. Throws a TokenizerError where the corpus is empty or the vocabulary too small.
   */
  static async train(source: DocumentSource, options: BpeTrainingOptions): Promise<BpeTokenizer> {
    return new BpeTokenizer(await trainBpe(source, options), options);
  }

  /** A tokenizer.json of byte-level BPE with one of the three pre-tokenizers. Throws a TokenizerError that names the file. */
  static load(file: string, options?: BpeOptions): BpeTokenizer {
    return BpeTokenizer.fromFile(readTokenizerFile(file), file, options);
  }

  /** @internal */
  static fromFile(json: TokenizerFile, file: string, options?: BpeOptions): BpeTokenizer {
    return new BpeTokenizer(readBpe(json, file), options);
  }

  /** merges learned: vocabularySize less bytes and specials */
  get merges(): Merges {
    return this.#parts.merges;
  }

  encode(text: string | Uint8Array): TokenArray {
    const bytes = asBytes(text);
    if (this.#native) return this.#native.encode(bytes);
    const reference = this.#reference!;
    const ids: number[] = [];
    eachPiece(bytes, this.pretokenizer, (start, end) => {
      for (const symbol of reference.encode(bytes.subarray(start, end))) ids.push(this.#parts.ids[symbol]);
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

/** The addon's encoder, or undefined for the rare file whose merges it cannot follow. */
function nativeEncoder(
  native: NativeBpe,
  { merges, ids, vocabulary, pretokenizer }: BpeParts,
): NativeEncoder | undefined {
  try {
    return new native.Encoder(merges, ids, vocabulary.length > 0x10000, pretokenizer);
  } catch {
    return undefined;
  }
}

/** The bytes of each token, laid end to end, and where each begins. */
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
