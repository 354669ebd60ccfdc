/**
 * Makes stages as jobs of Slurm. What is under way when repro ends stays in the journal, and the next repro takes it up
 * again: by its name a job is found even if repro was killed before it knew its number.
 *
 *   make → submitter.ts: arrays, sbatch → watcher.ts: results, squeue → take-result.ts → back to the caller
 */
import type { Attempted, Detached, Executor, Moved, Work } from '../making/index.ts';
import { listNames } from '../messages/index.ts';
import type { Project } from '../planning/index.ts';
import { untilSeen } from './accept-outputs.ts';
import { hasResult, note, removeJournal, removeToken } from './attempt-files.ts';
import { AttemptTable, type CellOfAttempt, interrupted } from './attempt-table.ts';
import { wantsOf } from './sbatch-args.ts';
import type { SlurmSettings } from './settings.ts';
import { scancel } from './slurm-programs.ts';
import { Submitter } from './submitter.ts';
import { jobOf, type Task, type TrackedAttempt, type TrackedCell } from './tasks.ts';
import { Watcher } from './watcher.ts';

/** Milliseconds. Jobs that are cancelled within this time go to one call of scancel. */
const GATHER = 100;

/** Why an attempt at a stage is given up. */
const CHANGED = 'its inputs have changed';

/** Parts that an executor works with. */
export interface SlurmParts {
  project: Project;
  settings: SlurmSettings;
  /** Whether stages run by Slurm; false: only those that an earlier call has submitted. */
  isOn: boolean;
  /** The command that runs repro on a node: Node and its arguments. */
  program: readonly string[];
  /** Receives sentences for the user that belong to no single stage. */
  tell(text: string): void;
}

/** Makes stages by jobs. */
export class SlurmExecutor implements Executor {
  readonly #parts: SlurmParts;
  readonly #table: AttemptTable;
  readonly #submitter: Submitter;
  readonly #watcher: Watcher;
  readonly #dropped: Promise<void>;
  #cancelTimer: NodeJS.Timeout | undefined;

  /** Reads the journal, and begins to watch what is in it. */
  constructor(parts: SlurmParts) {
    this.#parts = parts;
    const table = new AttemptTable(parts.project.root);
    this.#table = table;
    this.#submitter = new Submitter({ ...parts, table, onSubmitted: () => this.#onSubmitted() });
    this.#watcher = new Watcher({ ...parts, table, submitter: this.#submitter });
    table.onCellEnd = () => this.#submitter.hasRoom();
    this.#dropped = this.#dropRemoved().catch(() => {});
  }

  /** Whether an attempt at the stage may still be under way, or has left a result. */
  holds(stage: string): boolean {
    return this.#table.cellsOf(stage).length > 0;
  }

  /** The same for an attempt with these inputs. */
  holdsKey(stage: string, key: string): boolean {
    return this.#table.cellsOf(stage).some(({ cell }) => cell.key === key && !cell.isCancelled);
  }

