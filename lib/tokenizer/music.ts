/**
 * A token a musical thing: a note, a duration, a rest, a bar line, a field; after the vocabularies of studies that write music as
 * words. abc-lexer.ts says what becomes a token.
 *
 *   [V:1]^F,3/2z|   →   [V:1]  ^F,  DUR:3/2  z  |
 *
 * Ids: `<PAD>` 0, `<UNK>` 1, `<START>` 2, `<END>` 3, `<SEP>` 4, the 256 bytes as `<0x00>` …, then the lexemes that training saw at least
 * `minFrequency` times, most frequent first. A lexeme that is rarer, longer than 64 bytes or not ASCII is spelled in bytes: so any
 * bytes come back as they were, bits per byte are of all of the text, and `<UNK>` is never made. `<END>` ends a tune, as
 * `<|endoftext|>` does elsewhere; the other specials are there for programs that expect them.
 *
 * Its tokenizer.json is a BPE without merges, the one model that all of Hugging Face's readers have: they decode its ids to the same
 * text, but cannot cut text into these tokens.
 */
import { eachLexeme } from './abc-lexer.ts';
import { asBytes, type DocumentSource } from './documents.ts';
import {
  type Encoded,
  invalidId,
  joinEncoded,
  type TokenArray,
  type Tokenizer,
  TokenizerError,
  tokenArray,
} from './tokenizer.ts';
import { readTokenizerFile, specialToken, type TokenizerFile, writeTokenizerFile } from './tokenizer-file.ts';

const SPECIALS = ['<PAD>', '<UNK>', '<START>', '<END>', '<SEP>'];
const FIRST_BYTE = SPECIALS.length;
const FIRST_LEXEME = FIRST_BYTE + 256;
const LONGEST = 64;
const DURATION = 'DUR:';

const byteName = (byte: number) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;
const OTHERS = [...SPECIALS, ...Array.from({ length: 256 }, (_, byte) => byteName(byte))];

export class MusicTokenizer implements Tokenizer {
  readonly kind = 'music';
  readonly vocabularySize: number;
  readonly endOfText = SPECIALS.indexOf('<END>');
  /** names of lexemes: durations with DUR: before them, others as they are; the first has the id FIRST_LEXEME */
  readonly #names: string[];
  /** lexeme → id; durations apart, since a 2 need not be one */
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

  /** The lexemes of these documents that occur often enough. Throws a TokenizerError where there is no text. */
  static async train(source: DocumentSource, { minFrequency = 1 } = {}): Promise<MusicTokenizer> {
    if (!(Number.isInteger(minFrequency) && minFrequency >= 1)) {
      throw new TokenizerError(`a minimum frequency of ${minFrequency} is not possible: it is a whole number from 1`);
    }
    const counts = new Map<string, number>();
    let bytes = 0;
    for await (const document of source) {
      const text = asLatin1(document);
      bytes += text.length;
      eachLexeme(text, (lexeme, isDuration) => {
        if (lexeme.length > LONGEST) return;
        const name = isDuration ? DURATION + lexeme : lexeme;
        counts.set(name, (counts.get(name) ?? 0) + 1);
      });
    }
    if (bytes === 0) throw new TokenizerError('the corpus is empty: there is no text to take tokens from');
    const names = [...counts]
      .filter(([name, count]) => count >= minFrequency && isAscii(name))
      .sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
      .map(([name]) => name);
    if (FIRST_LEXEME + names.length > 0x100000) {
      throw new TokenizerError(`${names.length} tokens are more than a vocabulary holds: ask for a higher frequency`);
    }
    return new MusicTokenizer(names);
  }

  /** A tokenizer.json that `save` wrote. Throws a TokenizerError that names the file. */
  static load(file: string): MusicTokenizer {
    return MusicTokenizer.fromFile(readTokenizerFile(file), file);
  }

  /** @internal */
  static fromFile({ model }: TokenizerFile, file: string): MusicTokenizer {
    const tokens = Object.entries(model.vocab).sort((a, b) => a[1] - b[1]);
    const names = tokens.map(([name]) => name);
    const dense = tokens.every(([, id], i) => id === i);
    const known = names.slice(FIRST_LEXEME);
    if (!dense || OTHERS.some((name, id) => names[id] !== name) || known.some((name) => !isLexeme(name))) {
      throw new TokenizerError(
        `${file}: not a music vocabulary of this project (ids 0 to 4 ${SPECIALS.join(' ')}, then 256 bytes from <0x00>, then single lexemes of ABC)`,
      );
    }
    return new MusicTokenizer(known);
  }

  /** True of an id that stands for a byte of what was no token. */
  isByte(id: number): boolean {
    return id >= FIRST_BYTE && id < FIRST_LEXEME;
  }

  encode(text: string | Uint8Array): TokenArray {
    const latin1 = asLatin1(text);
    // No more tokens than bytes.
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
      vocabulary: [...OTHERS, ...this.#names],
    });
  }
}

function asLatin1(text: string | Uint8Array): string {
  const bytes = asBytes(text);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

const textOf = (name: string) => (name.startsWith(DURATION) ? name.slice(DURATION.length) : name);

const isAscii = (text: string) => /^[\0-\x7f]*$/.test(text);

/** Whether encoding could give this token. */
function isLexeme(name: string): boolean {
  const found: string[] = [];
  // A duration is one only after what it is of.
  const text = name.startsWith(DURATION) ? `z${textOf(name)}` : name;
  eachLexeme(text, (lexeme, isDuration) => found.push(isDuration ? DURATION + lexeme : lexeme));
  return found.at(-1) === name && found.length === (text === name ? 1 : 2) && isAscii(name) && name.length > 0;
}
