/**
 * Runs a task on many items on worker threads, in batches, and returns the results in the order of the items.
 *
 * The task is a module whose default export is a function of (item, settings). Its result is copied between threads. If the task
 * throws, hangs or ends its thread, only its own item fails. With `threads` 0 the task runs in this thread, without protection
 * against hanging or running out of memory.
 */
import { createHash } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { dirname, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleProgram, startThread } from '../../threads/index.ts';
import { CorpusError, reasonOf } from '../errors.ts';
import type { FromWorker, Outcome, Task, ToWorker } from './messages.ts';
import { outcomeOf } from './worker.ts';

/** Options of `runTasks`. */
export interface TaskOptions<Item> {
  /** number of threads; 0: run in this thread. Default: one per core, and a single one for fewer than 200 items */
  threads?: number;
  /** longest time for one item in milliseconds, after which its thread is stopped. Default 60,000 */
  timeout?: number;
  /** limit of a thread's old-generation heap in MiB. Only a file built to exhaust memory needs more. Default 208 */
  heap?: number;
  /** called in the order of completion */
  onDone?: (item: Item, index: number) => void;
}

/** With fewer items, starting a second thread takes more time than it saves. */
const MIN_ITEMS_FOR_THREADS = 200;
/**
 * Limit of a thread's young-generation heap, twice V8's default, which saves a tenth of the time. With the heap above, a thread
 * stays below 300 MiB.
 */
const YOUNG_HEAP_MIB = 64;
/**
 * Items sent to a thread at a time. It is large enough for few messages, and small enough that threads finish at about
 * the same time.
 */
const BATCH_SIZE = 16;

/**
 * Runs a task on all items.
 *
 * @param task the module of the task
 * @param settings the second argument of every call
 * @returns an outcome per item, in the order of the items
 * @throws CorpusError if the task throws a DiskError, since every other item would fail too
 */
export async function runTasks<Item, Settings, Result>(
  task: URL,
  items: readonly Item[],
  settings: Settings,
  options: TaskOptions<Item> = {},
): Promise<Outcome<Result>[]> {
  const threads = options.threads ?? (items.length < MIN_ITEMS_FOR_THREADS ? 1 : availableParallelism());
  if (threads === 0) return runHere(task, items, settings, options);
  const pool = new TaskRunner<Item, Result>(await bundleTask(task), items, settings, options);
  await Promise.all(Array.from({ length: Math.min(threads, Math.ceil(items.length / BATCH_SIZE)) }, () => pool.run()));
  if (pool.fatal !== undefined) throw new CorpusError(pool.fatal);
  return pool.outcomes;
}

/** Runs the task in this thread. */
async function runHere<Item, Settings, Result>(
  task: URL,
  items: readonly Item[],
  settings: Settings,
  { onDone }: TaskOptions<Item>,
): Promise<Outcome<Result>[]> {
  const run: Task<Item, Settings, Result> = (await import(task.href)).default;
  const outcomes: Outcome<Result>[] = [];
  for (const [index, item] of items.entries()) {
    const outcome = await outcomeOf(() => run(item, settings));
    if ('fatal' in outcome) throw new CorpusError(outcome.failed);
    outcomes.push(outcome);
    onDone?.(item, index);
  }
  return outcomes;
}

/** Distributes the items over the threads, and collects the outcomes. */
class TaskRunner<Item, Result> {
  readonly outcomes: Outcome<Result>[] = [];
  readonly #program: string;
  readonly #items: readonly Item[];
  readonly #settings: unknown;
  readonly #options: TaskOptions<Item>;
  #next = 0;
  /** reason of a fatal outcome, after which no batch is started */
  fatal: string | undefined;

  constructor(program: string, items: readonly Item[], settings: unknown, options: TaskOptions<Item>) {
    this.#program = program;
    this.#items = items;
    this.#settings = settings;
    this.#options = options;
  }

