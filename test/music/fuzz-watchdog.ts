/**
 * Finds inputs that hang. A call that never returns cannot be timed by its own thread, so a worker thread watches: it
 * keeps a copy of the current input, and if the next one does not come in time, writes it and ends the process.
 *
 *   const watchdog = new Watchdog(120);
 *   watchdog.watch('fuzz-1-0.abc', text);   // before each attempt
 *   watchdog.stop();                        // at the end
 */
import { Worker } from 'node:worker_threads';

/** Bytes of a name and an input; longer inputs are cut. */
const CAPACITY = 1 << 20;
/** Places of the shared header: the number of the input, the bytes of its name, the bytes of the input. */
const [NUMBER, NAME, LENGTH] = [0, 1, 2];
const HEADER_BYTES = 12;

/** The worker's program. It is a text, because a worker cannot load TypeScript without the loader of its parent. */
const PROGRAM = `
const { workerData: { memory, seconds, HEADER_BYTES } } = require('node:worker_threads');
const { writeFileSync, writeSync } = require('node:fs');
const [NUMBER, NAME, LENGTH] = [0, 1, 2];
const header = new Int32Array(memory, 0, 3);
const bytes = Buffer.from(memory, HEADER_BYTES);
for (;;) {
  const before = Atomics.load(header, NUMBER);
  if (before < 0) break;
  if (Atomics.wait(header, NUMBER, before, 1000 * seconds) !== 'timed-out' || before === 0) continue;
  const name = bytes.toString('utf8', 0, header[NAME]);
  writeFileSync(name, bytes.subarray(header[NAME], header[NAME] + header[LENGTH]));
  writeSync(2, name + ': no result after ' + seconds + ' s; the input was kept\\n');
  process.kill(process.pid, 'SIGKILL');
}
`;

/** Watches one input after another. */
export class Watchdog {
  readonly #memory = new SharedArrayBuffer(HEADER_BYTES + CAPACITY);
  readonly #header = new Int32Array(this.#memory, 0, 3);
  readonly #bytes = Buffer.from(this.#memory, HEADER_BYTES);

  /** @param seconds after which an input counts as a hang */
  constructor(seconds: number) {
    const workerData = { memory: this.#memory, seconds, HEADER_BYTES };
    new Worker(PROGRAM, { eval: true, workerData, execArgv: [] }).unref();
  }

  /**
   * Begins to watch an input, and ends watching the one before.
   *
   * @param name of the file that is written if it hangs
   */
  watch(name: string, input: Uint8Array | string): void {
    const length = this.#bytes.write(name);
    this.#header[NAME] = length;
    this.#header[LENGTH] =
      typeof input === 'string'
        ? this.#bytes.write(input, length)
        : this.#copy(input.subarray(0, CAPACITY - length), length);
    this.#notify(this.#header[NUMBER] + 1);
  }

  /** Ends watching. */
  stop(): void {
    this.#notify(-1);
  }

  #copy(input: Uint8Array, at: number): number {
    this.#bytes.set(input, at);
    return input.length;
  }

  #notify(number: number): void {
    Atomics.store(this.#header, NUMBER, number);
    Atomics.notify(this.#header, NUMBER);
  }
}
