/**
 * A byte-level BPE in a tokenizer.json. Files are written so that Hugging Face's libraries give the same ids. Files of
 * this project and of other programs can be read; a file that would give other ids here is refused with the reason.
 *
 * Tokens that are not a byte, a merge or a special are kept as ids that encoding never produces.
 *
 * @see tokenizer-file.ts for the format
 */
import { TokenizerError } from '../errors.ts';
import { type PreTokenizerEntry, specialToken, type TokenizerFile, writeTokenizerFile } from '../tokenizer-file.ts';
import { SYMBOL_BYTE, spell } from './byte-level.ts';
import type { Merges } from './merges.ts';
import { type Pretokenizer, SPLIT_PATTERN } from './pretokenizer.ts';

/** The contents of a BPE: the data that a BpeTokenizer needs. */
export interface BpeParts {
  merges: Merges;
  pretokenizer: Pretokenizer;
  /** Special → id. */
  specials: Map<string, number>;
  /** Symbol → id. */
  ids: Uint32Array;
  /** Tokens by id, as tokenizer.json spells them. */
  vocabulary: string[];
}

/**
 * Reads a byte-level BPE from the contents of a tokenizer.json.
 *
 * @param json the contents
 * @param file the path, for messages
 * @throws TokenizerError if the file holds something that this project cannot encode to the same ids: another
 *   pre-tokenizer, a vocabulary without some byte, or a merge whose result is not a token
 */
export function readBpe(json: TokenizerFile, file: string): BpeParts {
  const fail = (why: string) => new TokenizerError(`${file}: ${why}`);
  const { vocab, merges = [], type } = json.model;
  if (type !== 'BPE') throw fail(`its model is ${type}, not BPE`);
  const pretokenizer = readPretokenizer(json.pre_tokenizer);
  if (!pretokenizer || json.decoder?.type !== 'ByteLevel') {
    throw fail(
      'not a byte-level BPE cut after bars, after lines or not at all ' +
        '(pre_tokenizer: ByteLevel with use_regex and add_prefix_space false, after a Split of [^|\\n]*[|\\n]|[^|\\n]+, of [^\\n]*\\n|[^\\n]+, or none)',
    );
  }

  const specials = new Map(json.added_tokens.map(({ content, id }) => [content, id]));
  const vocabulary: string[] = [];
  for (const [token, id] of [...Object.entries(vocab), ...specials]) {
    if (vocabulary[id] !== undefined && vocabulary[id] !== token) {
      throw fail(`${shown(token)} and ${shown(vocabulary[id])} have the same id ${id}`);
    }
    vocabulary[id] = token;
  }
  for (let id = 0; id < vocabulary.length; id++) vocabulary[id] ??= '';

  const symbols = Array.from(SYMBOL_BYTE, (byte) => spell(Uint8Array.of(byte)));
  const symbolOf = new Map(symbols.map((token, symbol) => [token, symbol]));
  const missing = symbols.find((token) => !Object.hasOwn(vocab, token));
  if (missing !== undefined)
    throw fail(`its vocabulary lacks the byte ${JSON.stringify(missing)}, so it is not byte-level`);
  const pairs = new Uint32Array(2 * merges.length);
  merges.forEach((merge, k) => {
    const [left, right, ...more] = typeof merge === 'string' ? merge.split(' ') : merge;
    const [a, b] = [symbolOf.get(left), symbolOf.get(right)];
    const token = left + right;
    const where = `merge ${k} (${JSON.stringify(merge).slice(0, 100)})`;
    if (a === undefined || b === undefined || more.length > 0)
      throw fail(`${where} is not of two tokens made before it`);
    if (!Object.hasOwn(vocab, token)) throw fail(`${where} makes a token that is not in model.vocab`);
    if (specials.has(token)) throw fail(`${where} makes the special ${token.slice(0, 100)}: text would turn into it`);
    if (symbolOf.has(token)) throw fail(`${where} makes a token that an earlier merge made`);
    symbolOf.set(token, symbols.length);
    symbols.push(token);
    pairs.set([a, b], 2 * k);
  });
  const ids = Uint32Array.from(symbols, (token) => vocab[token]);
  return { merges: pairs, pretokenizer, specials, ids, vocabulary };
}

/** A token in an error. */
function shown(token: string): string {
  return JSON.stringify(token.slice(0, 100));
}

/** The pre-tokenizer of the file, or undefined if it is not one of the three that are supported. */
function readPretokenizer(entry: PreTokenizerEntry | null): Pretokenizer | undefined {
  const steps = entry?.type === 'Sequence' ? (entry.pretokenizers ?? []) : entry ? [entry] : [];
  const byteLevel = steps.at(-1);
  if (byteLevel?.type !== 'ByteLevel' || byteLevel.use_regex !== false || byteLevel.add_prefix_space !== false)
    return undefined;
  if (steps.length === 1) return 'none';
  const [split] = steps;
  if (steps.length !== 2 || split?.type !== 'Split' || split.behavior !== 'Isolated') return undefined;
  const pattern = split.pattern?.Regex;
  return (Object.keys(SPLIT_PATTERN) as Pretokenizer[]).find(
    (name) => pattern !== undefined && SPLIT_PATTERN[name] === pattern,
  );
}

/** Writes a byte-level BPE as a tokenizer.json, atomically. */
export function writeBpe(parts: BpeParts, file: string): void {
  const { merges, specials, vocabulary, ids } = parts;
  const token = (symbol: number) => vocabulary[ids[symbol]];
  const pattern = SPLIT_PATTERN[parts.pretokenizer];
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false };
  const split = { type: 'Split', pattern: { Regex: pattern }, behavior: 'Isolated', invert: false };
  writeTokenizerFile(file, {
    added_tokens: Array.from(specials, ([special, id]) => specialToken(special, id)),
    pre_tokenizer: pattern ? { type: 'Sequence', pretokenizers: [split, byteLevel] } : byteLevel,
    decoder: byteLevel,
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      merges: Array.from(
        { length: merges.length / 2 },
        (_, k) => `${token(merges[2 * k])} ${token(merges[2 * k + 1])}`,
      ),
    },
    vocabulary,
  });
}
