/**
 * fitPowerLaw: recovers known laws, has intervals of the stated coverage, and refuses a law that the runs do not
 * support.
 */
import { describe, expect, test } from 'vitest';
import {
  type AlphaInterval,
  fitPowerLaw,
  isRefusal,
  type Point,
  type PowerLawFit,
  predict,
} from '../../lib/scaling/index.ts';
import { fQuantile } from '../../lib/scaling/numbers/index.ts';
import { normal } from './example.ts';
import { coverage, DESIGNS, TRUE_LAWS } from './simulate.ts';

const SIZES = [5_000, 15_000, 50_000, 150_000, 500_000];

/** Runs that follow the law, with normal noise of the given standard deviation. */
function runs(
  law: { alpha: number; a: number; c?: number },
  { sizes = SIZES, seeds = 1, noise = 0, random = normal(1) } = {},
): Point[] {
  return sizes.flatMap((params) =>
    Array.from({ length: seeds }, () => ({
      params,
      loss: law.a * params ** -law.alpha + (law.c ?? 0) + noise * random(),
    })),
  );
}

function fitted(points: Point[]): PowerLawFit {
  const fit = fitPowerLaw(points);
  if (isRefusal(fit)) throw new Error(fit.refused);
  return fit;
}

/** The width of an interval of α that has both ends. */
function width(interval: AlphaInterval | null): number {
  return interval![1]! - interval![0];
}

function refused(points: Point[]): string {
  const fit = fitPowerLaw(points);
  if (!isRefusal(fit)) throw new Error(`there is a law: ${JSON.stringify(fit.parameters)}`);
  return fit.refused;
}

describe('fitPowerLaw', () => {
  test.each([
    { alpha: 0.076, a: 10, c: 0.4 },
    { alpha: 0.34, a: 406, c: 1.69 },
    { alpha: 0.8, a: 900, c: 0.6 },
  ])('recovers α = $alpha, a = $a, c = $c from exact losses', (law) => {
    const fit = fitted(runs(law));
    expect(fit.form).toBe('power-plus-constant');
    expect(fit.parameters.alpha).toBeCloseTo(law.alpha, 6);
    expect(fit.parameters.a / law.a).toBeCloseTo(1, 5);
    expect(fit.parameters.c).toBeCloseTo(law.c, 6);
    expect(fit.rmse).toBeLessThan(1e-8);
  });

  test('does not depend on the order of the points or the unit of the loss', () => {
    const points = runs({ alpha: 0.3, a: 8, c: 0.9 }, { noise: 0.004 });
    const straight = fitted(points);
    const reversed = fitted([...points].reverse());
    const inNats = fitted(points.map(({ params, loss }) => ({ params, loss: loss * Math.LN2 })));
    expect(reversed.parameters.alpha).toBeCloseTo(straight.parameters.alpha, 8);
    expect(inNats.parameters.alpha).toBeCloseTo(straight.parameters.alpha, 8);
    expect(inNats.intervals.c![1]).toBeCloseTo(straight.intervals.c![1] * Math.LN2, 6);
  });

  test('finds the same minimum as an exhaustive search', () => {
    const points = runs({ alpha: 0.25, a: 6, c: 1.1 }, { noise: 0.01, seeds: 2, random: normal(3) });
    const fit = fitted(points);
    const squares = (alpha: number, c: number) => {
      const u = points.map(({ params }) => params ** -alpha);
      const a = u.reduce((s, v, i) => s + v * (points[i].loss - c), 0) / u.reduce((s, v) => s + v * v, 0);
      return points.reduce((s, { loss }, i) => s + (loss - a * u[i] - c) ** 2, 0);
    };
    let least = Number.POSITIVE_INFINITY;
    for (let alpha = 0.05; alpha < 0.8; alpha += 0.002)
      for (let c = 0; c < 1.4; c += 0.002) least = Math.min(least, squares(alpha, c));
    const found = fit.rmse ** 2 * points.length;
    expect(found).toBeLessThanOrEqual(least);
    expect(found).toBeGreaterThan(0.99 * least);
  });

  test('returns every point and its residual, in order', () => {
    const points = runs({ alpha: 0.3, a: 8, c: 0.9 }, { noise: 0.004 }).map((point, i) => ({
      ...point,
      group: `size ${i}`,
    }));
    points[2].loss += 0.05;
    const fit = fitted(points);
    expect(fit.points).toEqual(points);
    expect(fit.residuals).toHaveLength(points.length);
    expect(fit.residuals[2]).toBeGreaterThan(0);
    expect(fit.residuals[2]).toBeCloseTo(points[2].loss - predict(fit, [points[2].params])[0].loss, 10);
  });
});

