/**
 * fitChinchilla: recovers published parameters, tolerates outliers, and refuses runs in which size and tokens are
 * confounded.
 */
import { describe, expect, test } from 'vitest';
import { type ChinchillaFit, fitChinchilla, type TokenPoint } from '../../lib/scaling/index.ts';
import { normal } from './example.ts';

/** Besiroglu et al. 2024, table 1. */
const LAW = { E: 1.8172, A: 482.01, B: 2085.43, alpha: 0.3478, beta: 0.3658 };

function runs(noise = 0): TokenPoint[] {
  const random = normal(3);
  return [4e7, 1e8, 3e8, 1e9, 4e9, 1.2e10].flatMap((params) =>
    [1e9, 4e9, 1.5e10, 6e10, 3e11].map((tokens) => ({
      params,
      tokens,
      loss: (LAW.E + LAW.A * params ** -LAW.alpha + LAW.B * tokens ** -LAW.beta) * Math.exp(noise * random()),
    })),
  );
}

function fitted(points: TokenPoint[]): ChinchillaFit {
  const fit = fitChinchilla(points, { resamples: 60 });
  if ('refused' in fit) throw new Error(fit.refused);
  return fit;
}

describe('fitChinchilla', () => {
  test('recovers the parameters from exact losses', () => {
    const { parameters, optimal_size_exponent } = fitted(runs());
    for (const [name, value] of Object.entries(LAW))
      expect(parameters[name as keyof typeof LAW] / value, name).toBeCloseTo(1, 4);
    expect(optimal_size_exponent).toBeCloseTo(LAW.beta / (LAW.alpha + LAW.beta), 5);
  });

  test('has intervals that contain the true values of noisy losses, and changes little with one outlier', () => {
    const points = runs(0.004);
    const { intervals, parameters } = fitted(points);
    for (const [name, value] of Object.entries(LAW)) {
      const [low, high] = intervals[name as keyof typeof LAW];
      expect(low, name).toBeLessThan(value);
      expect(high, name).toBeGreaterThan(value);
    }
    points[7].loss *= 1.4;
    expect(fitted(points).parameters.alpha).toBeCloseTo(parameters.alpha, 1);
  });

  test('gives the same result for the same seed', () => {
    expect(fitted(runs(0.004))).toEqual(fitted(runs(0.004)));
  });

  test('refuses too few runs, one number of tokens, and tokens proportional to size', () => {
    const refused = (points: TokenPoint[]) => (fitChinchilla(points) as { refused: string }).refused;
    expect(refused(runs().slice(0, 4))).toContain('needs at least 7 runs, and there are 4: 3 more are missing');
    expect(refused(runs().map((run) => ({ ...run, tokens: 1e9 })))).toContain('3 numbers of tokens, and there is one');
    expect(refused(runs().map((run) => ({ ...run, tokens: 20 * run.params })))).toContain(
      'sizes and tokens go together',
    );
  });
});
