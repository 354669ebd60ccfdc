/**
 * Who may start when. Of the stages that wait, the one expected to take longest is asked first; one that does not fit yet
 * (see capacity.ts) does not keep smaller ones from what is free.
 */

import type { Resources } from '../pipeline/index.ts';
import type { Capacity } from './capacity.ts';

export interface Holding {
  gpus: readonly string[];
  release(): void;
}

/** Takes the last say before a start: false when another repro has the stage, or these GPUs. */
export type Claim = (gpus: readonly string[]) => boolean;

export type Granted = Holding | 'stopped';

interface Waiting {
  name: string;
  wants: Resources;
  priority: number;
  claim: Claim;
  grant(granted: Granted): void;
}

export class Pool {
  readonly #capacity: Capacity;
  readonly #gpuIsTaken: (id: string) => boolean;
  #waiting: Waiting[] = [];
  #stopped = false;
  #again: NodeJS.Timeout | undefined;
  #soon: NodeJS.Immediate | undefined;

  /** `gpuIsTaken`: by another repro. */
  constructor(capacity: Capacity, gpuIsTaken: (id: string) => boolean) {
    this.#capacity = capacity;
    this.#gpuIsTaken = gpuIsTaken;
  }

  /** Resolves when the stage may start, or with 'stopped' when nothing more is to start. */
  acquire(name: string, wants: Resources, priority: number, claim: Claim): Promise<Granted> {
    if (this.#stopped) return Promise.resolve('stopped');
    return new Promise((grant) => {
      this.#waiting.push({ name, wants, priority, claim, grant });
      this.#waiting.sort((a, b) => b.priority - a.priority);
      this.#serveSoon();
    });
  }

  /** From now on nothing new starts. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#again);
    for (const { grant } of this.#waiting.splice(0)) grant('stopped');
  }

  /** Others that are ready by now are about to ask as well, and the longest of them goes first. */
  #serveSoon(): void {
    this.#soon ??= setImmediate(() => {
      this.#soon = undefined;
      this.#serve();
    });
  }

  #serve(): void {
    clearTimeout(this.#again);
    let heldElsewhere = false;
    for (const waiting of [...this.#waiting]) {
      if (!this.#capacity.hasPlace) break;
      const gpus = this.#capacity.fit(waiting.wants, this.#gpuIsTaken);
      if (gpus === undefined) {
        heldElsewhere ||= this.#capacity.hasFreeGpus && waiting.wants.gpus > 0;
        continue;
      }
      if (!waiting.claim(gpus)) {
        heldElsewhere = true;
        continue;
      }
      this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
      waiting.grant(this.#take(waiting.wants, gpus));
    }
    // What another process holds is given back without a word to this one: ask again soon.
    if (heldElsewhere && !this.#stopped) this.#again = setTimeout(() => this.#serve(), 100);
  }

  #take(wants: Resources, gpus: readonly string[]): Holding {
    this.#capacity.take(wants, gpus);
    let held = true;
    return {
      gpus,
      release: () => {
        if (!held) return;
        held = false;
        this.#capacity.giveBack(wants, gpus);
        this.#serveSoon();
      },
    };
  }
}
