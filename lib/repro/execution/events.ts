/**
 * The events of a run, as plain data. The terminal view, the plain lines and the JSON stream (`--json`) only show them;
 * none of them decides anything. Times are in seconds.
 */

import type { StageEvent } from '../making/index.ts';
import { describeFailure, describeSkip, type Failure, type Skip } from '../messages/index.ts';
import type { StageCommand } from '../pipeline/index.ts';
import type { LeftOutput, Reason } from '../planning/index.ts';

/** One event; `--json` prints each as a line. `plan` comes first, `done` last, and every stage has one `end`. */
export type RunEvent =
  | { event: 'plan'; stages: PlanLine[]; jobs: number; left?: readonly LeftOutput[] }
  | {
      event: 'start';
      stage: string;
      cmd: readonly StageCommand[];
      reasons: readonly Reason[];
      gpus?: readonly string[];
      /** The job of Slurm, and the node that it runs on. */
      job?: string;
      node?: string;
      /** Expected duration in seconds. */
      expected?: number;
    }
  /** A stage waits as a job of Slurm. `reason`: Slurm's word for what it waits for. */
  | { event: 'queued'; stage: string; job: string; since: string; reason?: string }
  /** The forecast of the rest of the run, about once a second. */
  | { event: 'remaining'; seconds: number }
  | StageEvent
  | ({ event: 'end'; stage: string } & Outcome)
  | {
      event: 'done';
      ran: number;
      restored: number;
      fresh: number;
      skipped: number;
      failed: number;
      seconds: number;
      /** Files that were read because their hashes were not remembered. */
      hashed: { files: number; bytes: number };
      interrupted?: string;
    };

/** A stage in the `plan` event. */
export interface PlanLine {
  stage: string;
  state: string;
  reasons: readonly Reason[];
  /** Seconds, from the last attempt that succeeded. */
  expected?: number;
}

/** How a stage ended. `message` and `because` are the sentences for people; `reason` and its data are for programs. */
export type Outcome =
  | { outcome: 'ran'; seconds: number }
  | { outcome: 'restored' }
  | { outcome: 'fresh'; frozen?: true }
  | ({ outcome: 'skipped'; because: string; interrupted?: true } & Skip)
  | FailedOutcome;

/** The outcome of a stage that failed. `log`: the file with its output, relative to the root. */
export type FailedOutcome = { outcome: 'failed'; message: string; seconds: number; log?: string } & Failure;

/** Receives the events of a run in order. */
export type Listener = (event: RunEvent) => void;

/** The outcome of a stage that failed after `seconds`. `log`: the file with its output, if it has any. */
export function failedOutcome(failure: Failure, seconds: number, log?: string): FailedOutcome {
  return { outcome: 'failed', message: describeFailure(failure), seconds, ...failure, ...(log ? { log } : {}) };
}

/** The outcome of a stage that was not started. */
export function skippedOutcome(skip: Skip): Outcome {
  const isInterrupted = skip.reason === 'interrupted';
  return {
    outcome: 'skipped',
    because: describeSkip(skip),
    ...(isInterrupted ? { interrupted: true } : {}),
    ...skip,
  };
}
