/**
 * Reports the progress of a stage program. Where the updates go depends on how the program was started:
 * - under repro: to the file descriptor that REPRO_PROGRESS_FD names, each update as one line of JSON;
 * - by hand on a terminal: to stderr, as one line that is rewritten;
 * - otherwise: nowhere.
 *
 *   const progress = openProgress();
 *   for (…) progress.update({ done: step, total: steps, unit: 'steps', text: `loss ${loss.toFixed(3)}` });
 *   progress.close();
 */
import { writeSync } from 'node:fs';
import { escapeLine } from '../messages/index.ts';

/** How far a stage program is. */
export interface ProgressUpdate {
  /** The finished amount, in `unit`. */
  done: number;
  /** The whole amount, in `unit`; absent if it is not known. */
  total?: number;
  /** The plural of the unit: "steps", "files", "bytes". */
  unit?: string;
  /** A few words to show beside the bar, such as "loss 0.52". */
  text?: string;
}

/** Reports the progress of one stage program. */
export interface Progress {
  /** Cheap to call often: at most ten updates a second are written. The last update is always written. */
  update(update: ProgressUpdate): void;
  /** Writes the last update if it is still pending. Later updates are ignored. */
  close(): void;
}

/** Milliseconds between two written updates. */
const PERIOD = 100;

/** Starts to report progress. Call it once in a program. */
export function openProgress(): Progress {
  const writer = chooseWriter();
  if (writer === undefined) return { update: () => {}, close: () => {} };
  let last = Number.NEGATIVE_INFINITY;
  let pending: ProgressUpdate | undefined;
  let closed = false;
  return {
    update(update) {
      if (closed) return;
      const now = performance.now();
      const finished = update.total !== undefined && update.done >= update.total;
      if (now - last < PERIOD && !finished) {
        pending = update;
        return;
      }
      last = now;
      pending = undefined;
      writer.update(update);
    },
    close() {
      if (closed) return;
      closed = true;
      if (pending) writer.update(pending);
      writer.close();
    },
  };
}

/** Writes updates to one destination. */
interface Writer {
  update(update: ProgressUpdate): void;
  close(): void;
}

function chooseWriter(): Writer | undefined {
  const descriptor = Number(process.env.REPRO_PROGRESS_FD);
  if (process.env.REPRO_PROGRESS_FD && Number.isInteger(descriptor)) return lineWriter(descriptor);
  return process.stderr.isTTY ? terminalWriter() : undefined;
}

/**
 * Writes JSON lines to a pipe. A slow or closed pipe must not stop the program: if the pipe is full (EAGAIN), the
 * update is dropped; after any other error all further updates are dropped.
 */
function lineWriter(descriptor: number): Writer {
  let open = true;
  return {
    update(update) {
      if (!open) return;
      try {
        writeSync(descriptor, `${JSON.stringify(update)}\n`);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') open = false;
      }
    },
    close: () => {},
  };
}

/** Rewrites one line on stderr: CSI K erases the line after the cursor (ECMA-48). */
function terminalWriter(): Writer {
  let shown = false;
  return {
    update({ done, total, unit, text }) {
      const percent = total ? ` ${Math.floor((100 * done) / total)} %` : '';
      const line = [`${done}${total === undefined ? '' : `/${total}`}${unit ? ` ${unit}` : ''}${percent}`, text];
      const width = (process.stderr.columns || 80) - 1;
      process.stderr.write(`\r\u001b[K${escapeLine(line.filter(Boolean).join(' · ')).slice(0, width)}`);
      shown = true;
    },
    close() {
      if (shown) process.stderr.write('\n');
    },
  };
}
