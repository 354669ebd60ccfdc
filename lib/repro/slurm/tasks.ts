/** The executor's data about each stage that it makes, and about each open attempt. */
import type { Attempted, Detached, Moved, Work } from '../making/index.ts';
import type { QueueRow } from './answers.ts';
import type { Cell, OpenAttempt } from './journal-entries.ts';

/** A stage that is to be made. */
export interface Task {
  work: Work;
  resolve(ended: Attempted | Detached | Moved): void;
  reject(error: unknown): void;
  /** The result of `wantsOf` for the stage. */
  wants: readonly string[];
  /** Nodes that must not run it. */
  excluded: string[];
  continued: number;
  nodesLost: number;
  retried: number;
  /** When it may be submitted, by `performance.now()`. */
  notBefore: number;
}

/** A cell of an attempt. */
export interface TrackedCell extends Cell {
  index: number;
  /** Undefined for an attempt of an earlier call, from the journal, while this call does not need the stage. */
  task?: Task;
  isOver: boolean;
  /** repro has cancelled it, so its result does not count. */
  isCancelled: boolean;
  /** It is given up. Called when it cannot write any more. */
  onGivenUp?: () => void;
  /** Its result is being looked at. */
  isTaken: boolean;
  /** `work.begin` was called. */
  hasBegun: boolean;
  /** Its last row of squeue or sacct. */
  row?: QueueRow;
  /** When it was first seen to have left the queue, by `performance.now()`. */
  goneAt?: number;
  wasTerminated: boolean;
  /** Whether it was said that it is held. */
  isHeldTold: boolean;
  /** Signatures of its checkpoint when it was submitted. */
  checkpoint?: string;
}

/** An attempt that is not over. */
export interface TrackedAttempt {
  id: string;
  name: string;
  submitted: string;
  job?: string;
  cells: TrackedCell[];
  /** An earlier repro submitted it. */
  isFound: boolean;
}

/** An attempt that the journal has. */
export function tracked({ id, name, submitted, job, cells, cancelled }: OpenAttempt): TrackedAttempt {
  return {
    id,
    name,
    submitted,
    ...(job === undefined ? {} : { job }),
    isFound: true,
    cells: cells.map(({ stage, key }, index) => ({
      ...newCell(stage, key, index),
      isCancelled: cancelled.includes(index),
    })),
  };
}

/** A cell whose state is not known yet. */
export function newCell(stage: string, key: string, index: number): TrackedCell {
  return {
    stage,
    key,
    index,
    isOver: false,
    isCancelled: false,
    isTaken: false,
    hasBegun: false,
    wasTerminated: false,
    isHeldTold: false,
  };
}

/** The name of a cell's job, as scancel takes it. */
export function jobOf({ job }: TrackedAttempt, { index }: TrackedCell): string | undefined {
  return job === undefined ? undefined : `${job}_${index}`;
}
