/**
 * Records what a stage made, and restores a recorded run. Only the repro that has the folder does this: it alone writes
 * the lock and the run cache.
 */
import type { Content } from '../hashing/index.ts';
import { describeIgnored, type Made, markFailed, restoreOutputs, takeOutputs } from '../making/index.ts';
import { describeSystemError, type Failure, ReproError } from '../messages/index.ts';
import type { Stage } from '../pipeline/index.ts';
import { alwaysRuns, describeReplaced, type Project, partsOfInputs } from '../planning/index.ts';
import { type Fingerprint, type LockedStage, lockedStage, recordedKey } from '../storage/index.ts';
import {
  markIgnored,
  markUnrecorded,
  moveToTrash,
  removeCheckpoint,
  unmarkOutputs,
  untouchedFiles,
} from '../workspace/index.ts';

/**
 * Takes a stage's outputs into the cache, and records the run in the run cache and the lock.
 *
 * @param inputs the inputs that the outputs were made from; `key` is their `fingerprintKey`
 * @throws ReproError if an output is missing, the cache or lock cannot be written, or another host has the folder now
 */
export async function commitStage(project: Project, stage: Stage, inputs: Fingerprint, key: string): Promise<void> {
  project.claim?.check();
  await recordRun(project, stage, inputs, key, await takeOutputs(project, stage));
}

/** Writes a run to the run cache and the lock. Its outputs are in the cache. */
async function recordRun(
  project: Project,
  stage: Stage,
  inputs: Fingerprint,
  key: string,
  outs: { [path: string]: Content },
): Promise<void> {
  const parts = await partsOfInputs(project, stage, inputs);
  const block = { ...lockedStage(stage, inputs, outs), ...(Object.keys(parts).length > 0 ? { parts } : {}) };
  if (!alwaysRuns(stage)) project.runs.put(key, block);
  await project.lock.set(stage.name, block);
}

/**
 * Records what an executor has made, and removes the stage's checkpoint.
 *
 * @param made succeeded; without `outs` (--no-commit), nothing is written to the lock
 * @param note is called with a sentence for the user
 * @returns why it could not be recorded; undefined if it was
 */
export async function recordStage(
  project: Project,
  { stage, inputs, key }: { stage: Stage; inputs: Fingerprint; key: string },
  made: Made,
  note: (text: string) => void,
): Promise<Failure | undefined> {
  const { root } = project;
  try {
    if (made.outs === undefined) markUnrecorded(root, stage);
    else {
      project.claim?.check();
      await recordRun(project, stage, inputs, key, made.outs);
      const { ignored = [] } = made;
      markIgnored(root, stage.name, ignored);
      if (ignored.length > 0) note(describeIgnored(ignored));
      unmarkOutputs(root, stage);
    }
    setUntouchedAside(root, stage, note);
    removeCheckpoint(root, stage);
    return undefined;
  } catch (error) {
    const message = error instanceof ReproError ? error.message : describeSystemError(error, root);
    if (message === undefined) throw error;
    markFailed(root, stage);
    return { reason: 'error', message };
  }
}

/** Moves the files of a checkpoint that the attempt found and did not touch to the trash: they may be a person's. */
function setUntouchedAside(root: string, stage: Stage, note: (text: string) => void): void {
  const files = untouchedFiles(root, stage);
  if (files.length === 0) return;
  const folder = moveToTrash(root, stage.name, files);
  note(
    describeReplaced(
      files.map((path) => ({ path, fate: 'trash' })),
      folder,
    ),
  );
}

/**
 * Puts the outputs of an earlier run in place, and records it in the lock.
 *
 * @param block the run, from the run cache or the lock
 * @param note is called with a sentence about files that were moved to the trash
 * @param options.record whether to write the block to the lock as well
 * @throws ReproError if an output is not in the cache, or is damaged there
 */
export async function restoreStage(
  project: Project,
  stage: Stage,
  block: LockedStage,
  note: (text: string) => void,
  options: { record: boolean } = { record: true },
): Promise<void> {
  await restoreOutputs(project, stage, block, note);
  if (!options.record) return;
  project.runs.touch(recordedKey(block));
  await project.lock.set(stage.name, block);
}
