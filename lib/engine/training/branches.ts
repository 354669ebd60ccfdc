/**
 * Branches of a run: models of smaller budgets that one run gives on its way. A branch leaves the run at the peak of
 * its learning rate, makes the steps of a cooldown, and ends after its share of the tokens:
 *
 *   trunk     ───────┬──────────────┬──────────────────────────────╲    the whole budget
 *   branches         ╲ share 0.25   ╲ share 0.5
 *
 * Steps of a branch read the windows that the trunk reads at the same steps. So a branch has the bits of a run whose
 * whole budget is that share, with as many steps of warmup.
 *
 * @see Hägele et al. 2024, "Scaling laws and compute-optimal training beyond fixed training durations"
 *   (arXiv:2405.18392)
 */
import { EngineError } from '../interface/index.ts';
import type { LearningRateSchedule } from './learning-rate.ts';

/** A branch, in steps counted from the beginning of the run. */
export interface Branch {
  /** share of the tokens of the whole run */
  share: number;
  /** steps of the trunk after which it begins */
  start: number;
  /** steps after which it ends */
  steps: number;
  /** schedule of a run that ends where the branch ends */
  schedule: LearningRateSchedule;
  /** its training loss is the mean over this many last steps */
  lastSteps: number;
}

/**
 * Plans the branches.
 *
 * @param shares of the tokens of the run, each above 0 and below 1
 * @param run its tokens, the tokens of a step, its schedule, and the share of a budget that is its cooldown
 * @returns in the order in which they begin
 * @throws EngineError if the schedule has no cooldown to branch off before, or a share is too small
 * @example planBranches([0.5], { tokens: 100, stepTokens: 1, cooldown: 0.2, schedule }) // starts at step 40, ends at
 *   50
 */
export function planBranches(
  shares: readonly number[],
  run: { tokens: number; stepTokens: number; cooldown: number; schedule: LearningRateSchedule },
): Branch[] {
  const { tokens, stepTokens, cooldown: cooldownShare, schedule } = run;
  if (shares.length > 0 && schedule.name !== 'wsd')
    throw new EngineError(`budgets need the schedule wsd, and this one is ${schedule.name}`);
  const ascending = [...new Set(shares)].sort((a, b) => a - b);
  const branches = ascending.map((share): Branch => {
    if (!(share > 0 && share < 1)) throw new EngineError(`budgets has ${share}; a budget is above 0 and below 1`);
    const steps = Math.ceil((share * tokens) / stepTokens);
    const cooldown = Math.round(cooldownShare * steps);
    const start = steps - cooldown;
    const counted = (count: number) => (count === 1 ? '1 step' : `${count} steps`);
    if (cooldown < 1)
      throw new EngineError(
        `budgets has ${share}, which is ${counted(steps)}; a share of ${cooldownShare} of them (cooldown) must be at least 1 step`,
      );
    if (start < schedule.warmup || start < 1) {
      const before = schedule.warmup < 1 ? 'first step' : `warmup of ${counted(schedule.warmup)}`;
      throw new EngineError(
        `budgets has ${share}, which is ${counted(steps)} with a cooldown of ${cooldown}; the cooldown must begin after the ${before}`,
      );
    }
    return { share, start, steps, schedule: { ...schedule, steps, cooldown }, lastSteps: Math.ceil(steps / 10) };
  });
  const same = branches.find(({ start }, i) => i > 0 && start === branches[i - 1].start);
  if (same) throw new EngineError(`budgets has ${same.share}, which begins at the same step as the one before it`);
  return branches;
}
