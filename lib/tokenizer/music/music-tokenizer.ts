/**
 * One token per element of ABC notation: a note, a duration, a rest, a bar line, a field. abc-lexer.ts defines the
 * elements.
 *
 *   [V:1]^F,3/2z|   →   [V:1]  ^F,  DUR:3/2  z  |
 *
 * Ids: `<PAD>` 0, `<UNK>` 1, `<START>` 2, `<END>` 3, `<SEP>` 4, the 256 bytes as `<0x00>` …, then the lexemes that
 * training saw at least `minFrequency` times, most frequent first. A lexeme that is rarer, longer than 64 bytes or not
 * ASCII is encoded as the tokens of its bytes. So decoding restores any bytes, bits per byte cover the whole text, and
 * `<UNK>` is never produced. `<END>` ends a tune, as `<|endoftext|>` does in the other tokenizers. The other specials
 * exist for programs that expect them.
 *
 * Its tokenizer.json is a BPE without merges, the one model that all programs reading tokenizer.json support. They
 * decode its ids to the same text, but they cannot encode with it.
 */
import { asBytes, type DocumentSource } from '../documents.ts';
import { TokenizerError } from '../errors.ts';
import { type Encoded, invalidId, joinEncoded, type TokenArray, type Tokenizer, tokenArray } from '../tokenizer.ts';
import { readTokenizerFile, specialToken, type TokenizerFile, writeTokenizerFile } from '../tokenizer-file.ts';
import { eachLexeme } from './abc-lexer.ts';

const SPECIALS = ['<PAD>', '<UNK>', '<START>', '<END>', '<SEP>'];
const FIRST_BYTE = SPECIALS.length;
const FIRST_LEXEME = FIRST_BYTE + 256;
/** In bytes. Longer lexemes are not learned. */
const MAX_LEXEME_BYTES = 64;
/** The prefix of durations in the vocabulary. */
const DURATION = 'DUR:';
/** The largest vocabulary that this project supports. */
const MAX_VOCABULARY_SIZE = 0x100000;

const byteName = (byte: number) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;
/** The tokens before the lexemes, by id. */
const SPECIALS_AND_BYTES = [...SPECIALS, ...Array.from({ length: 256 }, (_, byte) => byteName(byte))];

/**
 * A tokenizer of ABC notation. Any bytes can be encoded, and decoding restores them.
 *
 * @example
 * const tokenizer = await MusicTokenizer.train(['K:C\nC2D2|'], { minFrequency: 1 });
 * tokenizer.decode(tokenizer.encode('D2C2|')); // 'D2C2|'
 */
export class MusicTokenizer implements Tokenizer {
  readonly kind = 'music';
  readonly vocabularySize: number;
  readonly endOfText = SPECIALS.indexOf('<END>');
  /** Names of the lexemes by id − FIRST_LEXEME. Durations have the prefix DUR:. */
  readonly #names: string[];
  /** Lexeme → id. Durations are in a separate map, because the text 2 is not always a duration. */
  readonly #ids = new Map<string, number>();
  readonly #durationIds = new Map<string, number>();

