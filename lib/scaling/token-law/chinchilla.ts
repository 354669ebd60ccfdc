/**
 * Fits the loss as a function of model size and training tokens, L(N, D) = E + A·N^(−α) + B·D^(−β): approach 3 of
 * Hoffmann et al. 2022. It minimises a Huber loss on log L from several starting points, with the corrections of
 * Besiroglu et al. 2024:
 *
 * - The objective is a sum and not a mean, and the search ends when the relative gain is small, so that it does not end
 *   too early.
 * - The parameters are not rounded.
 * - Intervals are percentile intervals of a bootstrap over runs. A run that gave several budgets is drawn as a whole.
 *
 * Starting points: for each (α, β) of a grid, A, B and E ≥ 0 solve a linear problem. BFGS descends from the best few.
 * power-law.ts fits the law in N alone, for runs with equal numbers of tokens.
 *
 * @see Hoffmann et al. 2022, "Training compute-optimal large language models" (arXiv:2203.15556), section 3.3
 * @see Besiroglu et al. 2024, "Chinchilla scaling: a replication attempt" (arXiv:2404.10102)
 */

import { ScalingError } from '../errors.ts';
import {
  countOf,
  formatInterval,
  formatNumber,
  formatPercent,
  type Interval,
  mean,
  minimise,
  mulberry32,
  quantileInterval,
} from '../numbers/index.ts';
import { ALPHA_LIMIT } from '../size-law/index.ts';
import { chooseStarts, huberLoss, type LogPoint, logLaw, type Theta } from './chinchilla-objective.ts';

/** A trained model: its size, its training tokens and its loss. */
export interface TokenPoint {
  /** N, the number of parameters. */
  params: number;
  /** D, the number of tokens seen in training. */
  tokens: number;
  /** L, in any unit, the same for all points. */
  loss: number;
  /** The run, if it gave several points: the bootstrap draws all of them or none, because they are not independent. */
  branch_of?: string;
}

/** A fitted law of size and tokens. The names are the keys of scaling.json. */
export interface ChinchillaFit {
  form: 'chinchilla';
  /** The form as text. */
  formula: string;
  parameters: Record<ChinchillaParameter, number>;
  intervals: Record<ChinchillaParameter, Interval>;
  confidence: number;
  /** n = β/(α + β): with compute C, the compute-optimal size grows as N ∝ C^n. */
  optimal_size_exponent: number;
  optimal_size_interval: Interval;
  /** log L − log of the law, for each point. */
  residuals: number[];
  points: TokenPoint[];
  runs: number;
  warnings: string[];
}

/** The parameters of the law. */
export type ChinchillaParameter = 'E' | 'A' | 'B' | 'alpha' | 'beta';

/** Options of `fitChinchilla`. */
export interface ChinchillaOptions {
  /** Confidence of all intervals, between 0 and 1. Default: 0.95. */
  confidence?: number;
  /** Bootstrap samples. Default: 300. */
  resamples?: number;
  /** Seed of the bootstrap. Default: 1. */
  seed?: number;
}

/** Starting points from which BFGS descends. */
const STARTS = 8;
/** Number of different minima of the full data from which each bootstrap sample starts. */
const RESAMPLE_STARTS = 2;
/** Minima are the same if their values differ by a smaller share. */
const SAME_MINIMUM = 1e-6;
const MIN_RUNS = 7;
/** Least number of distinct sizes, and of distinct numbers of tokens. */
const MIN_DISTINCT = 3;
/** With an exponent below this, the loss hardly changes over any practical range. */
const MIN_EXPONENT = 0.005;
/** Largest |correlation| of log N and log D. Above it, the effects of size and tokens cannot be separated. */
const MAX_CORRELATION = 0.98;
/** Below this number of runs, the intervals get a warning. */
const FEW_RUNS = 20;
/** E counts as indistinguishable from 0 if its interval begins below this share of the lowest loss. */
const NEGLIGIBLE_SHARE = 0.02;

/** The parameters of the law by name. */
export type ChinchillaParameters = Record<ChinchillaParameter, number>;

/** A fit with the parameters of each bootstrap sample, from which intervals of other quantities follow. */
export interface ChinchillaDraws {
  fit: ChinchillaFit;
  draws: ChinchillaParameters[];
}

