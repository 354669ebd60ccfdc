/**
 * Submits stages. Those that become ready together and want the same are one array.
 *
 *   add → gathered for a moment → files, tokens, journal → sbatch → job in the journal
 *
 * What the answer of sbatch means: a full queue waits for room; a refusal fails the stages; an unclear answer is
 * cleared up by the name of the job, which no other job has. Nothing is ever submitted twice.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { inputsOf, type Project, touches } from '../planning/index.ts';
import { treeSignature } from '../workspace/index.ts';
import { type CellFile, note, removeAttempt, writeAttempt, writeShared } from './attempt-files.ts';
import { type AttemptTable, failed, interrupted } from './attempt-table.ts';
import { noteUse } from './remembered.ts';
import { folderOf, jobScript, submission } from './sbatch-args.ts';
import type { SlurmSettings } from './settings.ts';
import { jobNamed, maxArraySize, sbatch } from './slurm-programs.ts';
import { jobOf, newCell, type Task, type TrackedAttempt, type TrackedCell } from './tasks.ts';

/** Milliseconds. Stages that become ready within this time go to one array. */
const GATHER = 200;
/** Milliseconds that Slurm needs, after a result, to notice that its job has ended. Only then a full queue has room. */
const NOTICE = 2000;

/** Parts that a submitter works with. */
export interface SubmitterParts {
  project: Project;
  settings: SlurmSettings;
  table: AttemptTable;
  /** The command that runs repro on a node: Node and its arguments. */
  program: readonly string[];
  /** Receives sentences for the user that belong to no single stage. */
  tell(text: string): void;
  /** Called when Slurm has taken a job. */
  onSubmitted(attempt: TrackedAttempt): void;
}

/** Submits the stages of one call. */
export class Submitter {
  readonly #parts: SubmitterParts;
  readonly #table: AttemptTable;
  readonly #project: Project;
  #waiting: Task[] = [];
  #timer: NodeJS.Timeout | undefined;
  #work: Promise<void> = Promise.resolve();
  /** How many tasks an array may have, and how many the queue takes now. */
  #largest: number | undefined;
  #most = Number.POSITIVE_INFINITY;
  #isFull = false;
  #isFullTold = false;
  #onIdle: (() => void) | undefined;

  constructor(parts: SubmitterParts) {
    this.#parts = parts;
    this.#table = parts.table;
    this.#project = parts.project;
  }