describe('intervals', () => {
  test('use quantiles of F that agree with printed tables', () => {
    expect(fQuantile(0.95, 1, 2)).toBeCloseTo(18.513, 3);
    expect(fQuantile(0.95, 2, 10)).toBeCloseTo(4.1028, 4);
    expect(fQuantile(0.99, 5, 30)).toBeCloseTo(3.699, 3);
  });

  test('of a pure power law with small noise agree with linear regression of the logarithms', () => {
    const points = runs({ alpha: 0.1, a: 5 }, { noise: 1e-4, sizes: [...SIZES, 1_500_000], random: normal(2) });
    const [x, y] = [points.map((p) => Math.log(p.params)), points.map((p) => Math.log(p.loss))];
    const mean = (v: number[]) => v.reduce((s, e) => s + e, 0) / v.length;
    const sxx = x.reduce((s, e) => s + (e - mean(x)) ** 2, 0);
    const slope = x.reduce((s, e, i) => s + (e - mean(x)) * (y[i] - mean(y)), 0) / sxx;
    const rss = y.reduce((s, e, i) => s + (e - mean(y) - slope * (x[i] - mean(x))) ** 2, 0);
    const t = Math.sqrt(fQuantile(0.95, 1, 4));
    const half = t * Math.sqrt(rss / 4 / sxx);
    const { alpha_without_floor, parameters } = fitted(points);
    expect(parameters.alpha).toBeCloseTo(-slope, 4);
    expect(width(alpha_without_floor) / 2 / half).toBeCloseTo(1, 0);
  });

  test('contain the true value in about 95 % of simulated studies, for every parameter and for the curve', () => {
    const law = { alpha: 0.3, a: 8, c: 0.9 };
    const random = normal(5);
    const studies = 120;
    const covered = { alpha: 0, a: 0, c: 0, curve: 0 };
    const within = ([low, high]: readonly [number, number], value: number) => (low <= value && value <= high ? 1 : 0);
    for (let study = 0; study < studies; study++) {
      const fit = fitted(runs(law, { noise: 0.004, random }));
      covered.alpha += within(fit.intervals.alpha as [number, number], law.alpha);
      covered.a += within(fit.intervals.a, law.a);
      covered.c += within(fit.intervals.c!, law.c);
      const [{ low, high }] = predict(fit, [100_000]);
      covered.curve += within([low, high], law.a * 100_000 ** -law.alpha + law.c);
    }
    // 0.95 ± 2 standard errors of a share of 120. The seed is fixed.
    for (const share of Object.values(covered).map((count) => count / studies)) {
      expect(share).toBeGreaterThan(0.91);
      expect(share).toBeLessThan(0.99);
    }
  });

  test('hold the true exponent also where a floor is too low or the noise too large to be found', () => {
    const { alpha, alphaWithoutFloor, withoutFloor } = coverage(
      TRUE_LAWS['low floor'],
      DESIGNS['5 × 1'],
      0.03,
      150,
      normal(9),
    );
    expect(withoutFloor).toBeGreaterThan(0.7);
    expect(alpha).toBeGreaterThan(0.9);
    // The interval for c = 0 does not: it is given only beside the words "if there is no floor".
    expect(alphaWithoutFloor).toBeLessThan(0.3);
  });

  test('become wider with higher confidence', () => {
    const points = runs({ alpha: 0.3, a: 8, c: 0.9 }, { noise: 0.004 });
    const widths = [0.5, 0.8, 0.95, 0.99].map((confidence) => {
      const fit = fitPowerLaw(points, { confidence }) as PowerLawFit;
      return width(fit.intervals.alpha);
    });
    expect([...widths].sort((a, b) => a - b)).toEqual(widths);
  });

  test('of the curve are wider outside the measured sizes than inside', () => {
    const fit = fitted(runs({ alpha: 0.3, a: 8, c: 0.9 }, { noise: 0.004 }));
    const [inside, outside] = predict(fit, [50_000, 50_000_000]);
    expect(outside.high - outside.low).toBeGreaterThan(2 * (inside.high - inside.low));
    expect(inside.low).toBeLessThan(inside.loss);
    expect(inside.high).toBeGreaterThan(inside.loss);
  });

  test('are the same for a fit that was read back from JSON', () => {
    const fit = fitted(runs({ alpha: 0.3, a: 8, c: 0.9 }, { noise: 0.004 }));
    expect(predict(JSON.parse(JSON.stringify(fit)), [1e4, 1e6])).toEqual(predict(fit, [1e4, 1e6]));
  });
});

