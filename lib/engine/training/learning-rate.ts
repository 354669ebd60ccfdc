/**
 * The learning rate of each step of a run. Both schedules rise linearly to the peak first.
 *
 *   cosine   then falls as a cosine to the floor, over all other steps
 *   wsd      warmup, stable, decay: then stays at the peak, and falls to the floor in the last steps, the cooldown
 *
 * The cosine depends on the length of the run from its first step on. With wsd, a run and a longer one are the same
 * until the cooldown of the shorter one begins, so one run gives the losses of several budgets (branches.ts).
 *
 * @see Loshchilov and Hutter 2017, "SGDR: Stochastic gradient descent with warm restarts"
 * @see Hägele et al. 2024, "Scaling laws and compute-optimal training beyond fixed training durations"
 *   (arXiv:2405.18392)
 */

/** The names of the schedules, as `train.schedule` in params.yaml has them. */
export const SCHEDULES = ['cosine', 'wsd'] as const;
export type ScheduleName = (typeof SCHEDULES)[number];

/** The learning rate schedule of a run. */
export interface LearningRateSchedule {
  name: ScheduleName;
  /** steps of the whole run */
  steps: number;
  /** steps of the warmup */
  warmup: number;
  /** wsd: steps of the cooldown */
  cooldown: number;
  /** learning rate at the end of the warmup, the largest of the run */
  peak: number;
  /** the last learning rate, as a share of the peak: 0 to 1 */
  floor: number;
}

/**
 * The learning rate of one step. As in nanoGPT, the first of W warmup steps has the rate peak/(W + 1), because a step
 * with the rate 0 would be wasted, and step W has the peak. The cooldown of wsd falls by 1 − √progress, which gave the
 * lowest losses in Hägele et al. 2024.
 *
 * @param step 0 … steps − 1
 * @returns the learning rate for StepOptions
 */
export function learningRateAt(step: number, schedule: LearningRateSchedule): number {
  const { name, steps, warmup, cooldown, peak } = schedule;
  if (step < warmup) return (peak * (step + 1)) / (warmup + 1);
  const floor = peak * schedule.floor;
  const start = name === 'cosine' ? warmup : Math.max(warmup, steps - cooldown);
  const progress = Math.min(1, Math.max(0, step - start) / Math.max(1, steps - start));
  const share = name === 'cosine' ? 0.5 * (1 + Math.cos(Math.PI * progress)) : 1 - Math.sqrt(progress);
  return floor + (peak - floor) * share;
}
