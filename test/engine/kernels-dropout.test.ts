/** Dropout masks of the native engine, for every instruction set of this CPU: Philox4x32-10, keyed by seed, step, sequence and place. */
import { describe, expect, test } from 'vitest';
import { kernelsOf, zeros } from './kernel-reference.ts';
import { instructionSets } from './native-build.ts';

describe.each(instructionSets)('%s', (set) => {
  const run = kernelsOf(set);

  const threshold = Math.round(0.3 * 65536);
  const mask = (n: number, seed: number, step: number, sequence: number, site: number) => {
    const out = zeros(n);
    run('dropout', [n, threshold, seed, step, sequence, site], new Float32Array(n).fill(1), out);
    return out;
  };

  test('draws its masks from Philox4x32-10', () => {
    // The known answer of Random123 for a counter and key of zeros.
    expect(philox([0, 0, 0, 0], [0, 0])).toEqual([0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
    const n = 300;
    const kept = 65536 / (65536 - threshold);
    const expected = Float32Array.from({ length: n }, (_, e) => {
      const chunk = Math.floor(e / 128);
      const word = philox([chunk * 16 + (e % 16), 0, 7, 9], [5, 6])[Math.floor((e % 128) / 32)];
      const number = Math.floor((e % 32) / 16) === 0 ? word & 0xffff : word >>> 16;
      return number >= threshold ? kept : 0;
    });
    expect(mask(n, 5, 6, 7, 9)).toEqual(expected);
  });

  test('each row has its own mask, which does not depend on the position of the row', () => {
    const [rows, keys, stride] = [6, 20, 23];
    const all = zeros(rows * stride);
    const ones = new Float32Array(rows * stride).fill(1);
    run('dropoutRows', [rows, keys, stride, 4, threshold, 1, 2, 3, 4], ones, all);
    const last = zeros(stride);
    run('dropoutRows', [1, keys, stride, 9, threshold, 1, 2, 3, 4], ones, last);
    expect(all.slice(5 * stride, 5 * stride + keys)).toEqual(last.slice(0, keys));
    expect(all.slice(0, keys)).not.toEqual(last.slice(0, keys));
  });

  test('keeps the right share of values, and differs by seed, step, sequence and place in the model', () => {
    const n = 100_000;
    const dropped = mask(n, 1, 2, 3, 4).reduce((count, x) => count + (x === 0 ? 1 : 0), 0);
    expect(Math.abs(dropped / n - 0.3)).toBeLessThan(0.005);
    const masks = [
      [1, 2, 3, 4],
      [9, 2, 3, 4],
      [1, 9, 3, 4],
      [1, 2, 9, 4],
      [1, 2, 3, 9],
    ].map((key) => mask(200, ...(key as [number, number, number, number])).join());
    expect(new Set(masks).size).toBe(5);
  });
});

/** Philox-4x32-10 (Salmon et al. 2011): four random words from a counter of four and a key of two. */
function philox(counter: number[], key: number[]): number[] {
  let [c0, c1, c2, c3] = counter.map(BigInt);
  let [k0, k1] = key.map(BigInt);
  const word = 0xffffffffn;
  for (let round = 0; round < 10; round++) {
    const [first, second] = [c0 * 0xd2511f53n, c2 * 0xcd9e8d57n];
    [c0, c1, c2, c3] = [(second >> 32n) ^ c1 ^ k0, second & word, (first >> 32n) ^ c3 ^ k1, first & word];
    [k0, k1] = [(k0 + 0x9e3779b9n) & word, (k1 + 0xbb67ae85n) & word];
  }
  return [c0, c1, c2, c3].map(Number);
}