  /** Submits a stage with others that become ready now. */
  add(task: Task): void {
    if (this.#table.phase === 'interrupted') task.resolve(interrupted());
    else if (this.#table.phase !== 'open') task.resolve({ detached: {} });
    else {
      this.#waiting.push(task);
      this.#flushSoon();
    }
  }

  /** Takes back what is not submitted yet. */
  withdraw(): Task[] {
    return this.#waiting.splice(0);
  }

  /** A job has ended, so that a full queue may have room. */
  hasRoom(): void {
    if (!this.#isFull) return;
    this.#isFull = false;
    this.#flushSoon(NOTICE);
  }

  /** Calls back when nothing is left to submit. */
  whenIdle(callback: () => void): void {
    this.#onIdle = callback;
    this.#checkIdle();
  }

  /** Resolves when no call of sbatch is under way. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#work;
  }

  #flushSoon(delay = GATHER): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#work = this.#work
        .then(() => this.#flush())
        .catch((error: unknown) => {
          // No answer of Slurm, but for example a full disk.
          for (const task of this.withdraw()) task.reject(error);
        });
    }, delay);
  }

  get #maySubmit(): boolean {
    return this.#table.phase === 'open' && !this.#isFull;
  }

  async #flush(): Promise<void> {
    const now = performance.now();
    const ready = this.#waiting.filter(({ notBefore }) => notBefore <= now);
    const later = this.#waiting.filter(({ notBefore }) => notBefore > now);
    if (later.length > 0) this.#flushSoon(Math.max(GATHER, Math.min(...later.map(({ notBefore }) => notBefore)) - now));
    if (ready.length === 0 || !this.#maySubmit) return;
    this.#largest ??= await maxArraySize();
    for (const tasks of alike(ready))
      while (tasks.length > 0 && this.#maySubmit) {
        const some = tasks.splice(0, Math.min(this.#largest, this.#most));
        this.#waiting = this.#waiting.filter((task) => !some.includes(task));
        await this.#submit(some);
      }
    this.#checkIdle();
  }

  #checkIdle(): void {
    if (this.#waiting.length > 0 || this.#table.attempts.some(({ job, isFound }) => job === undefined && !isFound))
      return;
    const callback = this.#onIdle;
    this.#onIdle = undefined;
    callback?.();
  }

  async #submit(tasks: readonly Task[]): Promise<void> {
    const { root } = this.#project;
    const id = randomBytes(6).toString('hex');
    const name = `repro-${id}`;
    const submitted = new Date().toISOString();
    const [{ work, wants, excluded }] = tasks;
    const { latency, fence, prologue } = this.#parts.settings;
    const cells = tasks.map((task, index): TrackedCell => ({ ...cellOf(root, task, index), task }));
    const attempt: TrackedAttempt = { id, name, submitted, cells, isFound: false };
    try {
      const { files, pipeline, remembered } = await this.#describe(tasks);
      writeAttempt(
        { id, root, pipeline, remembered, commit: work.commit, fromNothing: work.fromNothing, latency, fence },
        files,
        jobScript({ folder: join(root, folderOf(id)), prologue, program: this.#parts.program }),
      );
      note(root, { id, name, cells: cells.map(({ stage, key }) => ({ stage, key })), submitted });
    } catch (error) {
      removeAttempt(root, id);
      for (const task of tasks) task.reject(error);
      return;
    }
    this.#table.add(attempt);
    const answer = await sbatch(submission(root, { id, name, cells: tasks.length }, wants, excluded));
    if ('job' in answer) {
      this.#most = Number.POSITIVE_INFINITY;
      this.take(attempt, answer.job, answer.cluster);
    } else if ('unclear' in answer) await this.#findJob(attempt, answer.unclear);
    else {
      this.#table.end(attempt);
      if ('full' in answer) this.#waitForRoom(tasks, answer.full);
      else {
        const message = `Slurm refuses its job: ${answer.refused}`;
        for (const task of tasks) task.resolve(failed({ reason: 'error', message }));
      }
    }
  }

  /** Slurm has this job for an attempt. */
  take(attempt: TrackedAttempt, job: string, cluster?: string): void {
    attempt.job = job;
    note(this.#project.root, { id: attempt.id, job, ...(cluster === undefined ? {} : { cluster }) });
    for (const cell of attempt.cells) cell.task?.work.wait?.({ job: jobOf(attempt, cell)!, since: attempt.submitted });
    this.#parts.onSubmitted(attempt);
  }

  /** The files that describe the stages to the nodes, from the current state of the workspace. */
  async #describe(tasks: readonly Task[]): Promise<{ files: CellFile[]; pipeline: string; remembered: string }> {
    const { root, pipeline, state, stageInputs, lock } = this.#project;
    const use = noteUse(state);
    const inputs = inputsOf(root, pipeline, use.state);
    const files: CellFile[] = [];
    for (const { work } of tasks) {
      const { stage, key } = work;
      const params: CellFile['params'] = {};
      for (const { file } of stage.params) params[file] = (await stageInputs.paramsText(file, stage.name)) ?? null;
      for (const [file, text] of Object.entries(params)) inputs.fixParams(file, text ?? undefined);
      // Outputs that this host does not see yet are not scanned. Their reported hashes are passed on.
      const { reported } = stageInputs;
      const isReported = (path: string) => touches(path, reported.paths);
      // A file that is missing now is noticed on the node.
      await inputs.fingerprint(stage, isReported).catch(() => {});
      for (const path of reported.paths)
        if (stage.deps.some((dep) => touches(dep.path, [path]))) use.noteOutput(join(root, path), reported.get(path)!);
      const paths = new Set(stage.outs.map(({ path }) => path));
      const blocks = lock.names
        .map((name) => [name, lock.get(name)] as const)
        .filter(
          ([name, block]) => name === stage.name || Object.keys(block?.outs ?? {}).some((path) => paths.has(path)),
        )
        .flatMap(([name, block]) => (block === undefined ? [] : [[name, block] as const]));
      const { readFromCopy } = work;
      files.push({
        stage: stage.name,
        key,
        inputs: work.inputs,
        params,
        readFromCopy: [...readFromCopy],
        recorded: Object.fromEntries(blocks),
      });
    }
    return { files, pipeline: writeShared(root, pipeline), remembered: writeShared(root, use.used()) };
  }

  /** Asks until Slurm says whether it has the job. */
  async #findJob(attempt: TrackedAttempt, why: string): Promise<void> {
    const { tell, settings } = this.#parts;
    tell(`sbatch did not say whether it has submitted a job (${why}); repro asks Slurm for it by its name`);
    while (this.#table.phase === 'open' || this.#table.phase === 'interrupted') {
      if (await this.adopt(attempt)) return;
      await new Promise((resolve) => setTimeout(resolve, settings.poll * 1000));
    }
  }

  /**
   * Finds the job of an attempt by its name. Without one, the attempt is over, and its stages are submitted again.
   *
   * @returns false if Slurm does not answer
   */
  async adopt(attempt: TrackedAttempt): Promise<boolean> {
    const job = await jobNamed(attempt.name);
    if (job === undefined) return false;
    if (job !== null) this.take(attempt, job);
    else {
      const tasks = attempt.cells.flatMap(({ task, isOver }) => (task !== undefined && !isOver ? [task] : []));
      this.#table.end(attempt);
      for (const task of tasks) this.add(task);
    }
    return true;
  }

  #waitForRoom(tasks: readonly Task[], words: string): void {
    this.#isFull = true;
    this.#most = Math.max(1, Math.floor(tasks.length / 2));
    if (!this.#isFullTold)
      this.#parts.tell(`the queue takes no more jobs now (${words}); repro waits until one has ended`);
    this.#isFullTold = true;
    this.#waiting.unshift(...tasks);
    setTimeout(() => this.hasRoom(), this.#parts.settings.full * 1000).unref();
  }
}

/** Tasks that can be in one array. */
function alike(tasks: readonly Task[]): Iterable<Task[]> {
  const groups = new Map<string, Task[]>();
  for (const task of tasks) {
    const { commit, fromNothing } = task.work;
    const kind = JSON.stringify([task.wants, task.excluded, commit, fromNothing]);
    groups.set(kind, [...(groups.get(kind) ?? []), task]);
  }
  return groups.values();
}

function cellOf(root: string, { work }: Task, index: number): TrackedCell {
  const { checkpoint, name } = work.stage;
  const cell = newCell(name, work.key, index);
  return checkpoint === undefined ? cell : { ...cell, checkpoint: treeSignature(join(root, checkpoint)) };
}
