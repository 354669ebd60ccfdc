/** What the tests of the native kernels share: deterministic numbers, reference functions, and the addon. */
import { expect } from 'vitest';
import { loadAddon } from '../../lib/engine/native/native-addon.ts';
import { isBuilt } from './native-build.ts';

/** The addon. Where it is not built, the list of instruction sets is empty, so the tests that use it do not run. */
const addon = isBuilt ? loadAddon() : undefined!;

/** Returns a function that runs a kernel of one table, with numbers and arrays as its arguments. */
export function kernelsOf(table: string) {
  return (name: string, values: number[], ...arrays: (Float32Array | Uint32Array | null)[]) =>
    addon.kernel(table, name, values, arrays);
}

/** Returns numbers in −1 … 1 that depend only on the salt. */
export function numbers(count: number, salt: number, scale = 1): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => {
    const x = Math.sin((i + 1) * 12.9898 + salt * 78.233) * 43758.5453;
    return scale * 2 * (x - Math.floor(x) - 0.5);
  });
}
/** An array of zeros. */
export const zeros = (count: number) => new Float32Array(count);

/** Returns the largest difference, relative to the largest number. */
export function difference(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  expect(actual.length).toBe(expected.length);
  let largest = 1e-30;
  let maximum = 0;
  for (let i = 0; i < expected.length; i++) {
    largest = Math.max(largest, Math.abs(expected[i]));
    maximum = Math.max(
      maximum,
      Number.isFinite(actual[i]) ? Math.abs(actual[i] - expected[i]) : Number.POSITIVE_INFINITY,
    );
  }
  return maximum / largest;
}
/** Difference of fp32 sums from those of double precision. */
export const tolerance = 2e-6;
export const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
/** GELU in its tanh form. */
export const gelu = (x: number) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
