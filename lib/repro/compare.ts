/**
 * Metrics and params, now and at git revisions: read, and what differs between two sides.
 * A side is a revision or, by default, the workspace.
 */
import { readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { parseSource } from './document.ts';
import { ReproError } from './errors.ts';
import { openRevision } from './git.ts';
import { equal, isMapping, type Json, leaves } from './json.ts';
import { PARAMS, type Pipeline } from './pipeline.ts';

/** What a side holds, by file; undefined: there is no such file. */
export interface Side {
  name: string;
  read(path: string): Promise<string | undefined>;
}

export function workspace(root: string): Side {
  return {
    name: 'workspace',
    read: async (path) => {
      try {
        return readFileSync(join(root, path), 'utf8');
      } catch {
        return undefined;
      }
    },
  };
}

/** The two sides of `diff [A] [B]`: nothing is HEAD and the workspace; A alone is A and the workspace. */
export async function openSides(root: string, a = 'HEAD', b?: string): Promise<[Side, Side]> {
  return [await openRevision(root, a), b === undefined ? workspace(root) : await openRevision(root, b)];
}

export interface Change {
  old: Json | undefined;
  new: Json | undefined;
  /** new − old, where both are numbers. */
  diff?: number;
}

/** By file, then by dotted key. */
export type Changes = { [file: string]: { [key: string]: Change } };

/** Files that cannot be read as metrics are handed to `broken`, once each, and left out. */
export type Broken = (message: string) => void;

export async function diffFiles(
  files: readonly string[],
  [a, b]: readonly [Side, Side],
  options: { all?: boolean; keys?: (file: string) => readonly string[] | undefined },
  broken: Broken,
): Promise<Changes> {
  const changes: Changes = {};
  for (const file of files) {
    const [old, now] = await Promise.all([readLeaves(a, file, broken), readLeaves(b, file, broken)]);
    if (old === 'broken' || now === 'broken') continue;
    const wanted = options.keys?.(file);
    const isWanted = (key: string) =>
      wanted === undefined ||
      wanted.some((want) => key === want || key.startsWith(`${want}.`) || key.startsWith(`${want}[`));
    for (const key of [...new Set([...old.keys(), ...now.keys()])].filter(isWanted)) {
      const [before, after] = [old.get(key), now.get(key)];
      if (!options.all && equal(before, after)) continue;
      const diff = typeof before === 'number' && typeof after === 'number' ? after - before : undefined;
      changes[file] ??= {};
      changes[file][key] = { old: before, new: after, ...(diff === undefined ? {} : { diff }) };
    }
  }
  return changes;
}

/** Every leaf of a metrics or params file by dotted key; of a CSV, its last row. */
export async function readLeaves(side: Side, file: string, broken: Broken): Promise<Map<string, Json> | 'broken'> {
  const text = await side.read(file);
  if (text === undefined) return new Map();
  try {
    const value = await parseFile(text, file);
    return new Map(leaves(value).filter(([key]) => key !== '' || !isMapping(value)));
  } catch (error) {
    broken(`${side.name === 'workspace' ? '' : `${side.name}:`}${error instanceof Error ? error.message : error}`);
    return 'broken';
  }
}

async function parseFile(text: string, file: string): Promise<Json> {
  const kind = extname(file).toLowerCase();
  if (kind === '.csv' || kind === '.tsv') {
    const { dsvFormat } = await import('d3-dsv');
    const rows = dsvFormat(kind === '.csv' ? ',' : '\t').parse(text);
    const last = rows.at(-1) ?? {};
    return Object.fromEntries(
      Object.entries(last).map(([key, cell]) => [
        key,
        cell !== '' && Number.isFinite(Number(cell)) ? Number(cell) : (cell ?? ''),
      ]),
    );
  }
  if (kind === '.json') {
    try {
      return JSON.parse(text);
    } catch (error) {
      throw new ReproError({ message: `this is no valid JSON: ${(error as Error).message}`, place: { file } });
    }
  }
  return ((await parseSource(text, file)).value ?? null) as Json;
}

/** Metrics files of the pipeline as it is now. */
export function metricsFiles(pipeline: Pipeline): string[] {
  const files = pipeline.stages.flatMap(({ outs }) =>
    outs.filter(({ kind }) => kind === 'metric').map(({ path }) => path),
  );
  return [...new Set(files)].sort();
}

/** Params files and the keys that stages list; `all`: every key. */
export function paramsFiles(pipeline: Pipeline): string[] {
  const files = pipeline.stages.flatMap(({ params }) => params.map(({ file }) => file));
  return [...new Set([PARAMS, ...files])].sort();
}
