/**
 * A token a character: the vocabulary is the Unicode code points of the training text.
 *
 * Ids: `<|endoftext|>` 0, `<unk>` 1, then the characters by code point. A character that training did not see becomes
 * `<unk>`, which decodes to U+FFFD: that loss is visible, and `tokenizeCorpus` counts it. What bytes are no UTF-8, and
 * lone surrogates, are U+FFFD before they are looked up.
 *
 * Its tokenizer.json is a BPE without merges, which is the same thing in the one model that all of Hugging Face's readers have.
 */
import {
  END_OF_TEXT,
  type Encoded,
  invalidId,
  joinEncoded,
  type TokenArray,
  type Tokenizer,
  TokenizerError,
  tokenArray,
} from './tokenizer.ts';
import {
  readTokenizerFile,
  specialToken,
  type TokenizerFile,
  vocabularyJson,
  writeTokenizerFile,
  writeWhole,
} from './tokenizer-file.ts';

export const UNKNOWN = '<unk>';

export class CharTokenizer implements Tokenizer {
  readonly kind = 'char';
  readonly vocabularySize: number;
  readonly endOfText = 0;
  /** id of `<unk>` */
  readonly unknown = 1;
  /** by id, specials included */
  readonly #vocabulary: string[];
  readonly #ids = new Map<number, number>();

  /** `characters` in the order of their ids, which begin at 2. */
  private constructor(characters: string[]) {
    this.#vocabulary = [END_OF_TEXT, UNKNOWN, ...characters];
    this.vocabularySize = this.#vocabulary.length;
    characters.forEach((character, i) => {
      this.#ids.set(character.codePointAt(0)!, i + 2);
    });
  }

  /** The vocabulary of these documents. Throws a TokenizerError where they have no character at all. */
  static async train(
    source: Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>,
  ): Promise<CharTokenizer> {
    const seen = new Set<number>();
    for await (const document of source) {
      for (const character of asText(document)) seen.add(wellFormed(character.codePointAt(0)!));
    }
    if (seen.size === 0) throw new TokenizerError('the corpus is empty: there is no text to take characters from');
    return new CharTokenizer([...seen].sort((a, b) => a - b).map((codePoint) => String.fromCodePoint(codePoint)));
  }

  /** A tokenizer.json that `save` wrote. Throws a TokenizerError that names the file. */
  static load(file: string): CharTokenizer {
    return CharTokenizer.fromFile(readTokenizerFile(file), file);
  }

  /** @internal */
  static fromFile({ model }: TokenizerFile, file: string): CharTokenizer {
    const tokens = Object.entries(model.vocab).sort((a, b) => a[1] - b[1]);
    const [endOfText, unknown, ...characters] = tokens.map(([token]) => token);
    const dense = tokens.every(([, id], i) => id === i);
    if (!dense || endOfText !== END_OF_TEXT || unknown !== UNKNOWN || characters.some((c) => [...c].length !== 1)) {
      throw new TokenizerError(
        `${file}: not a character vocabulary of this project (ids 0 ${END_OF_TEXT}, 1 ${UNKNOWN}, then single characters)`,
      );
    }
    return new CharTokenizer(characters);
  }

  encode(text: string | Uint8Array): TokenArray {
    const characters = asText(text);
    const ids = tokenArray(this.vocabularySize, characters.length);
    let n = 0;
    for (let i = 0; i < characters.length; i++) {
      const codePoint = characters.codePointAt(i)!;
      if (codePoint > 0xffff) i++;
      ids[n++] = this.#ids.get(wellFormed(codePoint)) ?? this.unknown;
    }
    return n === ids.length ? ids : ids.slice(0, n);
  }

  async encodeAll(documents: (string | Uint8Array)[]): Promise<Encoded> {
    return joinEncoded(this, documents);
  }

  decode(ids: ArrayLike<number>): string {
    let text = '';
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i];
      if (id > this.unknown && id < this.vocabularySize) text += this.#vocabulary[id];
      else if (id === this.unknown) text += '\ufffd';
      else if (id !== this.endOfText) throw invalidId(id, this.vocabularySize);
    }
    return text;
  }

  decodeBytes(ids: ArrayLike<number>): Uint8Array {
    return new TextEncoder().encode(this.decode(ids));
  }

  save(file: string): void {
    writeTokenizerFile(file, {
      added_tokens: [specialToken(END_OF_TEXT, this.endOfText), specialToken(UNKNOWN, this.unknown)],
      pre_tokenizer: null,
      decoder: { type: 'Fuse' },
      model: {
        type: 'BPE',
        dropout: null,
        unk_token: UNKNOWN,
        continuing_subword_prefix: null,
        end_of_word_suffix: null,
        fuse_unk: false,
        byte_fallback: false,
        ignore_merges: false,
        merges: [],
      },
      vocabulary: this.#vocabulary,
    });
  }

  /** The vocabulary alone, as {character: id}. */
  saveVocabulary(file: string): void {
    writeWhole(file, `${vocabularyJson(this.#vocabulary, '')}\n`);
  }
}

function asText(document: string | Uint8Array): string {
  return typeof document === 'string' ? document : new TextDecoder('utf-8', { ignoreBOM: true }).decode(document);
}

/** A surrogate without its other half is no character. */
function wellFormed(codePoint: number): number {
  return codePoint >= 0xd800 && codePoint <= 0xdfff ? 0xfffd : codePoint;
}
