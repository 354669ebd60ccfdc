/**
 * The design adviser: how wide the interval of α will be for given sizes, seeds and noise, and which further run
 * narrows it most. Studies of the design are simulated and fitted as a real one is, because the interval is not
 * symmetric and may have no upper end, so that no formula for its width holds with few runs.
 */

import { ScalingError } from '../errors.ts';
import { countOf, formatNumber, formatPercent, mulberry32, quantile, standardNormal } from '../numbers/index.ts';
import {
  ALPHA_LIMIT,
  ConfidenceRegion,
  checkPoint,
  groupBySize,
  isEnough,
  observationUnit,
  type Point,
  type PowerLawFit,
  VariableProjection,
} from '../size-law/index.ts';

/** L(N) = a·N^(−α) + c. */
export interface AssumedLaw {
  alpha: number;
  a: number;
  c: number;
}

/** A study that is planned, or was made. */
export interface Design {
  /** The size of each run: a size with three seeds stands three times. */
  params: readonly number[];
  law: AssumedLaw;
  /** Standard deviation of the loss between seeds, as a share of the loss. */
  noise: number;
  /** Standard deviation of a size's own deviation from the law, as a share of the loss. Default: 0. */
  sizeNoise?: number;
}

/** Options of `adviseDesign`. */
export interface AdviceOptions {
  /** Confidence of the interval. Default: 0.95. */
  confidence?: number;
  /** Simulated studies per design. Default: 200. */
  studies?: number;
  /** Default: 1. */
  seed?: number;
}

/** The expected results of a design: medians over simulated studies. */
export interface Expectation {
  /** high − low; null if the interval has no upper end in half of the studies. */
  width: number | null;
  low: number;
  high: number | null;
  /** Share of the studies in which a floor is found. */
  floor_found: number;
}

/** A run that could be added. */
export interface Addition {
  params: number;
  /** `seed`: another seed of a size that is there. `size`: a new size. */
  kind: 'seed' | 'size';
  expected: Expectation;
  /** 1 − width / width without this run; null if one of them has no upper end. */
  narrower: number | null;
  /** N of this run as a share of the sum of N of all runs: the additional compute at an equal number of tokens. */
  more_compute: number;
}

/** The advice for a design. */
export interface Advice {
  design: Design;
  confidence: number;
  expected: Expectation;
  /** The narrowest first. */
  additions: Addition[];
  /** The advice in words. */
  verdict: string;
}

/** New sizes beyond the range are this factor away. */
const STEP = 3;
/** Steps of the scan over α in each study. */
const GRID_STEPS = 60;
/** The cheapest addition must reach this share of the best one's gain. */
const WORTHWHILE = 0.5;

/**
 * Advises on a design.
 *
 * @returns the interval of α to expect, and the runs to add, the best first
 * @throws ScalingError if a number is not possible, or there are too few runs for a law with a floor
 * @example
 * adviseDesign({ params: [6e3, 2e4, 6e4, 2e5, 5e5], law: { alpha: 0.35, a: 12, c: 0.69 }, noise: 0.01 }).verdict
 */
export function adviseDesign(
  design: Design,
  { confidence = 0.95, studies = 200, seed = 1 }: AdviceOptions = {},
): Advice {
  checkDesign(design);
  const expected = expectation(design, [], confidence, studies, seed);
  const total = design.params.reduce((sum, params) => sum + params, 0);
  const additions = candidates(design.params)
    .map(({ params, kind }): Addition => {
      const after = expectation(design, [params], confidence, studies, seed);
      const narrower = expected.width === null || after.width === null ? null : 1 - after.width / expected.width;
      return { params, kind, expected: after, narrower, more_compute: params / total };
    })
    .sort((a, b) => (a.expected.width ?? ALPHA_LIMIT) - (b.expected.width ?? ALPHA_LIMIT));
  return { design, confidence, expected, additions, verdict: describe(design, confidence, expected, additions) };
}

/**
 * The design of a study that was made: its sizes, the law that was fitted, and the noise of its runs.
 *
 * @param fit the law
 */
export function designOf(fit: PowerLawFit): Design {
  const sizes = groupBySize(fit.points);
  const relative = (residual: number, loss: number) => (residual / loss) ** 2;
  const replicates = fit.points.length - sizes.length;
  const withinSizes = sizes.reduce(
    (sum, { loss, losses }) => sum + losses.reduce((part, value) => part + relative(value - loss, loss), 0),
    0,
  );
  const { alpha, a, c } = fit.parameters;
  const base = { params: fit.points.map(({ params }) => params).sort((x, y) => x - y), law: { alpha, a, c } };
  if (fit.observation === 'run' || replicates < 1) {
    const squares = fit.points.reduce((sum, { loss }, i) => sum + relative(fit.residuals[i], loss), 0);
    return { ...base, noise: Math.sqrt(squares / fit.degrees_of_freedom), sizeNoise: 0 };
  }
  const noise2 = withinSizes / replicates;
  const means = sizes.reduce((sum, { params, loss }) => sum + relative(loss - (a * params ** -alpha + c), loss), 0);
  const perSize = noise2 / (fit.points.length / sizes.length);
  const own2 = Math.max(0, means / fit.degrees_of_freedom - perSize);
  return { ...base, noise: Math.sqrt(noise2), sizeNoise: Math.sqrt(own2) };
}