  /** Runs batches on one thread until none are left. A thread that is lost is replaced by a new one. */
  async run(): Promise<void> {
    let left: number[] = [];
    for (;;) {
      if (left.length === 0) left = this.#batch();
      if (left.length === 0) return;
      left = await this.#runThread(left);
    }
  }

  /** The indices of the next batch; empty if there is none. */
  #batch(): number[] {
    if (this.fatal !== undefined) return [];
    const end = Math.min(this.#next + BATCH_SIZE, this.#items.length);
    const batch = Array.from({ length: end - this.#next }, (_, i) => this.#next + i);
    this.#next = end;
    return batch;
  }

  /** Stores the outcome of an item. */
  #settle(index: number, outcome: Outcome<Result>): void {
    this.outcomes[index] = outcome;
    this.#options.onDone?.(this.#items[index], index);
  }

  /** Sends batches to a thread until none are left. If the thread is lost first, returns the indices that it had not begun. */
  #runThread(first: number[]): Promise<number[]> {
    const { timeout = 60_000, heap = 208 } = this.#options;
    const worker = startThread(this.#program, {
      workerData: this.#settings,
      resourceLimits: { maxOldGenerationSizeMb: heap, maxYoungGenerationSizeMb: YOUNG_HEAP_MIB },
    });
    let queue = first;
    /** index of the item that is begun and not finished */
    let running: number | undefined;
    let lost = '';
    let timer: NodeJS.Timeout | undefined;
    const send = () =>
      worker.postMessage(queue.map((index) => ({ index, item: this.#items[index] })) satisfies ToWorker);
    return new Promise((resolve) => {
      const overdue = (index: number) => {
        // If this thread was busy, the outcome may have arrived in time and be waiting in the queue. setImmediate reads it first.
        setImmediate(() => {
          if (running !== index) return;
          lost = `took more than ${timeout / 1000} s`;
          // Ignore later messages: they could mark another item as running, which would then fail in place of this one.
          worker.off('message', listen);
          worker.terminate();
        });
      };
      const listen = (message: FromWorker) => {
        clearTimeout(timer);
        if ('started' in message) {
          const { index } = message;
          running = index;
          timer = setTimeout(() => overdue(index), timeout);
          return;
        }
        running = undefined;
        if ('fatal' in message.outcome) {
          this.fatal = message.outcome.failed;
          queue = [];
          worker.off('message', listen);
          worker.terminate();
          return;
        }
        this.#settle(message.index, message.outcome as Outcome<Result>);
        queue = queue.filter((index) => index !== message.index);
        if (queue.length > 0) return;
        queue = this.#batch();
        if (queue.length > 0) send();
        else worker.terminate();
      };
      worker.on('message', listen);
      worker.on('error', (error: NodeJS.ErrnoException) => {
        lost = error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? `needs more than ${heap} MiB` : reasonOf(error);
      });
      worker.on('exit', () => {
        clearTimeout(timer);
        // If the thread ended before it began any item, a new one would too. So its first item counts as failed.
        const culprit = running ?? queue[0];
        if (culprit !== undefined) {
          this.#settle(culprit, { failed: lost || 'its thread ended unexpectedly' });
          queue = queue.filter((index) => index !== culprit);
        }
        resolve(queue);
      });
      send();
    });
  }
}

/** A hash of the code of a task and of everything it imports. It is part of the key of results kept between runs. */
export async function codeOf(task: URL): Promise<string> {
  return createHash('sha256')
    .update(await bundleTask(task))
    .digest('hex');
}

/** Programs by address of the task's module. */
const bundles = new Map<string, Promise<string>>();

/** The program of a thread that runs this task, with everything it imports. It is built once per task. */
function bundleTask(task: URL): Promise<string> {
  const path = `./${relative(dirname(fileURLToPath(import.meta.url)), fileURLToPath(task))}`;
  const program = `import run from ${JSON.stringify(path)}; import { work } from './worker.ts'; work(run);`;
  const made = bundles.get(task.href) ?? bundleProgram(program, import.meta.url);
  bundles.set(task.href, made);
  return made;
}
