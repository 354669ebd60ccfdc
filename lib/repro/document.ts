/**
 * A YAML (or JSON) file as a value together with where each key stands, so that every complaint can name line and column.
 * It knows nothing of what the file means.
 */
import { readFileSync } from 'node:fs';
import { inWords, type Place, ReproError } from './errors.ts';
import type { Texts } from './texts.ts';
import type { Document as YamlDocument } from './yaml.ts';

/** Keys and indices from the top of a document down to a value. */
export type KeyPath = readonly (string | number)[];

export interface SourceDocument {
  /** As messages name it. */
  file: string;
  value: unknown;
  /** Where the key (or, for part 'value', the value) at `path` stands; the nearest enclosing spot that exists. */
  at(path: KeyPath, part?: 'key' | 'value'): Place;
}

/** Throws ReproError when the file cannot be read or is no YAML. */
export async function readDocument(path: string, name = path): Promise<SourceDocument> {
  return parseSource(readText(path, name), name);
}

/** The same of a file that stands somewhere else than on disk, or not as it is there. */
export async function readDocumentFrom(texts: Texts, file: string): Promise<SourceDocument> {
  const text = await texts.read(file);
  if (text === undefined)
    throw new ReproError({ message: `cannot be read: ${inWords({ code: 'ENOENT' })}`, place: { file } });
  return parseSource(text, file);
}

export function readText(path: string, name = path): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new ReproError({ message: `cannot be read: ${inWords(error)}`, place: { file: name } });
  }
}

export async function parseSource(text: string, file: string): Promise<SourceDocument> {
  const yaml = await import('./yaml.ts');
  const lines = new yaml.LineCounter();
  const document = yaml.parseDocument(text.replace(/^\uFEFF/, ''), {
    lineCounter: lines,
    prettyErrors: false,
    merge: true,
  });
  const placeAt = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { file, line, column: col };
  };
  // One slip makes the parser stumble on: only the first error is one of the writer's.
  const [error] = document.errors;
  if (error !== undefined) {
    const place = placeAt(error.pos[0]);
    const line = text.split('\n')[place.line! - 1] ?? '';
    const hint = /(^|[^"'])\$\{/.test(line) ? '; inside { } and [ ] a template needs quotes: "${…}"' : '';
    throw new ReproError({ message: `this is no valid YAML: ${firstLine(error.message)}${hint}`, place });
  }
  return {
    file,
    value: toValue(document, file),
    at: (path, part = 'key') => {
      let node: unknown = document.contents;
      let offset = rangeStart(node) ?? 0;
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
        offset = rangeStart(spot) ?? offset;
        node = next;
      }
      return placeAt(offset);
    },
  };
}

function toValue(document: YamlDocument, file: string): unknown {
  try {
    return document.toJS();
  } catch (error) {
    throw new ReproError({ message: `this is no valid YAML: ${firstLine(inWords(error))}`, place: { file } });
  }
}

function keyText(key: unknown): string {
  return String((key as { value?: unknown } | null)?.value ?? key);
}

function rangeStart(node: unknown): number | undefined {
  return (node as { range?: [number, number, number] } | null | undefined)?.range?.[0];
}

function firstLine(text: string): string {
  return text.split('\n')[0].replace(/[.:]?\s*$/, '');
}

/** "train.sizes[2]" */
export function dotted(path: KeyPath): string {
  return path.map((step, i) => (typeof step === 'number' ? `[${step}]` : i === 0 ? step : `.${step}`)).join('');
}
