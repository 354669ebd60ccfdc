/**
 * Simulated studies with a known law: how often the interval of α holds the true α, and how often two architectures
 * with one law are called different. `npm run bench -- scaling` prints the tables of docs/scaling.md, and a test runs
 * a few of the studies.
 */
import { compareArchitectures } from '../../lib/scaling/analysis/index.ts';
import {
  type ChinchillaFit,
  fitChinchilla,
  fitPowerLaw,
  isRefusal,
  type Point,
  type PowerLawFit,
  type TokenPoint,
} from '../../lib/scaling/index.ts';

/** L(N) = a·N^(−α) + c. */
export interface TrueLaw {
  alpha: number;
  a: number;
  c: number;
}

/** Sizes and seeds of a study. */
export interface Design {
  sizes: readonly number[];
  seeds: number;
}

const FIVE = [6272, 18936, 56800, 161920, 465312];
const EIGHT = Array.from({ length: 8 }, (_, i) => Math.round(5000 * 200 ** (i / 7)));

/** Laws like those of the default study: with a floor, with a low floor, steep, and without a floor. */
export const TRUE_LAWS: { [name: string]: TrueLaw } = {
  floor: { alpha: 0.351, a: 12.07, c: 0.687 },
  'low floor': { alpha: 0.25, a: 5, c: 0.4 },
  steep: { alpha: 0.5, a: 40, c: 0.7 },
  'no floor': { alpha: 0.0777, a: 2.855, c: 0 },
};

/** Designs by "sizes × seeds". */
export const DESIGNS: { [name: string]: Design } = {
  '5 × 1': { sizes: FIVE, seeds: 1 },
  '5 × 3': { sizes: FIVE, seeds: 3 },
  '8 × 3': { sizes: EIGHT, seeds: 3 },
};

/** Standard deviations of the loss, as shares of it. */
export const NOISES = [0.005, 0.01, 0.03];

/** One study: a run of each size and seed, with log-normal noise. */
export function study(law: TrueLaw, { sizes, seeds }: Design, noise: number, normal: () => number): Point[] {
  return sizes.flatMap((params, i) =>
    Array.from({ length: seeds }, () => ({
      params,
      group: `size ${i}`,
      loss: (law.a * params ** -law.alpha + law.c) * Math.exp(noise * normal()),
    })),
  );
}

/** Shares of the studies of a design. */
export interface Coverage {
  /** no law is given */
  refused: number;
  /** the law is given without a floor */
  withoutFloor: number;
  /** of the laws that are given: the interval of α holds the true one */
  alpha: number;
  /** of the laws that are given without a floor: the interval for c = 0 holds the true α */
  alphaWithoutFloor: number;
}

/** Fits many studies of one law. */
export function coverage(law: TrueLaw, design: Design, noise: number, studies: number, normal: () => number): Coverage {
  const fits = Array.from({ length: studies }, () => fitPowerLaw(study(law, design, noise, normal)));
  const laws = fits.filter((fit): fit is PowerLawFit => !isRefusal(fit));
  const power = laws.filter(({ form }) => form === 'power');
  const holds = (interval: readonly [number, number | null] | null) =>
    interval !== null && interval[0] <= law.alpha && (interval[1] === null || law.alpha <= interval[1]);
  const share = (part: number, whole: number) => (whole === 0 ? Number.NaN : part / whole);
  return {
    refused: share(studies - laws.length, studies),
    withoutFloor: share(power.length, laws.length),
    alpha: share(laws.filter(({ intervals }) => holds(intervals.alpha)).length, laws.length),
    alphaWithoutFloor: share(power.filter((fit) => holds(fit.alpha_without_floor)).length, power.length),
  };
}

/** The share of studies in which one of two architectures with the same law is called better at some size. */
export function falseClaims(
  law: TrueLaw,
  design: Design,
  noise: number,
  studies: number,
  normal: () => number,
): number {
  let claims = 0;
  for (let i = 0; i < studies; i++) {
    const [a, b] = ['gpt', 'lstm'].map((architecture) => ({
      tokenizer: 'char',
      architecture,
      fit: fitPowerLaw(study(law, design, noise, normal)),
    }));
    if (/ is better /.test(compareArchitectures(a, b, 'loss').verdict)) claims++;
  }
  return claims / studies;
}

/** L(N, D) = E + A·N^(−α) + B·D^(−β). */
export interface TrueTokenLaw {
  E: number;
  A: number;
  B: number;
  alpha: number;
  beta: number;
}

/** A law like that of the default study, whose loss is in bits per byte. */
export const TRUE_TOKEN_LAW: TrueTokenLaw = { E: 0.45, A: 20, B: 500, alpha: 0.4, beta: 0.6 };

/** Designs of studies with several budgets: the seeds of each of the five sizes. */
export const TOKEN_DESIGNS: { [name: string]: readonly number[] } = {
  '5 × 1': [1, 1, 1, 1, 1],
  '3 × 3, 2 × 1': [3, 3, 3, 1, 1],
  '5 × 3': [3, 3, 3, 3, 3],
};

const BUDGETS = [250_000, 500_000, 1_000_000];

/**
 * One study of the schedule wsd: each run gives its losses at three budgets. A share of the variance of log L belongs to
 * the run, so the losses of a run are correlated: `correlation` is that of two budgets of one run.
 */
export function tokenStudy(
  law: TrueTokenLaw,
  seeds: readonly number[],
  noise: number,
  correlation: number,
  normal: () => number,
): TokenPoint[] {
  return seeds.flatMap((count, size) =>
    Array.from({ length: count }, (_, seed) => {
      const params = FIVE[size];
      const ofRun = Math.sqrt(correlation) * normal();
      return BUDGETS.map((tokens) => {
        const loss = law.E + law.A * params ** -law.alpha + law.B * tokens ** -law.beta;
        const deviation = noise * (ofRun + Math.sqrt(1 - correlation) * normal());
        return { params, tokens, loss: loss * Math.exp(deviation), branch_of: `${size}-${seed}` };
      });
    }).flat(),
  );
}

/** Shares of the studies with a law whose interval holds the true value: of α, of β, and of β/(α + β). */
export interface TokenCoverage {
  refused: number;
  alpha: number;
  beta: number;
  optimalSize: number;
}

/** Fits L(N, D) to many studies of one law. */
export function tokenCoverage(
  law: TrueTokenLaw,
  seeds: readonly number[],
  noise: number,
  correlation: number,
  studies: number,
  normal: () => number,
): TokenCoverage {
  const fits = Array.from({ length: studies }, () => fitChinchilla(tokenStudy(law, seeds, noise, correlation, normal)));
  const laws = fits.filter((fit): fit is ChinchillaFit => !isRefusal(fit));
  const holds = ([low, high]: readonly [number, number | null], value: number) =>
    low <= value && (high === null || value <= high);
  const share = (held: (fit: ChinchillaFit) => boolean) => laws.filter(held).length / laws.length;
  return {
    refused: 1 - laws.length / studies,
    alpha: share(({ intervals }) => holds(intervals.alpha, law.alpha)),
    beta: share(({ intervals }) => holds(intervals.beta, law.beta)),
    optimalSize: share((fit) => holds(fit.optimal_size_interval, law.beta / (law.alpha + law.beta))),
  };
}
