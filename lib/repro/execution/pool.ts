/**
 * Decides which waiting stage starts next: the one expected to take longest, of those that fit (capacity.ts). A stage
 * that does not fit yet does not hold up smaller ones.
 */

import type { Capacity } from '../forecast/index.ts';
import type { Resources } from '../pipeline/index.ts';

/** A place in the pool and the GPUs that come with it. The stage has both until it calls `release`. */
export interface Holding {
  gpus: readonly string[];
  release(): void;
}

/**
 * Called right before a start, to take the leases. Returns false if another repro has the stage or one of these GPUs.
 */
export type Claim = (gpus: readonly string[]) => boolean;

/** The answer to a request: a holding, or 'stopped' if no more stages may start. */
export type Granted = Holding | 'stopped';

/** Milliseconds between attempts to take a lease that another repro holds. */
const RETRY = 100;

/** A stage that waits. */
interface Waiting {
  name: string;
  wants: Resources;
  /** The highest goes first. */
  priority: number;
  claim: Claim;
  grant(granted: Granted): void;
  fail(error: unknown): void;
}

/** The stages that wait, and the capacity that running ones share. */
export class Pool {
  readonly #capacity: Capacity;
  readonly #gpuIsTaken: (id: string) => boolean;
  #waiting: Waiting[] = [];
  #stopped = false;
  #retryTimer: NodeJS.Timeout | undefined;
  #serveImmediate: NodeJS.Immediate | undefined;

  /** `gpuIsTaken`: whether another repro has this GPU. */
  constructor(capacity: Capacity, gpuIsTaken: (id: string) => boolean) {
    this.#capacity = capacity;
    this.#gpuIsTaken = gpuIsTaken;
  }

  /**
   * Waits until the stage may start.
   *
   * @param priority the expected seconds of the stage; Infinity if they are not known
   * @returns a holding when the stage may start; 'stopped' if no more stages may start
   * @throws what `claim` throws
   */
  acquire(name: string, wants: Resources, priority: number, claim: Claim): Promise<Granted> {
    if (this.#stopped) return Promise.resolve('stopped');
    return new Promise((grant, fail) => {
      this.#waiting.push({ name, wants, priority, claim, grant, fail });
      this.#waiting.sort((a, b) => b.priority - a.priority);
      this.#serveSoon();
    });
  }

  /** From now on no stage starts. Those that wait get 'stopped'. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#retryTimer);
    for (const { grant } of this.#waiting.splice(0)) grant('stopped');
  }

  /** Waits until all stages that are ready now have made their requests, so that the longest of them goes first. */
  #serveSoon(): void {
    this.#serveImmediate ??= setImmediate(() => {
      this.#serveImmediate = undefined;
      this.#serve();
    });
  }

  #serve(): void {
    clearTimeout(this.#retryTimer);
    let heldElsewhere = false;
    for (const waiting of [...this.#waiting]) {
      if (!this.#capacity.hasPlace) break;
      const gpus = this.#capacity.fit(waiting.wants, this.#gpuIsTaken);
      if (gpus === undefined) {
        heldElsewhere ||= this.#capacity.hasFreeGpus && waiting.wants.gpus > 0;
        continue;
      }
      let isClaimed: boolean;
      try {
        isClaimed = waiting.claim(gpus);
      } catch (error) {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        waiting.fail(error);
        continue;
      }
      if (!isClaimed) {
        heldElsewhere = true;
        continue;
      }
      this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
      waiting.grant(this.#take(waiting.wants, gpus));
    }
    // This process does not notice when another repro releases a lease, so it tries again soon.
    if (heldElsewhere && !this.#stopped) this.#retryTimer = setTimeout(() => this.#serve(), RETRY);
  }

  #take(wants: Resources, gpus: readonly string[]): Holding {
    this.#capacity.take(wants, gpus);
    let held = true;
    return {
      gpus,
      release: () => {
        if (!held) return;
        held = false;
        this.#capacity.release(wants, gpus);
        this.#serveSoon();
      },
    };
  }
}
