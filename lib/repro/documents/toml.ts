/**
 * A TOML file as a value with the line of each key. The library is loaded when a TOML file is read.
 *
 * Integers of any size keep their digits. Other numbers are as JavaScript writes them: 1.0 becomes 1. Dates and times
 * become texts.
 */
import { type Place, ReproError } from '../messages/index.ts';
import type { Json } from './json.ts';
import type { KeyPath, SourceDocument } from './source-document.ts';
import { ofInteger } from './written-number.ts';

/**
 * Parses a TOML text.
 *
 * @param file the file's name in messages
 * @throws ReproError if the text is not valid TOML
 */
export async function parseToml(text: string, file: string): Promise<SourceDocument> {
  const { parse, TomlError } = await import('smol-toml');
  let value: Json;
  try {
    value = toJson(parse(text, { integersAsBigInt: 'asNeeded', unsafeKeyBehaviour: 'throw' }));
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const fault = error.message.split('\n')[0].replace(/^Invalid TOML document: /, '');
    throw new ReproError({
      message: `this is not valid TOML: ${fault}`,
      place: { file, line: error.line, column: error.column },
    });
  }
  const keys = keysIn(text);
  const at: SourceDocument['at'] = (path, part = 'key') => placeOf(keys, file, path, part);
  return { file, value, at, atTemplate: (path) => at(path, 'value') };
}

function toJson(value: unknown): Json {
  if (typeof value === 'bigint') return ofInteger(value);
  if (Array.isArray(value)) return value.map(toJson);
  if (value instanceof Date) return value.toISOString();
  if (typeof value !== 'object' || value === null) return value as Json;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toJson(item)]));
}

/** Where a key is written. Columns are counted from 1. */
interface WrittenKey {
  path: (string | number)[];
  line: number;
  column: number;
  valueColumn: number;
}

const KEY = String.raw`(?:[\w-]+|"(?:[^"\\]|\\.)*"|'[^']*')`;
const DOTTED = String.raw`${KEY}(?:\s*\.\s*${KEY})*`;
const HEADER = new RegExp(String.raw`^\s*(\[\[?)\s*(${DOTTED})\s*\]`);
const PAIR = new RegExp(String.raw`^(\s*)(${DOTTED})(\s*=\s*)`);

/**
 * The keys of a text that the library has parsed. A line of a text over several lines may look like a key, so the result
 * is good for messages only.
 */
function keysIn(text: string): WrittenKey[] {
  const keys: WrittenKey[] = [];
  const counts = new Map<string, number>();
  let table: (string | number)[] = [];
  for (const [i, line] of text.split('\n').entries()) {
    const header = HEADER.exec(line);
    const pair = PAIR.exec(line);
    if (header) {
      table = partsOf(header[2]);
      const name = JSON.stringify(table);
      if (header[1] === '[[') {
        counts.set(name, (counts.get(name) ?? -1) + 1);
        table = [...table, counts.get(name)!];
      }
      keys.push({ path: table, line: i + 1, column: 1, valueColumn: 1 });
    } else if (pair) {
      const [all, blanks, key] = pair;
      const column = blanks.length + 1;
      keys.push({ path: [...table, ...partsOf(key)], line: i + 1, column, valueColumn: all.length + 1 });
    }
  }
  return keys;
}

function partsOf(dotted: string): string[] {
  return [...dotted.matchAll(new RegExp(KEY, 'g'))].map(([key]) =>
    key.startsWith('"') ? (JSON.parse(key) as string) : key.replace(/^'|'$/g, ''),
  );
}

/** The place of a key, or of the nearest key above it. */
function placeOf(keys: readonly WrittenKey[], file: string, path: KeyPath, part: 'key' | 'value'): Place {
  const isPrefix = (key: WrittenKey) => key.path.length <= path.length && key.path.every((step, i) => step === path[i]);
  const [best] = keys.filter(isPrefix).sort((a, b) => b.path.length - a.path.length);
  if (best === undefined) return { file, line: 1, column: 1 };
  const isOwn = best.path.length === path.length;
  return { file, line: best.line, column: part === 'value' && isOwn ? best.valueColumn : best.column };
}
