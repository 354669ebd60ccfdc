/** The learning rate of each step of a run: linear warmup to the peak, then a cosine down to a floor. */

/** The learning rate schedule of a run. Its fields have the names of TrainSettings. */
export interface LearningRateSchedule {
  /** steps of the whole run */
  steps: number;
  /** steps of the warmup */
  warmup: number;
  /** the peak, reached at the end of the warmup */
  learningRate: number;
  /** the last learning rate, as a share of the peak */
  learningRateFloor: number;
}

/**
 * The learning rate of one step, as nanoGPT computes it. The first of W warmup steps has the rate peak/(W + 1), because
 * a step with the rate 0 would be wasted. Step W has the peak.
 *
 * @param step 0 … steps − 1
 * @returns the learning rate for StepOptions
 * @see Loshchilov and Hutter 2017, "SGDR: Stochastic gradient descent with warm restarts"
 */
export function learningRateAt(step: number, schedule: LearningRateSchedule): number {
  const { steps, warmup, learningRate: peak, learningRateFloor } = schedule;
  if (step < warmup) return (peak * (step + 1)) / (warmup + 1);
  const floor = peak * learningRateFloor;
  const progress = (step - warmup) / Math.max(1, steps - warmup);
  return floor + (peak - floor) * 0.5 * (1 + Math.cos(Math.PI * Math.min(1, progress)));
}
