/**
 * Metrics and params, now and at git revisions: read, and what differs between two sides.
 * A side is a revision or, by default, the workspace.
 */
import { readFileSync } from 'node:fs';
import { extname } from 'node:path';
import { equal, isMapping, type Json, leaves, parseSource } from '../documents/index.ts';
import { type Content, contentWithin, sha256 } from '../hashing/index.ts';
import { ReproError } from '../messages/index.ts';
import { contains, loadPipeline, PARAMS, type Stage } from '../pipeline/index.ts';
import type { Project } from '../planning/index.ts';
import { LOCK, readLock } from '../storage/index.ts';
import { openRevision, type Revision } from './git.ts';

/** One of the two that are compared. */
export interface Side {
  name: string;
  /** The stages as they are there; undefined where its pipeline cannot be read. */
  stages?: readonly Stage[];
  /** Undefined: there is no such file. */
  read(path: string): Promise<string | undefined>;
  /** Of these paths, the texts of those that there are. */
  readAll(paths: readonly string[]): Promise<Map<string, string>>;
}

export function workspace(project: Project): Side {
  // A folder in the place of a file, say, is no file.
  const read = (path: string) => project.files.read(path).catch(() => undefined);
  return {
    name: 'workspace',
    stages: project.pipeline.stages,
    read,
    readAll: async (paths) => {
      const texts = await Promise.all(paths.map(async (path) => [path, await read(path)] as const));
      return new Map(texts.filter((entry): entry is [string, string] => entry[1] !== undefined));
    },
  };
}

/** The two sides of `diff [A] [B]`: nothing is HEAD and the workspace; A alone is A and the workspace. */
export async function openSides(project: Project, a = 'HEAD', b?: string): Promise<[Side, Side]> {
  return [await revisionSide(project, a), b === undefined ? workspace(project) : await revisionSide(project, b)];
}

/** A git revision; of outputs that git does not keep, what its lock names and the cache still has. */
async function revisionSide(project: Project, name: string): Promise<Side> {
  const revision = await openRevision(project.root, name);
  const stages = await stagesAt(project, revision);
  const readAll = async (paths: readonly string[]) => {
    const texts = await revision.readAll(paths);
    const missing = paths.filter((path) => !texts.has(path));
    const outOf = new Map(missing.map((path) => [path, stages && outputAt(stages, path)]));
    const names = [...new Set([...outOf.values()].map((found) => found?.stage))].filter((stage) => stage !== undefined);
    const locked = names.length > 0 ? await readLock((await revision.read(LOCK)) ?? '', names) : new Map();
    for (const [path, found] of outOf) {
      const content: Content | undefined = found && locked.get(found.stage)?.outs?.[found.out];
      const text = found && content && cachedText(project, content, path.slice(found.out.length + 1));
      if (text !== undefined) texts.set(path, text);
    }
    return texts;
  };
  return { name, stages, read: async (path) => (await readAll([path])).get(path), readAll };
}

/** Whose output is at this path, or holds it. */
function outputAt(stages: readonly Stage[], path: string): { stage: string; out: string } | undefined {
  for (const { name, outs } of stages)
    for (const out of outs) if (contains(out.path, path)) return { stage: name, out: out.path };
  return undefined;
}

/** Of a folder, the file at `inside`. Undefined when the cache does not have it, or no longer as it was. */
function cachedText(project: Project, content: Content, inside: string): string | undefined {
  const manifest = inside === '' ? undefined : project.cache.manifest(content.sha256);
  const file = inside === '' ? content : manifest && contentWithin(manifest, inside);
  if (file === undefined || file.files !== undefined) return undefined;
  try {
    const text = readFileSync(project.cache.objectPath(file.sha256), 'utf8');
    return sha256(text) === file.sha256 ? text : undefined;
  } catch {
    return undefined;
  }
}

