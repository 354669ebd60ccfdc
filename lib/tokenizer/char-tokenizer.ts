/**
 * One token per character: the vocabulary is the Unicode code points of the training text.
 *
 * Ids: `<|endoftext|>` 0, `<unk>` 1, then the characters, ordered by code point. A character that training did not see
 * is encoded as `<unk>`, which decodes to U+FFFD. `tokenizeCorpus` counts these. Invalid UTF-8 and lone surrogates are
 * replaced by U+FFFD before encoding.
 *
 * Its tokenizer.json is a BPE without merges, which is equivalent. BPE is the only model that all programs that read
 * tokenizer.json support.
 */
import { TokenizerError } from './errors.ts';
import {
  END_OF_TEXT,
  type Encoded,
  invalidId,
  joinEncoded,
  type TokenArray,
  type Tokenizer,
  tokenArray,
} from './tokenizer.ts';
import {
  readTokenizerFile,
  specialToken,
  type TokenizerFile,
  vocabularyJson,
  writeFileAtomically,
  writeTokenizerFile,
} from './tokenizer-file.ts';

/** The token of characters that training did not see. */
export const UNKNOWN = '<unk>';

/** Id of the first character; the specials come before. */
const FIRST_CHARACTER = 2;

const REPLACEMENT_CHARACTER = 0xfffd;

/**
 * A character tokenizer.
 *
 * @example
 * const tokenizer = await CharTokenizer.train(['CA|']);
 * tokenizer.encode('AC|'); // Uint16Array [2, 3, 4]
 */
export class CharTokenizer implements Tokenizer {
  readonly kind = 'char';
  readonly vocabularySize: number;
  readonly endOfText = 0;
  /** Id of `<unk>`. */
  readonly unknown = 1;
  /** Tokens by id, specials included. */
  readonly #vocabulary: string[];
  /** Code point → id. */
  readonly #ids = new Map<number, number>();

  /** @param characters in the order of their ids */
  private constructor(characters: string[]) {
    this.#vocabulary = [END_OF_TEXT, UNKNOWN, ...characters];
    this.vocabularySize = this.#vocabulary.length;
    characters.forEach((character, i) => {
      this.#ids.set(character.codePointAt(0)!, FIRST_CHARACTER + i);
    });
  }

  /**
   * Makes the vocabulary of all characters in the documents.
   *
   * @throws TokenizerError if there is no character
   */
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

  /**
   * Loads a tokenizer.json that `save` wrote.
   *
   * @throws TokenizerError if the file cannot be read or holds another tokenizer; the message names the file
   */
  static load(file: string): CharTokenizer {
    return CharTokenizer.fromFile(readTokenizerFile(file), file);
  }

  /** @internal Like `load`, for a file that was read already. */
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
      else if (id === this.unknown) text += String.fromCodePoint(REPLACEMENT_CHARACTER);
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

  /** Writes only the vocabulary, as `{character: id}`. */
  saveVocabulary(file: string): void {
    writeFileAtomically(file, `${vocabularyJson(this.#vocabulary, '')}\n`);
  }
}

function asText(document: string | Uint8Array): string {
  return typeof document === 'string' ? document : new TextDecoder('utf-8', { ignoreBOM: true }).decode(document);
}

/** Replaces a surrogate without its other half by U+FFFD. */
function wellFormed(codePoint: number): number {
  return codePoint >= 0xd800 && codePoint <= 0xdfff ? REPLACEMENT_CHARACTER : codePoint;
}
