/**
 * Running one task per file on worker threads.
 *
 *   messages.ts  the types of a task, its outcomes and the messages between threads
 *   workers.ts   runTasks: batches, time and memory limits, lost threads
 *   worker.ts    the loop inside a thread
 */
export { codeOf, runTasks } from './workers.ts';