  private constructor(names: string[]) {
    this.#names = names;
    this.vocabularySize = FIRST_LEXEME + names.length;
    names.forEach((name, i) => {
      const isDuration = name.startsWith(DURATION);
      (isDuration ? this.#durationIds : this.#ids).set(textOf(name), FIRST_LEXEME + i);
    });
  }

  /**
   * Makes the vocabulary of the lexemes in the documents.
   *
   * @param minFrequency lexemes that occur less often are not learned
   * @throws TokenizerError if there is no text, the minimum frequency is not a positive integer, or there are more
   *   lexemes than a vocabulary holds
   */
  static async train(source: DocumentSource, { minFrequency = 1 } = {}): Promise<MusicTokenizer> {
    if (!(Number.isInteger(minFrequency) && minFrequency >= 1)) {
      throw new TokenizerError(
        `a minimum frequency of ${minFrequency} is not possible: it must be an integer of at least 1`,
      );
    }
    const counts = new Map<string, number>();
    let bytes = 0;
    for await (const document of source) {
      const text = asLatin1(document);
      bytes += text.length;
      eachLexeme(text, (lexeme, isDuration) => {
        if (lexeme.length > MAX_LEXEME_BYTES) return;
        const name = isDuration ? DURATION + lexeme : lexeme;
        counts.set(name, (counts.get(name) ?? 0) + 1);
      });
    }
    if (bytes === 0) throw new TokenizerError('the corpus is empty: there is no text to take tokens from');
    const names = [...counts]
      .filter(([name, count]) => count >= minFrequency && isAscii(name))
      .sort(([a, countA], [b, countB]) => countB - countA || (a < b ? -1 : 1))
      .map(([name]) => name);
    if (FIRST_LEXEME + names.length > MAX_VOCABULARY_SIZE) {
      throw new TokenizerError(`${names.length} tokens are more than a vocabulary holds: raise the minimum frequency`);
    }
    return new MusicTokenizer(names);
  }

  /**
   * Loads a tokenizer.json that `save` wrote.
   *
   * @throws TokenizerError if the file cannot be read or holds another tokenizer; the message names the file
   */
  static load(file: string): MusicTokenizer {
    return MusicTokenizer.fromFile(readTokenizerFile(file), file);
  }

  /** @internal Like `load`, for a file that was read already. */
  static fromFile({ model }: TokenizerFile, file: string): MusicTokenizer {
    const tokens = Object.entries(model.vocab).sort((a, b) => a[1] - b[1]);
    const names = tokens.map(([name]) => name);
    const dense = tokens.every(([, id], i) => id === i);
    const lexemeNames = names.slice(FIRST_LEXEME);
    if (
      !dense ||
      SPECIALS_AND_BYTES.some((name, id) => names[id] !== name) ||
      lexemeNames.some((name) => !isLexeme(name))
    ) {
      throw new TokenizerError(
        `${file}: not a music vocabulary of this project (ids 0 to 4 ${SPECIALS.join(' ')}, then 256 bytes from <0x00>, then single lexemes of ABC)`,
      );
    }
    return new MusicTokenizer(lexemeNames);
  }

  /** Whether an id stands for one byte of a lexeme that is not in the vocabulary. */
  isByte(id: number): boolean {
    return id >= FIRST_BYTE && id < FIRST_LEXEME;
  }

  encode(text: string | Uint8Array): TokenArray {
    const latin1 = asLatin1(text);
    // A text has at most as many tokens as bytes.
    const ids = tokenArray(this.vocabularySize, latin1.length);
    let n = 0;
    eachLexeme(latin1, (lexeme, isDuration) => {
      const id = (isDuration ? this.#durationIds : this.#ids).get(lexeme);
      if (id !== undefined) ids[n++] = id;
      else for (let i = 0; i < lexeme.length; i++) ids[n++] = FIRST_BYTE + lexeme.charCodeAt(i);
    });
    return ids.slice(0, n);
  }

  async encodeAll(documents: (string | Uint8Array)[]): Promise<Encoded> {
    return joinEncoded(this, documents);
  }

  decode(ids: ArrayLike<number>): string {
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(this.decodeBytes(ids));
  }

  decodeBytes(ids: ArrayLike<number>): Uint8Array {
    let latin1 = '';
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i];
      if (!(id >= 0 && id < this.vocabularySize)) throw invalidId(id, this.vocabularySize);
      if (id >= FIRST_LEXEME) latin1 += textOf(this.#names[id - FIRST_LEXEME]);
      else if (id >= FIRST_BYTE) latin1 += String.fromCharCode(id - FIRST_BYTE);
    }
    return new Uint8Array(Buffer.from(latin1, 'latin1'));
  }

  save(file: string): void {
    writeTokenizerFile(file, {
      added_tokens: SPECIALS.map((special, id) => specialToken(special, id)),
      pre_tokenizer: null,
      decoder: {
        type: 'Sequence',
        decoders: [
          { type: 'Replace', pattern: { Regex: `^${DURATION}` }, content: '' },
          { type: 'ByteFallback' },
          { type: 'Fuse' },
        ],
      },
      model: {
        type: 'BPE',
        dropout: null,
        unk_token: '<UNK>',
        continuing_subword_prefix: null,
        end_of_word_suffix: null,
        fuse_unk: false,
        byte_fallback: false,
        ignore_merges: false,
        merges: [],
      },
      vocabulary: [...SPECIALS_AND_BYTES, ...this.#names],
    });
  }
}

function asLatin1(text: string | Uint8Array): string {
  const bytes = asBytes(text);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

/** The text that the name of a lexeme stands for. */
const textOf = (name: string) => (name.startsWith(DURATION) ? name.slice(DURATION.length) : name);

const isAscii = (text: string) => /^[\0-\x7f]*$/.test(text);

/** Whether encoding can produce the token of this name. */
function isLexeme(name: string): boolean {
  const found: string[] = [];
  // A number is a duration only after a note or rest, so put a rest before it.
  const text = name.startsWith(DURATION) ? `z${textOf(name)}` : name;
  eachLexeme(text, (lexeme, isDuration) => found.push(isDuration ? DURATION + lexeme : lexeme));
  return found.at(-1) === name && found.length === (text === name ? 1 : 2) && isAscii(name) && name.length > 0;
}
