/** Attention and rotary positions of the native engine, for every instruction set of this CPU, compared with their formulas in double precision. */
import { describe, expect, test } from 'vitest';
import { difference, kernelsOf, numbers, tolerance, zeros } from './kernel-reference.ts';
import { instructionSets } from './native-build.ts';

describe.each(instructionSets)('%s', (set) => {
  const run = kernelsOf(set);

  test.each([1, 7, 16, 24, 33, 48, 64, 130])('attention of one query to cached keys and values of width %i', (D) => {
    const T = 150;
    const [queries, keys, values] = [numbers(T * D, 1), numbers(T * D, 2), numbers(T * D, 3)];
    const tokens = run('paddedTokens', [T]);
    const cache = { keys: zeros(D * tokens), values: zeros(T * run('valueRowSize', [D])) };
    const scale = 1 / Math.sqrt(D);
    const row = (of: Float32Array, t: number) => of.subarray(t * D, (t + 1) * D);
    for (let t = 0; t < T; t++) {
      run('appendToCache', [t, D], row(keys, t), row(values, t), cache.keys, cache.values);
      const out = zeros(D);
      run('attentionDecode', [t + 1, D, scale], row(queries, t), cache.keys, cache.values, zeros(tokens), out);
      const weights = Array.from({ length: t + 1 }, (_, s) =>
        Math.exp(scale * row(queries, t).reduce((sum, x, d) => sum + x * keys[s * D + d], 0)),
      );
      const total = weights.reduce((a, b) => a + b);
      const expected = Array.from(out, (_, d) => weights.reduce((sum, p, s) => sum + p * values[s * D + d], 0) / total);
      // 1 is added because the mean of values that cancel is small.
      expect(difference([...out, 1], [...expected, 1])).toBeLessThan(tolerance);
    }
  });

  test.each([
    [1, 1, 0],
    [5, 3, 0],
    [16, 8, 0],
    [131, 8, 0],
    [131, 8, 0.3],
    [64, 16, 0.3],
    [65, 7, 0],
    [130, 24, 0.3],
    [200, 33, 0],
  ])('causal attention of %i tokens of width %i and its gradient, with dropout %f', (T, D, dropping) => {
    // The second of two heads.
    const [C, head, scale, threshold] = [2 * D, 1, 0.7 / Math.sqrt(D), Math.round(dropping * 65536)];
    const settings = [T, D, 3 * C, scale, threshold, head, 5, 6, 7, 8];
    const [qkv, dout] = [numbers(T * 3 * C, 1, 3), numbers(T * C, 2)];
    const [out, statistics, dqkv] = [zeros(T * C), zeros(2 * T), zeros(T * 3 * C)];
    const scratch = zeros(run('attentionScratch', [D, T])).fill(Number.NaN);
    const ofHead = (x: Float32Array) => x.subarray(head * D);
    run('attention', settings, ofHead(qkv), ofHead(out), statistics, scratch);
    run('attentionBackward', settings, ofHead(qkv), ofHead(out), ofHead(dout), statistics, ofHead(dqkv), scratch);

    // Dropout masks are made for tiles of 64 keys by 64 queries, [key][query], with a row of the mask for each tile.
    const blocks = Math.ceil(T / 64);
    const masks = Array.from({ length: blocks ** 2 }, (_, block) => {
      const mask = zeros(64 * 64);
      const row = head * blocks ** 2 + block;
      run('dropoutRows', [1, 64 * 64, 0, row, threshold, 5, 6, 7, 8], new Float32Array(64 * 64).fill(1), mask);
      return mask;
    });
    const keeps = (q: number, k: number) => masks[(q >> 6) * blocks + (k >> 6)][(k & 63) * 64 + (q & 63)];
    const at = (x: ArrayLike<number>, t: number, third: number, d: number) => x[t * 3 * C + third * C + head * D + d];
    const expected = { out: Array<number>(T * C).fill(0), dqkv: Array<number>(T * 3 * C).fill(0) };
    const sum = (of: (d: number) => number) => Array.from({ length: D }, (_, d) => of(d)).reduce((a, b) => a + b);
    for (let q = 0; q < T; q++) {
      const before = Array.from({ length: q + 1 }, (_, k) => k);
      const weights = before.map((k) => Math.exp(scale * sum((d) => at(qkv, q, 0, d) * at(qkv, k, 1, d))));
      const total = weights.reduce((a, b) => a + b);
      const p = weights.map((weight) => weight / total);
      const dp = before.map((k) => keeps(q, k) * sum((d) => dout[q * C + head * D + d] * at(qkv, k, 2, d)));
      const mean = before.reduce((a, k) => a + p[k] * dp[k], 0);
      for (const k of before)
        for (let d = 0; d < D; d++) {
          const ds = p[k] * (dp[k] - mean) * scale;
          expected.out[q * C + head * D + d] += p[k] * keeps(q, k) * at(qkv, k, 2, d);
          expected.dqkv[q * 3 * C + head * D + d] += ds * at(qkv, k, 1, d);
          expected.dqkv[k * 3 * C + C + head * D + d] += ds * at(qkv, q, 0, d);
          expected.dqkv[k * 3 * C + 2 * C + head * D + d] += p[k] * keeps(q, k) * dout[q * C + head * D + d];
        }
    }
    // The other head is not changed: zeros on both sides.
    expect(difference(out, expected.out)).toBeLessThan(tolerance);
    expect(difference(dqkv, expected.dqkv)).toBeLessThan(1e-5);
  });

  test.each([2, 4, 6, 8, 16, 30, 64, 90])('rotary positions of heads of width %i, and back', (D) => {
    const [rows, heads, stride] = [5, 3, 3 * D + 4];
    const angles = numbers((rows * D) / 2, 1, 3);
    const [cosines, sines] = [angles.map(Math.cos), angles.map(Math.sin)];
    const x = numbers(rows * stride, 2);
    const rotated = x.slice();
    run('rotate', [rows, heads, D, 1, stride], cosines, sines, rotated);
    const expected = Array.from(x, (value, at) => {
      const [row, column] = [Math.floor(at / stride), at % stride];
      if (column >= heads * D) return value;
      const [pair, isFirst] = [column % (D / 2), column % D < D / 2];
      const [cosine, sine] = [cosines, sines].map((table) => table[(row * D) / 2 + pair]);
      return isFirst ? value * cosine - x[at + D / 2] * sine : value * cosine + x[at - D / 2] * sine;
    });
    expect(difference(rotated, expected)).toBeLessThan(tolerance);
    run('rotate', [rows, heads, D, -1, stride], cosines, sines, rotated);
    expect(difference(rotated, x)).toBeLessThan(tolerance);
  });
});