/** The stages of a revision's own pipeline.yaml and params. */
async function stagesAt(project: Project, revision: Revision): Promise<readonly Stage[] | undefined> {
  const { sources, stages } = project.pipeline;
  const texts = await revision.readAll(sources);
  const now = await Promise.all(sources.map((file) => project.files.read(file)));
  if (sources.every((file, i) => texts.get(file) === now[i])) return stages;
  try {
    return (await loadPipeline(project.root, revision, (_document, _schema, check) => check())).stages;
  } catch (error) {
    if (error instanceof ReproError) return undefined;
    throw error;
  }
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

/** One file of both sides; a side without a path does not have it. */
export interface FilePair {
  /** What it is called where both are spoken of. */
  file: string;
  old?: string;
  new?: string;
}

export async function diffFiles(
  pairs: readonly FilePair[],
  [a, b]: readonly [Side, Side],
  options: { all?: boolean },
  broken: Broken,
): Promise<Changes> {
  const changes: Changes = {};
  const paths = (side: 'old' | 'new') => pairs.flatMap((pair) => pair[side] ?? []);
  const [before, after] = await Promise.all([a.readAll(paths('old')), b.readAll(paths('new'))]);
  for (const pair of pairs) {
    const [old, now] = await Promise.all([
      readLeaves(a, pair.old, before.get(pair.old ?? ''), broken),
      readLeaves(b, pair.new, after.get(pair.new ?? ''), broken),
    ]);
    if (old === 'broken' || now === 'broken') continue;
    for (const key of new Set([...old.keys(), ...now.keys()])) {
      const [was, is] = [old.get(key), now.get(key)];
      if (!options.all && equal(was, is)) continue;
      const diff = typeof was === 'number' && typeof is === 'number' ? is - was : undefined;
      changes[pair.file] ??= {};
      changes[pair.file][key] = { old: was, new: is, ...(diff === undefined ? {} : { diff }) };
    }
  }
  return changes;
}

/** Every leaf of a metrics or params file by dotted key; of a CSV, its last row. */
export async function readLeaves(
  side: Side,
  file: string | undefined,
  text: string | undefined,
  broken: Broken,
): Promise<Map<string, Json> | 'broken'> {
  if (file === undefined || text === undefined) return new Map();
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

/** Metrics files of these stages. */
export function metricsFiles(stages: readonly Stage[]): string[] {
  const files = stages.flatMap((stage) => metricsOf(stage));
  return [...new Set(files)].sort();
}

function metricsOf({ outs }: Stage): string[] {
  return outs.filter(({ kind }) => kind === 'metric').map(({ path }) => path);
}

/**
 * The metrics files of two sides, matched by path or, where a path was changed, by stage: so cells of a matrix are matched
 * by their axes. A side has only what is an output of its own pipeline: what a removed cell left lying about is not there.
 */
export function pairMetrics([a, b]: readonly [Side, Side], today: readonly Stage[]): FilePair[] {
  const [before, now] = [a.stages ?? b.stages ?? today, b.stages ?? a.stages ?? today];
  const outsBefore = new Set(before.flatMap(({ outs }) => outs.map(({ path }) => path)));
  const outsNow = new Set(now.flatMap(({ outs }) => outs.map(({ path }) => path)));
  const byName = new Map(before.map((stage) => [stage.name, stage]));
  const pairs = new Map<string, FilePair>();
  const matched = new Set<string>();
  for (const stage of now)
    for (const [i, file] of metricsOf(stage).entries()) {
      const moved = byName.has(stage.name) ? metricsOf(byName.get(stage.name)!)[i] : undefined;
      const old = outsBefore.has(file) ? file : moved !== undefined && !outsNow.has(moved) ? moved : undefined;
      if (old !== undefined) matched.add(old);
      pairs.set(file, { file, old, new: file });
    }
  for (const file of metricsFiles(before))
    if (!matched.has(file)) pairs.set(file, { file, old: file, ...(outsNow.has(file) ? { new: file } : {}) });
  return [...pairs.values()].sort((one, other) => (one.file < other.file ? -1 : 1));
}

/** Params files of these stages, and params.yaml. */
export function paramsFiles(stages: readonly Stage[]): string[] {
  const files = stages.flatMap(({ params }) => params.map(({ file }) => file));
  return [...new Set([PARAMS, ...files])].sort();
}