/**
 * Fits L(N, D) = E + A·N^(−α) + B·D^(−β), with bootstrap intervals.
 *
 * @param points one per run: `params` and `tokens` (counts), `loss` (any unit, the same for all)
 * @returns the law, or `{ refused }` if these runs do not determine it
 * @throws ScalingError if a value is not a finite positive number
 * @see Hoffmann et al. 2022 (arXiv:2203.15556), approach 3; Besiroglu et al. 2024 (arXiv:2404.10102)
 * @example
 * const fit = fitChinchilla([{ params: 1e6, tokens: 1e9, loss: 1.3 }, …]);
 * if ('refused' in fit) console.log(fit.refused);
 * else console.log(fit.parameters.alpha, fit.optimal_size_exponent);
 */
export function fitChinchilla(
  points: readonly TokenPoint[],
  options: ChinchillaOptions = {},
): ChinchillaFit | { refused: string } {
  const fitted = fitChinchillaDraws(points, options);
  return 'refused' in fitted ? fitted : fitted.fit;
}

/** `fitChinchilla`, with the parameters of each bootstrap sample. */
export function fitChinchillaDraws(
  points: readonly TokenPoint[],
  { confidence = 0.95, resamples = 300, seed = 1 }: ChinchillaOptions = {},
): ChinchillaDraws | { refused: string } {
  points.forEach(checkPoint);
  const refused = describeMissingData(points);
  if (refused !== undefined) return { refused };
  const [meanLogN, meanLogD] = [
    mean(points.map((p) => Math.log(p.params))),
    mean(points.map((p) => Math.log(p.tokens))),
  ];
  const logs = points.map(({ params, tokens, loss }) => ({
    x: Math.log(params) - meanLogN,
    y: Math.log(tokens) - meanLogD,
    z: Math.log(loss),
  }));
  const minima = chooseStarts(logs, STARTS)
    .map((start) => minimise(huberLoss(logs), start))
    .sort((a, b) => a.value - b.value);
  const best = minima[0].x;

  const toParameters = ([a, b, e, alpha, beta]: Theta): ChinchillaParameters => ({
    E: Math.exp(e),
    A: Math.exp(a + alpha * meanLogN),
    B: Math.exp(b + beta * meanLogD),
    alpha,
    beta,
  });
  const different = minima.filter(({ value }, i) => i === 0 || value > minima[i - 1].value * (1 + SAME_MINIMUM));
  const starts = different.slice(0, RESAMPLE_STARTS).map(({ x }) => x);
  const draws = bootstrap(clusters(points, logs), starts, resamples, seed).map(toParameters);
  const bounds = (value: (draw: ChinchillaParameters) => number) => quantileInterval(draws.map(value), confidence);
  const undetermined = describeUndetermined(
    bounds(({ alpha }) => alpha),
    bounds(({ beta }) => beta),
    confidence,
  );
  if (undetermined !== undefined) return { refused: undetermined };
  const parameters = toParameters(best);
  const names = Object.keys(parameters) as ChinchillaParameter[];
  const intervals = Object.fromEntries(names.map((name) => [name, bounds((draw) => draw[name])])) as Record<
    ChinchillaParameter,
    Interval
  >;
  const fit: ChinchillaFit = {
    form: 'chinchilla',
    formula: 'E + A·N^(−α) + B·D^(−β)',
    parameters,
    intervals,
    confidence,
    optimal_size_exponent: parameters.beta / (parameters.alpha + parameters.beta),
    optimal_size_interval: bounds(({ alpha, beta }) => beta / (alpha + beta)),
    residuals: logs.map((point) => point.z - logLaw(best, point)),
    points: points.map(({ params, tokens, loss }) => ({ params, tokens, loss })),
    runs: points.length,
    warnings: warningsFor(intervals, points),
  };
  return { fit, draws };
}

/**
 * The loss that a law of size and tokens gives.
 *
 * @param fit as returned by `fitChinchilla`, or its parameters
 * @example predictTokens(fit, { params: 1e6, tokens: 2e7 }) // 0.93
 */
export function predictTokens(
  fit: ChinchillaFit | ChinchillaParameters,
  { params, tokens }: { params: number; tokens: number },
): number {
  const { E, A, B, alpha, beta } = 'form' in fit ? fit.parameters : fit;
  return E + A * params ** -alpha + B * tokens ** -beta;
}

function checkPoint({ params, tokens, loss }: TokenPoint, index: number): void {
  for (const [name, value] of Object.entries({ params, tokens, loss }))
    if (!(Number.isFinite(value) && value > 0))
      throw new ScalingError(`point ${index + 1} has ${name} ${value}, where a number above 0 belongs`);
}

