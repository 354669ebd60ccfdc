/**
 * One attempt at one stage, from removing its old outputs to taking its new ones into cache and lock.
 *
 *   inputs hashed (by the caller) → old outputs removed → commands in order → inputs hashed again → outputs hashed
 *   → cache → run cache → lock
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { canonical, type Json } from '../documents/index.ts';
import { type Content, sameContent, statOrUndefined } from '../hashing/index.ts';
import { ReproError } from '../messages/index.ts';
import { fileNameFor, type Stage } from '../pipeline/index.ts';
import { alwaysRuns, MissingInputs, type Project } from '../planning/index.ts';
import { Command, type CommandResult } from '../processes/index.ts';
import { LISTED_PARAMS, listedParams } from '../stage-api/index.ts';
import { type Fingerprint, type LockedStage, lockedStage, recordedKey, unlinkFromCache } from '../storage/index.ts';
import type { AttemptOutput } from './attempt-log.ts';
import type { Listener, Outcome } from './events.ts';

export interface AttemptContext {
  project: Project;
  gpus: readonly string[];
  /** Whether the machine has GPUs that stages are leased. */
  leasesGpus: boolean;
  /** The descriptor that process groups are noted on. */
  notes: number;
  /** false: nothing goes into the cache or the run cache, or the lock. */
  commit: boolean;
  log: AttemptOutput;
  listen: Listener;
  began(command: Command): void;
  ended(command: Command): void;
  isInterrupted(): boolean;
}

/** Outputs that git keeps are small; up to this many bytes the run cache keeps them too, so that a run can be restored whole. */
const KEPT_FOR_RESTORING = 1 << 20;

export async function attemptStage(
  stage: Stage,
  inputs: Fingerprint,
  key: string,
  context: AttemptContext,
): Promise<Outcome> {
  const { project } = context;
  const started = performance.now();
  const seconds = () => (performance.now() - started) / 1000;
  const failed = (message: string, result?: CommandResult): Outcome => ({
    outcome: 'failed',
    message,
    seconds: seconds(),
    ...(result?.exit === undefined ? {} : { exit: result.exit }),
    ...(result?.signal === undefined ? {} : { signal: result.signal }),
    ...(context.log.path ? { log: context.log.path } : {}),
  });

  const wdir = join(project.root, stage.wdir);
  if (!existsSync(wdir)) return failed(`its working folder ${stage.wdir} does not exist`);
  prepareOutputs(project.root, stage);
  prepareCheckpoint(project.root, stage, key);
  for (let retry = 0; ; retry++) {
    const result = await runCommands(stage, context);
    project.stageInputs.forget();
    if (result === 'done') break;
    if (retry >= stage.retries || context.isInterrupted()) return failed(result.message, result);
    context.listen({
      event: 'note',
      stage: stage.name,
      text: `${result.message}; attempt ${retry + 2} of ${stage.retries + 1}`,
    });
    if (retry < stage.retries) prepareOutputs(project.root, stage);
  }

  const moved = await movedInputs(project, stage, inputs);
  const absent = absentOutputs(project, stage);
  if (absent.length > 0) return failed(`it ended well but did not make ${absent.join(', ')}`);
  if (moved.length > 0)
    return failed(
      `${moved.join(', ')} changed while it ran, so what it made cannot be vouched for; its outputs are kept, it stays stale: run repro again`,
    );
  if (context.commit) await commitStage(project, stage, inputs, key);
  removeCheckpoint(project.root, stage);
  return { outcome: 'ran', seconds: seconds() };
}

type Failure = CommandResult & { message: string };

