/**
 * Runs a task over many items on worker threads, in batches, and gives the results back in the items' order.
 *
 * The task is a module that default-exports a function of (item, settings); what it returns is copied between threads. A task that
 * throws, hangs or takes its thread down costs its own item only. Without workers (`threads` 0) the module runs here, with neither
 * protection against hanging nor against running out of memory.
 */
import { createHash } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { bundleProgram, startThread } from '../../threads/index.ts';
import { CorpusError, reasonOf } from '../errors.ts';
import { outcomeOf } from './worker.ts';

export type Outcome<Result> = { result: Result } | { failed: string };

/** An outcome after which no other item would fare better: the disk is full. */
export interface Fatal {
  failed: string;
  fatal: true;
}

export type Task<Item, Settings, Result> = (item: Item, settings: Settings) => Result | Promise<Result>;

export interface PoolOptions<Item> {
  /** threads; 0 is none. Default: as many as cores, and none where there are few items */
  threads?: number;
  /** milliseconds that one item may take before its thread is stopped. Default 60,000 */
  timeout?: number;
  /** MiB of long-lived objects a thread may have: one that needs more has met a file built to exhaust it. Default 208 */
  heap?: number;
  /** called in the order of completion */
  onDone?: (item: Item, index: number) => void;
}

/** Below so many items, more threads than one take longer to start than they save. */
const WORTHWHILE = 200;
/** MiB for objects that die young: with the heap above, a thread stays under 300. Twice V8's own saves a tenth of the time. */
const YOUNG = 64;
/** Items sent at a time: few messages, yet no thread waits long for another. */
const BATCH = 16;

/** What passes between the threads; the settings go as workerData. */
export type ToWorker = { index: number; item: unknown }[];
export type FromWorker = { index: number; started: true } | { index: number; outcome: Outcome<unknown> | Fatal };

/** @throws CorpusError where the task meets a DiskError, which no other item would escape */
export async function runTasks<Item, Settings, Result>(
  task: URL,
  items: readonly Item[],
  settings: Settings,
  options: PoolOptions<Item> = {},
): Promise<Outcome<Result>[]> {
  const threads = options.threads ?? (items.length < WORTHWHILE ? 1 : availableParallelism());
  if (threads === 0) return runHere(task, items, settings, options);
  const pool = new Pool<Item, Result>(await bundle(task), items, settings, options);
  await Promise.all(Array.from({ length: Math.min(threads, Math.ceil(items.length / BATCH)) }, () => pool.run()));
  if (pool.fatal !== undefined) throw new CorpusError(pool.fatal);
  return pool.outcomes;
}

async function runHere<Item, Settings, Result>(
  task: URL,
  items: readonly Item[],
  settings: Settings,
  { onDone }: PoolOptions<Item>,
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

class Pool<Item, Result> {
  readonly outcomes: Outcome<Result>[] = [];
  readonly #program: string;
  readonly #items: readonly Item[];
  readonly #settings: unknown;
  readonly #options: PoolOptions<Item>;
  #next = 0;
  /** why nothing more is begun */
  fatal: string | undefined;

  constructor(program: string, items: readonly Item[], settings: unknown, options: PoolOptions<Item>) {
    this.#program = program;
    this.#items = items;
    this.#settings = settings;
    this.#options = options;
  }

  /** One thread's share: batches until none are left, on a new thread whenever the last one is lost. */
  async run(): Promise<void> {
    let left: number[] = [];
    for (;;) {
      if (left.length === 0) left = this.#batch();
      if (left.length === 0) return;
      left = await this.#runThread(left);
    }
  }

  #batch(): number[] {
    if (this.fatal !== undefined) return [];
    const end = Math.min(this.#next + BATCH, this.#items.length);
    const batch = Array.from({ length: end - this.#next }, (_, i) => this.#next + i);
    this.#next = end;
    return batch;
  }

  #settle(index: number, outcome: Outcome<Result>): void {
    this.outcomes[index] = outcome;
    this.#options.onDone?.(this.#items[index], index);
  }

  /** Feeds a thread until nothing is left to do; where it is lost before, returns what it had not begun. */
  #runThread(first: number[]): Promise<number[]> {
    const { timeout = 60_000, heap = 208 } = this.#options;
    const worker = startThread(this.#program, {
      workerData: this.#settings,
      resourceLimits: { maxOldGenerationSizeMb: heap, maxYoungGenerationSizeMb: YOUNG },
    });
    let queue = first;
    /** begun and not answered for */
    let running: number | undefined;
    let lost = '';
    let timer: NodeJS.Timeout | undefined;
    const send = () =>
      worker.postMessage(queue.map((index) => ({ index, item: this.#items[index] })) satisfies ToWorker);
    return new Promise((resolve) => {
      const overdue = (index: number) => {
        // Its answer may have come while this thread was busy elsewhere, and then waits to be read.
        setImmediate(() => {
          if (running !== index) return;
          lost = `took more than ${timeout / 1000} s`;
          // What the thread still says until it ends would put the blame on what it began last.
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
        // A thread that dies before it has begun anything would die again: its first item answers for it.
        const culprit = running ?? queue[0];
        if (culprit !== undefined) {
          this.#settle(culprit, { failed: lost || 'its thread ended without a word' });
          queue = queue.filter((index) => index !== culprit);
        }
        resolve(queue);
      });
      send();
    });
  }
}

/** A hash of the task's code and of all that it imports. Results that are kept between runs are filed under it. */
export async function codeOf(task: URL): Promise<string> {
  return createHash('sha256')
    .update(await bundle(task))
    .digest('hex');
}

const bundles = new Map<string, Promise<string>>();

/** The program of a thread that runs this task, with all that it imports; made once for each task. */
function bundle(task: URL): Promise<string> {
  const program = `import run from ${JSON.stringify(fileURLToPath(task))}; import { work } from './worker.ts'; work(run);`;
  const made = bundles.get(task.href) ?? bundleProgram(program, import.meta.url);
  bundles.set(task.href, made);
  return made;
}
