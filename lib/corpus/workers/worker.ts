/** The other side of workers.ts: runs a task over the items it is sent, and answers for each. */
import { parentPort, workerData } from 'node:worker_threads';
import { DiskError, reasonOf } from '../errors.ts';
import type { Fatal, FromWorker, Outcome, Task, ToWorker } from './workers.ts';

export function work(run: Task<unknown, unknown, unknown>): void {
  const answer = (message: FromWorker) => parentPort!.postMessage(message);
  parentPort!.on('message', async (items: ToWorker) => {
    for (const { index, item } of items) {
      answer({ index, started: true });
      answer({ index, outcome: await outcomeOf(() => run(item, workerData)) });
    }
  });
}

export async function outcomeOf<Result>(run: () => Result | Promise<Result>): Promise<Outcome<Result> | Fatal> {
  try {
    return { result: await run() };
  } catch (error) {
    return error instanceof DiskError ? { failed: error.message, fatal: true } : { failed: reasonOf(error) };
  }
}
