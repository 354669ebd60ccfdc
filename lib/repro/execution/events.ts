/**
 * What happens in a run, as plain data. The terminal, the plain lines, the JSON stream and the ledger only consume these;
 * none of them decides anything.
 */
import type { Reason } from '../planning/index.ts';

export type RunEvent =
  | {
      event: 'plan';
      stages: {
        stage: string;
        state: string;
        reasons: readonly Reason[] /** seconds, from earlier runs */;
        expected?: number;
      }[];
      jobs: number;
    }
  | {
      event: 'start';
      stage: string;
      cmd: readonly string[];
      reasons: readonly Reason[];
      gpus?: readonly string[];
      expected?: number;
    }
  | { event: 'progress'; stage: string; done: number; total?: number; unit?: string; text?: string }
  | { event: 'output'; stage: string; text: string }
  | { event: 'note'; stage?: string; text: string }
  | ({ event: 'end'; stage: string } & Outcome)
  | {
      event: 'done';
      ran: number;
      restored: number;
      fresh: number;
      skipped: number;
      failed: number;
      seconds: number;
      /** What was read because no hash of it was remembered. */
      hashed: { files: number; bytes: number };
      interrupted?: string;
    };

/** How a stage ended; times in seconds. */
export type Outcome =
  | { outcome: 'ran'; seconds: number }
  | { outcome: 'restored' }
  | { outcome: 'fresh'; frozen?: true }
  | { outcome: 'skipped'; because: string /** not by a failure, but since repro was told to end */; interrupted?: true }
  | {
      outcome: 'failed';
      message: string;
      seconds: number;
      exit?: number;
      signal?: string /** kept output */;
      log?: string;
    };

export type Listener = (event: RunEvent) => void;
