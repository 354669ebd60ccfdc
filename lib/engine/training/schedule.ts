/** The learning rate over a run: linear warmup to the peak, then a cosine down to a floor (Loshchilov and Hutter 2017). */

export interface Schedule {
  /** of the whole run */
  steps: number;
  /** steps until the peak */
  warmup: number;
  peak: number;
  floor: number;
}

/**
 * At a step, 0 … steps − 1, as nanoGPT has it: the first of W warmup steps takes peak/(W + 1), so that none is wasted on 0;
 * step W takes the peak.
 */
export function learningRate(step: number, { steps, warmup, peak, floor }: Schedule): number {
  if (step < warmup) return (peak * (step + 1)) / (warmup + 1);
  const done = (step - warmup) / Math.max(1, steps - warmup);
  return floor + (peak - floor) * 0.5 * (1 + Math.cos(Math.PI * Math.min(1, done)));
}
