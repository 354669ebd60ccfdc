/**
 * Least squares for L = a·N^(−α) + c and L = a·N^(−α), by variable projection: for a fixed α the rest is linear, so that only α is
 * searched, by scanning its whole range. There is no start to choose and no local minimum to end in. Intervals are in region.ts.
 *
 * Inside, sizes are taken relative to their geometric mean N₀, u = (N/N₀)^(−α), so that A = a·N₀^(−α) is of the size of the losses.
 */

/** Beyond these an exponent is no longer a finding: N^(−3) falls by a thousand where N grows tenfold. */
export const ALPHA_LIMIT = 3;
/** The smallest exponent beside a constant: below it the curve is a straight line in log N, whatever c is. */
const ALPHA_SMALLEST = 1e-3;
/** exponents tried before the best is refined */
const SCAN = 300;

export interface Solution {
  alpha: number;
  /** A, at the reference size */
  amplitude: number;
  constant: number;
  /** sum of squared residuals */
  squares: number;
}

/** The linear problem at one α: its sums, and its solution with no sign asked for. */
export interface Slice extends Solution {
  u: number[];
  /** Σu², Σu·L, Σ(u − ū)² */
  uu: number;
  uy: number;
  spread: number;
  meanU: number;
}

export class Projection {
  readonly sizes: readonly number[];
  readonly losses: readonly number[];
  /** whether c is fitted, or is 0 */
  readonly withConstant: boolean;
  /** log N₀ */
  readonly logReference: number;
  /** the exponents scanned, ascending */
  readonly grid: readonly number[];
  readonly best: Solution;
  readonly #logs: number[];

  constructor(points: readonly { params: number; loss: number }[], withConstant: boolean) {
    this.sizes = points.map((point) => point.params);
    this.losses = points.map((point) => point.loss);
    this.withConstant = withConstant;
    this.logReference = mean(this.sizes.map(Math.log));
    this.#logs = this.sizes.map((size) => Math.log(size) - this.logReference);
    // A pure power law may rise, and its interval then shows that it may; beside a constant, −α and α say the same near 0.
    this.grid = withConstant
      ? steps(Math.log(ALPHA_SMALLEST), Math.log(ALPHA_LIMIT), SCAN).map(Math.exp)
      : steps(-ALPHA_LIMIT, ALPHA_LIMIT, 2 * SCAN);
    this.best = this.at(lowest(this.grid, (alpha) => this.at(alpha).squares));
  }

  get degreesOfFreedom(): number {
    return this.sizes.length - (this.withConstant ? 3 : 2);
  }

  /** The best A ≥ 0 and c ≥ 0 for this exponent. */
  at(alpha: number): Solution {
    const slice = this.slice(alpha);
    if (this.withConstant && slice.amplitude >= 0 && slice.constant >= 0) return slice;
    const amplitude = Math.max(0, slice.uy / slice.uu);
    const power = { alpha, amplitude, constant: 0, squares: this.squares(slice.u, amplitude, 0) };
    if (!this.withConstant) return power;
    const constant = mean(this.losses);
    const flat = { alpha, amplitude: 0, constant, squares: this.squares(slice.u, 0, constant) };
    return power.squares <= flat.squares ? power : flat;
  }

  /** log (N/N₀) */
  relative(size: number): number {
    return Math.log(size) - this.logReference;
  }

  curve(size: number): number {
    const { alpha, amplitude, constant } = this.best;
    return amplitude * Math.exp(-alpha * this.relative(size)) + constant;
  }

  slice(alpha: number): Slice {
    const u = this.#logs.map((x) => Math.exp(-alpha * x));
    const [meanU, meanY] = [mean(u), mean(this.losses)];
    let [uu, uy, spread, product] = [0, 0, 0, 0];
    for (let i = 0; i < u.length; i++) {
      uu += u[i] * u[i];
      uy += u[i] * this.losses[i];
      spread += (u[i] - meanU) ** 2;
      product += (u[i] - meanU) * (this.losses[i] - meanY);
    }
    const amplitude = spread > 0 ? product / spread : 0;
    const constant = meanY - amplitude * meanU;
    return { alpha, amplitude, constant, squares: this.squares(u, amplitude, constant), u, uu, uy, spread, meanU };
  }

  squares(u: readonly number[], amplitude: number, constant: number): number {
    let squares = 0;
    for (let i = 0; i < u.length; i++) squares += (this.losses[i] - amplitude * u[i] - constant) ** 2;
    return squares;
  }
}

/** Golden sections; each leaves 0.62 of the bracket. */
const REFINEMENTS = 40;

/** Where the function is least: the best of a grid (ascending), then golden section between its neighbours. */
export function lowest(grid: readonly number[], value: (x: number) => number): number {
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
  for (let i = 0; i < REFINEMENTS; i++) {
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

/** count + 1 values from low to high, evenly. */
export function steps(low: number, high: number, count: number): number[] {
  return Array.from({ length: count + 1 }, (_, i) => (i === count ? high : low + ((high - low) * i) / count));
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
