/**
 * Reads and writes tokenizer.json, the file format of Hugging Face's tokenizers: the parts that this project needs.
 *
 * Merges are written as "left right". All versions of `tokenizers`, and its relatives in Node and JavaScript, read that
 * form. Merges are read in that form and in the newer one, [left, right].
 *
 * @see https://huggingface.co/docs/tokenizers/api/tokenizer, and for the fields huggingface/tokenizers,
 *   tokenizers/src/tokenizer/serialization.rs
 */
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { TokenizerError } from './errors.ts';

/** Ids have at most 20 bits. */
const MAX_ID = 0xfffff;
/** The file of a million tokens has about 60 MB. Parsed JSON takes many times the memory of its text. */
const MAX_FILE_BYTES = 128 * 2 ** 20;
/** Tokens in errors are cut to this length. */
const SHOWN = 100;

/** A special, or another token that programs look for before they tokenize. */
export interface AddedToken {
  id: number;
  content: string;
  special?: boolean;
}

/** The fields of tokenizer.json that are read. */
export interface TokenizerFile {
  added_tokens: AddedToken[];
  /** and the three keys of `model` below that are `unknown`: a file in which they are set would give other ids here */
  normalizer?: unknown;
  pre_tokenizer: PreTokenizerEntry | null;
  decoder: { type: string } | null;
  model: {
    type: string;
    vocab: Record<string, number>;
    merges?: (string | [string, string])[];
    unk_token?: string | null;
    continuing_subword_prefix?: unknown;
    end_of_word_suffix?: unknown;
    ignore_merges?: unknown;
  };
}

/** A pre-tokenizer: a `Sequence` of others, or a single one with its options. */
export interface PreTokenizerEntry {
  type: string;
  pretokenizers?: PreTokenizerEntry[];
  pattern?: { Regex?: string; String?: string };
  behavior?: string;
  add_prefix_space?: boolean;
  use_regex?: boolean;
}

/**
 * Reads and checks a tokenizer.json.
 *
 * @throws TokenizerError if the file is missing, is not JSON (for example truncated), or is not a tokenizer.json; the
 *   message names the file
 */
export function readTokenizerFile(file: string): TokenizerFile {
  let text: string;
  try {
    const { size } = statSync(file);
    if (size > MAX_FILE_BYTES)
      throw new TokenizerError(`${file}: has ${size} bytes, more than the ${MAX_FILE_BYTES} that are read`);
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof TokenizerError) throw error;
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw new TokenizerError(
      missing ? `${file}: no such file` : `${file}: cannot be read (${(error as Error).message})`,
    );
  }
  let json: TokenizerFile;
  try {
    json = JSON.parse(text);
  } catch {
    throw new TokenizerError(`${file}: not JSON, or cut short; a Hugging Face tokenizer.json is wanted here`);
  }
  const vocab = json?.model?.vocab;
  if (typeof json?.model?.type !== 'string' || typeof vocab !== 'object' || vocab === null || Array.isArray(vocab)) {
    throw new TokenizerError(
      `${file}: not a Hugging Face tokenizer.json of type BPE or WordLevel (no model.type and model.vocab)`,
    );
  }
  const ids = Object.values(vocab);
  if (ids.length === 0) throw new TokenizerError(`${file}: model.vocab is empty`);
  for (const [token, id] of Object.entries(vocab)) {
    if (!isId(id)) {
      throw new TokenizerError(
        `${file}: model.vocab gives ${JSON.stringify(token.slice(0, SHOWN))} ${typeof id === 'number' ? `the id ${id}` : 'an id that is not a number'}; ids are integers from 0 to ${MAX_ID}`,
      );
    }
  }
  if (new Set(ids).size !== ids.length) throw new TokenizerError(`${file}: two tokens of model.vocab have the same id`);
  json.added_tokens ??= [];
  if (
    !Array.isArray(json.added_tokens) ||
    json.added_tokens.some((t) => !isId(t?.id) || typeof t.content !== 'string')
  ) {
    throw new TokenizerError(
      `${file}: added_tokens is not a list of {id, content}, with integers from 0 to ${MAX_ID} as ids`,
    );
  }
  const { merges } = json.model;
  if (merges !== undefined && !(Array.isArray(merges) && merges.every(isMerge)))
    throw new TokenizerError(`${file}: model.merges is not a list of "left right" or [left, right]`);
  const unread = [
    json.normalizer && 'normalizer',
    ...(['continuing_subword_prefix', 'end_of_word_suffix', 'ignore_merges'] as const).map(
      (key) => json.model[key] && `model.${key}`,
    ),
  ].find(Boolean);
  if (unread) throw new TokenizerError(`${file}: ${unread} is set, and a tokenizer with it is not read`);
  if (json.pre_tokenizer?.pretokenizers !== undefined && !Array.isArray(json.pre_tokenizer.pretokenizers))
    throw new TokenizerError(`${file}: pre_tokenizer.pretokenizers is not a list`);
  return json;
}

function isId(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_ID;
}

function isMerge(value: unknown): boolean {
  if (typeof value === 'string') return true;
  return Array.isArray(value) && value.length === 2 && value.every((part) => typeof part === 'string');
}

/** Makes the entry of `added_tokens` for a special. */
export function specialToken(content: string, id: number): object {
  return { id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
}

/** The fields of tokenizer.json that differ between tokenizers. */
export interface TokenizerParts {
  added_tokens: object[];
  pre_tokenizer: object | null;
  decoder: object;
  /** The model without its `vocab`. */
  model: object;
  /** Tokens in the order of their ids. */
  vocabulary: string[];
}

/**
 * Writes a tokenizer.json, atomically.
 *
 * @throws TokenizerError if the file cannot be written
 */
export function writeTokenizerFile(file: string, parts: TokenizerParts): void {
  const whole = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: parts.added_tokens,
    normalizer: null,
    pre_tokenizer: parts.pre_tokenizer,
    post_processor: null,
    decoder: parts.decoder,
    model: { vocab: {}, ...parts.model },
  };
  const text = JSON.stringify(whole, null, 2).replace(
    '"vocab": {}',
    () => `"vocab": ${vocabularyJson(parts.vocabulary, '    ')}`,
  );
  writeFileAtomically(file, `${text}\n`);
}

/**
 * The vocabulary as JSON, `{token: id}`, in the order of ids. It is not made with JSON.stringify, because JavaScript
 * objects list keys such as "12" before all others.
 *
 * @param indent the indentation of the closing brace
 */
export function vocabularyJson(vocabulary: string[], indent: string): string {
  const entries = vocabulary.map((token, id) => `${indent}  ${JSON.stringify(token)}: ${id}`);
  return `{\n${entries.join(',\n')}\n${indent}}`;
}

/**
 * Writes a file atomically, by a temporary file and a rename: a reader never sees a part of it. Makes its folder.
 *
 * @throws TokenizerError if the file cannot be written; the message names the file
 */
export function writeFileAtomically(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true });
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    writeFileSync(temporary, text);
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw new TokenizerError(`${file}: cannot be written (${(error as Error).message})`);
  }
}
