/**
 * Outputs that were left in a folder that a stage depends on. The stage would count them, although no stage of the
 * pipeline makes them any more.
 *
 *   a matrix lost a cell: its outputs are as recorded and can be brought back      removed
 *                         they are as recorded, but nothing else holds them        moved to the trash
 *                         a person changed them, git has changes, or they are used  kept
 *   a whole definition was removed, or a stage names other outputs now             kept: they may be inputs by now
 */
import { realpathSync } from 'node:fs';
import { basename, dirname, join, relative, sep } from 'node:path';
import { statOrUndefined } from '../freshness/index.ts';
import { type Content, manifestLine } from '../hashing/index.ts';
import { describeError, listNames, plural } from '../messages/index.ts';
import { contains, isOutside, normalise, type Stage } from '../pipeline/index.ts';
import { checkInside, type PathsInUse } from '../workspace/index.ts';
import { gitFilesOf } from './git-files-of.ts';
import { pathsInUse } from './paths-in-use.ts';
import { makePlan } from './plan.ts';
import type { Project } from './project.ts';
import type { PlannedStage, PlanOptions } from './status.ts';
import { whyDifferent } from './why-different.ts';

/** An output of a stage that is not in the pipeline any more, or that the stage does not list any more. */
export interface LeftOutput {
  /** The stage that made it. */
  stage: string;
  path: string;
  fate: 'remove' | 'trash' | 'keep';
  /** The content in the lock. */
  content: Content;
  /** The stages that would count it; empty for one that goes together with another output of its cell. */
  readers: string[];
  /** Where it lies in the dependencies of these stages; not the same as `path` if a link leads there. */
  countedAs: string[];
  /** Why it is kept: the end of a sentence about it. */
  because?: string;
  /** With the fate `remove`: where a copy is, so that it can be restored. */
  keptBy?: 'git' | 'the cache';
  /**
   * Removed from pipeline.yaml: one cell of a matrix or foreach, a whole definition, or only this output of a stage.
   */
  gone: 'cell' | 'stage' | 'output';
}

/**
 * Finds the outputs that stages would count although they do not belong to the pipeline any more.
 *
 * @param names the stages that read; the folders of other stages are not looked at
 */
export async function leftOutputs(project: Project, names: readonly string[]): Promise<LeftOutput[]> {
  const candidates = oldOutputs(project);
  if (candidates.length === 0) return [];
  const readers = names.map((name) => project.graph.stages.get(name)!).filter(({ frozen }) => !frozen);
  const found: LeftOutput[] = [];
  const uses = await pathsInUse(project, { insideDeps: false });
  for (const candidate of candidates) {
    const counted = await findReaders(project, candidate.path, readers);
    if (counted.length === 0 || isMade(project, candidate.path)) continue;
    const because = candidate.gone === 'cell' ? await whyKept(project, candidate, uses) : undefined;
    found.push({
      ...candidate,
      readers: [...new Set(counted.map(({ reader }) => reader))],
      countedAs: [...new Set(counted.map(({ path }) => path))],
      ...(because !== undefined || candidate.gone !== 'cell' ? { fate: 'keep' } : await fateOf(project, candidate)),
      ...(because === undefined ? {} : { because }),
    });
  }
  return oncePerPath([...found, ...(await restOfCells(project, candidates, found, uses))]);
}

/** One entry for each path: after a definition got another name, blocks of both names record the same outputs. */
function oncePerPath(left: readonly LeftOutput[]): LeftOutput[] {
  const byPath = new Map<string, LeftOutput>();
  for (const output of left) {
    const known = byPath.get(output.path);
    if (known === undefined || (known.fate === 'keep' && output.fate !== 'keep')) byPath.set(output.path, output);
  }
  return [...byPath.values()];
}

/** The other outputs of a cell that is removed: as its block leaves the lock, nothing would know them any more. */
async function restOfCells(
  project: Project,
  candidates: readonly Candidate[],
  found: readonly LeftOutput[],
  uses: PathsInUse,
): Promise<LeftOutput[]> {
  const isLeft = (stage: string) => found.every((left) => left.stage !== stage || left.fate !== 'keep');
  const cells = new Set(found.map(({ stage }) => stage).filter(isLeft));
  const rest: LeftOutput[] = [];
  for (const candidate of candidates) {
    if (!cells.has(candidate.stage) || found.some(({ path }) => path === candidate.path)) continue;
    if ((await whyKept(project, candidate, uses)) !== undefined) continue;
    const fate = await fateOf(project, candidate);
    if (fate.fate === 'remove') rest.push({ ...candidate, ...fate, readers: [], countedAs: [] });
  }
  return rest;
}

