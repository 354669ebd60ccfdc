/**
 * Stages with `incremental: true`: the command finds its persistent outputs as the last recorded run left them, and a
 * file that lists what changed among its inputs since then.
 *
 *   outputs as recorded, or the cache has them so                → restored, and the changes since that run
 *   the command, params, code or env changed, or anything is lost → outputs removed, and every file as added
 *
 * A command that was killed leaves outputs of which the lock knows nothing. They never count as fresh, because their
 * content is not the recorded one, and the next attempt does not begin with them either: it first restores or removes
 * them. So does each retry.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { canonical, type Json } from '../documents/index.ts';
import { writeAtomically } from '../files/index.ts';
import { type Content, sameContent } from '../hashing/index.ts';
import { plural } from '../messages/index.ts';
import { fileNameFor, type Stage } from '../pipeline/index.ts';
import type { Project } from '../planning/index.ts';
import { type Fingerprint, type LockedStage, lockedStage } from '../storage/index.ts';
import { type InputChanges, inputChanges } from './input-changes.ts';

/** The outputs that an incremental stage begins with. */
export interface StartingPoint {
  /** The recorded run whose persistent outputs the command finds; undefined: it begins with nothing. */
  base?: LockedStage;
  changes: InputChanges;
  /** A sentence that tells the user about this decision. */
  sentence: string;
}

/**
 * Decides what a stage begins with. Nothing is changed.
 *
 * @param inputs the stage's inputs as they are now
 * @param options.fromNothing begin with nothing
 * @returns undefined for a stage that is not incremental
 */
export async function startingPoint(
  project: Project,
  stage: Stage,
  inputs: Fingerprint,
  { fromNothing }: { fromNothing: boolean },
): Promise<StartingPoint | undefined> {
  if (!stage.incremental) return undefined;
  const recorded = project.lock.get(stage.name);
  const why = fromNothing ? 'it is forced' : await whyFromNothing(project, stage, inputs, recorded);
  if (why === undefined) {
    const changes = await inputChanges(project, inputs, recorded);
    if (changes !== undefined) {
      const base = { ...recorded!, outs: persistentOuts(stage, recorded!) };
      return { base, changes, sentence: `runs on what changed: ${describe(changes)}` };
    }
  }
  const changes = (await inputChanges(project, inputs, undefined))!;
  return { changes, sentence: `runs from nothing: ${why ?? 'the cache does not have the list of its old inputs'}` };
}

/** Why a stage cannot begin with its recorded outputs; undefined if it can. */
async function whyFromNothing(
  project: Project,
  stage: Stage,
  inputs: Fingerprint,
  recorded: LockedStage | undefined,
): Promise<string | undefined> {
  if (recorded === undefined) return 'it has not run yet';
  const now = lockedStage(stage, inputs, {});
  for (const part of ['cmd', 'wdir', 'env', 'code', 'packages', 'params'] as const)
    if (canonical(now[part] as Json | undefined) !== canonical(recorded[part] as Json | undefined))
      return `its ${part === 'cmd' ? 'command' : part} changed`;
  for (const { path, persist } of stage.outs) {
    if (!persist) continue;
    const content = recorded.outs?.[path];
    if (content === undefined) return `the lock does not have ${path}`;
    if (sameContent((await project.stageInputs.output(path)).content, content)) continue;
    if ((await project.cache.problems(content)).length > 0)
      return `${path} is not as recorded, and the cache does not have it`;
  }
  return undefined;
}

function persistentOuts(stage: Stage, recorded: LockedStage): { [path: string]: Content } {
  const kept = stage.outs.filter(({ persist }) => persist).map(({ path }) => path);
  return Object.fromEntries(kept.map((path) => [path, recorded.outs![path]]));
}

function describe({ added, changed, removed }: InputChanges): string {
  return `${plural(added.length, 'file')} added, ${changed.length} changed, ${removed.length} removed`;
}

/** The stage as one that keeps no output, for an attempt that begins with nothing. */
export function withoutPersist(stage: Stage): Stage {
  return { ...stage, outs: stage.outs.map((out) => ({ ...out, persist: false })) };
}

/** Restores the persistent outputs after a command that failed. They are the attempt's own, so nothing else is lost. */
export async function putBack(project: Project, stage: Stage, base: LockedStage): Promise<void> {
  for (const [path, content] of Object.entries(base.outs ?? {}))
    if (!sameContent((await project.stageInputs.output(path)).content, content))
      await project.cache.restore(stage.outs.find((out) => out.path === path)!, content);
}

const changesFile = (root: string, stage: Stage) => join(root, '.repro/changes', `${fileNameFor(stage.name)}.json`);

/**
 * Writes the list for the command: `{"added": […], "changed": […], "removed": […]}`, with paths relative to its folder.
 *
 * @returns the absolute path of the file
 */
export function writeChanges(root: string, stage: Stage, changes: InputChanges): string {
  const file = changesFile(root, stage);
  const fromWdir = (paths: readonly string[]) => paths.map((path) => posix.relative(stage.wdir, path));
  const { added, changed, removed } = changes;
  const list = { added: fromWdir(added), changed: fromWdir(changed), removed: fromWdir(removed) };
  mkdirSync(dirname(file), { recursive: true });
  writeAtomically(file, `${JSON.stringify(list)}\n`, { fsync: false });
  return file;
}

/** Removes the list of changes that was written for an incremental stage. */
export function removeChanges(root: string, stage: Stage): void {
  rmSync(changesFile(root, stage), { force: true });
}
