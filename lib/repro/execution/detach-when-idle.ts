/**
 * `repro --detach`: finds the moment when this process has nothing to do but to wait for jobs, or for a place among
 * them.
 */

/** Milliseconds without work after which that moment has come: a stage that ends makes others ready a moment later. */
const DELAY = 300;

/** Counts what this process works on. */
export class IdleWatch {
  readonly #onIdle: () => void;
  #atWork = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param onIdle called each time that no work was going on for a moment */
  constructor(onIdle: () => void) {
    this.#onIdle = onIdle;
  }

  get isIdle(): boolean {
    return this.#atWork === 0;
  }

  /** Work goes on until `work` has ended. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    this.#atWork++;
    try {
      return await work();
    } finally {
      this.#end();
    }
  }

  /** Within `during`: no work goes on until `wait` has ended. */
  async except<T>(wait: () => Promise<T>): Promise<T> {
    this.#end();
    try {
      return await wait();
    } finally {
      this.#atWork++;
    }
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #end(): void {
    this.#atWork--;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.isIdle && this.#onIdle(), DELAY).unref();
  }
}
