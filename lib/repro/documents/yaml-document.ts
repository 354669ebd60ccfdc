/** A YAML or JSON text as a document. */
import { describeError, type Place, ReproError } from '../messages/index.ts';
import { isMapping } from './json.ts';
import { loadYaml } from './load-yaml.ts';
import { dotted, type KeyPath, type SourceDocument } from './source-document.ts';
import type { Document as YamlDocument } from './yaml.ts';

/**
 * Parses a YAML or JSON text.
 *
 * @param source the text, without a byte order mark
 * @param file the file's name in messages
 * @throws ReproError if the text is not valid, or a value contains itself by an alias
 */
export async function parseYaml(source: string, file: string): Promise<SourceDocument> {
  const yaml = await loadYaml();
  const lines = new yaml.LineCounter();
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
    const lines = source.split('\n');
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
export function* leafPaths(
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
