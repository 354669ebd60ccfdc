/**
 * Loss as model and data grow, L(N, D) = E + A/N^α + B/D^β: approach 3 of Hoffmann et al. 2022 (arXiv:2203.15556), a Huber loss on
 * log L minimised from a grid of starts, with the corrections of Besiroglu et al. 2024 (arXiv:2404.10102): the objective is summed and
 * not averaged, and the search ends by relative gain, so that it does not end early; parameters are given as fitted, not rounded;
 * intervals are those of a bootstrap over runs.
 *
 * Starts: for each (α, β) of a grid, A, B and E ≥ 0 solve a linear problem; the best few go down by BFGS.
 * The law in N alone, for runs of one token budget, is power-law.ts.
 */

import { minimise, type Objective } from './bfgs.ts';
import { ScalingError } from './errors.ts';
import type { Interval } from './profile-likelihood.ts';
import { ALPHA_LIMIT, mean } from './variable-projection.ts';
import { count, interval, number, percent } from './wording.ts';

export interface TokenPoint {
  /** N */
  params: number;
  /** D, seen in training */
  tokens: number;
  /** L */
  loss: number;
}

export interface ChinchillaFit {
  form: 'chinchilla';
  /** for people */
  formula: string;
  parameters: Record<ChinchillaParameter, number>;
  intervals: Record<ChinchillaParameter, Interval>;
  confidence: number;
  /** N ∝ C^n is the size that spends C best, n = β/(α + β) */
  optimal_size_exponent: number;
  optimal_size_interval: Interval;
  /** of log L − log law, one a point */
  residuals: number[];
  runs: number;
  warnings: string[];
}

export type ChinchillaParameter = 'E' | 'A' | 'B' | 'alpha' | 'beta';

export interface ChinchillaOptions {
  /** default 0.95 */
  confidence?: number;
  /** of the bootstrap; default 300 */
  resamples?: number;
  /** of the bootstrap; default 1 */
  seed?: number;
}

/** Residuals of log L beyond this weigh linearly; Hoffmann et al.'s value. */
const HUBER = 1e-3;
const START_EXPONENTS = [0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 1.5];
const STARTS = 8;
const RESAMPLE_STARTS = 2;
const LEAST_RUNS = 7;
const LEAST_DISTINCT = 3;
/** An exponent below it says that loss does not change over any range there is. */
const LEAST_EXPONENT = 0.005;
/** Of log N and log D: above it, runs lie on one line and cannot tell what size does from what data does. */
const MOST_CORRELATED = 0.98;

/** [log A′, log B′, log E, α, β], with A′ and B′ at the geometric mean of sizes and of tokens. */
type Theta = readonly number[];

interface LogPoint {
  x: number;
  y: number;
  z: number;
}

export function fitChinchilla(
  points: readonly TokenPoint[],
  { confidence = 0.95, resamples = 300, seed = 1 }: ChinchillaOptions = {},
): ChinchillaFit | { refused: string } {
  points.forEach(checkPoint);
  const refused = whyNot(points);
  if (refused !== undefined) return { refused };
  const [middleN, middleD] = [mean(points.map((p) => Math.log(p.params))), mean(points.map((p) => Math.log(p.tokens)))];
  const logs = points.map(({ params, tokens, loss }) => ({
    x: Math.log(params) - middleN,
    y: Math.log(tokens) - middleD,
    z: Math.log(loss),
  }));
  const minima = startsOf(logs, STARTS)
    .map((start) => minimise(huberLoss(logs), start))
    .sort((a, b) => a.value - b.value);
  const best = minima[0].x;

  const named = ([a, b, e, alpha, beta]: Theta): Record<ChinchillaParameter, number> => ({
    E: Math.exp(e),
    A: Math.exp(a + alpha * middleN),
    B: Math.exp(b + beta * middleD),
    alpha,
    beta,
  });
  const again = bootstrap(
    logs,
    minima.slice(0, RESAMPLE_STARTS).map(({ x }) => x),
    resamples,
    seed,
  );
  const bounds = (value: (theta: Theta) => number) => quantiles(again.map(value), confidence);
  const undetermined = whyUndetermined(
    bounds(([, , , alpha]) => alpha),
    bounds(([, , , , beta]) => beta),
    confidence,
  );
  if (undetermined !== undefined) return { refused: undetermined };
  const parameters = named(best);
  const names = Object.keys(parameters) as ChinchillaParameter[];
  const intervals = Object.fromEntries(names.map((name) => [name, bounds((theta) => named(theta)[name])]));
  return {
    form: 'chinchilla',
    formula: 'E + A·N^(−α) + B·D^(−β)',
    parameters,
    intervals: intervals as Record<ChinchillaParameter, Interval>,
    confidence,
    optimal_size_exponent: parameters.beta / (parameters.alpha + parameters.beta),
    optimal_size_interval: bounds(([, , , alpha, beta]) => beta / (alpha + beta)),
    residuals: logs.map((point) => point.z - law(best, point)),
    runs: points.length,
    warnings: warningsOf(intervals as Record<ChinchillaParameter, Interval>, points),
  };
}

