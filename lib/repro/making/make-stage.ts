/**
 * One attempt at making the outputs of one stage: removes its old outputs, runs its commands, and takes the new outputs
 * into the cache. It opens no LMDB store and writes neither the lock nor the run cache, so it may run on any host that
 * has the folder; execution/record-stage.ts records what it returns.
 *
 *   inputs hashed (by the caller) → unrecorded files moved to the trash, old outputs removed → commands in order
 *   → inputs hashed again → outputs hashed → cache
 */
import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describeFailure, describeSystemError, type Failure, listNames, ReproError } from '../messages/index.ts';
import type { Output, Stage } from '../pipeline/index.ts';
import { type Project, setAside } from '../planning/index.ts';
import { type Fingerprint, unlinkFromCache } from '../storage/index.ts';
import {
  checkInside,
  checkpointKey,
  markBegun,
  markCheckpoint,
  markCheckpointEnd,
  markUnrecorded,
  removeCheckpoint,
  removeUserPath,
  signCheckpoint,
  signOutputs,
} from '../workspace/index.ts';
import type { Made } from './executor.ts';
import { putBack, removeChanges, startingPoint, withoutPersist, writeChanges } from './incremental.ts';
import { stillMissing } from './late-outputs.ts';
import { movedInputs } from './moved-inputs.ts';
import { type CommandContext, runCommands } from './run-commands.ts';
import { missingOutputs, restoreOutputs, takeOutputs } from './take-outputs.ts';

/** Resources of the process that an attempt uses. */
export interface MakeContext extends Omit<CommandContext, 'changes'> {
  /** false: nothing is written to the cache. */
  commit: boolean;
  /** true (-f): an incremental stage begins with nothing. */
  fromNothing: boolean;
  /** Whether another attempt has taken this one's place, so that its marks must stay as they are. */
  isGivenUp?(): boolean;
}

/** Milliseconds between signs of life. */
const SIGN_PERIOD = 250;

/**
 * Runs a stage's commands, with its retries.
 *
 * @param inputs the stage's inputs as they are now
 * @param key `fingerprintKey(stage, inputs)`
 * @returns what was made; a command that fails is a result, not an error
 * @throws ReproError if an old output cannot be removed; then nothing has run
 */
export async function makeStage(stage: Stage, inputs: Fingerprint, key: string, context: MakeContext): Promise<Made> {
  const { project } = context;
  const started = performance.now();
  const seconds = () => (performance.now() - started) / 1000;
  const failed = (failure: Failure): Made => {
    if (!context.isGivenUp?.()) markFailed(project.root, stage);
    return { failure, seconds: seconds() };
  };

  const { wdir } = stage;
  if (!existsSync(join(project.root, wdir)))
    return { failure: { reason: 'no-working-folder', wdir }, seconds: seconds() };
  const tell = (text: string) => context.listen({ event: 'note', stage: stage.name, text });
  const start = await startingPoint(project, stage, inputs, context);
  if (start !== undefined) tell(start.sentence);
  if (start?.base !== undefined) await restoreOutputs(project, stage, start.base, tell);
  const replaced = start === undefined || start.base !== undefined ? stage : withoutPersist(stage);
  const note = await setAside(project, replaced, { key });
  if (note !== undefined) tell(note);
  markBegun(project.root, stage);
  prepareOutputs(project.root, replaced);
  // After a failed command, the outputs go back to where they began.
  const prepareAgain = async () => {
    prepareOutputs(project.root, replaced);
    if (start?.base !== undefined) await putBack(project, stage, start.base);
  };
  const life = setInterval(() => signAttempt(project.root, stage), SIGN_PERIOD).unref();
  try {
    prepareCheckpoint(project.root, stage, key);
    const changes = start && writeChanges(project.root, stage, start.changes);
    const failure = await runUntilDone(stage, inputs, { ...context, changes }, prepareAgain);
    if (failure !== undefined) return failed(failure);
    if (!context.commit) return { seconds: seconds() };
    const outs = await takeOutputs(project, stage);
    const { paths } = await ignoredIn(
      project,
      stage.outs.filter(({ persist }) => !persist),
    );
    return { outs, ignored: paths, seconds: seconds() };
  } catch (error) {
    // From here on, the outputs are this attempt's own, so they are marked also if the disk is full.
    const message = error instanceof ReproError ? error.message : describeSystemError(error, project.root);
    if (message === undefined) throw error;
    return failed({ reason: 'error', message });
  } finally {
    clearInterval(life);
    if (start !== undefined) removeChanges(project.root, stage);
  }
}

/** Marks what an attempt that failed has left as its work. */
export function markFailed(root: string, stage: Stage): void {
  markUnrecorded(root, stage);
  markCheckpointEnd(root, stage);
}

/** Notes that the attempt still runs. After a kill, a file that changed after the last such note may be a person's. */
function signAttempt(root: string, stage: Stage): void {
  try {
    signOutputs(root, stage);
    signCheckpoint(root, stage);
  } catch {} // The disk is full, or .repro was removed. After a kill, more moves to the trash than need be.
}

/** Runs the commands, again after a failure if the stage has retries. Returns undefined if the outputs can be taken. */
async function runUntilDone(
  stage: Stage,
  inputs: Fingerprint,
  context: MakeContext & CommandContext,
  prepareAgain: () => Promise<void>,
): Promise<Failure | undefined> {
  const { project } = context;
  for (let retry = 0; ; retry++) {
    const failure = await runCommands(stage, context);
    project.stageInputs.forget();
    if (failure === undefined) break;
    if (retry >= stage.retries || context.isInterrupted()) return failure;
    const text = `${describeFailure(failure)}; attempt ${retry + 2} of ${stage.retries + 1}`;
    context.listen({ event: 'note', stage: stage.name, text });
    await prepareAgain();
  }
  const moved = await movedInputs(project, stage, inputs, context.copies.filesRead(stage.name));
  const missing = await stillMissing(project.root, missingOutputs(project, stage));
  if (missing.length > 0) return { reason: 'missing-output', paths: missing };
  return moved.length > 0 ? { reason: 'inputs-moved', paths: moved } : undefined;
}

/**
 * Paths in outputs that are not recorded, because they do not count.
 *
 * @returns the paths, and a sentence about them
 */
export async function ignoredIn(project: Project, outs: readonly Output[]): Promise<{ paths: string[]; text: string }> {
  const paths: string[] = [];
  for (const { path } of outs) paths.push(...(await project.stageInputs.output(path)).ignored);
  return { paths, text: describeIgnored(paths) };
}

/** The sentence about such paths. */
export function describeIgnored(paths: readonly string[]): string {
  const them = paths.length === 1 ? 'it' : 'them';
  return `${listNames(paths)} not recorded: .reproignore or a default pattern leaves ${them} out`;
}

function prepareOutputs(root: string, stage: Stage): void {
  for (const { path, persist } of stage.outs) {
    checkInside(root, path);
    if (persist) unlinkFromCache(root, join(root, path));
    else removeUserPath(root, path);
    mkdirSync(dirname(join(root, path)), { recursive: true });
  }
}

/** Removes a checkpoint that was written with other inputs: resuming from it would give wrong outputs. */
function prepareCheckpoint(root: string, stage: Stage, key: string): void {
  if (stage.checkpoint === undefined) return;
  if (checkpointKey(root, stage) !== key) removeCheckpoint(root, stage);
  mkdirSync(dirname(join(root, stage.checkpoint)), { recursive: true });
  markCheckpoint(root, stage, key);
}
