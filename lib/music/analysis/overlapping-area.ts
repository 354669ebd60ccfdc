/**
 * The overlapping area of two sets of values: 1 if they have the same distribution, 0 if they share no value.
 *
 * Each set becomes a density, by Gaussian kernels with Scott's bandwidth, and the smaller of both densities is
 * integrated.
 *
 * @see Yang and Lerch 2020, "On the evaluation of generative models in music", Neural Computing and Applications 32
 */

/** Fewer values give no density worth comparing. */
const FEWEST = 5;
const STEPS = 512;

/**
 * @returns from 0 to 1; undefined if a set has fewer than five values
 * @example overlappingArea([1, 2, 3, 4, 5], [1, 2, 3, 4, 5]) // 1
 */
export function overlappingArea(a: readonly number[], b: readonly number[]): number | undefined {
  if (a.length < FEWEST || b.length < FEWEST) return undefined;
  const [lowest, highest] = [Math.min(...a, ...b), Math.max(...a, ...b)];
  if (lowest === highest) return 1;
  // A set of equal values has no spread; it gets a narrow peak.
  const least = (highest - lowest) / 50;
  const widths = [a, b].map((values) => Math.max(least, deviation(values) * values.length ** -0.2)) as [number, number];
  const margin = 4 * Math.max(...widths);
  const step = (highest - lowest + 2 * margin) / STEPS;
  let area = 0;
  for (let i = 0; i <= STEPS; i++) {
    const x = lowest - margin + i * step;
    area += Math.min(density(a, widths[0], x), density(b, widths[1], x)) * step;
  }
  return Math.min(1, area);
}

function deviation(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
}

function density(values: readonly number[], width: number, x: number): number {
  const sum = values.reduce((total, value) => total + Math.exp(-0.5 * ((x - value) / width) ** 2), 0);
  return sum / (values.length * width * Math.sqrt(2 * Math.PI));
}