/**
 * Plans stages as if the outputs that are to be removed were gone already.
 *
 * @param names as for makePlan
 */
export async function planWithoutLeft(
  project: Project,
  names: readonly string[],
  options: PlanOptions,
): Promise<{ plan: PlannedStage[]; left: LeftOutput[] }> {
  const left = await leftOutputs(project, names);
  const paths = left.flatMap(({ fate, countedAs }) => (fate === 'keep' ? [] : countedAs));
  if (paths.length > 0) project.stageInputs.leaveOut(paths, neededFolders(project));
  return { plan: await makePlan(project, names, options), left };
}

/** The folders that stay when they are empty: those that stages depend on or run in. */
export function neededFolders({ graph }: Project): Set<string> {
  return new Set([...graph.stages.values()].flatMap(({ wdir, deps }) => [wdir, ...deps.map(({ path }) => path)]));
}

type Candidate = Pick<LeftOutput, 'stage' | 'path' | 'content' | 'gone'>;

/** The outputs in the lock that exist, and that no stage lists. */
function oldOutputs({ root, lock, graph, pipeline }: Project): Candidate[] {
  const listed = new Set([...graph.stages.values()].flatMap(({ outs }) => outs.map(({ path }) => path)));
  const found: Candidate[] = [];
  for (const stage of lock.names)
    for (const [recorded, content] of Object.entries(lock.get(stage)?.outs ?? {})) {
      const path = normalise(root, '.', recorded);
      if (listed.has(path) || path === '.' || isOutside(path)) continue;
      if (statOrUndefined(join(root, path)) === undefined) continue;
      const gone = graph.stages.has(stage) ? 'output' : isRemovedCell({ graph, pipeline }, stage) ? 'cell' : 'stage';
      found.push({ stage, path, content, gone });
    }
  return found;
}

/** Whether a stage is not in the pipeline, but its definition is: a matrix or foreach has other cells now. */
export function isRemovedCell({ graph, pipeline }: Pick<Project, 'graph' | 'pipeline'>, stage: string): boolean {
  return !graph.stages.has(stage) && pipeline.groups.includes(stage.split('@')[0]);
}

/** Whether the path lies in an output of a stage, which is that stage's to keep in order. */
function isMade({ graph }: Project, path: string): boolean {
  return [...graph.stages.values()].some(({ outs }) => outs.some((out) => contains(out.path, path)));
}

/** The stages that depend on a folder around the path, and its path in that folder. */
async function findReaders(
  project: Project,
  path: string,
  readers: readonly Stage[],
): Promise<{ reader: string; path: string }[]> {
  const found: { reader: string; path: string }[] = [];
  const absolute = join(project.root, path);
  // The path itself may be a link, which is not followed.
  const real = join(realPath(dirname(absolute)), basename(absolute));
  for (const { name, deps } of readers)
    for (const dep of deps) {
      const inside = relative(realPath(join(project.root, dep.path)), real)
        .split(sep)
        .join('/');
      if (inside === '' || isOutside(inside)) continue;
      // An error is reported where the stage itself is planned.
      const scanned = await project.stageInputs.scan(dep.path).catch(() => undefined);
      if (scanned?.manifest === undefined || !hasEntry(scanned.manifest, inside)) continue;
      found.push({ reader: name, path: dep.path === '.' ? inside : `${dep.path}/${inside}` });
    }
  return found;
}

/**
 * Whether a folder counts a file, or something in a folder. A folder of a dependency need not count all that is in it.
 */
function hasEntry(manifest: string, path: string): boolean {
  const start = manifestLine(path).slice(0, -'"}\n'.length);
  return manifest.includes(`${start}"`) || manifest.includes(`${start}/`);
}

/** The path with symbolic links resolved; the path itself if it does not exist. */
function realPath(absolute: string): string {
  try {
    return realpathSync.native(absolute);
  } catch {
    return absolute;
  }
}

/** Why an output of a removed cell must stay where it is; undefined if it need not. */
async function whyKept(
  project: Project,
  { stage, path, content }: Candidate,
  uses: PathsInUse,
): Promise<string | undefined> {
  const group = [...project.graph.stages.values()].filter((other) => other.group === stage.split('@')[0]);
  if (group.some(({ frozen }) => frozen)) return `${group[0].group} is frozen`;
  const use = uses.why(path);
  if (use !== undefined) return use;
  try {
    checkInside(project.root, path);
  } catch (error) {
    return describeError(error);
  }
  const difference = await whyDifferent(project, path, content, stage);
  if (difference !== undefined) return difference;
  const git = await gitFilesOf(project);
  const tracked = (await git?.tracked([path])) ?? [];
  return tracked.length > 0 && !(await git!.areCommitted(tracked))
    ? 'git tracks it, and has changes of it that are not committed'
    : undefined;
}

