/** The other side of workers.ts: loads the task, runs it over the items it is sent, and answers for each. */
import { parentPort, workerData } from 'node:worker_threads';
import { type FromWorker, outcomeOf, type ToWorker, type WorkerData } from './workers.ts';

const { task, settings } = workerData as WorkerData;
const answer = (message: FromWorker) => parentPort!.postMessage(message);

parentPort!.on('message', async (items: ToWorker) => {
  const { default: run } = await import(task);
  for (const { index, item } of items) {
    answer({ index, started: true });
    answer({ index, outcome: await outcomeOf(() => run(item, settings)) });
  }
});
