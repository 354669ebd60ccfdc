/**
 * How a stage program tells how far it is. Under repro, which names a descriptor in REPRO_PROGRESS_FD, each update is one
 * JSON line there; by hand on a terminal, one line on stderr that rewrites itself; otherwise nothing is written.
 *
 *   const progress = openProgress();
 *   for (…) progress.update({ done: step, total: steps, unit: 'steps', text: `loss ${loss.toFixed(3)}` });
 *   progress.close();
 */
import { writeSync } from 'node:fs';

export interface ProgressUpdate {
  done: number;
  /** Absent when it is not known. */
  total?: number;
  /** "steps", "files", "bytes" */
  unit?: string;
  /** A few words beside the bar. */
  text?: string;
}

export interface Progress {
  /** Cheap to call often: at most ten updates a second are written, and the last one always is. */
  update(update: ProgressUpdate): void;
  close(): void;
}

/** Milliseconds between two written updates. */
const PERIOD = 100;

export function openProgress(): Progress {
  const write = writer();
  if (write === undefined) return { update: () => {}, close: () => {} };
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
      write.update(update);
    },
    close() {
      if (closed) return;
      closed = true;
      if (pending) write.update(pending);
      write.close();
    },
  };
}

interface Writer {
  update(update: ProgressUpdate): void;
  close(): void;
}

function writer(): Writer | undefined {
  const descriptor = Number(process.env.REPRO_PROGRESS_FD);
  if (process.env.REPRO_PROGRESS_FD && Number.isInteger(descriptor)) return lineWriter(descriptor);
  return process.stderr.isTTY ? terminalWriter() : undefined;
}

/** A reader that has gone away or is slow must never stop the program: what cannot be written is dropped. */
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

function terminalWriter(): Writer {
  let shown = false;
  return {
    update({ done, total, unit, text }) {
      const share = total ? ` ${Math.floor((100 * done) / total)} %` : '';
      const line = [`${done}${total === undefined ? '' : `/${total}`}${unit ? ` ${unit}` : ''}${share}`, text];
      const width = (process.stderr.columns || 80) - 1;
      process.stderr.write(`\r\u001b[K${line.filter(Boolean).join(' · ').slice(0, width)}`);
      shown = true;
    },
    close() {
      if (shown) process.stderr.write('\n');
    },
  };
}