describe('a constant that is indistinguishable from 0', () => {
  test('gives the pure power law, with a warning and the upper bound of c', () => {
    const fit = fitted(runs({ alpha: 0.08, a: 3 }, { noise: 0.002 }));
    expect(fit.form).toBe('power');
    expect(fit.parameters.c).toBe(0);
    expect(fit.intervals.c![0]).toBe(0);
    expect(fit.intervals.c![1]).toBeGreaterThan(0.1);
    expect(fit.alpha_without_floor![0]).toBeLessThan(0.08);
    expect(fit.alpha_without_floor![1]).toBeGreaterThan(0.08);
    expect(fit.intervals.alpha![1]).toBeGreaterThan(fit.alpha_without_floor![1]);
    expect(fit.warnings.join()).toContain('c cannot be told from 0');
  });

  test('is not fitted to four runs, which are enough for the pure power law', () => {
    const fit = fitted(runs({ alpha: 0.2, a: 8 }, { sizes: SIZES.slice(0, 4), noise: 0.002 }));
    expect(fit.form).toBe('power');
    expect(fit.intervals.c).toBeNull();
    expect(fit.warnings.join()).toMatch(
      /c is not fitted: .* needs at least 5 runs of 4 sizes, and there are 4 runs of 4 sizes: 1 more is missing/,
    );
  });
});

describe('the comparison of forms', () => {
  test('prefers the form that generated the data', () => {
    const sizes = [5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6];
    const preferred = (points: Point[]) =>
      fitPowerLaw(points).comparison.find(({ difference }) => difference === 0)!.form;
    expect(preferred(runs({ alpha: 0.4, a: 20, c: 0.9 }, { sizes, noise: 0.003 }))).toBe('power-plus-constant');
    expect(preferred(runs({ alpha: 0.2, a: 10 }, { sizes, noise: 0.003 }))).toBe('power');
    const random = normal(4);
    expect(preferred(sizes.map((params) => ({ params, loss: 4 - 0.2 * Math.log(params) + 0.003 * random() })))).toBe(
      'log-linear',
    );
    expect(preferred(sizes.map((params) => ({ params, loss: 2 + 0.01 * random() })))).toBe('constant');
  });

  test('warns of a narrow range of sizes, but not in a refusal, which has no exponent', () => {
    const sizes = [1e4, 2e4, 4e4, 8e4];
    expect(fitPowerLaw(runs({ alpha: 0.3, a: 8 }, { sizes, noise: 0.001 })).warnings.join()).toContain(
      'only a factor of 8',
    );
    const flat = fitPowerLaw(sizes.map((params, i) => ({ params, loss: 2 + 0.01 * (i % 2) })));
    expect(isRefusal(flat)).toBe(true);
    expect(flat.warnings).toEqual([]);
  });

  test('has no AICc for four parameters and five runs, and says how many runs are missing', () => {
    const fit = fitted(runs({ alpha: 0.3, a: 8, c: 0.9 }, { noise: 0.004 }));
    const floored = fit.comparison.find(({ form }) => form === 'power-plus-constant')!;
    expect(floored).toMatchObject({ parameters: 4, aicc: null, difference: null, missing_runs: 1 });
    expect(fit.warnings.join()).toContain('it takes 1 more for power-plus-constant');
  });

  test('warns if a straight line in log N describes the runs as well', () => {
    const random = normal(9);
    const sizes = [5e3, 1e4, 2e4, 5e4, 1e5, 2e5];
    const fit = fitted(sizes.map((params) => ({ params, loss: 4 - 0.2 * Math.log(params) + 0.01 * random() })));
    expect(fit.warnings.join()).toContain('a straight line in log N describes these runs as well');
  });
});