async function runCommands(stage: Stage, context: AttemptContext): Promise<'done' | Failure> {
  const { project, notes } = context;
  for (const cmd of stage.cmd) {
    const launch = { script: cmd, cwd: join(project.root, stage.wdir), env: environment(stage, context), notes };
    const command = new Command(launch, {
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
    const message = describeFailure(stage, cmd, result);
    if (context.isInterrupted()) return { ...result, message: 'it was interrupted' };
    if (message !== undefined) return { ...result, message };
  }
  return 'done';
}

function describeFailure(
  stage: Stage,
  cmd: string,
  { exit, signal, timedOut, error }: CommandResult,
): string | undefined {
  const which = stage.cmd.length > 1 ? `\`${cmd}\`` : 'its command';
  if (error !== undefined) return `${which} could not be started: ${error}`;
  if (timedOut) return `${which} took longer than its timeout of ${stage.timeout} s`;
  if (signal !== undefined) return `${which} was ended by ${signal}`;
  if (exit === 127) return `${which} was not found (exit 127)`;
  return exit === 0 ? undefined : `${which} ended with exit ${exit}`;
}

/** What differs from repro's own environment. */
function environment(stage: Stage, { project, gpus, leasesGpus }: AttemptContext): { [name: string]: string } {
  return {
    PATH: [join(project.root, 'node_modules/.bin'), process.env.PATH].filter(Boolean).join(delimiter),
    REPRO_STAGE: stage.name,
    [LISTED_PARAMS]: listedParams(stage.params),
    ...(leasesGpus ? { CUDA_VISIBLE_DEVICES: gpus.join(',') } : {}),
    ...stage.env,
  };
}

function prepareOutputs(root: string, stage: Stage): void {
  for (const { path, persist } of stage.outs) {
    if (persist) unlinkFromCache(join(root, path));
    else rmSync(join(root, path), { recursive: true, force: true });
    mkdirSync(dirname(join(root, path)), { recursive: true });
  }
}

/** A checkpoint of other inputs is of no use, and would do harm. */
function prepareCheckpoint(root: string, stage: Stage, key: string): void {
  if (stage.checkpoint === undefined) return;
  const mark = checkpointMark(root, stage);
  if (!existsSync(mark) || readFileSync(mark, 'utf8') !== key) removeCheckpoint(root, stage);
  mkdirSync(dirname(join(root, stage.checkpoint)), { recursive: true });
  mkdirSync(dirname(mark), { recursive: true });
  writeFileSync(mark, key);
}

function removeCheckpoint(root: string, stage: Stage): void {
  if (stage.checkpoint === undefined) return;
  rmSync(join(root, stage.checkpoint), { recursive: true, force: true });
  rmSync(checkpointMark(root, stage), { force: true });
}

/** Says which inputs a checkpoint belongs to. */
function checkpointMark(root: string, stage: Stage): string {
  return join(root, '.repro/attempting', fileNameFor(stage.name));
}

/** Names of the inputs that are no longer what they were before the command. */
async function movedInputs(project: Project, stage: Stage, before: Fingerprint): Promise<string[]> {
  let after: Fingerprint;
  try {
    after = await project.stageInputs.fingerprint(stage);
  } catch (error) {
    if (error instanceof MissingInputs) return error.missing.map(({ path }) => path);
    throw error;
  }
  const moved = (old: { [name: string]: Content | null }, now: { [name: string]: Content | null }) =>
    Object.keys(now).filter((name) => !sameContent(old[name], now[name]));
  const params = Object.keys(after.params).filter(
    (file) => canonical(before.params[file] as Json) !== canonical(after.params[file] as Json),
  );
  return [...moved(before.deps, after.deps), ...moved(before.code, after.code), ...params];
}

export function absentOutputs({ root }: Project, stage: Stage): string[] {
  return stage.outs.map(({ path }) => path).filter((path) => statOrUndefined(join(root, path)) === undefined);
}

/** Takes outputs into the cache, and the run into run cache and lock. None may be absent. */
export async function commitStage(project: Project, stage: Stage, inputs: Fingerprint, key: string): Promise<void> {
  const outs: { [path: string]: Content } = {};
  for (const out of stage.outs) {
    const scanned = out.cache ? undefined : await project.stageInputs.scan(out.path);
    const isKept = scanned === undefined || scanned.content.size <= KEPT_FOR_RESTORING;
    outs[out.path] = isKept ? await project.cache.take(out) : scanned.content;
  }
  for (const entry of stage.code) {
    const closure = await project.stageInputs.closure(entry);
    if (closure) await project.cache.saveManifest(closure);
  }
  const block = lockedStage(stage, inputs, outs);
  if (!alwaysRuns(stage)) project.runs.put(key, block);
  await project.lock.set(stage.name, block);
}

/** Puts back what an earlier run with the same inputs made. */
export async function restoreStage(
  project: Project,
  stage: Stage,
  block: LockedStage,
  options: { record: boolean } = { record: true },
): Promise<void> {
  for (const [path, content] of Object.entries(block.outs ?? {})) {
    if (sameContent((await project.stageInputs.scan(path))?.content, content)) continue;
    await project.cache.restore(stage.outs.find((out) => out.path === path)!, content);
    project.stageInputs.forget();
    const after = (await project.stageInputs.scan(path))?.content;
    if (!sameContent(after, content)) throw new ReproError(`${path} could not be restored as it was`, 1);
  }
  if (!options.record) return;
  project.runs.touch(recordedKey(block));
  await project.lock.set(stage.name, block);
}
