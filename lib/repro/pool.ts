/**
 * Who may start when: places (-j), cpus, memory, GPUs and named limits. Of the stages that wait, the one expected to take
 * longest is asked first; one that does not fit yet does not keep smaller ones from what is free.
 */
import type { Machine } from './machine.ts';
import type { Resources } from './pipeline.ts';

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
  readonly jobs: number;
  readonly #machine: Machine;
  readonly #limits: { readonly [name: string]: number };
  readonly #gpuIsTaken: (id: string) => boolean;
  #waiting: Waiting[] = [];
  #running = 0;
  #cpus = 0;
  #memory = 0;
  readonly #gpus = new Set<string>();
  readonly #named = new Map<string, number>();
  #stopped = false;
  #again: NodeJS.Timeout | undefined;
  #soon: NodeJS.Immediate | undefined;

  constructor(
    jobs: number,
    machine: Machine,
    limits: { readonly [name: string]: number },
    gpuIsTaken: (id: string) => boolean,
  ) {
    this.jobs = jobs;
    this.#machine = machine;
    this.#limits = limits;
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
      if (this.#running >= this.jobs) break;
      const gpus = this.#fit(waiting.wants);
      if (gpus === undefined) {
        heldElsewhere ||= this.#gpus.size < this.#machine.gpus.length && waiting.wants.gpus > 0;
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

  /** The GPUs it would get; undefined when something is short. */
  #fit(wants: Resources): string[] | undefined {
    if (this.#cpus + wants.cpus > Math.max(this.#machine.cpus, wants.cpus * Number(this.#cpus === 0))) return undefined;
    if (this.#memory + wants.memory > this.#machine.memory) return undefined;
    for (const [name, count] of Object.entries(wants.limits))
      if ((this.#named.get(name) ?? 0) + count > this.#limits[name]) return undefined;
    if (wants.gpus === 0 || this.#machine.gpus.length === 0) return [];
    const free = this.#machine.gpus.filter((id) => !this.#gpus.has(id) && !this.#gpuIsTaken(id));
    return free.length < wants.gpus ? undefined : free.slice(0, wants.gpus);
  }

  #take(wants: Resources, gpus: readonly string[]): Holding {
    const count = (sign: 1 | -1) => {
      this.#running += sign;
      this.#cpus += sign * wants.cpus;
      this.#memory += sign * wants.memory;
      for (const [name, n] of Object.entries(wants.limits))
        this.#named.set(name, (this.#named.get(name) ?? 0) + sign * n);
      for (const id of gpus) sign > 0 ? this.#gpus.add(id) : this.#gpus.delete(id);
    };
    count(1);
    let held = true;
    return {
      gpus,
      release: () => {
        if (!held) return;
        held = false;
        count(-1);
        this.#serveSoon();
      },
    };
  }
}
