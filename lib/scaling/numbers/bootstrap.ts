/** Shared parts of the bootstraps: a seeded generator of uniform numbers, and percentile intervals. */
import type { Interval } from './interval.ts';

/** A generator of uniform numbers in [0, 1), the same for the same seed (T. Ettinger's mulberry32). */
export function mulberry32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A generator of standard normal numbers from uniform ones, by the Box–Muller transform. */
export function standardNormal(uniform: () => number): () => number {
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}

/**
 * A quantile, with linear interpolation between order statistics.
 *
 * @param values at least one number
 * @param probability 0 … 1
 */
export function quantile(values: readonly number[], probability: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const position = probability * (sorted.length - 1);
  const below = Math.floor(position);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (position - below) * (sorted[above] - sorted[below]);
}

/**
 * The percentile interval of bootstrap values.
 *
 * @param values one per sample, at least one
 * @param confidence between 0 and 1, such as 0.95
 */
export function quantileInterval(values: readonly number[], confidence: number): Interval {
  return [quantile(values, (1 - confidence) / 2), quantile(values, (1 + confidence) / 2)];
}
