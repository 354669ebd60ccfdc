/**
 * One attempt at one stage: removes its old outputs, runs its commands, and takes the new outputs into cache and lock.
 *
 *   inputs hashed (by the caller) → unrecorded files moved to the trash, old outputs removed → commands in order
 *   → inputs hashed again → outputs hashed → cache → run cache → lock
 */
import { existsSync, mkdirSync } from 'node:fs';
import { basename, delimiter, dirname, join } from 'node:path';
import type { AttemptOutput } from '../attempts/index.ts';
import { canonical, type Json } from '../documents/index.ts';
import { type Content, sameContent } from '../hashing/index.ts';
import { describeFailure, describeSystemError, type Failure, listNames, ReproError } from '../messages/index.ts';
import { commandText, type Output, type Stage, type StageCommand } from '../pipeline/index.ts';
import { describeReplaced, MissingInputs, type Project, setAside } from '../planning/index.ts';
import { Command, type CommandResult, shellScript } from '../processes/index.ts';
import { LISTED_PARAMS, listedParams, PARAMS_FOLDER, PARAMS_READ } from '../stage-api/index.ts';
import { type Fingerprint, unlinkFromCache } from '../storage/index.ts';
import {
  checkInside,
  checkpointKey,
  markBegun,
  markCheckpoint,
  markCheckpointEnd,
  markIgnored,
  markUnrecorded,
  moveToTrash,
  removeUserPath,
  signCheckpoint,
  signOutputs,
  unmarkCheckpoint,
  unmarkOutputs,
  untouchedFiles,
} from '../workspace/index.ts';
import { failedOutcome, type Listener, type Outcome } from './events.ts';
import { putBack, removeChanges, startingPoint, withoutPersist, writeChanges } from './incremental.ts';
import type { ParamsCopies } from './params-copies.ts';
import { commitStage, missingOutputs, restoreStage } from './record-stage.ts';
import { STAGES_ABOVE, stagesAbove } from './stages-above.ts';

/** What an attempt uses of the run that it is part of. */
export interface AttemptContext {
  project: Project;
  /** Ids of the GPUs that the stage has for itself. */
  gpus: readonly string[];
  /** Bytes of memory that the stage may use beside the others, see memoryShare. */
  memoryShare: number;
  /** Whether this machine has GPUs that are leased to stages. */
  leasesGpus: boolean;
  /** File descriptor that process groups are noted on, see ProcessGroups. */
  groupsFd: number;
  /** false: nothing is written to the cache, the run cache or the lock. */
  commit: boolean;
  /** true (-f): an incremental stage begins with nothing. */
  fromNothing: boolean;
  log: AttemptOutput;
  listen: Listener;
  /** Copies of params files. */
  copies: ParamsCopies;
  /** Called when a command has been started. */
  began(command: Command): void;
  /** Called when it has ended. */
  ended(command: Command): void;
  isInterrupted(): boolean;
}

/** Of an incremental stage: the absolute path of the file that lists what changed. */
interface ChangesFile {
  changes?: string;
}

/** The shell's exit code for a program that it cannot find (POSIX, Shell Command Language, 2.8.2). */
const COMMAND_NOT_FOUND = 127;

/** Milliseconds between signs of life. */
const SIGN_PERIOD = 250;

/**
 * Runs a stage's commands, with its retries, and records the result.
 *
 * @param inputs the stage's inputs as they are now
 * @param key `fingerprintKey(stage, inputs)`
 * @returns `ran` or `failed`; a command that fails is an outcome, not an error
 * @throws ReproError if an old output cannot be removed; then nothing has run
 */
