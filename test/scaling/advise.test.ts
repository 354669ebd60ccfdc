/** The design adviser: agrees with studies that are fitted in full, and knows which run helps. */
import { describe, expect, test } from 'vitest';
import { adviseDesign, designOf, fitPowerLaw, isRefusal, type PowerLawFit } from '../../lib/scaling/index.ts';
import { normal } from './example.ts';
import { DESIGNS, study, TRUE_LAWS } from './simulate.ts';

const SIZES = DESIGNS['5 × 1'].sizes;
const LAW = TRUE_LAWS.floor;
const advise = (params: readonly number[], noise = 0.01) => adviseDesign({ params, law: LAW, noise }, { studies: 40 });

describe('adviseDesign', () => {
  test('expects the width that full fits of simulated studies have', () => {
    const random = normal(21);
    const widths = Array.from({ length: 40 }, () => fitPowerLaw(study(LAW, DESIGNS['5 × 1'], 0.01, random)))
      .filter((fit): fit is PowerLawFit => !isRefusal(fit) && fit.intervals.alpha?.[1] != null)
      .map(({ intervals }) => intervals.alpha![1]! - intervals.alpha![0])
      .sort((a, b) => a - b);
    const ratio = advise(SIZES).expected.width! / widths[widths.length >> 1];
    expect(ratio).toBeGreaterThan(0.75);
    expect(ratio).toBeLessThan(1.33);
  });

  test('expects narrower intervals of less noise, and advises a size beyond the ends rather than a seed', () => {
    const [quiet, noisy] = [advise(SIZES, 0.005), advise(SIZES)];
    expect(quiet.expected.width!).toBeLessThan(0.7 * noisy.expected.width!);
    expect(quiet.expected.floor_found).toBeGreaterThan(noisy.expected.floor_found);
    const [best] = noisy.additions;
    expect(best).toMatchObject({ kind: 'size', params: 2090 });
    expect(best.narrower).toBeCloseTo(1 - best.expected.width! / noisy.expected.width!, 12);
    const total = SIZES.reduce((sum, size) => sum + size, 0);
    expect(best.more_compute).toBeCloseTo(2090 / total, 6);
    expect(noisy.additions.filter(({ kind }) => kind === 'seed')).toHaveLength(5);
    expect(noisy.verdict).toMatch(
      /^5 runs of 5 sizes, with losses that scatter by 1\s% between seeds, .* The run that narrows it most is a new size of 2\.09\sk parameters/,
    );
  });

  test('says that an interval has no upper end, and refuses designs that cannot have one', () => {
    const design = { params: SIZES, law: TRUE_LAWS['no floor'], noise: 0.2 };
    const { expected, verdict } = adviseDesign(design, { studies: 20 });
    expect(expected).toMatchObject({ width: null, high: null });
    expect(verdict).toContain('and to have no upper end');
    expect(() => advise(SIZES.slice(0, 4))).toThrow('at least 5 runs of 4 sizes, and there are 4 runs of 4 sizes');
    expect(() => advise(SIZES, 0)).toThrow('noise is 0: it must be above 0');
  });
});

describe('designOf', () => {
  const fitted = (own: number) => {
    const random = normal(5);
    const points = study(LAW, DESIGNS['8 × 3'], 0.01, random);
    const shift = new Map(DESIGNS['8 × 3'].sizes.map((size) => [size, Math.exp(own * random())]));
    return fitPowerLaw(
      points.map((point) => ({ ...point, loss: point.loss * shift.get(point.params)! })),
    ) as PowerLawFit;
  };

  test("takes the sizes, the law and the noise of a fit, and the sizes' own deviation", () => {
    const plain = designOf(fitted(0));
    expect(plain.params).toHaveLength(24);
    expect(plain.law.alpha).toBeCloseTo(LAW.alpha, 0);
    expect(plain.noise).toBeGreaterThan(0.006);
    expect(plain.noise).toBeLessThan(0.014);
    const uneven = designOf(fitted(0.03));
    expect(uneven.sizeNoise).toBeGreaterThan(0.012);
    expect(uneven.noise).toBeLessThan(0.014);
  });
});
