/**
 * The resources that running stages share, and how much of them is in use: places (-j), cpus, memory, GPUs, named
 * limits. Capacity decides whether a stage fits beside the running ones and which GPUs it gets. The pool and the
 * forecast ask it.
 */
import { describeBytes, ReproError } from '../messages/index.ts';
import type { Resources, Stage } from '../pipeline/index.ts';
import type { Machine } from './machine.ts';

/** The pipeline's `limits`: how many of each may be in use at once. */
export type Limits = { readonly [name: string]: number };

/** The default of -j: as many stages at once as this machine has cpus or GPUs, whichever are more. */
export function defaultJobs(machine: Machine): number {
  return Math.max(machine.cpus, machine.gpus.length);
}

/** The capacity of a machine: what it has in all, what running stages use, and whether one more stage fits. */
export class Capacity {
  readonly jobs: number;
  readonly machine: Machine;
  readonly #limits: Limits;
  readonly #gpus = new Set<string>();
  readonly #named = new Map<string, number>();
  #running = 0;
  #cpus = 0;
  #memory = 0;

  constructor(jobs: number, machine: Machine, limits: Limits) {
    this.jobs = jobs;
    this.machine = machine;
    this.#limits = limits;
  }

  /** Whether fewer than `jobs` stages are running. */
  get hasPlace(): boolean {
    return this.#running < this.jobs;
  }

  get hasFreeGpus(): boolean {
    return this.#gpus.size < this.machine.gpus.length;
  }

  /**
   * Whether a stage that needs `wants` fits beside the running ones.
   *
   * @param isTakenElsewhere whether another repro has this GPU
   * @returns ids of the GPUs that it would get, none on a machine without GPUs; undefined if it does not fit
   */
  fit(wants: Resources, isTakenElsewhere: (gpu: string) => boolean = () => false): string[] | undefined {
    if (!this.hasPlace) return undefined;
    if (this.#cpus + wants.cpus > this.machine.cpus) return undefined;
    if (this.#memory + wants.memory > this.machine.memory) return undefined;
    for (const [name, count] of Object.entries(wants.limits))
      if ((this.#named.get(name) ?? 0) + count > this.#limits[name]) return undefined;
    if (wants.gpus === 0 || this.machine.gpus.length === 0) return [];
    const free = this.machine.gpus.filter((id) => !this.#gpus.has(id) && !isTakenElsewhere(id));
    return free.length < wants.gpus ? undefined : free.slice(0, wants.gpus);
  }

  /** A stage with these GPUs, from `fit`, has started. */
  take(wants: Resources, gpus: readonly string[]): void {
    this.#add(wants, 1);
    for (const id of gpus) this.#gpus.add(id);
  }

  /** A stage that was taken into account by `take` has ended. */
  release(wants: Resources, gpus: readonly string[]): void {
    this.#add(wants, -1);
    for (const id of gpus) this.#gpus.delete(id);
  }

  #add(wants: Resources, sign: 1 | -1): void {
    this.#running += sign;
    this.#cpus += sign * wants.cpus;
    this.#memory += sign * wants.memory;
    for (const [name, count] of Object.entries(wants.limits))
      this.#named.set(name, (this.#named.get(name) ?? 0) + sign * count);
  }
}

/**
 * The memory that a stage may use, so that as many stages like it as may run at once fit into the machine together.
 *
 * @param wants its cpus and memory limit how many run at once
 * @param stages how many stages like it there are
 * @returns bytes; never less than `wants.memory`
 */
export function memoryShare(wants: Resources, stages: number, jobs: number, { cpus, memory }: Machine): number {
  const byCpus = wants.cpus > 0 ? Math.floor(cpus / wants.cpus) : jobs;
  const byMemory = wants.memory > 0 ? Math.floor(memory / wants.memory) : jobs;
  return Math.floor(memory / Math.max(1, Math.min(stages, jobs, byCpus, byMemory)));
}

/**
 * Checks that a stage fits on this machine when it runs alone. Otherwise it would wait for ever.
 *
 * @param wants what it takes of this machine
 * @throws ReproError if it wants more than the machine or a limit has
 */
export function checkFits(stage: Stage, machine: Machine, limits: Limits, wants = stage.resources): void {
  const { cpus, memory, gpus } = wants;
  const short = (what: string, has: string) =>
    new ReproError(`${stage.name} wants ${what}, but this machine has ${has}`);
  if (cpus > machine.cpus) throw short(`${cpus} cpus`, `${machine.cpus}`);
  if (memory > machine.memory) throw short(`${describeBytes(memory)} of memory`, describeBytes(machine.memory));
  if (machine.gpus.length > 0 && gpus > machine.gpus.length) throw short(`${gpus} GPUs`, `${machine.gpus.length}`);
  for (const [name, count] of Object.entries(stage.resources.limits))
    if (count > limits[name])
      throw new ReproError(`${stage.name} wants ${count} of ${name}, but its limit is ${limits[name]}`);
}
