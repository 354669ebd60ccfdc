/** The thread's side of workers.ts: runs a task on each item that it receives, and sends the outcomes back. */
import { parentPort, workerData } from 'node:worker_threads';
import { DiskError, reasonOf } from '../errors.ts';
import type { Fatal, FromWorker, Outcome, Task, ToWorker } from './messages.ts';

/** Runs a task on every item that the main thread sends, one after the other. */
export function work(run: Task<unknown, unknown, unknown>): void {
  const send = (message: FromWorker) => parentPort!.postMessage(message);
  parentPort!.on('message', async (items: ToWorker) => {
    for (const { index, item } of items) {
      send({ index, started: true });
      send({ index, outcome: await outcomeOf(() => run(item, workerData)) });
    }
  });
}

/** Runs a task on one item. An error becomes an outcome, so that the next items still run. */
export async function outcomeOf<Result>(run: () => Result | Promise<Result>): Promise<Outcome<Result> | Fatal> {
  try {
    return { result: await run() };
  } catch (error) {
    return error instanceof DiskError ? { failed: error.message, fatal: true } : { failed: reasonOf(error) };
  }
}
