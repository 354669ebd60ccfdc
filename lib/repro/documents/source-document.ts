/**
 * A YAML, JSON or TOML file as a value, together with the place of each key, so that every error can name line and column.
 */

import { readUtf8 } from '../freshness/index.ts';
import { describeError, type Place, type Problem, ReproError } from '../messages/index.ts';
import type { FileSource } from './file-source.ts';
import { isMapping } from './json.ts';
import { loadYaml } from './load-yaml.ts';
import type { Document as YamlDocument } from './yaml.ts';

/** Keys and indices from the top of a document down to a value. */
export type KeyPath = readonly (string | number)[];

/** A parsed file. */
export interface SourceDocument {
  /** The file's name in messages. */
  file: string;
  value: unknown;
  /**
   * The place of the key at `path`, or of its value if `part` is 'value'. If the key does not exist, the place of the
   * nearest key above it.
   */
  at(path: KeyPath, part?: 'key' | 'value'): Place;
  /** The place of a template in the value at `path`; of the value if the template is not written there as it is. */
  atTemplate(path: KeyPath, template: NonNullable<Problem['template']>): Place;
}

/**
 * Reads a file from disk and parses it by parseSettings.
 *
 * @param name the file's name in messages
 * @throws ReproError if the file cannot be read or is not valid
 */
export async function readDocument(path: string, name = path): Promise<SourceDocument> {
  return parseSettings(readText(path, name), name);
}

/**
 * Reads a file from a source and parses it by parseSettings.
 *
 * @throws ReproError if the file is missing, cannot be read or is not valid
 */
export async function readDocumentFrom(texts: FileSource, file: string): Promise<SourceDocument> {
  const text = await texts.read(file);
  if (text === undefined)
    throw new ReproError({ message: `cannot be read: ${describeError({ code: 'ENOENT' })}`, place: { file } });
  return parseSettings(text, file);
}

/**
 * Reads a text file.
 *
 * @param name the file's name in messages
 * @throws ReproError if the file cannot be read
 */
export function readText(path: string, name = path): string {
  try {
    return readUtf8(path);
  } catch (error) {
    throw new ReproError({ message: `cannot be read: ${describeError(error)}`, place: { file: name } });
  }
}

/**
 * Parses a file whose values go into the lock and are compared with it. Numbers that JSON cannot express (`.inf`,
 * `.nan`) are refused: hashes and memos would store both as null, and a change from one to the other would go
 * unnoticed. So is U+FFFD, which stands in `text` for all bytes that are not UTF-8.
 *
 * @throws ReproError if the text is not valid YAML, or has such a number or character
 */
export async function parseSettings(text: string, file: string): Promise<SourceDocument> {
  refuseNotUtf8(text, file);
  const document = await parseSource(text, file);
  for (const [path, value] of leafPaths(document.value))
    if (typeof value === 'number' && !Number.isFinite(value)) {
      const written = Number.isNaN(value) ? '.nan' : value > 0 ? '.inf' : '-.inf';
      throw new ReproError({
        message: `must be a finite number, but is ${written}`,
        place: document.at(path, 'value'),
        key: dotted(path),
      });
    }
  return document;
}

function refuseNotUtf8(text: string, file: string): void {
  const at = text.indexOf('\ufffd');
  if (at < 0) return;
  const lines = text.slice(0, at).split('\n');
  throw new ReproError({
    message: 'this character is not UTF-8; save the file as UTF-8, or write "\\uFFFD" for the character U+FFFD',
    place: { file, line: lines.length, column: (lines.at(-1) ?? '').length + 1 },
  });
}

/**
 * Parses a YAML or JSON text, or a TOML text if the file's name ends with `.toml`.
 *
 * @param file the file's name in messages
 * @throws ReproError if the text is not valid, or a value contains itself by an alias
 */
