/**
 * `repro attempt FILE INDEX`: one cell of an attempt, in a job on a node. No person calls it.
 *
 *   token there? → inputs as expected? (they may come late) → makeStage → token still there? → result
 *
 * Without its token, the attempt was given up: its commands are killed, and no result is written.
 */
import { mkdirSync, readdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { AttemptLog, type AttemptOutput } from '../attempts/index.ts';
import { makePrivateFolder } from '../files/index.ts';
import { thisMachine } from '../forecast/index.ts';
import { sameContent } from '../hashing/index.ts';
import { localFolder } from '../hosts/index.ts';
import { type Made, makeStage, movedInputs, ParamsCopies } from '../making/index.ts';
import { describeSystemError, ReproError } from '../messages/index.ts';
import type { Pipeline, Stage } from '../pipeline/index.ts';
import { openOnNode, type Project } from '../planning/index.ts';
import { type Command, GpuUse, PeakMemory, ProcessGroups } from '../processes/index.ts';
import { markUnrecorded } from '../workspace/index.ts';
import {
  type AttemptFile,
  type CellFile,
  type CellProgress,
  type CellResult,
  hasToken,
  readJson,
  readShared,
  writeCell,
} from './attempt-files.ts';
import { oomKills } from './oom-kills.ts';
import { type Remembered, stateOf } from './remembered.ts';
import { EXTRA_MEMORY } from './sbatch-args.ts';

/** Milliseconds between two looks at inputs that are not there yet, and between two notes of progress. */
const LOOK_AGAIN = 500;
const PROGRESS_PERIOD = 10_000;
/** Milliseconds that a signal needs to reach this process. */
const NOTICE = 200;
/** If the token cannot be read so many times in a row, the file system counts as lost. */
const MOST_UNANSWERED = 6;

/**
 * Makes one cell, and writes its result.
 *
 * @param file attempt.json, absolute
 * @returns the exit code: 0 if the cell was made, or given up before it began; 1 if it failed
 * @throws ReproError if the files of the attempt cannot be read
 */
export async function runAttempt(file: string, index: number): Promise<number> {
  const attempt = readJson<AttemptFile>(file);
  const cell = readJson<CellFile>(join(dirname(file), `cells/${index}.json`));
  const { id, root } = attempt;
  if (hasToken(root, id, index) === false) return 0;
  const pipeline = { ...readShared<Pipeline>(root, attempt.pipeline), root };
  const stage = pipeline.stages.find(({ name }) => name === cell.stage);
  if (stage === undefined) throw new ReproError(`${file}: there is no stage ${cell.stage} in its pipeline`, 1);
  const { state, learned } = await stateOf(readShared<Remembered>(root, attempt.remembered));
  const project = await openOnNode({ root, pipeline, state, recorded: cell.recorded });
  for (const [path, text] of Object.entries(cell.params)) project.stageInputs.fixParams(path, text ?? undefined);
  const node = new NodeAttempt(project, stage, { attempt, cell, index });
  try {
    const result = await node.run();
    if (result === undefined || hasToken(root, id, index) === false) return 1;
    writeCell(root, id, 'results', index, { ...result, learned: learned() });
    return result.made !== undefined && result.made.failure === undefined ? 0 : 1;
  } finally {
    await node.close();
    await project.close();
  }
}

/** One cell in this process. */
class NodeAttempt {
  readonly #project: Project;
  readonly #stage: Stage;
  readonly #attempt: AttemptFile;
  readonly #cell: CellFile;
  readonly #index: number;
  readonly #groups: ProcessGroups;
  readonly #copies: ParamsCopies;
  readonly #memory = new PeakMemory();
  readonly #gpuUse = new GpuUse();
  readonly #commands = new Set<Command>();
  readonly #notes: string[] = [];
  readonly #fence: NodeJS.Timeout;
  readonly #onTerm = () => this.#terminate();
  #progress: CellProgress | undefined;
  #nextProgress = 0;
  #progressTimer: NodeJS.Timeout | undefined;
  #wasTerminated = false;
  #isFenced = false;
  /** How often the file system has not answered, one time after the other. */
  #unanswered = 0;

  constructor(
    project: Project,
    stage: Stage,
    { attempt, cell, index }: { attempt: AttemptFile; cell: CellFile; index: number },
  ) {
    this.#project = project;
    this.#stage = stage;
    this.#attempt = attempt;
    this.#cell = cell;
    this.#index = index;
    const folder = join(localFolder(), 'jobs');
    makePrivateFolder(localFolder());
    mkdirSync(folder, { recursive: true });
    this.#groups = new ProcessGroups(folder);
    this.#copies = new ParamsCopies(project.root);
    this.#fence = setInterval(() => this.#checkToken(), attempt.fence * 1000).unref();
    process.on('SIGTERM', this.#onTerm);
  }

  /** @returns undefined if the attempt was given up meanwhile */
  async run(): Promise<Omit<CellResult, 'learned'> | undefined> {
    const { inputs, key } = this.#cell;
    const started = new Date();
    const log = new AttemptLog(this.#project.root).openLog(this.#stage.name, started);
    const machine = await thisMachine(true);
    const gpus = machine.gpus;
    const where = { node: nodeName(), ...jobName(), gpus, memory: machine.memory };
    const base = { id: this.#attempt.id, key, started: started.toISOString(), ...where };
    const moved = await this.#waitForInputs();
    let peakMemory = 0;
    const gpuWatch = this.#gpuUse.watch(gpus);
    let made: Made | undefined;
    if (moved.length === 0) {
      this.#progress = { started: base.started, log: log.file, ...where };
      this.#writeProgress();
      made = await makeStage(this.#stage, inputs, key, {
        project: this.#project,
        gpus,
        memoryShare: Math.max(machine.memory - EXTRA_MEMORY * 2 ** 20, machine.memory / 2),
        // Slurm says in this variable which GPUs the job has; where it says nothing, the job has none.
        leasesGpus: true,
        commit: this.#attempt.commit,
        fromNothing: this.#attempt.fromNothing,
        log,
        listen: (event) => {
          if (event.event === 'note') this.#notes.push(event.text);
          if (event.event === 'output') this.#noteOutput(log);
          if (event.event !== 'progress') return;
          const { done, total, unit, text } = event;
          this.#progress!.progress = { done, total, unit, text };
          this.#writeProgressSoon();
        },
        groupsFd: this.#groups.fd,
        copies: this.#copies,
        began: (command) => {
          this.#commands.add(command);
          this.#memory.watch(command);
          if (this.#isFenced) command.kill('SIGKILL');
          else if (this.#wasTerminated) command.kill('SIGTERM');
        },
        ended: (command) => {
          this.#commands.delete(command);
          peakMemory = Math.max(peakMemory, this.#memory.end(command));
        },
        isInterrupted: () => this.#isFenced || this.#wasTerminated,
        isGivenUp: () => this.#isFenced,
      }).catch((error: unknown): Made => {
        const message = error instanceof ReproError ? error.message : describeSystemError(error, this.#project.root);
        if (message === undefined) throw error;
        return { failure: { reason: 'error', message }, seconds: 0 };
      });
      // Until it is recorded, files that differ from these are a person's.
      if (made.failure === undefined) markUnrecorded(this.#project.root, this.#stage);
      // A SIGTERM for the whole job may end the commands a moment before this process takes notice of it.
      else await new Promise((resolve) => setTimeout(resolve, NOTICE));
    }
    const gpuUse = this.#gpuUse.end(gpuWatch);
    log.close();
    if (log.problem !== undefined) this.#notes.push(log.problem);
    if (this.#isFenced) return undefined;
    return {
      ...base,
      restarts: Number(process.env.SLURM_RESTART_COUNT ?? 0),
      ...(log.path === undefined ? {} : { log: log.path }),
      peakMemory,
      ...(gpuUse && { gpuUse }),
      readFromCopy: [...this.#copies.filesRead(this.#stage.name)],
      notes: this.#notes,
      ...(moved.length > 0 ? { moved } : {}),
      ...(made === undefined ? {} : { made, manifests: await this.#manifestsOf(made) }),
      ...(this.#wasTerminated ? { wasTerminated: true } : {}),
      oomKills: oomKills(),
    };
  }

  /** The lists of the files of the outputs that are folders. The host of repro may not see them yet. */
  async #manifestsOf({ outs = {} }: Made): Promise<{ [path: string]: string }> {
    const found: { [path: string]: string } = {};
    for (const [path, content] of Object.entries(outs)) {
      if (content.files === undefined) continue;
      const scanned = await this.#project.stageInputs.scan(path);
      if (scanned?.manifest !== undefined && sameContent(scanned.content, content)) found[path] = scanned.manifest;
    }
    return found;
  }

  async close(): Promise<void> {
    process.off('SIGTERM', this.#onTerm);
    clearInterval(this.#fence);
    clearTimeout(this.#progressTimer);
    this.#groups.close();
    this.#copies.close();
  }

  /**
   * Waits until the inputs are as they were when the attempt was planned: on a network file system, what another host
   * wrote may come late.
   *
   * @returns those that are not, after the time that a file may be late
   */
  async #waitForInputs(): Promise<string[]> {
    const until = performance.now() + this.#attempt.latency * 1000;
    for (;;) {
      const moved = await movedInputs(this.#project, this.#stage, this.#cell.inputs, new Set(this.#cell.readFromCopy));
      if (moved.length === 0 || performance.now() > until || this.#isFenced || this.#wasTerminated) return moved;
      // A listing makes the client ask the server again. A file of our own might be counted by another node.
      for (const path of moved) listAbove(join(this.#project.root, path));
      await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN));
      this.#project.stageInputs.forget();
    }
  }

  #checkToken(): void {
    const isThere = hasToken(this.#attempt.root, this.#attempt.id, this.#index);
    this.#unanswered = isThere === undefined ? this.#unanswered + 1 : 0;
    if (isThere || (isThere === undefined && this.#unanswered < MOST_UNANSWERED)) return;
    this.#isFenced = true;
    for (const command of this.#commands) command.kill('SIGKILL');
  }

  #terminate(): void {
    this.#wasTerminated = true;
    for (const command of this.#commands) command.kill('SIGTERM');
  }

  /** Says that there is a log to be read, once. */
  #noteOutput({ path }: AttemptOutput): void {
    if (path === undefined || this.#progress!.hasOutput) return;
    this.#progress!.hasOutput = true;
    this.#writeProgress();
  }

  #writeProgressSoon(): void {
    this.#progressTimer ??= setTimeout(
      () => this.#writeProgress(),
      Math.max(0, this.#nextProgress - Date.now()),
    ).unref();
  }

  /** Nothing depends on it, so a full disk is no reason to end. */
  #writeProgress(): void {
    clearTimeout(this.#progressTimer);
    this.#progressTimer = undefined;
    this.#nextProgress = Date.now() + Math.min(PROGRESS_PERIOD, this.#attempt.fence * 1000);
    try {
      writeCell(this.#attempt.root, this.#attempt.id, 'progress', this.#index, this.#progress!);
    } catch {}
  }
}

function listAbove(path: string): void {
  try {
    readdirSync(dirname(path));
  } catch {} // It is not there either.
}

function nodeName(): string {
  return process.env.SLURMD_NODENAME ?? hostname();
}

/** The task of the array, as squeue names it. */
function jobName(): { job?: string } {
  const { SLURM_ARRAY_JOB_ID: job, SLURM_ARRAY_TASK_ID: task } = process.env;
  return job === undefined || task === undefined ? {} : { job: `${job}_${task}` };
}
