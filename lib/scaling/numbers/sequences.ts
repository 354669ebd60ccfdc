/** Evenly spaced values and means. */

/** `steps` + 1 evenly spaced values, from low to high. */
export function linearSteps(low: number, high: number, steps: number): number[] {
  return Array.from({ length: steps + 1 }, (_, i) => (i === steps ? high : low + ((high - low) * i) / steps));
}

/** The arithmetic mean. */
export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
