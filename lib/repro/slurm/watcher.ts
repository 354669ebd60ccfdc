/**
 * Watches the attempts: each few seconds one look at the results that nodes have written, and from time to time one
 * call of squeue for all of them. A result decides. Where there is none, the state of Slurm does (job-states.ts), after
 * the time that a result may be late.
 */
import { join } from 'node:path';
import { AttemptLog } from '../attempts/index.ts';
import { describeError, describeRoughDuration, ReproError } from '../messages/index.ts';
import type { Stage } from '../pipeline/index.ts';
import type { Project } from '../planning/index.ts';
import { treeSignature } from '../workspace/index.ts';
import type { QueueRow } from './answers.ts';
import { appendToLog, type CellProgress, type CellResult, jobLog, listNow, readCell } from './attempt-files.ts';
import { type AttemptTable, failed, interrupted } from './attempt-table.ts';
import { OUT_OF_MEMORY, saysOutOfMemory, standingOf, type Verdict, verdictOn } from './job-states.ts';
import { type FollowedLog, LiveOutput } from './live-output.ts';
import { noteResult } from './probe/index.ts';
import { folderOf } from './sbatch-args.ts';
import type { SlurmSettings } from './settings.ts';
import { keepsAccounting, sacct, scancel, squeue } from './slurm-programs.ts';
import type { Submitter } from './submitter.ts';
import { describeMemory, takeResult } from './take-result.ts';
import { jobOf, type Task, type TrackedAttempt, type TrackedCell } from './tasks.ts';

/** Seconds: the longest time between two calls of squeue. */
const LONGEST_POLL = 60;

/** Parts that a watcher works with. */
export interface WatcherParts {
  project: Project;
  settings: SlurmSettings;
  table: AttemptTable;
  submitter: Submitter;
  /** Whether stages run by Slurm; false: only those that an earlier call has submitted. */
  isOn: boolean;
  tell(text: string): void;
}

/** Watches the attempts of one call. */
export class Watcher {
  readonly #parts: WatcherParts;
  readonly #table: AttemptTable;
  readonly #settings: SlurmSettings;
  readonly #root: string;
  readonly #output: LiveOutput;
  readonly #lookTimer: NodeJS.Timeout;
  #pollTimer: NodeJS.Timeout | undefined;
  /** Seconds until the next call of squeue; it grows while nothing changes. */
  #period: number;
  /** `performance.now()` before which squeue is not called. */
  #earliest = 0;
  #isPolling = false;
  #silentSince: number | undefined;
  #isSilenceTold = false;

