/** The attempts of a project that have not ended, and the state in which this process keeps them. */
import type { Attempted } from '../making/index.ts';
import type { Failure } from '../messages/index.ts';
import { isAttemptThere, note, readOpenAttempts, removeAttempt, removeToken } from './attempt-files.ts';
import { type TrackedAttempt, type TrackedCell, tracked } from './tasks.ts';

/**
 * The user's last request. `interrupted`: jobs are cancelled. `detached`: they go on without this process.
 * `closed`: no stage is waited for any more.
 */
export type Phase = 'open' | 'interrupted' | 'detached' | 'closed';

/** A cell of an attempt. */
export interface CellOfAttempt {
  attempt: TrackedAttempt;
  cell: TrackedCell;
}

/** The table. */
export class AttemptTable {
  readonly root: string;
  phase: Phase = 'open';
  #attempts: TrackedAttempt[] = [];
  /** Called when a cell has ended. */
  onCellEnd: () => void = () => {};

  /** Reads what the journal has. */
  constructor(root: string) {
    this.root = root;
    for (const open of readOpenAttempts(root)) {
      const attempt = tracked(open);
      this.add(attempt);
      if (!isAttemptThere(root, open.id)) this.end(attempt);
    }
  }

  get isClosed(): boolean {
    return this.phase === 'closed';
  }

  /** Whether this process deals with what becomes of the attempts. */
  get isWatched(): boolean {
    return this.phase === 'open' || this.phase === 'interrupted';
  }

  get attempts(): readonly TrackedAttempt[] {
    return this.#attempts;
  }

  /** The cells of a stage that are not over. */
  cellsOf(stage: string): CellOfAttempt[] {
    return this.#attempts.flatMap((attempt) =>
      attempt.cells.filter((cell) => cell.stage === stage && !cell.isOver).map((cell) => ({ attempt, cell })),
    );
  }

  add(attempt: TrackedAttempt): void {
    this.#attempts.push(attempt);
  }

  /** Ends a cell: it can write no result any more. */
  endCell(attempt: TrackedAttempt, cell: TrackedCell): void {
    cell.isOver = true;
    cell.onGivenUp?.();
    removeToken(this.root, attempt.id, cell.index);
    if (attempt.cells.every(({ isOver }) => isOver)) this.end(attempt);
    this.onCellEnd();
  }

  /** Ends an attempt with all its cells, and removes its files. */
  end(attempt: TrackedAttempt): void {
    for (const cell of attempt.cells) {
      cell.isOver = true;
      cell.onGivenUp?.();
      removeToken(this.root, attempt.id, cell.index);
    }
    try {
      note(this.root, { id: attempt.id, over: true });
    } catch {} // The disk is full. The next repro finds no files of the attempt.
    removeAttempt(this.root, attempt.id);
    this.#attempts = this.#attempts.filter((other) => other !== attempt);
  }
}

/** An attempt that failed before its commands began. */
export function failed(failure: Failure): Attempted {
  return { made: { seconds: 0, failure }, started: new Date().toISOString(), peakMemory: 0, readFromCopy: new Set() };
}

/** The end of a stage that the user has interrupted. */
export function interrupted(known: Partial<Pick<Attempted, 'job' | 'node' | 'started' | 'log'>> = {}): Attempted {
  return { ...failed({ reason: 'interrupted' }), ...known };
}
