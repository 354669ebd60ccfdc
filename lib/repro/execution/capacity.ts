/**
 * What stages that run side by side share, and how much of it is taken: places (-j), cpus, memory, GPUs, named limits.
 * Here alone is decided whether a stage fits beside those that run and which GPUs it gets; the pool and the forecast ask.
 */
import { describeBytes, ReproError } from '../messages/index.ts';
import type { Resources, Stage } from '../pipeline/index.ts';
import type { Machine } from './machine.ts';

/** By the names of the pipeline's `limits`. */
export type Limits = { readonly [name: string]: number };

/** -j, where a call does not say. */
export function defaultJobs(machine: Machine): number {
  return Math.max(machine.cpus, machine.gpus.length);
}

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

  get hasPlace(): boolean {
    return this.#running < this.jobs;
  }

  get hasFreeGpus(): boolean {
    return this.#gpus.size < this.machine.gpus.length;
  }

  /** The GPUs that a stage would get; undefined when something is short. Where there is no GPU at all, it gets none. */
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

  take(wants: Resources, gpus: readonly string[]): void {
    this.#count(wants, 1);
    for (const id of gpus) this.#gpus.add(id);
  }

  giveBack(wants: Resources, gpus: readonly string[]): void {
    this.#count(wants, -1);
    for (const id of gpus) this.#gpus.delete(id);
  }

  #count(wants: Resources, sign: 1 | -1): void {
    this.#running += sign;
    this.#cpus += sign * wants.cpus;
    this.#memory += sign * wants.memory;
    for (const [name, count] of Object.entries(wants.limits))
      this.#named.set(name, (this.#named.get(name) ?? 0) + sign * count);
  }
}

/** Throws ReproError when a stage wants more than there is: it would wait for ever. */
export function checkFits(stage: Stage, machine: Machine, limits: Limits): void {
  const { cpus, memory, gpus } = stage.resources;
  const short = (what: string, has: string) =>
    new ReproError(`${stage.name} wants ${what}, but this machine has ${has}`);
  if (cpus > machine.cpus) throw short(`${cpus} cpus`, `${machine.cpus}`);
  if (memory > machine.memory) throw short(`${describeBytes(memory)} of memory`, describeBytes(machine.memory));
  if (machine.gpus.length > 0 && gpus > machine.gpus.length) throw short(`${gpus} GPUs`, `${machine.gpus.length}`);
  for (const [name, count] of Object.entries(stage.resources.limits))
    if (count > limits[name])
      throw new ReproError(`${stage.name} wants ${count} of ${name}, but its limit is ${limits[name]}`);
}