  async make(work: Work): Promise<Attempted | Detached | Moved> {
    const { phase } = this.#table;
    if (phase === 'interrupted') return interrupted();
    if (phase !== 'open') return { detached: {} };
    const cells = this.#table.cellsOf(work.stage.name);
    const same = cells.find(({ cell }) => cell.key === work.key && !cell.isCancelled);
    const others = cells.filter((each) => each !== same);
    await Promise.all(others.map((each) => this.#giveUp(each, CHANGED)));
    if (this.#table.phase !== 'open') return this.make(work);
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
    await Promise.all(this.#table.cellsOf(stage).map((each) => this.#giveUp(each, CHANGED)));
  }

  /** Ends attempts at stages that are not in the pipeline any more. */
  async #dropRemoved(): Promise<void> {
    const { stages } = this.#parts.project.graph;
    const removed = this.#table.attempts.flatMap((attempt) =>
      attempt.cells.filter(({ stage }) => !stages.has(stage)).map((cell) => ({ attempt, cell })),
    );
    await Promise.all(removed.map((each) => this.#giveUp(each, 'the stage is not in the pipeline any more')));
  }

  /**
   * Ends an attempt at a stage, and waits until it cannot write any more.
   *
   * @param why a clause for the user
   */
  async #giveUp({ attempt, cell }: CellOfAttempt, why: string): Promise<void> {
    const { project, tell } = this.#parts;
    if (cell.isOver) return;
    // Its commands have ended, and nobody needs the result.
    if (hasResult(project.root, attempt.id, cell.index)) return this.#table.endCell(attempt, cell);
    const job = jobOf(attempt, cell);
    const reason = cell.isCancelled ? 'that call was interrupted' : why;
    tell(`${cell.stage}: ${job === undefined ? 'a job' : `job ${job}`} of an earlier call is cancelled: ${reason}`);
    this.#noteCancelled(attempt, [cell]);
    removeToken(project.root, attempt.id, cell.index);
    await new Promise<void>((resolve) => {
      cell.onGivenUp = resolve;
      this.#cancelSoon();
    });
  }

  /** Cancels what is given up, by one call for all that is given up now. */
  #cancelSoon(): void {
    this.#cancelTimer ??= setTimeout(async () => {
      this.#cancelTimer = undefined;
      const jobs = this.#table.attempts.flatMap((attempt) =>
        attempt.cells.flatMap((cell) =>
          cell.onGivenUp === undefined || cell.isOver ? [] : (jobOf(attempt, cell) ?? []),
        ),
      );
      if (jobs.length > 0) await scancel(jobs);
      this.#watcher.pollSoon();
    }, GATHER);
  }

  /** Calls back when every stage that was asked for is in the hands of Slurm. */
  whenSubmitted(callback: () => void): void {
    this.#submitter.whenIdle(callback);
  }

  interrupt(_signal: NodeJS.Signals, isRepeated: boolean): void {
    this.#table.phase = 'interrupted';
    this.#stopWaiting();
    for (const task of this.#submitter.withdraw()) task.resolve(interrupted());
    if (isRepeated) {
      for (const { cells } of this.#table.attempts)
        for (const { task, isOver } of cells) if (!isOver) task?.resolve(interrupted());
    } else void this.#cancelAll();
  }

  /** Lets the jobs go on without this process. */
  detach(): void {
    this.#table.phase = 'detached';
    this.#stopWaiting();
    for (const task of this.#submitter.withdraw()) task.resolve({ detached: {} });
    for (const attempt of this.#table.attempts)
      for (const cell of attempt.cells) {
        const job = jobOf(attempt, cell);
        if (!cell.isOver) cell.task?.resolve({ detached: job === undefined ? {} : { job } });
      }
  }

  /** Calls `onGivenUp` of all cells, so that nothing waits for them any more. */
  #stopWaiting(): void {
    for (const { cells } of this.#table.attempts) for (const { onGivenUp } of cells) onGivenUp?.();
  }

  async close(): Promise<void> {
    if (this.#table.phase === 'open') await this.#dropped;
    await this.#untilOutputsAreSeen();
    this.#table.phase = 'closed';
    this.#watcher.close();
    clearTimeout(this.#cancelTimer);
    await this.#submitter.close();
    removeJournal(this.#parts.project.root);
  }

  /** Waits until this host sees the outputs as the nodes reported them, so that the next repro sees them too. */
  async #untilOutputsAreSeen(): Promise<void> {
    const { project, settings, tell } = this.#parts;
    const { reported } = project.stageInputs;
    const outs = new Map(reported.paths.map((path) => [path, reported.get(path)!]));
    for (const path of outs.keys()) reported.drop(path);
    const late = await untilSeen(project, outs, settings.latency, () => this.#table.phase === 'open');
    if (late.length > 0 && this.#table.phase === 'open')
      tell(
        `nodes have made ${listNames(late)}, but this host still sees something else there after ${settings.latency} s: the latency of this folder is larger`,
      );
  }

  /** A job was taken while the user asked for the end. */
  #onSubmitted(): void {
    if (this.#table.phase === 'interrupted') void this.#cancelAll();
    else if (this.#table.phase === 'detached') this.detach();
    this.#watcher.pollSoon();
  }

  /** Says in the journal that cells are cancelled, so that a repro that takes over does not take them for failed. */
  #noteCancelled({ id }: TrackedAttempt, cells: readonly TrackedCell[]): void {
    const cancelled = cells.filter(({ isCancelled }) => !isCancelled);
    if (cancelled.length === 0) return;
    for (const cell of cancelled) cell.isCancelled = true;
    try {
      note(this.#parts.project.root, { id, cancelled: cancelled.map(({ index }) => index) });
    } catch {} // The disk is full. The next repro says that another person has cancelled them.
  }

  async #cancelAll(): Promise<void> {
    const jobs = this.#table.attempts.flatMap((attempt) => {
      const own = attempt.cells.filter(({ task, isOver }) => task !== undefined && !isOver);
      this.#noteCancelled(attempt, own);
      if (attempt.job === undefined) return [];
      return own.length === attempt.cells.length ? [attempt.job] : own.map((cell) => jobOf(attempt, cell)!);
    });
    const words = jobs.length > 0 ? await scancel(jobs) : undefined;
    if (words !== undefined) this.#parts.tell(`scancel: ${words}`);
    this.#watcher.pollSoon();
  }
}