  constructor(parts: WatcherParts) {
    this.#parts = parts;
    this.#table = parts.table;
    this.#settings = parts.settings;
    this.#root = parts.project.root;
    this.#output = new LiveOutput(this.#root);
    this.#period = parts.settings.poll;
    this.#lookTimer = setInterval(() => this.look(), parts.settings.look * 1000);
    if (this.#table.attempts.length > 0) this.pollSoon();
  }

  close(): void {
    clearInterval(this.#lookTimer);
    clearTimeout(this.#pollTimer);
  }

  /** Looks at what the nodes have written. */
  look(): void {
    if (!this.#table.isWatched) return;
    for (const attempt of this.#table.attempts) {
      if (!attempt.cells.some((cell) => cell.task !== undefined && !cell.isOver)) continue;
      const progress = new Set(listNow(join(this.#root, folderOf(attempt.id), 'progress')));
      const results = new Set(listNow(join(this.#root, folderOf(attempt.id), 'results')));
      for (const cell of attempt.cells) {
        if (cell.task === undefined || cell.isOver || cell.isTaken) continue;
        const index = String(cell.index);
        if (progress.has(index)) this.#showProgress(attempt, cell);
        if (results.has(index)) this.#take(attempt, cell, cell.task);
      }
    }
    this.#output.look();
  }

  /** Calls squeue when the time since the last call allows it. */
  pollSoon(): void {
    if (this.#table.isClosed) return;
    this.#period = this.#settings.poll;
    this.#pollIn(0);
  }

  #pollIn(seconds: number): void {
    clearTimeout(this.#pollTimer);
    const wait = Math.max(seconds * 1000, this.#earliest - performance.now());
    this.#pollTimer = setTimeout(() => void this.#poll(), wait);
  }

  #showProgress(attempt: TrackedAttempt, cell: TrackedCell): void {
    const seen = readCell<CellProgress>(this.#root, attempt.id, 'progress', cell.index);
    if (seen === undefined) return;
    begin(attempt, cell, seen);
    if (seen.hasOutput) this.#output.follow(nameOf(attempt, cell), followedLog(cell, seen.log));
    if (seen.progress !== undefined) cell.task?.work.listen({ event: 'progress', stage: cell.stage, ...seen.progress });
  }

  #take(attempt: TrackedAttempt, cell: TrackedCell, task: Task): void {
    const result = readCell<CellResult>(this.#root, attempt.id, 'results', cell.index);
    if (result === undefined || result.id !== attempt.id || result.key !== cell.key) return;
    cell.isTaken = true;
    const { stage } = task.work;
    noteResult(this.#root, stage, this.#settings, result.node);
    if (result.made !== undefined) begin(attempt, cell, { ...result, log: result.log ?? '' });
    for (const text of result.notes) task.work.listen({ event: 'note', stage: stage.name, text });
    const { submitted } = attempt;
    const { latency, local } = this.#settings;
    const isJob = ({ group }: Stage) => this.#parts.isOn && !local.has(group);
    const known = { job: jobOf(attempt, cell), submitted, latency, isJob };
    takeResult(this.#parts.project, stage, result, known).then(
      (ended) => {
        if (ended === undefined) {
          cell.wasTerminated = true;
          this.pollSoon();
          return;
        }
        const release = () => this.#table.endCell(attempt, cell);
        if ('moved' in ended) {
          release();
          task.resolve(ended);
          return;
        }
        const log = ended.made.failure === undefined ? ended.log : this.#keepJobLog(attempt, cell, ended.log);
        if (ended.log !== undefined) this.#output.end(nameOf(attempt, cell), followedLog(cell, ended.log));
        task.resolve({ ...ended, ...(log === undefined ? {} : { log }), release });
      },
      (error: unknown) => {
        this.#table.endCell(attempt, cell);
        task.reject(error);
      },
    );
  }

  /** One call of squeue for all attempts. A call that fails changes nothing. */
  async #poll(): Promise<void> {
    if (this.#isPolling || this.#table.isClosed) return;
    this.#isPolling = true;
    try {
      this.#earliest = performance.now() + this.#settings.poll * 1000;
      this.#period = Math.min(LONGEST_POLL, this.#period * 1.5);
      for (const attempt of this.#table.attempts)
        if (attempt.isFound && attempt.job === undefined) await this.#parts.submitter.adopt(attempt);
      const open = this.#table.attempts.filter(({ job }) => job !== undefined);
      const rows = open.length === 0 ? [] : await squeue(open.map(({ job }) => job!));
      this.#noteSilence(rows !== undefined);
      if (rows !== undefined && this.#table.isWatched) await this.#judge(open, rows);
    } catch (error) {
      this.#parts.tell(error instanceof ReproError ? error.message : describeError(error));
    } finally {
      this.#isPolling = false;
      if (this.#table.attempts.length > 0 && !this.#table.isClosed) this.#pollIn(this.#period);
    }
  }

  #noteSilence(answers: boolean): void {
    if (answers) {
      this.#silentSince = undefined;
      this.#isSilenceTold = false;
      return;
    }
    this.#silentSince ??= performance.now();
    const { silence } = this.#settings;
    if (this.#isSilenceTold || performance.now() - this.#silentSince < silence * 1000) return;
    this.#isSilenceTold = true;
    this.#parts.tell(`squeue has not answered for ${describeRoughDuration(silence)}; jobs go on, and repro asks again`);
  }

  async #judge(open: readonly TrackedAttempt[], rows: readonly QueueRow[]): Promise<void> {
    // A result counts, whatever Slurm says.
    this.look();
    const known = new Map(rows.map((row) => [`${row.job}_${row.index}`, row]));
    // sacct also knows jobs that squeue has forgotten, and who has cancelled one.
    const isUnclear = (attempt: TrackedAttempt) =>
      attempt.cells.some((cell) => {
        const state = known.get(jobOf(attempt, cell)!)?.state;
        return !cell.isOver && (state === undefined || state === 'CANCELLED');
      });
    for (const row of await sacct(open.filter(isUnclear).map(({ job }) => job!))) {
      const task = `${row.job}_${row.index}`;
      if (!known.has(task) || (row.by !== undefined && known.get(task)!.state === row.state)) known.set(task, row);
    }
    for (const attempt of open)
      for (const cell of attempt.cells)
        if (!cell.isOver) this.#judgeCell(attempt, cell, known.get(jobOf(attempt, cell)!));
  }

  #judgeCell(attempt: TrackedAttempt, cell: TrackedCell, latest: QueueRow | undefined): void {
    // Slurm may forget a job that has ended while repro waits for its result.
    const isEnd = cell.row !== undefined && standingOf(cell.row).is === 'gone';
    const row = latest ?? (isEnd ? cell.row : undefined);
    if (row?.state !== cell.row?.state) this.#period = this.#settings.poll;
    cell.row = row;
    const standing = row === undefined ? ({ is: 'gone' } as const) : standingOf(row);
    if (cell.onGivenUp !== undefined) {
      if (standing.is === 'gone') this.#table.endCell(attempt, cell);
      return;
    }
    if (standing.is === 'gone') {
      cell.goneAt ??= performance.now();
      if (cell.isTaken && !cell.wasTerminated) return;
      // A result that comes late still counts. sacct knows a moment later which user cancelled a job.
      const mayTellMore = row?.state === 'CANCELLED' && row.by === undefined && keepsAccounting();
      const isPatient = this.#table.phase !== 'interrupted' && (!cell.wasTerminated || mayTellMore);
      if (isPatient && performance.now() - cell.goneAt < this.#settings.latency * 1000) return;
      if (cell.task !== undefined) this.#conclude(attempt, cell, cell.task);
      return;
    }
    cell.goneAt = undefined;
    const { task } = cell;
    if (task === undefined) return;
    const job = jobOf(attempt, cell)!;
    if (standing.is === 'waiting') {
      const reason = standing.reason === '' ? {} : { reason: standing.reason };
      if (!cell.hasBegun) task.work.wait?.({ job, since: attempt.submitted, ...reason });
      if (!standing.isHeld || cell.isHeldTold) return;
      cell.isHeldTold = true;
      const text = `its job ${job} is held (${standing.reason}); scontrol release ${job} lets it start`;
      task.work.listen({ event: 'note', stage: cell.stage, text });
    } else if (standing.is === 'stuck') {
      this.#table.endCell(attempt, cell);
      void scancel([job]);
      task.resolve(
        failed({
          reason: 'error',
          message: `its job can never start: Slurm says ${standing.reason}; it was cancelled`,
        }),
      );
    }
  }

  /** Acts on a cell that has left the queue and no result. */
  #conclude(attempt: TrackedAttempt, cell: TrackedCell, task: Task): void {
    const { stage } = task.work;
    const verdict = this.#verdict(cell, task);
    const seen = readCell<CellProgress>(this.#root, attempt.id, 'progress', cell.index);
    const printed = jobLog(this.#root, attempt.id, cell.index);
    const log = this.#keepJobLog(attempt, cell, seen?.log);
    if (seen?.hasOutput) this.#output.end(nameOf(attempt, cell), followedLog(cell, seen.log));
    const node = seen?.node ?? (cell.row?.node || undefined);
    const known = {
      job: seen?.job ?? jobOf(attempt, cell),
      ...(node === undefined ? {} : { node }),
      ...(log === undefined ? {} : { log }),
      ...(seen === undefined ? {} : { started: seen.started }),
    };
    this.#table.endCell(attempt, cell);
    const again = (text: string) => {
      task.work.listen({ event: 'note', stage: stage.name, text });
      this.#parts.submitter.add(task);
    };
    if (verdict.is === 'interrupted') task.resolve(interrupted(known));
    else if (verdict.is === 'lost') {
      if (verdict.counts !== 'free') task[verdict.counts]++;
      if (verdict.without !== undefined) task.excluded.push(verdict.without);
      // Where Slurm does not reach the node, the commands may go on until they miss their token.
      const mayStillRun = cell.row === undefined || /NODE_FAIL|BOOT_FAIL/.test(cell.row.state);
      if (mayStillRun) task.notBefore = performance.now() + 2 * this.#settings.fence * 1000;
      again(`${verdict.why}; it is submitted again`);
    } else if (verdict.again && task.retried < stage.retries) {
      task.retried++;
      again(`${verdict.message}; attempt ${task.retried + 1} of ${stage.retries + 1}`);
    } else {
      const isMemory = verdict.message === OUT_OF_MEMORY || saysOutOfMemory(printed);
      const message = isMemory ? describeMemory(stage, seen ?? {}) : verdict.message;
      task.resolve({ ...failed({ reason: 'error', message }), ...known });
    }
  }

  #verdict(cell: TrackedCell, { work: { stage }, continued, nodesLost }: Task): Verdict {
    const { checkpoint } = stage;
    const now = checkpoint === undefined ? undefined : treeSignature(join(this.#root, checkpoint));
    return verdictOn({
      row: cell.row,
      isCancelledByUs: this.#table.phase === 'interrupted',
      wasTerminated: cell.wasTerminated,
      hasBegun: cell.hasBegun,
      hasGoneOn: now !== undefined && now !== cell.checkpoint,
      continued,
      nodesLost,
      latency: this.#settings.latency,
      continues: this.#settings.continues,
    });
  }

  /** Keeps the output of the job outside its commands. @returns the log of the attempt, relative to the root */
  #keepJobLog(attempt: TrackedAttempt, cell: TrackedCell, known: string | undefined): string | undefined {
    const text = jobLog(this.#root, attempt.id, cell.index);
    if (text === '') return known;
    if (known !== undefined) {
      appendToLog(this.#root, known, text);
      return known;
    }
    const log = new AttemptLog(this.#root).openLog(cell.stage, new Date());
    log.write(text);
    log.close();
    return log.path;
  }
}

const nameOf = ({ id }: TrackedAttempt, { index }: TrackedCell) => `${id}/${index}`;

/** The log of a cell, whose text is output of its stage. */
function followedLog({ stage, task }: TrackedCell, log: string): FollowedLog {
  return { log, print: (text) => task?.work.listen({ event: 'output', stage, text }) };
}

/** Says that the commands of a cell have begun, once. */
function begin(
  attempt: TrackedAttempt,
  cell: TrackedCell,
  { started, log, node, gpus, job = jobOf(attempt, cell) }: Omit<CellProgress, 'progress'>,
): void {
  if (cell.hasBegun) return;
  cell.hasBegun = true;
  cell.task?.work.begin({
    started,
    log,
    node,
    ...(gpus.length > 0 ? { gpus } : {}),
    ...(job === undefined ? {} : { job }),
  });
}
