/**
 * Reads metrics and params in the workspace and at git revisions, and compares them. Each of the two sides of a
 * comparison is a git revision or the workspace.
 */
import { extname } from 'node:path';
import {
  equal,
  isMapping,
  type Json,
  leaves,
  numberOf,
  ofInteger,
  parseJson,
  parseSource,
  type WrittenNumber,
} from '../documents/index.ts';
import { readUtf8 } from '../freshness/index.ts';
import { type Content, contentWithin, sha256 } from '../hashing/index.ts';
import { type Place, ReproError } from '../messages/index.ts';
import { contains, loadPipeline, PARAMS, resultsOf, type Stage } from '../pipeline/index.ts';
import type { Project } from '../planning/index.ts';
import { LOCK, readLock } from '../storage/index.ts';
import { openRevision, type RevisionSource } from './revision-source.ts';

/** One of the two sides of a comparison. */
export interface Side {
  /** The revision as the user wrote it, or "workspace". */
  name: string;
  /** The stages of this side's own pipeline; undefined if that pipeline cannot be read. */
  stages?: readonly Stage[];
  /** The text of a file; undefined if there is no such file. */
  read(path: string): Promise<string | undefined>;
  /** The texts of several files by path. Missing files are left out. */
  readAll(paths: readonly string[]): Promise<Map<string, string>>;
  /** Files that the revision's lock lists, but that neither git nor the cache has. Complete after `readAll`. */
  lost?: ReadonlySet<string>;
}