/** Describes which points are missing; undefined if there are enough for a fit. */
function describeMissingData(points: readonly TokenPoint[]): string | undefined {
  const form = 'the law E + A·N^(−α) + B·D^(−β)';
  if (points.length < MIN_RUNS)
    return `${form} needs at least ${MIN_RUNS} runs, and there are ${points.length}: ${MIN_RUNS - points.length} more are missing`;
  for (const [key, noun] of [
    ['params', 'model size'],
    ['tokens', 'number of tokens'],
  ] as const) {
    const distinct = new Set(points.map((point) => point[key])).size;
    if (distinct < MIN_DISTINCT)
      return `${form} needs runs of at least ${MIN_DISTINCT} ${noun === 'model size' ? 'model sizes' : 'numbers of tokens'}, and there ${distinct === 1 ? 'is one' : `are ${distinct}`}`;
  }
  const correlation = pearson(
    points.map((point) => Math.log(point.params)),
    points.map((point) => Math.log(point.tokens)),
  );
  return Math.abs(correlation) > MAX_CORRELATION
    ? `sizes and tokens go together in these runs (correlation ${formatNumber(correlation)}), so that what each does cannot be told: runs of one size with fewer or more tokens are missing`
    : undefined;
}

/**
 * Describes the exponent that the runs do not determine; undefined if they determine both. An exponent is not
 * determined if its interval reaches 0 or the largest exponent that is plausible.
 */
function describeUndetermined(alpha: Interval, beta: Interval, confidence: number): string | undefined {
  for (const [symbol, noun, [low, high]] of [
    ['α', 'size', alpha],
    ['β', 'tokens', beta],
  ] as const)
    if (!(low > MIN_EXPONENT && high < ALPHA_LIMIT))
      return `these runs do not determine how loss goes with ${noun}: the ${formatPercent(confidence)} interval of ${symbol} is ${formatInterval([low, high])}; runs over a wider range of ${noun === 'size' ? 'sizes' : 'tokens'} are missing`;
  return undefined;
}

function warningsFor(intervals: Record<ChinchillaParameter, Interval>, points: readonly TokenPoint[]): string[] {
  const least = Math.min(...points.map((point) => point.loss));
  const warnings: string[] = [];
  if (intervals.E[0] < NEGLIGIBLE_SHARE * least) warnings.push('E cannot be told from 0');
  if (points.length < FEW_RUNS)
    warnings.push(
      `${countOf(points.length, 'run')} are few for five parameters: the bootstrap's intervals are then too narrow`,
    );
  return warnings;
}

/** The points of each run together, in the order of the points. */
function clusters(points: readonly TokenPoint[], logs: readonly LogPoint[]): LogPoint[][] {
  const byRun = new Map<string | number, LogPoint[]>();
  points.forEach(({ branch_of: run }, i) => {
    const key = run ?? i;
    byRun.set(key, [...(byRun.get(key) ?? []), logs[i]]);
  });
  return [...byRun.values()];
}

/**
 * Fits the law to bootstrap samples: runs drawn with replacement. A sample with fewer than three distinct sizes or
 * numbers of tokens is drawn again.
 *
 * @param runs the points of each run
 * @returns the parameters of each sample
 */
function bootstrap(
  runs: readonly (readonly LogPoint[])[],
  starts: readonly Theta[],
  resamples: number,
  seed: number,
): Theta[] {
  const random = mulberry32(seed);
  return Array.from({ length: resamples }, () => {
    let sample: LogPoint[];
    do sample = runs.flatMap(() => runs[Math.floor(random() * runs.length)]);
    while (
      new Set(sample.map(({ x }) => x)).size < MIN_DISTINCT ||
      new Set(sample.map(({ y }) => y)).size < MIN_DISTINCT
    );
    const objective = huberLoss(sample);
    return starts.map((start) => minimise(objective, start)).reduce((a, b) => (a.value <= b.value ? a : b)).x;
  });
}

/** Pearson correlation. */
function pearson(a: readonly number[], b: readonly number[]): number {
  const [meanA, meanB] = [mean(a), mean(b)];
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    ab += (a[i] - meanA) * (b[i] - meanB);
    aa += (a[i] - meanA) ** 2;
    bb += (b[i] - meanB) ** 2;
  }
  return ab / Math.sqrt(aa * bb);
}
