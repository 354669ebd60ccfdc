/**
 * Stages that run on other machines. They take nothing of this one, only one of the places that they share, and of the
 * pipeline's named limits what they want.
 */
import type { Resources, Stage } from '../pipeline/index.ts';
import { Capacity, type Limits } from './capacity.ts';
import type { Machine } from './machine.ts';

/** Which stages these are. */
export interface Elsewhere {
  has(stage: Stage): boolean;
  /** How many of them may be under way at once. */
  jobs: number;
}

/** Names of limits that no pipeline can have, because a name has no space at its start. */
const HERE = ' here';
const THERE = ' elsewhere';

/**
 * The capacity that all stages share, while none of them runs.
 *
 * @param jobs how many stages run here at once
 */
export function sharedCapacity(jobs: number, machine: Machine, limits: Limits, elsewhere?: Elsewhere): Capacity {
  if (elsewhere === undefined) return new Capacity(jobs, machine, limits);
  return new Capacity(jobs + elsewhere.jobs, machine, { ...limits, [HERE]: jobs, [THERE]: elsewhere.jobs });
}

/** The part of this capacity that a stage uses. */
export function shareOf(stage: Stage, elsewhere?: Elsewhere): Resources {
  const { resources } = stage;
  if (elsewhere === undefined) return resources;
  if (elsewhere.has(stage)) return { cpus: 0, memory: 0, gpus: 0, limits: { ...resources.limits, [THERE]: 1 } };
  return { ...resources, limits: { ...resources.limits, [HERE]: 1 } };
}
