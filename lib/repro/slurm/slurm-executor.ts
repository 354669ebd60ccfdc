/**
 * Makes stages as jobs of Slurm. What is under way when repro ends stays in the journal, and the next repro takes it up
 * again: by its name a job is found even if repro was killed before it knew its number.
 *
 *   make → submitter.ts: arrays, sbatch → watcher.ts: results, squeue → take-result.ts → back to the caller
 */
import type { Attempted, Detached, Executor, Moved, Work } from '../making/index.ts';
import type { Project } from '../planning/index.ts';
import { removeJournal, removeToken } from './attempt-files.ts';
import { AttemptTable, type CellOfAttempt, interrupted } from './attempt-table.ts';
import { standingOf } from './job-states.ts';
import { wantsOf } from './sbatch-args.ts';
import type { SlurmSettings } from './settings.ts';
import { jobNamed, scancel, squeue } from './slurm-programs.ts';
import { Submitter } from './submitter.ts';
import { jobOf, type Task } from './tasks.ts';
import { Watcher } from './watcher.ts';

/** What an executor works with. */
export interface SlurmParts {
  project: Project;
  settings: SlurmSettings;
  /** What runs repro on a node: Node and its arguments. */
  program: readonly string[];
  /** Receives sentences for the user about no stage in particular. */
  tell(text: string): void;
}

/** Makes stages by jobs. */
export class SlurmExecutor implements Executor {
  readonly #parts: SlurmParts;
  readonly #table: AttemptTable;
  readonly #submitter: Submitter;
  readonly #watcher: Watcher;

  /** Reads the journal, and begins to watch what is in it. */
  constructor(parts: SlurmParts) {
    this.#parts = parts;
    const table = new AttemptTable(parts.project.root);
    this.#table = table;
    this.#submitter = new Submitter({ ...parts, table, onSubmitted: () => this.#onSubmitted() });
    this.#watcher = new Watcher({ ...parts, table, submitter: this.#submitter });
    table.onCellEnd = () => this.#submitter.hasRoom();
  }

  /** Whether an attempt at the stage may still be under way, or has left a result. */
  holds(stage: string): boolean {
    return this.#table.cellsOf(stage).length > 0;
  }

  /** The same for an attempt with these inputs. */
  holdsKey(stage: string, key: string): boolean {
    return this.#table.cellsOf(stage).some(({ cell }) => cell.key === key);
  }

  async make(work: Work): Promise<Attempted | Detached | Moved> {
    const { phase } = this.#table;
    if (phase === 'interrupted') return interrupted();
    if (phase !== 'open') return { detached: {} };
    const cells = this.#table.cellsOf(work.stage.name);
    const same = cells.find(({ cell }) => cell.key === work.key);
    for (const other of cells) if (other !== same) await this.#giveUp(other);
    return new Promise((resolve, reject) => {
      const wants = wantsOf(work.stage, this.#parts.settings);
      const counts = { continued: 0, nodesLost: 0, retried: 0 };
      const task: Task = { work, resolve, reject, wants, excluded: [], ...counts, notBefore: 0 };
      if (same === undefined) this.#submitter.add(task);
      else this.#adopt(same, task);
    });
  }

  /** Takes up what an earlier repro has submitted. */
  #adopt({ attempt, cell }: CellOfAttempt, task: Task): void {
    cell.task = task;
    const job = jobOf(attempt, cell);
    if (job !== undefined) task.work.wait?.({ job, since: attempt.submitted });
    this.#watcher.look();
  }

  /** Ends every attempt at a stage, and waits until none of them can write any more. */
  async giveUp(stage: string): Promise<void> {
    for (const each of this.#table.cellsOf(stage)) await this.#giveUp(each);
  }

  async #giveUp({ attempt, cell }: CellOfAttempt): Promise<void> {
    const { tell, settings, project } = this.#parts;
    removeToken(project.root, attempt.id, cell.index);
    tell(
      `${cell.stage}: ${attempt.job === undefined ? 'a job' : `job ${jobOf(attempt, cell)}`} of an earlier call is cancelled: its inputs have changed`,
    );
    while (!cell.isOver) {
      // Without a job, nothing can have begun: the token is gone.
      if (attempt.job === undefined) {
        const job = await jobNamed(attempt.name);
        if (job === null) break;
        if (job !== undefined) this.#submitter.take(attempt, job);
      }
      if (attempt.job !== undefined) {
        await scancel([jobOf(attempt, cell)!]);
        const rows = await squeue([attempt.job]);
        const row = rows?.find(({ index }) => index === cell.index);
        if (rows !== undefined && (row === undefined || standingOf(row).is === 'gone')) break;
      }
      await new Promise((resolve) => setTimeout(resolve, settings.poll * 1000));
    }
    if (!cell.isOver) this.#table.endCell(attempt, cell);
  }

  /** Calls back when every stage that was asked for is in the hands of Slurm. */
  whenSubmitted(callback: () => void): void {
    this.#submitter.whenIdle(callback);
  }

  interrupt(_signal: NodeJS.Signals, isRepeated: boolean): void {
    this.#table.phase = 'interrupted';
    for (const task of this.#submitter.withdraw()) task.resolve(interrupted());
    if (isRepeated) {
      for (const { cells } of this.#table.attempts)
        for (const { task, isOver } of cells) if (!isOver) task?.resolve(interrupted());
    } else void this.#cancelAll();
  }

  /** Lets the jobs go on without this process. */
  detach(): void {
    this.#table.phase = 'detached';
    for (const task of this.#submitter.withdraw()) task.resolve({ detached: {} });
    for (const attempt of this.#table.attempts)
      for (const cell of attempt.cells) {
        const job = jobOf(attempt, cell);
        if (!cell.isOver) cell.task?.resolve({ detached: job === undefined ? {} : { job } });
      }
  }

  async close(): Promise<void> {
    this.#table.phase = 'closed';
    this.#watcher.close();
    await this.#submitter.close();
    removeJournal(this.#parts.project.root);
  }

  /** A job was taken while the user asked for the end. */
  #onSubmitted(): void {
    if (this.#table.phase === 'interrupted') void this.#cancelAll();
    else if (this.#table.phase === 'detached') this.detach();
    this.#watcher.pollSoon();
  }

  async #cancelAll(): Promise<void> {
    const jobs = this.#table.attempts.flatMap((attempt) => {
      const own = attempt.cells.filter(({ task, isOver }) => task !== undefined && !isOver);
      if (attempt.job === undefined || own.length === 0) return [];
      return own.length === attempt.cells.length ? [attempt.job] : own.map((cell) => jobOf(attempt, cell)!);
    });
    const words = jobs.length > 0 ? await scancel(jobs) : undefined;
    if (words !== undefined) this.#parts.tell(`scancel: ${words}`);
    this.#watcher.pollSoon();
  }
}