/** The workspace as a side: the files of the project's folder. A file that cannot be read counts as missing. */
export function workspace(project: Project): Side {
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

/**
 * The two sides of `diff [A] [B]`.
 *
 * @param a a git revision
 * @param b a git revision; undefined: the workspace
 * @throws ReproError if git does not know a revision
 */
export async function openSides(project: Project, a = 'HEAD', b?: string): Promise<[Side, Side]> {
  return [await revisionSide(project, a), b === undefined ? workspace(project) : await revisionSide(project, b)];
}

/**
 * A git revision as a side. Outputs that are not in git are read from the cache, by the hashes in the revision's lock.
 */
async function revisionSide(project: Project, name: string): Promise<Side> {
  const revision = await openRevision(project.root, name);
  const stages = await stagesAt(project, revision);
  const lost = new Set<string>();
  const readAll = async (paths: readonly string[]) => {
    const texts = await revision.readAll(paths);
    const missing = paths.filter((path) => !texts.has(path));
    const producers = new Map(missing.map((path) => [path, stages && producerOf(stages, path)]));
    const names = [...new Set([...producers.values()].map((producer) => producer?.stage))].filter(
      (stage) => stage !== undefined,
    );
    const locked = names.length > 0 ? await readLock((await revision.read(LOCK)) ?? '', names) : new Map();
    for (const [path, producer] of producers) {
      const content: Content | undefined = producer && locked.get(producer.stage)?.outs?.[producer.out];
      const text = producer && content && cachedText(project, content, path.slice(producer.out.length + 1));
      if (text !== undefined) texts.set(path, text);
      else if (content) lost.add(path);
    }
    return texts;
  };
  return { name, stages, read: async (path) => (await readAll([path])).get(path), readAll, lost };
}

/** The stage whose output is this path or a folder around it. */
function producerOf(stages: readonly Stage[], path: string): { stage: string; out: string } | undefined {
  for (const { name, outs } of stages)
    for (const out of outs) if (contains(out.path, path)) return { stage: name, out: out.path };
  return undefined;
}

/**
 * The text of a cached output.
 *
 * @param inside the path of a file in the output, if the output is a folder, else ''
 * @returns undefined if the cache does not have the file or the cached file is damaged
 */
function cachedText(project: Project, content: Content, inside: string): string | undefined {
  const manifest = inside === '' ? undefined : project.cache.manifest(content.sha256);
  const file = inside === '' ? content : manifest && contentWithin(manifest, inside);
  if (file === undefined || file.files !== undefined) return undefined;
  try {
    const text = readUtf8(project.cache.objectPath(file.sha256));
    return sha256(text) === file.sha256 ? text : undefined;
  } catch {
    return undefined;
  }
}

/** The stages of a revision's own pipeline.yaml and params; undefined if they are not valid. */
async function stagesAt(project: Project, revision: RevisionSource): Promise<readonly Stage[] | undefined> {
  const { sources, stages } = project.pipeline;
  const texts = await revision.readAll(sources);
  const workspaceTexts = await Promise.all(sources.map((file) => project.files.read(file)));
  if (sources.every((file, i) => texts.get(file) === workspaceTexts[i])) return stages;
  try {
    return (await loadPipeline(project.root, revision, (_document, _schema, check) => check())).stages;
  } catch (error) {
    if (error instanceof ReproError) return undefined;
    throw error;
  }
}

/** The value of one key on both sides. Undefined where a side does not have it. */
export interface Change {
  old: Json | undefined;
  new: Json | undefined;
  /** new − old, if both are numbers. */
  diff?: number | WrittenNumber;
}

/** Changes by file, then by dotted key. */
export type Changes = { [file: string]: { [key: string]: Change } };

/** Receives one sentence for each file that cannot be read as metrics or params. */
export type ReportUnreadable = (message: string) => void;

/** The paths of one file on both sides. A side without the file has no path. */
export interface FilePair {
  /** The path of the file in results. */
  file: string;
  old?: string;
  new?: string;
}

/**
 * Compares files key by key. A file that cannot be read on one side is reported and left out.
 *
 * @param options `all`: also return unchanged values
 * @param report is called for each file that cannot be read
 */
export async function diffFiles(
  pairs: readonly FilePair[],
  [a, b]: readonly [Side, Side],
  options: { all?: boolean },
  report: ReportUnreadable,
): Promise<Changes> {
  const changes: Changes = {};
  const paths = (side: 'old' | 'new') => pairs.flatMap((pair) => pair[side] ?? []);
  const [before, after] = await Promise.all([a.readAll(paths('old')), b.readAll(paths('new'))]);
  for (const pair of pairs) {
    for (const [side, path] of [
      [a, pair.old],
      [b, pair.new],
    ] as const)
      if (path !== undefined && side.lost?.has(path))
        report(`${side.name}:${path} is in the lock, but neither git nor the cache has its content`);
    const [oldValues, newValues] = await Promise.all([
      readLeaves(a, pair.old, before.get(pair.old ?? ''), report),
      readLeaves(b, pair.new, after.get(pair.new ?? ''), report),
    ]);
    if (oldValues === 'unreadable' || newValues === 'unreadable') continue;
    for (const key of new Set([...oldValues.keys(), ...newValues.keys()])) {
      const [was, is] = [oldValues.get(key), newValues.get(key)];
      if (!options.all && equal(was, is)) continue;
      const diff = difference(was, is);
      changes[pair.file] ??= {};
      changes[pair.file][key] = { old: was, new: is, ...(diff === undefined ? {} : { diff }) };
    }
  }
  return changes;
}

/** b − a, exactly if both are integers; undefined if one of them is not a number. */
function difference(a: Json | undefined, b: Json | undefined): number | WrittenNumber | undefined {
  const [from, to] = [numberOf(a), numberOf(b)];
  if (from === undefined || to === undefined) return undefined;
  const isLarge = typeof from === 'bigint' || typeof to === 'bigint';
  if (!isLarge || !isWhole(from) || !isWhole(to)) return Number(to) - Number(from);
  return ofInteger(BigInt(to) - BigInt(from));
}

function isWhole(value: number | bigint): boolean {
  return typeof value === 'bigint' || Number.isInteger(value);
}

/**
 * The values of a metrics or params file by dotted key. Of a CSV or TSV file, only the last row is read.
 *
 * @param file the path; undefined or without `text`: the side does not have the file, and the result is empty
 * @returns `unreadable` if the file is not valid; `report` was called then
 */
export async function readLeaves(
  side: Side,
  file: string | undefined,
  text: string | undefined,
  report: ReportUnreadable,
): Promise<Map<string, Json> | 'unreadable'> {
  if (file === undefined || text === undefined) return new Map();
  try {
    const value = await parseFile(text, file, report);
    return new Map(leaves(value).filter(([key]) => key !== '' || !isMapping(value)));
  } catch (error) {
    report(`${side.name === 'workspace' ? '' : `${side.name}:`}${error instanceof Error ? error.message : error}`);
    return 'unreadable';
  }
}

/** Parses a file by its extension: CSV, TSV, JSON, otherwise YAML. Numbers in a CSV or TSV file become numbers. */
async function parseFile(written: string, file: string, report: ReportUnreadable): Promise<Json> {
  // A text may hold U+FFFD, which stands for bytes that are not UTF-8. UTF-16 begins with two of them, or is half NUL.
  if (/^\ufffd{2}|\0/.test(written)) throw new ReproError(`${file} is not saved as UTF-8`);
  const text = written.replace(/^\ufeff/, '');
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
      return nameNonFinite(parseJson(quoteNonFinite(text)));
    } catch (error) {
      const found = await readAsYaml(text, file);
      if ('value' in found) {
        report(`${file} is not valid JSON, and was read as YAML`);
        return found.value;
      }
      const { fault, at } = describeJsonError(error as Error, text);
      const place = at === undefined ? (found.place ?? { file, line: 1, column: 1 }) : placeIn(text, at, file);
      throw new ReproError({ message: `this is not valid JSON: ${fault}`, place });
    }
  }
  return nameNonFinite(((await parseSource(text, file)).value ?? null) as Json);
}

