/** L(N, D) = E + A·N^(−α) + B·D^(−β): published parameters found again, outliers borne, and runs that cannot tell size from data. */
import { describe, expect, it } from 'vitest';
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

describe('the law of size and tokens', () => {
  it('is found again from exact losses', () => {
    const { parameters, optimal_size_exponent } = fitted(runs());
    for (const [name, value] of Object.entries(LAW))
      expect(parameters[name as keyof typeof LAW] / value, name).toBeCloseTo(1, 4);
    expect(optimal_size_exponent).toBeCloseTo(LAW.beta / (LAW.alpha + LAW.beta), 5);
  });

  it('is held by its intervals where losses are noisy, and a run gone wrong moves it little', () => {
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

  it('is the same for the same seed', () => {
    expect(fitted(runs(0.004))).toEqual(fitted(runs(0.004)));
  });

  it('is refused where runs cannot tell it', () => {
    const refused = (points: TokenPoint[]) => (fitChinchilla(points) as { refused: string }).refused;
    expect(refused(runs().slice(0, 4))).toContain('needs at least 7 runs, and there are 4: 3 more are missing');
    expect(refused(runs().map((run) => ({ ...run, tokens: 1e9 })))).toContain('3 numbers of tokens, and there is one');
    expect(refused(runs().map((run) => ({ ...run, tokens: 20 * run.params })))).toContain(
      'sizes and tokens go together',
    );
  });
});