function checkPoint({ params, tokens, loss }: TokenPoint, index: number): void {
  for (const [name, value] of Object.entries({ params, tokens, loss }))
    if (!(Number.isFinite(value) && value > 0))
      throw new ScalingError(`point ${index + 1} has ${name} ${value}, where a number above 0 belongs`);
}

function whyNot(points: readonly TokenPoint[]): string | undefined {
  const form = 'the law E + A·N^(−α) + B·D^(−β)';
  if (points.length < LEAST_RUNS)
    return `${form} needs at least ${LEAST_RUNS} runs, and there are ${points.length}: ${LEAST_RUNS - points.length} more are missing`;
  for (const [key, noun] of [
    ['params', 'model size'],
    ['tokens', 'number of tokens'],
  ] as const) {
    const distinct = new Set(points.map((point) => point[key])).size;
    if (distinct < LEAST_DISTINCT)
      return `${form} needs runs of at least ${LEAST_DISTINCT} ${noun === 'model size' ? 'model sizes' : 'numbers of tokens'}, and there ${distinct === 1 ? 'is one' : `are ${distinct}`}`;
  }
  const together = correlation(
    points.map((point) => Math.log(point.params)),
    points.map((point) => Math.log(point.tokens)),
  );
  return Math.abs(together) > MOST_CORRELATED
    ? `sizes and tokens go together in these runs (correlation ${number(together)}), so that what each does cannot be told: runs of one size with fewer or more tokens are missing`
    : undefined;
}

/** An exponent whose interval reaches 0, or beyond what loss can do over these sizes, is not known. */
function whyUndetermined(alpha: Interval, beta: Interval, confidence: number): string | undefined {
  for (const [symbol, noun, [low, high]] of [
    ['α', 'size', alpha],
    ['β', 'tokens', beta],
  ] as const)
    if (!(low > LEAST_EXPONENT && high < ALPHA_LIMIT))
      return `these runs do not determine how loss goes with ${noun}: the ${percent(confidence)} interval of ${symbol} is ${interval([low, high])}; runs over a wider range of ${noun === 'size' ? 'sizes' : 'tokens'} are missing`;
  return undefined;
}

function warningsOf(intervals: Record<ChinchillaParameter, Interval>, points: readonly TokenPoint[]): string[] {
  const least = Math.min(...points.map((point) => point.loss));
  const warnings: string[] = [];
  if (intervals.E[0] < 0.02 * least) warnings.push('E cannot be told from 0');
  if (points.length < 20)
    warnings.push(
      `${count(points.length, 'run')} are few for five parameters: the bootstrap's intervals are then too narrow`,
    );
  return warnings;
}

// ---- the objective ----------------------------------------------------------------------------------------------------------------

/** log L at a point. */
function law([a, b, e, alpha, beta]: Theta, { x, y }: LogPoint): number {
  const terms = [a - alpha * x, b - beta * y, e];
  const top = Math.max(...terms);
  return top + Math.log(terms.reduce((sum, term) => sum + Math.exp(term - top), 0));
}

