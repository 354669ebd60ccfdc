/**
 * tokenizer.json, Hugging Face's file of a whole tokenizer, as far as this project's tokenizers need it: read from disk with
 * errors that name the file, and written whole or not at all.
 *
 * Merges are written as "left right", the form that every version of `tokenizers`, and its Node and JavaScript
 * relatives, reads; both that and the newer [left, right] are read.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { TokenizerError } from './tokenizer.ts';

export interface AddedToken {
  id: number;
  content: string;
  special?: boolean;
}

/** The parts that are read; the rest is written but not looked at. */
export interface TokenizerFile {
  added_tokens: AddedToken[];
  pre_tokenizer: PreTokenizerEntry | null;
  decoder: { type: string } | null;
  model: {
    type: string;
    vocab: Record<string, number>;
    merges?: (string | [string, string])[];
    unk_token?: string | null;
  };
}

export interface PreTokenizerEntry {
  type: string;
  pretokenizers?: PreTokenizerEntry[];
  pattern?: { Regex?: string; String?: string };
  behavior?: string;
  add_prefix_space?: boolean;
  use_regex?: boolean;
}

/** Throws a TokenizerError naming the file where it is missing, no JSON (a truncated one is none), or no tokenizer.json. */
export function readTokenizerFile(file: string): TokenizerFile {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
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
    if (!Number.isInteger(id) || id < 0 || id > 0xfffff) {
      throw new TokenizerError(
        `${file}: model.vocab gives ${JSON.stringify(token)} the id ${id}; ids are integers from 0 to 1048575`,
      );
    }
  }
  if (new Set(ids).size !== ids.length) throw new TokenizerError(`${file}: two tokens of model.vocab have the same id`);
  json.added_tokens ??= [];
  if (
    !Array.isArray(json.added_tokens) ||
    json.added_tokens.some((t) => !Number.isInteger(t?.id) || typeof t.content !== 'string')
  ) {
    throw new TokenizerError(`${file}: added_tokens is not a list of {id, content}`);
  }
  return json;
}

/** The entry of `added_tokens` for a special. */
export function specialToken(content: string, id: number): object {
  return { id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
}

export interface TokenizerParts {
  added_tokens: object[];
  pre_tokenizer: object | null;
  decoder: object;
  /** without its vocab */
  model: object;
  /** tokens in the order of their ids */
  vocabulary: string[];
}

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
  writeWhole(file, `${text}\n`);
}

/** {token: id} by id; an object of JavaScript's would bring tokens such as "12" to the front. */
export function vocabularyJson(vocabulary: string[], indent: string): string {
  const entries = vocabulary.map((token, id) => `${indent}  ${JSON.stringify(token)}: ${id}`);
  return `{\n${entries.join(',\n')}\n${indent}}`;
}

/** By a temporary file and rename: a reader never sees half of it. */
export function writeWhole(file: string, text: string): void {
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
