/**
 * The objective of `fitChinchilla` and its starting points: a Huber loss on log L, and for each (α, β) of a grid the A,
 * B and E ≥ 0 that solve a linear problem. chinchilla.ts descends from the best of them.
 */
import type { Objective } from '../numbers/index.ts';

/** δ of the Huber loss, as in Hoffmann et al.: larger residuals of log L count linearly. */
const HUBER_DELTA = 1e-3;
/** The values of α and of β in the grid of starting points. */
const START_EXPONENTS = [0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 1.5];
/**
 * The smallest A′, B′ or E of a starting point, in the unit of the loss. It is above 0, because the logarithm must
 * exist.
 */
const MIN_COEFFICIENT = 1e-4;

/**
 * The parameters [log A′, log B′, log E, α, β]. A′ and B′ are A·N^(−α) and B·D^(−β) at the geometric means of N and D.
 */
export type Theta = readonly number[];

/** A point in logarithms. */
export interface LogPoint {
  /** log N − mean log N */
  x: number;
  /** log D − mean log D */
  y: number;
  /** log L */
  z: number;
}

/** The natural logarithm of the law at a point, log(A′·e^(−αx) + B′·e^(−βy) + E). Nothing overflows. */
export function logLaw([a, b, e, alpha, beta]: Theta, { x, y }: LogPoint): number {
  const terms = [a - alpha * x, b - beta * y, e];
  const top = Math.max(...terms);
  return top + Math.log(terms.reduce((sum, term) => sum + Math.exp(term - top), 0));
}

/** The objective Σ huber(log law − log L), divided by δ², so that its values are of the order of 1. */
export function huberLoss(points: readonly LogPoint[]): Objective {
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
export function chooseStarts(points: readonly LogPoint[], kept: number): Theta[] {
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