describe('several seeds per size', () => {
  test('count as separate observations, and make the interval narrower', () => {
    const random = normal(6);
    const one = fitted(runs({ alpha: 0.3, a: 8, c: 0.9 }, { noise: 0.004, random }));
    const three = fitted(runs({ alpha: 0.3, a: 8, c: 0.9 }, { noise: 0.004, seeds: 3, random }));
    expect(three.observation).toBe('run');
    expect(three.degrees_of_freedom).toBe(12);
    expect(width(three.intervals.alpha)).toBeLessThan(width(one.intervals.alpha));
  });

  test('count as one observation per size if sizes deviate from the law more than seeds vary', () => {
    const random = normal(8);
    const points = runs({ alpha: 0.3, a: 8, c: 0.9 }, { seeds: 4, noise: 0.0005, random });
    const uneven = [0.01, -0.012, 0.009, 0.008, -0.011];
    const fit = fitted(points.map((point) => ({ ...point, loss: point.loss + uneven[SIZES.indexOf(point.params)] })));
    expect(fit.observation).toBe('size');
    expect(fit.points).toHaveLength(20);
    expect(fit.warnings.join()).toContain('the intervals count sizes, not runs');
  });
});

describe('a refusal gives the reason', () => {
  test('for too few runs or sizes', () => {
    expect(refused([])).toMatch(/needs at least 4 runs of 3 sizes, and there are 0 runs of 0 sizes/);
    expect(refused(runs({ alpha: 0.3, a: 8 }, { sizes: SIZES.slice(0, 2) }))).toMatch(
      /2 more of further sizes are missing/,
    );
    expect(refused(runs({ alpha: 0.3, a: 8 }, { sizes: [5000], seeds: 9 }))).toMatch(
      /9 runs of 1 size: 2 more of further sizes/,
    );
  });

  test('for a loss that does not fall', () => {
    const random = normal(2);
    expect(refused(SIZES.map((params) => ({ params, loss: 2 + 0.01 * random() })))).toMatch(
      /does not fall distinguishably .* does not exclude 0;/,
    );
    expect(refused(SIZES.map((params, i) => ({ params, loss: 2 + 0.1 * i })))).toMatch(
      /does not fall distinguishably .* lies below 0: it rises;/,
    );
  });

  test('for a loss that falls and rises again', () => {
    const losses = [2, 1.5, 1.3, 1.35, 1.6];
    expect(refused(SIZES.map((params, i) => ({ params, loss: losses[i] })))).toMatch(
      /falls up to about [\d.]+\sk parameters and then rises/,
    );
  });

  test('for a loss that is flat beyond the smallest size, so that α has no upper bound', () => {
    const losses = [2, 1.001, 1, 1.0005, 0.9995];
    expect(refused(SIZES.map((params, i) => ({ params, loss: losses[i] })))).toMatch(/flat beyond the smallest sizes/);
  });

  test('but a loss or size that is not a positive number is an error that names the point', () => {
    expect(() => fitPowerLaw([{ params: 1000, loss: Number.NaN, group: 'tiny' }])).toThrow(
      'point 1 (tiny) has loss NaN',
    );
    expect(() => fitPowerLaw([{ params: 0, loss: 1 }])).toThrow('point 1 has params 0');
    expect(() => fitPowerLaw([], { confidence: 95 })).toThrow('confidence is 95: it must lie between 0 and 1');
  });
});
