/**
 * Fits L = a·N^(−α) + c and L = a·N^(−α) by least squares with variable projection. For a fixed α the problem is linear
 * in a and c and has a closed solution, so only α is searched. Its whole range is scanned, so the result does not
 * depend on a starting point, and the search cannot end in a local minimum that is not the global one.
 * profile-likelihood.ts computes the intervals.
 *
 * Sizes are divided by their geometric mean N₀: u = (N/N₀)^(−α) and A = a·N₀^(−α). A is then of the order of the
 * losses, whereas a may be very large.
 *
 * @see Golub and Pereyra 1973, "The differentiation of pseudo-inverses and nonlinear least squares problems whose
 *   variables separate"
 */
import { linearSteps, mean } from '../numbers/index.ts';

/** The largest |α| that is searched. N^(−3) falls by a factor of a thousand when N grows tenfold. */
export const ALPHA_LIMIT = 3;
/** The smallest α in the law with a constant. Below it, the curve is a straight line in log N for any c. */
const ALPHA_SMALLEST = 1e-3;
/** Number of grid steps over α > 0, before the best grid point is refined. */
const GRID_STEPS = 300;

/** The parameters of a law and its residual sum of squares. */
export interface Solution {
  alpha: number;
  /** A = a·N₀^(−α), in the unit of the loss. */
  amplitude: number;
  /** c, in the unit of the loss. */
  constant: number;
  /** Residual sum of squares. */
  rss: number;
}

/** The linear problem at one α, and its solution without constraints on the signs of A and c. */
export interface LinearFit extends Solution {
  /** (N/N₀)^(−α) of each point. */
  u: number[];
  /** Σu² */
  sumUU: number;
  /** Σu·L */
  sumUL: number;
  /** Σ(u − ū)² */
  centredUU: number;
  /** ū */
  meanU: number;
}

/** The least-squares fit of one form of the law, with A ≥ 0 and c ≥ 0. */
export class VariableProjection {
  readonly sizes: readonly number[];
  readonly losses: readonly number[];
  /** Whether c is fitted. If not, c = 0. */
  readonly withConstant: boolean;
  /** log N₀ */
  readonly logReference: number;
  /** The values of α that were scanned, ascending. */
  readonly grid: readonly number[];
  /** The solution with the smallest residual sum of squares. */
  readonly best: Solution;
  /** log (N/N₀) of each point. */
  readonly #logs: number[];

  /**
   * @param points one per observation: `params` (count), `loss` (any unit, the same for all)
   * @param withConstant whether the law has the constant c
   * @param gridSteps steps of the scan over α > 0. Fewer suffice for losses near those of a law that was scanned finely
   */
  constructor(
    points: readonly { params: number; loss: number }[],
    withConstant: boolean,
    gridSteps: number = GRID_STEPS,
  ) {
    this.sizes = points.map((point) => point.params);
    this.losses = points.map((point) => point.loss);
    this.withConstant = withConstant;
    this.logReference = mean(this.sizes.map(Math.log));
    this.#logs = this.sizes.map((size) => Math.log(size) - this.logReference);
    // A law without a constant may rise (α < 0), and the interval of α must be able to show that. With a constant, −α
    // and α give the same curves near 0, so only α > 0 is scanned.
    this.grid = withConstant
      ? linearSteps(Math.log(ALPHA_SMALLEST), Math.log(ALPHA_LIMIT), gridSteps).map(Math.exp)
      : linearSteps(-ALPHA_LIMIT, ALPHA_LIMIT, 2 * gridSteps);
    this.best = this.solveAt(argmin(this.grid, (alpha) => this.solveAt(alpha).rss));
  }

  /** Number of observations minus number of parameters. */
  get degreesOfFreedom(): number {
    return this.sizes.length - (this.withConstant ? 3 : 2);
  }

  /** The best A ≥ 0 and c ≥ 0 at this α. */
  solveAt(alpha: number): Solution {
    const linear = this.linearFit(alpha);
    if (this.withConstant && linear.amplitude >= 0 && linear.constant >= 0) return linear;
    const amplitude = Math.max(0, linear.sumUL / linear.sumUU);
    const power = { alpha, amplitude, constant: 0, rss: this.rss(linear.u, amplitude, 0) };
    if (!this.withConstant) return power;
    const constant = mean(this.losses);
    const flat = { alpha, amplitude: 0, constant, rss: this.rss(linear.u, 0, constant) };
    return power.rss <= flat.rss ? power : flat;
  }

  /** log (N/N₀) of a size. */
  relativeLog(size: number): number {
    return Math.log(size) - this.logReference;
  }

  /** The loss of the best law at a size. */
  curve(size: number): number {
    const { alpha, amplitude, constant } = this.best;
    return amplitude * Math.exp(-alpha * this.relativeLog(size)) + constant;
  }

  /** Simple linear regression of the loss on u, at this α. */
  linearFit(alpha: number): LinearFit {
    const u = this.#logs.map((x) => Math.exp(-alpha * x));
    const [meanU, meanLoss] = [mean(u), mean(this.losses)];
    let [sumUU, sumUL, centredUU, centredUL] = [0, 0, 0, 0];
    for (let i = 0; i < u.length; i++) {
      sumUU += u[i] * u[i];
      sumUL += u[i] * this.losses[i];
      centredUU += (u[i] - meanU) ** 2;
      centredUL += (u[i] - meanU) * (this.losses[i] - meanLoss);
    }
    const amplitude = centredUU > 0 ? centredUL / centredUU : 0;
    const constant = meanLoss - amplitude * meanU;
    return { alpha, amplitude, constant, rss: this.rss(u, amplitude, constant), u, sumUU, sumUL, centredUU, meanU };
  }

  /** Residual sum of squares of A·u + c. */
  rss(u: readonly number[], amplitude: number, constant: number): number {
    let sum = 0;
    for (let i = 0; i < u.length; i++) sum += (this.losses[i] - amplitude * u[i] - constant) ** 2;
    return sum;
  }
}

/** Steps of golden-section search. Each leaves 0.62 of the bracket. */
const GOLDEN_STEPS = 40;

/**
 * Finds the minimum of a function: the best point of a grid, refined by golden-section search between its neighbours.
 *
 * @param grid ascending
 */
export function argmin(grid: readonly number[], value: (x: number) => number): number {
  let best = 0;
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < grid.length; i++) {
    const here = value(grid[i]);
    if (here < least) [best, least] = [i, here];
  }
  const golden = (Math.sqrt(5) - 1) / 2;
  let [low, high] = [grid[Math.max(0, best - 1)], grid[Math.min(grid.length - 1, best + 1)]];
  let [left, right] = [high - golden * (high - low), low + golden * (high - low)];
  let [atLeft, atRight] = [value(left), value(right)];
  for (let i = 0; i < GOLDEN_STEPS; i++) {
    if (atLeft <= atRight) {
      [high, right, atRight] = [right, left, atLeft];
      left = high - golden * (high - low);
      atLeft = value(left);
    } else {
      [low, left, atLeft] = [left, right, atRight];
      right = low + golden * (high - low);
      atRight = value(right);
    }
  }
  const refined = (low + high) / 2;
  return value(refined) <= least ? refined : grid[best];
}