export async function parseSource(text: string, file: string): Promise<SourceDocument> {
  if (/\.toml$/i.test(file)) return (await import('./toml.ts')).parseToml(text.replace(/^\uFEFF/, ''), file);
  const yaml = await loadYaml();
  const lines = new yaml.LineCounter();
  const source = text.replace(/^\uFEFF/, '');
  const document = yaml.parseDocument(source, {
    lineCounter: lines,
    prettyErrors: false,
    merge: true,
  });
  const placeAt = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { file, line, column: col };
  };
  // Later errors are often consequences of the first one.
  const [error] = document.errors;
  if (error !== undefined) {
    const lines = text.split('\n');
    const conflict = lines.findIndex((line) => line.startsWith('<<<<<<< '));
    if (conflict >= 0)
      throw new ReproError({
        message: 'holds a merge conflict; keep one side, and remove the lines that mark the conflict',
        place: { file, line: conflict + 1, column: 1 },
      });
    const place = placeAt(error.pos[0]);
    const line = lines[place.line! - 1] ?? '';
    const hint = /(^|[^"'])\$\{/.test(line) ? '; inside { } and [ ] a template needs quotes: "${…}"' : '';
    const fault = describeYamlError(error, line.slice(place.column! - 1)) ?? firstLine(error.message);
    throw new ReproError({ message: `this is not valid YAML: ${fault}${hint}`, place });
  }
  const value = toValue(document, (alias) => placeAt(Math.max(0, source.indexOf(`*${alias}`))), file);
  const rangeAt = (path: KeyPath, part: 'key' | 'value'): [start: number, end: number] => {
    let node: unknown = document.contents;
    let range = rangeOf(node) ?? [0, 0];
    for (const [depth, step] of path.entries()) {
      while (yaml.isAlias(node)) node = node.resolve(document);
      let next: unknown;
      let keyNode: unknown;
      if (yaml.isMap(node)) {
        const pair = node.items.find((item) => keyText(item.key) === String(step));
        next = pair?.value;
        keyNode = pair?.key;
      } else if (yaml.isSeq(node)) {
        next = node.items[Number(step)];
        keyNode = next;
      }
      if (keyNode === undefined) break;
      const spot = part === 'key' || depth < path.length - 1 ? keyNode : (next ?? keyNode);
      range = rangeOf(spot) ?? range;
      node = next;
    }
    return range;
  };
  const at: SourceDocument['at'] = (path, part = 'key') => placeAt(rangeAt(path, part)[0]);
  const atTemplate: SourceDocument['atTemplate'] = (path, { reference, nth }) => {
    const [start, end] = rangeAt(path, 'value');
    const escaped = reference.replace(/[^\w]/g, '\\$&');
    const pattern = new RegExp(`(?<!\\\\)\\$\\{\\s*${escaped}${reference === '' ? '' : '\\s*\\}'}`, 'g');
    const found = [...source.slice(start, end).matchAll(pattern)][nth];
    return placeAt(start + (found?.index ?? 0));
  };
  for (const [path, leaf] of leafPaths(value))
    if (leaf === CIRCLE)
      throw new ReproError({
        message: `${dotted(path)} refers to a value that contains it`,
        place: at(path, 'value'),
      });
  return { file, value, at, atTemplate };
}

/**
 * Messages for the most common mistakes; undefined if the library's own message is good. `rest`: the line from the
 * error on.
 */
function describeYamlError({ code, message }: { code: string; message: string }, rest: string): string | undefined {
  if (message.startsWith('Implicit map keys need')) return 'a key needs ": " after it';
  const bracket = /^Flow (?:sequence|map).* end with a ([\]}])/.exec(message)?.[1];
  if (bracket) return `a ${bracket === ']' ? '[' : '{'} is not closed by its ${bracket}`;
  switch (code) {
    case 'DUPLICATE_KEY':
      return `the key ${/^[^:]*/.exec(rest)![0].trim()} appears here a second time; keep one`;
    case 'TAB_AS_INDENT':
      return 'a tab cannot indent; use spaces';
    case 'MULTIPLE_DOCS':
      return 'a second document begins here; keep one';
    case 'BLOCK_AS_IMPLICIT_KEY':
      return 'a text that has ": " needs quotes';
    case 'MULTILINE_IMPLICIT_KEY':
      return 'a key needs ": " after it on the same line';
    default:
      return undefined;
  }
}

/** Stands for a value that contains itself. */
const CIRCLE = Symbol('circle');

/** Every value that is neither a list nor a mapping, with its path. */
function* leafPaths(
  value: unknown,
  path: KeyPath = [],
  above: readonly unknown[] = [],
): Generator<[path: KeyPath, leaf: unknown]> {
  if (!isMapping(value) && !Array.isArray(value)) yield [path, value];
  else if (above.includes(value)) yield [path, CIRCLE];
  else
    for (const [key, item] of Array.isArray(value) ? value.entries() : Object.entries(value))
      yield* leafPaths(item, [...path, key], [...above, value]);
}

function toValue(document: YamlDocument, placeOfAlias: (name: string) => Place, file: string): unknown {
  try {
    return document.toJS();
  } catch (error) {
    const fault = firstLine(describeError(error));
    const alias = /^Unresolved alias .*?: (.*)$/.exec(fault)?.[1];
    if (alias !== undefined)
      throw new ReproError({
        message: `this is not valid YAML: there is no anchor "&${alias}"; a text that begins with * needs quotes`,
        place: placeOfAlias(alias),
      });
    throw new ReproError({ message: `this is not valid YAML: ${fault}`, place: { file } });
  }
}

function keyText(key: unknown): string {
  return String((key as { value?: unknown } | null)?.value ?? key);
}

/** Where a node begins and where its value ends. */
function rangeOf(node: unknown): [start: number, end: number] | undefined {
  const range = (node as { range?: [number, number, number] } | null | undefined)?.range;
  return range && [range[0], range[1]];
}

function firstLine(text: string): string {
  return text.split('\n')[0].replace(/[.:]?\s*$/, '');
}

/** The path as messages show it, such as `train.sizes[2]`. */
export function dotted(path: KeyPath): string {
  return path.map((step, i) => (typeof step === 'number' ? `[${step}]` : i === 0 ? step : `.${step}`)).join('');
}