/**
 * A mapping or list that is not quite JSON, such as `{acc: 0.9}`, which a shell made from `{"acc": 0.9}`.
 *
 * @returns the value, or where it is not valid YAML either
 */
async function readAsYaml(text: string, file: string): Promise<{ value: Json } | { place?: Place }> {
  try {
    const value = nameNonFinite((await parseSource(text, file)).value as Json);
    return Array.isArray(value) || isMapping(value) ? { value } : {};
  } catch (error) {
    return error instanceof ReproError ? { place: error.problems[0].place } : {};
  }
}

/** The fault of JSON.parse without its own words about the position, and the position if it names one. */
function describeJsonError({ message }: Error, text: string): { fault: string; at?: number } {
  const fault = message.replace(/( in JSON)? at position \d+.*$|, ".*" is not valid JSON$| in JSON$/s, '');
  const position = /at position (\d+)/.exec(message)?.[1];
  // With NaN in quotes, positions differ from those in the file.
  if (position !== undefined && !/NaN|Infinity/.test(text)) return { fault, at: Number(position) };
  return /end of JSON input/.test(message) ? { fault: 'it ends too early', at: text.trimEnd().length } : { fault };
}

function placeIn(text: string, at: number, file: string): Place {
  const lines = text.slice(0, at).split('\n');
  return { file, line: lines.length, column: lines.at(-1)!.length + 1 };
}

/**
 * Puts quotes around NaN, Infinity and -Infinity outside of strings. Python's json.dump writes them, although JSON has
 * no such numbers.
 */
function quoteNonFinite(text: string): string {
  if (!/NaN|Infinity/.test(text)) return text;
  return text.replace(/"(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b/g, (found) =>
    found.startsWith('"') ? found : JSON.stringify(found),
  );
}

/** The value with the names of numbers that JSON does not have in place of these numbers. */
function nameNonFinite(value: Json): Json {
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  if (Array.isArray(value)) return value.map(nameNonFinite);
  if (!isMapping(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, nameNonFinite(item)]));
}

/** The metrics files of stages, sorted. */
export function metricsFiles(stages: readonly Stage[]): string[] {
  const files = stages.flatMap((stage) => metricsOf(stage));
  return [...new Set(files)].sort();
}

function metricsOf(stage: Stage): string[] {
  return resultsOf(stage, 'metric').map(({ path }) => path);
}

/**
 * Matches the metrics files of two sides. Files match by path or, if the path changed, by the name of their stage, so
 * cells of a matrix match by their axes. A file counts only if it is an output of the side's own pipeline: the files of
 * a removed cell may still exist, but they are ignored.
 *
 * @param workspaceStages the stages in the workspace, used if the stages of both sides are unknown
 */
export function pairMetrics([a, b]: readonly [Side, Side], workspaceStages: readonly Stage[]): FilePair[] {
  const [oldStages, newStages] = [a.stages ?? b.stages ?? workspaceStages, b.stages ?? a.stages ?? workspaceStages];
  const oldOuts = new Set(oldStages.flatMap(madePaths));
  const newOuts = new Set(newStages.flatMap(madePaths));
  const byName = new Map(oldStages.map((stage) => [stage.name, stage]));
  const pairs = new Map<string, FilePair>();
  const matched = new Set<string>();
  for (const stage of newStages)
    for (const [i, file] of metricsOf(stage).entries()) {
      const moved = byName.has(stage.name) ? metricsOf(byName.get(stage.name)!)[i] : undefined;
      const old = oldOuts.has(file) ? file : moved !== undefined && !newOuts.has(moved) ? moved : undefined;
      if (old !== undefined) matched.add(old);
      pairs.set(file, { file, old, new: file });
    }
  for (const file of metricsFiles(oldStages))
    if (!matched.has(file)) pairs.set(file, { file, old: file, ...(newOuts.has(file) ? { new: file } : {}) });
  return [...pairs.values()].sort((one, other) => (one.file < other.file ? -1 : 1));
}

function madePaths({ outs, results = [] }: Stage): string[] {
  return [...outs, ...results].map(({ path }) => path);
}

/** The params files of stages, those that the pipeline lists, and params.yaml, sorted. */
export function paramsFiles(stages: readonly Stage[], listed: readonly string[] = []): string[] {
  const files = stages.flatMap(({ params }) => params.map(({ file }) => file));
  return [...new Set([PARAMS, ...listed, ...files])].sort();
}