/** Σ huber(log law − log L), in units of HUBER², so that its values are of the order of 1. */
function huberLoss(points: readonly LogPoint[]): Objective {
  return ([a, b, e, alpha, beta], gradient) => {
    gradient.fill(0);
    let sum = 0;
    for (const { x, y, z } of points) {
      const [ta, tb] = [a - alpha * x, b - beta * y];
      const top = Math.max(ta, tb, e);
      const [pa, pb, pe] = [Math.exp(ta - top), Math.exp(tb - top), Math.exp(e - top)];
      const total = pa + pb + pe;
      const r = (top + Math.log(total) - z) / HUBER;
      const slope = Math.max(-1, Math.min(1, r)) / (HUBER * total);
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

/** The best few of the grid, each with the A, B and E that suit it. */
function startsOf(points: readonly LogPoint[], kept: number): Theta[] {
  const objective = huberLoss(points);
  const scratch = [0, 0, 0, 0, 0];
  return START_EXPONENTS.flatMap((alpha) =>
    START_EXPONENTS.map((beta) => {
      // Rows are divided by L, so that the linear problem weighs relative errors as the logarithm does.
      const rows = points.map(({ x, y, z }) => [Math.exp(-alpha * x - z), Math.exp(-beta * y - z), Math.exp(-z)]);
      const solved = nonNegative(rows).map((value) => Math.log(Math.max(value, 1e-4)));
      const theta = [...solved, alpha, beta];
      return { theta, value: objective(theta, scratch) };
    }),
  )
    .sort((a, b) => a.value - b.value)
    .slice(0, kept)
    .map(({ theta }) => theta);
}

/** The three coefficients ≥ 0 with which the columns come nearest to 1 in every row: the best of the seven sets that may be above 0. */
function nonNegative(rows: readonly number[][]): number[] {
  let best = [0, 0, 0];
  let least = Number.POSITIVE_INFINITY;
  for (let set = 1; set < 8; set++) {
    const columns = [0, 1, 2].filter((column) => set & (1 << column));
    const solution = normalEquations(rows.map((row) => columns.map((column) => row[column])));
    if (solution === undefined || solution.some((value) => value < 0)) continue;
    const full = [0, 0, 0];
    columns.forEach((column, i) => {
      full[column] = solution[i];
    });
    const squares = rows.reduce(
      (sum, row) => sum + (full[0] * row[0] + full[1] * row[1] + full[2] * row[2] - 1) ** 2,
      0,
    );
    if (squares < least) [best, least] = [full, squares];
  }
  return best;
}

/** Least squares of rows·x = 1; undefined where the columns depend on one another. */
function normalEquations(rows: readonly number[][]): number[] | undefined {
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

// ---- the bootstrap ----------------------------------------------------------------------------------------------------------------

/** Fits of runs drawn with replacement; draws that leave fewer than three sizes or numbers of tokens are drawn again. */
function bootstrap(points: readonly LogPoint[], starts: readonly Theta[], resamples: number, seed: number): Theta[] {
  const random = mulberry32(seed);
  return Array.from({ length: resamples }, () => {
    let drawn: LogPoint[];
    do drawn = points.map(() => points[Math.floor(random() * points.length)]);
    while (
      new Set(drawn.map(({ x }) => x)).size < LEAST_DISTINCT ||
      new Set(drawn.map(({ y }) => y)).size < LEAST_DISTINCT
    );
    const objective = huberLoss(drawn);
    return starts.map((start) => minimise(objective, start)).reduce((a, b) => (a.value <= b.value ? a : b)).x;
  });
}

function quantiles(values: readonly number[], confidence: number): Interval {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number) => {
    const place = share * (sorted.length - 1);
    const below = Math.floor(place);
    return sorted[below] + (place - below) * ((sorted[below + 1] ?? sorted[below]) - sorted[below]);
  };
  return [at((1 - confidence) / 2), at((1 + confidence) / 2)];
}

/** Uniform numbers in [0, 1), the same for a seed (T. Ettinger's mulberry32). */
function mulberry32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function correlation(a: readonly number[], b: readonly number[]): number {
  const [meanA, meanB] = [mean(a), mean(b)];
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    ab += (a[i] - meanA) * (b[i] - meanB);
    aa += (a[i] - meanA) ** 2;
    bb += (b[i] - meanB) ** 2;
  }
  return ab / Math.sqrt(aa * bb);
}