/** Decides whether an unchanged output may be removed: git or the cache must be able to restore it. */
async function fateOf(project: Project, { path, content }: Candidate): Promise<Pick<LeftOutput, 'fate' | 'keptBy'>> {
  const git = await gitFilesOf(project);
  if (((await git?.tracked([path])) ?? []).length > 0) return { fate: 'remove', keptBy: 'git' };
  const isCached = (await project.cache.problems(content)).length === 0;
  return isCached ? { fate: 'remove', keptBy: 'the cache' } : { fate: 'trash' };
}

/** At most this many cells of a group are described one by one. */
const DESCRIBED_CELLS = 3;

/**
 * Sentences about left outputs, by the stage that made them. Many cells of a group that only lose files which git or
 * the cache has are one sentence, by the name of the group.
 *
 * @param folders by stage: the folder of the trash that they were moved to; undefined if that would only happen
 */
export function describeLeft(
  left: readonly LeftOutput[],
  folders?: ReadonlyMap<string, string>,
): { stage: string; text: string }[] {
  const done = folders !== undefined;
  const stages = [...new Set(left.map(({ stage }) => stage))];
  const cellsOf = new Map<string, string[]>();
  for (const stage of stages)
    if (left.every((output) => output.stage !== stage || output.fate === 'remove'))
      cellsOf.set(groupOf(stage), [...(cellsOf.get(groupOf(stage)) ?? []), stage]);
  const isMany = (group: string) => (cellsOf.get(group)?.length ?? 0) > DESCRIBED_CELLS;
  const many = [...cellsOf.keys()].filter(isMany).map((group) => {
    const cells = cellsOf.get(group)!;
    const outputs = left.filter(({ stage }) => cells.includes(stage));
    const counts = `${listNames([...new Set(outputs.flatMap(({ readers }) => readers))])} would count`;
    const removed = `${done ? 'removed' : 'would remove'} ${plural(outputs.length, 'output')} of ${cells.length} cells`;
    return {
      stage: group,
      text: `${removed}, such as ${outputs[0].path}, which ${counts}: the cells are no longer in the pipeline; ${describeKeepers(outputs)}`,
    };
  });
  const single = stages.filter((stage) => !(isMany(groupOf(stage)) && cellsOf.get(groupOf(stage))!.includes(stage)));
  const one = single.flatMap((stage) => {
    const own = left.filter((output) => output.stage === stage);
    const sentences: string[] = [];
    const paths = (fate: LeftOutput['fate']) => own.filter((o) => o.fate === fate).map(({ path }) => path);
    const counts = `${listNames([...new Set(own.flatMap(({ readers }) => readers))])} would count`;
    const [removed, moved] = [paths('remove'), paths('trash')];
    if (removed.length > 0) sentences.push(`${done ? 'removed' : 'would remove'} ${listNames(removed)}`);
    if (moved.length > 0)
      sentences.push(
        `${done ? 'moved' : 'would move'} ${listNames(moved)} to ${folders?.get(stage) ?? '.repro/trash'}`,
      );
    const texts =
      sentences.length > 0
        ? [
            `${sentences.join(' and ')}, which ${counts}: the stage is no longer in the pipeline${removed.length > 0 ? `; ${describeKeepers(own)}` : ''}`,
          ]
        : [];
    for (const { path, readers, because, gone } of own.filter(({ fate }) => fate === 'keep'))
      texts.push(
        gone === 'cell'
          ? `kept ${path}, and ${countsIt(readers)}, although the stage is no longer in the pipeline: ${because}`
          : `kept ${path}, and ${countsIt(readers)}, although no stage makes it any more. Delete it if it is not an input${gone === 'stage' ? '; `repro gc --yes` keeps it and forgets the stage' : ''}`,
      );
    return texts.map((text) => ({ stage, text }));
  });
  return [...many, ...one];
}

/** The clause about what has the outputs that are removed. @example 'git and the cache have them' */
function describeKeepers(outputs: readonly LeftOutput[]): string {
  const removed = outputs.filter(({ keptBy }) => keptBy !== undefined);
  const keepers = [...new Set(removed.map(({ keptBy }) => keptBy))];
  return `${keepers.join(' and ')} ${keepers.length > 1 ? 'have' : 'has'} ${removed.length === 1 ? 'it' : 'them'}`;
}

/** The group of a cell: train of train@large. */
function groupOf(stage: string): string {
  return stage.split('@', 1)[0];
}

function countsIt(readers: readonly string[]): string {
  return `${listNames(readers)} ${readers.length === 1 ? 'counts' : 'count'} it`;
}
