/** The task, its outcomes, and the messages between workers.ts and its threads (worker.ts). */

/** Outcome of one item: its result, or why it failed. */
export type Outcome<Result> = { result: Result } | { failed: string };

/** Outcome of an item that failed for a reason that affects every other item too, such as a full disk. */
export interface Fatal {
  failed: string;
  fatal: true;
}

/** The default export of a task's module. */
export type Task<Item, Settings, Result> = (item: Item, settings: Settings) => Result | Promise<Result>;

/** Message to a thread: a batch of items. The settings are passed as workerData. */
export type ToWorker = { index: number; item: unknown }[];
/** Message from a thread: an item was begun, or is finished. */
export type FromWorker = { index: number; started: true } | { index: number; outcome: Outcome<unknown> | Fatal };
