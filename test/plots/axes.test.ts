/** Tests the domains, ticks and labels of axes. */
import { describe, expect, test } from 'vitest';
import { linearTicks, logDomain, logTicks, powerLabel, spread, wrap } from '../../lib/plots/style/index.ts';

describe('axes', () => {
  test('have 3 to 10 ticks, all inside the domain', () => {
    for (const domain of [
      [4.3e3, 6.8e5],
      [0.56, 1.53],
      [2.1, 2.4],
      [1e6, 1e12],
      [30, 900],
    ] as [number, number][]) {
      const ticks = logTicks(domain);
      expect(ticks.length, `${domain}`).toBeGreaterThanOrEqual(3);
      expect(ticks.length, `${domain}`).toBeLessThanOrEqual(10);
      for (const tick of ticks) expect(tick >= domain[0] && tick <= domain[1]).toBe(true);
    }
    expect(linearTicks([-0.13, 0.07], 5)).toEqual([-0.1, -0.05, 0, 0.05]);
    expect(powerLabel(3e11)).toBe('3·10¹¹');
  });

  test('have a domain if all values are equal or there are none', () => {
    const [low, high] = logDomain([2, 2]);
    expect(low).toBeLessThan(2);
    expect(high).toBeGreaterThan(2);
    expect(logDomain([])).toEqual([1, 10]);
  });

  test('move labels apart, in order, by no more than necessary', () => {
    expect(spread([10, 200], 20, [0, 400])).toEqual([10, 200]);
    expect(spread([100, 101, 102], 20, [0, 400])).toEqual([81, 101, 121]);
    expect(spread([0, 1], 20, [0, 400])).toEqual([0, 20]);
    expect(spread([50, 40], 20, [0, 400])).toEqual([55, 35]);
  });

  test('wrap text at spaces', () => {
    expect(wrap('a law is refused', 6)).toEqual(['a law', 'is', 'refused']);
  });
});