export async function attemptStage(
  stage: Stage,
  inputs: Fingerprint,
  key: string,
  context: AttemptContext,
): Promise<Outcome> {
  const { project } = context;
  const started = performance.now();
  const seconds = () => (performance.now() - started) / 1000;
  const failed = (failure: Failure) => {
    markUnrecorded(project.root, stage);
    markCheckpointEnd(project.root, stage);
    return failedOutcome(failure, seconds(), context.log.path);
  };

  const { wdir } = stage;
  if (!existsSync(join(project.root, wdir)))
    return failedOutcome({ reason: 'no-working-folder', wdir }, seconds(), context.log.path);
  const tell = (text: string) => context.listen({ event: 'note', stage: stage.name, text });
  const start = await startingPoint(project, stage, inputs, context);
  if (start !== undefined) tell(start.sentence);
  if (start?.base !== undefined) await restoreStage(project, stage, start.base, tell, { record: false });
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
    return await runAndRecord(stage, inputs, key, { ...context, changes }, { seconds, failed, prepareAgain });
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

/** Notes that the attempt goes on. After a kill, what changed after the last such note may be a person's. */
function signAttempt(root: string, stage: Stage): void {
  try {
    signOutputs(root, stage);
    signCheckpoint(root, stage);
  } catch {} // The disk is full, or .repro was removed. After a kill, more moves to the trash than need be.
}

/** The part of an attempt after the old outputs were removed. */
async function runAndRecord(
  stage: Stage,
  inputs: Fingerprint,
  key: string,
  context: AttemptContext & ChangesFile,
  {
    seconds,
    failed,
    prepareAgain,
  }: { seconds: () => number; failed: (failure: Failure) => Outcome; prepareAgain: () => Promise<void> },
): Promise<Outcome> {
  const { project } = context;
  for (let retry = 0; ; retry++) {
    const failure = await runCommands(stage, context);
    project.stageInputs.forget();
    if (failure === undefined) break;
    if (retry >= stage.retries || context.isInterrupted()) return failed(failure);
    const text = `${describeFailure(failure)}; attempt ${retry + 2} of ${stage.retries + 1}`;
    context.listen({ event: 'note', stage: stage.name, text });
    await prepareAgain();
  }

  const moved = await movedInputs(project, stage, inputs, context.copies.filesRead(stage.name));
  const missing = missingOutputs(project, stage);
  if (missing.length > 0) return failed({ reason: 'missing-output', paths: missing });
  if (moved.length > 0) return failed({ reason: 'inputs-moved', paths: moved });
  if (context.commit) {
    try {
      await commitStage(project, stage, inputs, key);
    } catch (error) {
      if (!(error instanceof ReproError)) throw error;
      return failed({ reason: 'error', message: error.message });
    }
    await noteIgnored(stage, context);
    unmarkOutputs(project.root, stage);
  } else markUnrecorded(project.root, stage);
  setUntouchedAside(stage, context);
  removeCheckpoint(project.root, stage);
  return { outcome: 'ran', seconds: seconds() };
}

/** Tells the user which files the stage has made that are not recorded, and marks them as its work. */
async function noteIgnored(stage: Stage, { project, listen }: AttemptContext): Promise<void> {
  const replaced = stage.outs.filter(({ persist }) => !persist);
  const { paths, text } = await ignoredIn(project, replaced);
  markIgnored(project.root, stage.name, paths);
  if (paths.length > 0) listen({ event: 'note', stage: stage.name, text });
}

/**
 * Paths in outputs that are not recorded, because they do not count.
 *
 * @returns the paths, and a sentence about them
 */
export async function ignoredIn(project: Project, outs: readonly Output[]): Promise<{ paths: string[]; text: string }> {
  const paths: string[] = [];
  for (const { path } of outs) paths.push(...(await project.stageInputs.output(path)).ignored);
  const them = paths.length === 1 ? 'it' : 'them';
  return { paths, text: `${listNames(paths)} not recorded: .reproignore or a default pattern leaves ${them} out` };
}

/** Runs the commands in order, up to the first that fails. Returns undefined when all have succeeded. */
async function runCommands(stage: Stage, context: AttemptContext & ChangesFile): Promise<Failure | undefined> {
  const { project, groupsFd } = context;
  for (const cmd of stage.cmd) {
    const cwd = join(project.root, stage.wdir);
    const request = { ...shellScript(cmd), cwd, env: await environment(stage, context), groupsFd };
    const command = new Command(request, {
      timeout: stage.timeout,
      onOutput: (text) => {
        context.log.write(text);
        context.listen({ event: 'output', stage: stage.name, text });
      },
      onProgress: ({ done, total, unit, text }) =>
        context.listen({ event: 'progress', stage: stage.name, done, total, unit, text }),
    });
    context.began(command);
    const result = await command.result;
    context.ended(command);
    const failure = failureOf(stage, cmd, result, context.isInterrupted());
    if (failure !== undefined) return failure;
  }
  return undefined;
}

/** How a command failed; undefined if it succeeded. */
function failureOf(
  stage: Stage,
  cmd: StageCommand,
  { exit, signal, timedOut, error }: CommandResult,
  isInterrupted: boolean,
): Failure | undefined {
  const how = {
    ...(stage.cmd.length > 1 ? { cmd: commandText(cmd) } : {}),
    ...(exit === undefined ? {} : { exit }),
    ...(signal === undefined ? {} : { signal }),
  };
  if (isInterrupted) return { reason: 'interrupted', ...how };
  if (error !== undefined) return { reason: 'not-started', error, ...how };
  if (timedOut) return { reason: 'timeout', timeout: stage.timeout!, ...how };
  if (signal !== undefined) return { reason: 'signal', ...how, signal };
  if (exit === COMMAND_NOT_FOUND) return { reason: 'not-found', ...how };
  return exit === 0 ? undefined : { reason: 'exit', ...how };
}

/** The variables that a stage's commands get in addition to repro's own environment. */
async function environment(
  stage: Stage,
  { project, gpus, leasesGpus, memoryShare, copies, changes }: AttemptContext & ChangesFile,
): Promise<{ [name: string]: string }> {
  const texts = new Map<string, string>();
  for (const { file } of stage.params) {
    const text = await project.stageInputs.paramsText(file, stage.name);
    if (text !== undefined) texts.set(file, text);
  }
  return {
    PATH: [join(project.root, 'node_modules/.bin'), process.env.PATH].filter(Boolean).join(delimiter),
    REPRO_STAGE: stage.name,
    REPRO_MEMORY: String(memoryShare),
    ...(changes === undefined ? {} : { REPRO_CHANGES: changes }),
    [STAGES_ABOVE]: stagesAbove(project.root, stage.name),
    [LISTED_PARAMS]: listedParams(stage.params),
    ...(texts.size > 0 ? { [PARAMS_FOLDER]: copies.write(texts), [PARAMS_READ]: copies.readFile(stage.name) } : {}),
    // tsx keeps compiled modules in a temporary folder that another user may have filled, and runs what it finds there.
    TSX_DISABLE_CACHE: '1',
    ...(leasesGpus ? { CUDA_VISIBLE_DEVICES: gpus.join(',') } : {}),
    ...stage.env,
  };
}

function prepareOutputs(root: string, stage: Stage): void {
  for (const { path, persist } of stage.outs) {
    checkInside(root, path);
    if (persist) unlinkFromCache(join(root, path));
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

/** Moves the files of a checkpoint that the attempt found and did not touch to the trash: they may be a person's. */
function setUntouchedAside(stage: Stage, { project, listen }: AttemptContext): void {
  const files = untouchedFiles(project.root, stage);
  if (files.length === 0) return;
  const folder = moveToTrash(project.root, stage.name, files);
  const text = describeReplaced(
    files.map((path) => ({ path, fate: 'trash' })),
    folder,
  );
  listen({ event: 'note', stage: stage.name, text });
}

function removeCheckpoint(root: string, stage: Stage): void {
  if (stage.checkpoint === undefined) return;
  removeUserPath(root, stage.checkpoint);
  unmarkCheckpoint(root, stage);
}

/**
 * The params that were edited during the run and that a command may have read from the file itself. A param that a
 * template puts into the commands was given to them, so they need not read it. It does not count, unless a command also
 * names the file.
 *
 * @returns dotted keys by file
 */
export async function paramsReadDirectly(project: Project, stage: Stage): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>();
  const commands = stage.cmd.map(commandText).join('\n');
  for (const [file, keys] of await project.stageInputs.editedParams(stage)) {
    const isNamed = commands.includes(basename(file)) || !project.pipeline.sources.includes(file);
    const given = isNamed ? [] : (stage.given ?? []);
    const direct = keys.filter((key) => !given.some((name) => key === name || key.startsWith(`${name}.`)));
    if (direct.length > 0) found.set(file, direct);
  }
  return found;
}

/** The inputs that changed while the commands were running. Inputs that are missing now are among them. */
async function movedInputs(
  project: Project,
  stage: Stage,
  before: Fingerprint,
  readFromCopy: ReadonlySet<string>,
): Promise<string[]> {
  let after: Fingerprint;
  try {
    after = await project.stageInputs.fingerprint(stage);
  } catch (error) {
    if (error instanceof MissingInputs) return error.missing.map(({ path }) => path);
    throw error;
  }
  const changed = (old: { [name: string]: Content | null }, now: { [name: string]: Content | null }) =>
    Object.keys(now).filter((name) => !sameContent(old[name], now[name]));
  const params = Object.keys(after.params).filter(
    (file) => canonical(before.params[file] as Json) !== canonical(after.params[file] as Json),
  );
  for (const file of (await paramsReadDirectly(project, stage)).keys()) if (!readFromCopy.has(file)) params.push(file);
  const packages = Object.keys(after.packages ?? {}).filter(
    (name) => before.packages?.[name] !== after.packages?.[name],
  );
  return [...changed(before.deps, after.deps), ...changed(before.code, after.code), ...params, ...packages];
}