function checkDesign({ params, law, noise, sizeNoise = 0 }: Design): void {
  params.forEach((size, i) => {
    checkPoint({ params: size, loss: 1 }, i);
  });
  for (const [name, value] of Object.entries({ noise, alpha: law.alpha, a: law.a }))
    if (!(Number.isFinite(value) && value > 0)) throw new ScalingError(`${name} is ${value}: it must be above 0`);
  for (const [name, value] of Object.entries({ c: law.c, 'the deviation of a size': sizeNoise }))
    if (!(Number.isFinite(value) && value >= 0)) throw new ScalingError(`${name} is ${value}: it must not be negative`);
  const sizes = new Set(params).size;
  if (!isEnough(params.length, sizes, 3))
    throw new ScalingError(
      `an interval of α whatever the floor is needs at least 5 runs of 4 sizes, and there ${params.length === 1 ? 'is' : 'are'} ${countOf(params.length, 'run')} of ${countOf(sizes, 'size')}`,
    );
}

/** Another seed of each size; sizes beyond both ends; sizes between neighbours. */
function candidates(params: readonly number[]): Pick<Addition, 'params' | 'kind'>[] {
  const sizes = [...new Set(params)].sort((a, b) => a - b);
  const between = sizes.slice(1).map((size, i) => Math.sqrt(size * sizes[i]));
  const added = [sizes[0] / STEP, ...between, sizes[sizes.length - 1] * STEP];
  return [
    ...sizes.map((size) => ({ params: size, kind: 'seed' as const })),
    ...added.map((size) => ({ params: Number(size.toPrecision(3)), kind: 'size' as const })),
  ];
}

/** Simulates a design with further runs. The runs of the design have the same noise whatever is added. */
function expectation(
  { params, law, noise, sizeNoise = 0 }: Design,
  added: readonly number[],
  confidence: number,
  studies: number,
  seed: number,
): Expectation {
  const [lows, highs]: [number[], number[]] = [[], []];
  let floors = 0;
  for (let study = 0; study < studies; study++) {
    const normal = standardNormal(mulberry32(seed + 7919 * study));
    const own = new Map([...new Set(params)].map((size) => [size, sizeNoise * normal()]));
    const points = [...params, ...added].map((size): Point => {
      if (!own.has(size)) own.set(size, sizeNoise * normal());
      const loss = (law.a * size ** -law.alpha + law.c) * Math.exp(own.get(size)! + noise * normal());
      return { params: size, loss };
    });
    const interval = alphaInterval(points, confidence);
    lows.push(interval.low);
    highs.push(interval.high);
    if (interval.hasFloor) floors++;
  }
  const [low, high] = [quantile(lows, 0.5), quantile(highs, 0.5)];
  const width = quantile(
    highs.map((value, i) => (value >= ALPHA_LIMIT * (1 - 1e-9) ? Number.MAX_VALUE : value - lows[i])),
    0.5,
  );
  const isBounded = high < ALPHA_LIMIT * (1 - 1e-9) && width < ALPHA_LIMIT;
  return { width: isBounded ? width : null, low, high: isBounded ? high : null, floor_found: floors / studies };
}

/** The interval of α with any floor, as `fitPowerLaw` computes it. */
function alphaInterval(points: readonly Point[], confidence: number): { low: number; high: number; hasFloor: boolean } {
  const sizes = groupBySize(points);
  const observed = observationUnit(points, sizes, confidence) === 'run' ? points : sizes;
  if (!isEnough(observed.length, sizes.length, 3)) return { low: 0, high: ALPHA_LIMIT, hasFloor: false };
  const region = new ConfidenceRegion(new VariableProjection(observed, true, GRID_STEPS), confidence);
  const withoutFloor = new VariableProjection(observed, false, GRID_STEPS).best.rss;
  return { low: region.alpha[0], high: region.alpha[1], hasFloor: !region.holds(withoutFloor) };
}

/** The advice in words. */
function describe(
  { params, law, noise, sizeNoise = 0 }: Design,
  confidence: number,
  expected: Expectation,
  additions: readonly Addition[],
): string {
  const sizes = new Set(params).size;
  const own = sizeNoise > 0 ? `, and of sizes by ${formatPercent(Number(sizeNoise.toPrecision(2)))}` : '';
  const interval =
    expected.width === null
      ? `is expected to begin at ${formatNumber(expected.low)} and to have no upper end`
      : `is expected to be ${formatNumber(expected.width)} wide, about ${formatNumber(expected.low)} to ${formatNumber(expected.high!)}`;
  const head = `${countOf(params.length, 'run')} of ${countOf(sizes, 'size')}, with losses that scatter by ${formatPercent(Number(noise.toPrecision(2)))} between seeds${own}, around L(N) = ${formatNumber(law.a)}·N^(−${formatNumber(law.alpha)}) + ${formatNumber(law.c)}: the ${formatPercent(confidence)} interval of α ${interval}. A floor is found in ${formatPercent(Number(expected.floor_found.toPrecision(2)))} of such studies.`;
  const [best] = additions;
  if (best.expected.width === null)
    return `${head} No single further run gives it an upper end: more sizes or less noise are needed.`;
  const gain = (one: Addition) => (expected.width ?? ALPHA_LIMIT) - (one.expected.width ?? ALPHA_LIMIT);
  const cheapest = additions
    .filter((one) => gain(one) >= WORTHWHILE * gain(best))
    .reduce((a, b) => (b.more_compute < a.more_compute ? b : a));
  const name = (one: Addition) =>
    `${one.kind === 'seed' ? 'another seed' : 'a new size'} of ${formatNumber(one.params)} parameters (then ${formatNumber(one.expected.width!)} wide, for ${formatPercent(Number((100 * one.more_compute).toPrecision(2)) / 100)} more compute)`;
  const cheaper = cheapest === best ? '' : ` The cheapest that gains at least half as much is ${name(cheapest)}.`;
  return `${head} The run that narrows it most is ${name(best)}.${cheaper}`;
}
