/**
 * Fits the loss as a function of model size and training tokens, L(N, D) = E + A·N^(−α) + B·D^(−β): approach 3 of
 * Hoffmann et al. 2022. It minimises a Huber loss on log L from several starting points, with the corrections of
 * Besiroglu et al. 2024:
 *
 * - The objective is a sum and not a mean, and the search ends when the relative gain is small, so that it does not end
 *   too early.
 * - The parameters are not rounded.
 * - Intervals are percentile intervals of a bootstrap over runs.
 *
 * Starting points: for each (α, β) of a grid, A, B and E ≥ 0 solve a linear problem. BFGS descends from the best few.
 * power-law.ts fits the law in N alone, for runs with equal numbers of tokens.
 *
 * @see Hoffmann et al. 2022, "Training compute-optimal large language models" (arXiv:2203.15556), section 3.3
 * @see Besiroglu et al. 2024, "Chinchilla scaling: a replication attempt" (arXiv:2404.10102)
 */
import { minimise, type Objective } from './bfgs.ts';
import { ScalingError } from './errors.ts';
import type { Interval } from './profile-likelihood.ts';
import { ALPHA_LIMIT, mean } from './variable-projection.ts';
import { countOf, formatInterval, formatNumber, formatPercent } from './wording.ts';

/** A trained model: its size, its training tokens and its loss. */
export interface TokenPoint {
  /** N, the number of parameters. */
  params: number;
  /** D, the number of tokens seen in training. */
  tokens: number;
  /** L, in any unit, the same for all points. */
  loss: number;
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

/** δ of the Huber loss, as in Hoffmann et al.: larger residuals of log L count linearly. */
const HUBER_DELTA = 1e-3;
/** The values of α and of β in the grid of starting points. */
const START_EXPONENTS = [0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 1.5];
/** Starting points from which BFGS descends. */
const STARTS = 8;
/** Number of minima of the full data from which each bootstrap sample starts. */
const RESAMPLE_STARTS = 2;
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
/**
 * The smallest A′, B′ or E of a starting point, in the unit of the loss. It is above 0, because the logarithm must
 * exist.
 */
const MIN_COEFFICIENT = 1e-4;

/**
 * The parameters [log A′, log B′, log E, α, β]. A′ and B′ are A·N^(−α) and B·D^(−β) at the geometric means of N and D.
 */
type Theta = readonly number[];

/** A point in logarithms. */
interface LogPoint {
  /** log N − mean log N */
  x: number;
  /** log D − mean log D */
  y: number;
  /** log L */
  z: number;
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
  { confidence = 0.95, resamples = 300, seed = 1 }: ChinchillaOptions = {},
): ChinchillaFit | { refused: string } {
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

  const toParameters = ([a, b, e, alpha, beta]: Theta): Record<ChinchillaParameter, number> => ({
    E: Math.exp(e),
    A: Math.exp(a + alpha * meanLogN),
    B: Math.exp(b + beta * meanLogD),
    alpha,
    beta,
  });
  const resampled = bootstrap(
    logs,
    minima.slice(0, RESAMPLE_STARTS).map(({ x }) => x),
    resamples,
    seed,
  );
  const bounds = (value: (theta: Theta) => number) => quantileInterval(resampled.map(value), confidence);
  const undetermined = describeUndetermined(
    bounds(([, , , alpha]) => alpha),
    bounds(([, , , , beta]) => beta),
    confidence,
  );
  if (undetermined !== undefined) return { refused: undetermined };
  const parameters = toParameters(best);
  const names = Object.keys(parameters) as ChinchillaParameter[];
  const intervals = Object.fromEntries(names.map((name) => [name, bounds((theta) => toParameters(theta)[name])]));
  return {
    form: 'chinchilla',
    formula: 'E + A·N^(−α) + B·D^(−β)',
    parameters,
    intervals: intervals as Record<ChinchillaParameter, Interval>,
    confidence,
    optimal_size_exponent: parameters.beta / (parameters.alpha + parameters.beta),
    optimal_size_interval: bounds(([, , , alpha, beta]) => beta / (alpha + beta)),
    residuals: logs.map((point) => point.z - logLaw(best, point)),
    runs: points.length,
    warnings: warningsFor(intervals as Record<ChinchillaParameter, Interval>, points),
  };
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

// ---- The objective and its starting points ----

/** The logarithm of the law at a point. */
function logLaw([a, b, e, alpha, beta]: Theta, { x, y }: LogPoint): number {
  const terms = [a - alpha * x, b - beta * y, e];
  const top = Math.max(...terms);
  return top + Math.log(terms.reduce((sum, term) => sum + Math.exp(term - top), 0));
}

/** The objective Σ huber(log law − log L), divided by δ², so that its values are of the order of 1. */
function huberLoss(points: readonly LogPoint[]): Objective {
  return ([a, b, e, alpha, beta], gradient) => {
    gradient.fill(0);
    let sum = 0;
    for (const { x, y, z } of points) {
      const [logA, logB] = [a - alpha * x, b - beta * y];
      // Divide the three terms by the largest, so that none overflows.
      const top = Math.max(logA, logB, e);
      const [pa, pb, pe] = [Math.exp(logA - top), Math.exp(logB - top), Math.exp(e - top)];
      const total = pa + pb + pe;
      const r = (top + Math.log(total) - z) / HUBER_DELTA;
      const slope = Math.max(-1, Math.min(1, r)) / (HUBER_DELTA * total);
      sum += Math.abs(r) <= 1 ? (r * r) / 2 : Math.abs(r) - 0.5;
      gradient[0] += slope * pa;
      gradient[1] += slope * pb;
      gradient[2] += slope * pe;
      gradient[3] -= slope * pa * x;
      gradient[4] -= slope * pb * y;
    }
    return Number.isFinite(sum) ? sum : Number.POSITIVE_INFINITY;
  };
}

/**
 * Chooses starting points. Finds the best A, B and E ≥ 0 for each α and β of the grid, and returns those with the
 * lowest objective.
 */
function chooseStarts(points: readonly LogPoint[], kept: number): Theta[] {
  const objective = huberLoss(points);
  const scratch = [0, 0, 0, 0, 0];
  return START_EXPONENTS.flatMap((alpha) =>
    START_EXPONENTS.map((beta) => {
      // Divide each row by L, so that the linear problem minimises relative errors, as the logarithm does.
      const rows = points.map(({ x, y, z }) => [Math.exp(-alpha * x - z), Math.exp(-beta * y - z), Math.exp(-z)]);
      const solved = nonNegativeLeastSquares(rows).map((value) => Math.log(Math.max(value, MIN_COEFFICIENT)));
      const theta = [...solved, alpha, beta];
      return { theta, value: objective(theta, scratch) };
    }),
  )
    .sort((a, b) => a.value - b.value)
    .slice(0, kept)
    .map(({ theta }) => theta);
}

/**
 * Least squares of rows·x = 1 with x ≥ 0, for three columns. Tries each of the seven non-empty sets of columns whose
 * coefficients may be above 0.
 */
function nonNegativeLeastSquares(rows: readonly number[][]): number[] {
  let best = [0, 0, 0];
  let least = Number.POSITIVE_INFINITY;
  for (let set = 1; set < 8; set++) {
    const columns = [0, 1, 2].filter((column) => set & (1 << column));
    const solution = leastSquares(rows.map((row) => columns.map((column) => row[column])));
    if (solution === undefined || solution.some((value) => value < 0)) continue;
    const full = [0, 0, 0];
    columns.forEach((column, i) => {
      full[column] = solution[i];
    });
    const rss = rows.reduce((sum, row) => sum + (full[0] * row[0] + full[1] * row[1] + full[2] * row[2] - 1) ** 2, 0);
    if (rss < least) [best, least] = [full, rss];
  }
  return best;
}

/**
 * Least squares of rows·x = 1, by Gauss-Jordan elimination of the normal equations with partial pivoting.
 *
 * @returns undefined if the columns are linearly dependent
 */
function leastSquares(rows: readonly number[][]): number[] | undefined {
  const n = rows[0].length;
  const system = Array.from({ length: n }, (_, i) => [
    ...Array.from({ length: n }, (_, j) => rows.reduce((sum, row) => sum + row[i] * row[j], 0)),
    rows.reduce((sum, row) => sum + row[i], 0),
  ]);
  for (let column = 0; column < n; column++) {
    let pivot = column;
    for (let row = column + 1; row < n; row++)
      if (Math.abs(system[row][column]) > Math.abs(system[pivot][column])) pivot = row;
    if (!(Math.abs(system[pivot][column]) > 1e-12 * Math.abs(system[0][0]))) return undefined;
    [system[column], system[pivot]] = [system[pivot], system[column]];
    for (let row = 0; row < n; row++) {
      if (row === column) continue;
      const factor = system[row][column] / system[column][column];
      for (let k = column; k <= n; k++) system[row][k] -= factor * system[column][k];
    }
  }
  return system.map((row, i) => row[n] / row[i]);
}

// ---- The bootstrap ----

/**
 * Fits the law to bootstrap samples: runs drawn with replacement. A sample with fewer than three distinct sizes or
 * numbers of tokens is drawn again.
 *
 * @returns the parameters of each sample
 */
function bootstrap(points: readonly LogPoint[], starts: readonly Theta[], resamples: number, seed: number): Theta[] {
  const random = mulberry32(seed);
  return Array.from({ length: resamples }, () => {
    let sample: LogPoint[];
    do sample = points.map(() => points[Math.floor(random() * points.length)]);
    while (
      new Set(sample.map(({ x }) => x)).size < MIN_DISTINCT ||
      new Set(sample.map(({ y }) => y)).size < MIN_DISTINCT
    );
    const objective = huberLoss(sample);
    return starts.map((start) => minimise(objective, start)).reduce((a, b) => (a.value <= b.value ? a : b)).x;
  });
}

/** The percentile interval of bootstrap values, with linear interpolation between order statistics. */
function quantileInterval(values: readonly number[], confidence: number): Interval {
  const sorted = [...values].sort((a, b) => a - b);
  const quantile = (probability: number) => {
    const position = probability * (sorted.length - 1);
    const below = Math.floor(position);
    return sorted[below] + (position - below) * ((sorted[below + 1] ?? sorted[below]) - sorted[below]);
  };
  return [quantile((1 - confidence) / 2), quantile((1 + confidence) / 2)];
}

/** A generator of uniform numbers in [0, 1), the same for the same seed (T. Ettinger's mulberry32). */
function mulberry32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
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
