/**
 * Least squares for L = a·N^(−α) + c and L = a·N^(−α), by variable projection: for a fixed α the rest is linear, so that only α is
 * searched, by scanning its whole range. There is no start to choose and no local minimum to end in.
 *
 * The same idea gives every interval. All (α, a, c) whose sum of squares stays below the threshold of an F test form the confidence
 * region; for a fixed α its slice is an ellipse cut by a ≥ 0 and c ≥ 0, on which the extremes of anything linear in a and c are known
 * in closed form. The extremes over all slices are the profile-likelihood interval, of a parameter or of the curve at any size.
 *
 * Inside, sizes are taken relative to their geometric mean N₀, u = (N/N₀)^(−α), so that A = a·N₀^(−α) is of the size of the losses.
 */
import { fQuantile } from './distributions.ts';

export type Interval = [low: number, high: number];

/** Beyond these an exponent is no longer a finding: N^(−3) falls by a thousand where N grows tenfold. */
export const ALPHA_LIMIT = 3;
/** The smallest exponent beside a constant: below it the curve is a straight line in log N, whatever c is. */
const ALPHA_SMALLEST = 1e-3;

const SCAN = 400;
const SLICES = 160;

export interface Solution {
  alpha: number;
  /** A, at the reference size */
  amplitude: number;
  constant: number;
  /** sum of squared residuals */
  squares: number;
}

/** What is asked of a slice: the extremes of p·A + q·c. */
type Functional = (alpha: number) => [p: number, q: number];

export class Projection {
  readonly sizes: readonly number[];
  readonly losses: readonly number[];
  /** whether c is fitted, or is 0 */
  readonly withConstant: boolean;
  /** log N₀ */
  readonly logReference: number;
  readonly best: Solution;
  readonly #logs: number[];
  readonly #grid: number[];

  constructor(points: readonly { params: number; loss: number }[], withConstant: boolean) {
    this.sizes = points.map((point) => point.params);
    this.losses = points.map((point) => point.loss);
    this.withConstant = withConstant;
    this.logReference = mean(this.sizes.map(Math.log));
    this.#logs = this.sizes.map((size) => Math.log(size) - this.logReference);
    // A pure power law may rise, and its interval then shows that it may; beside a constant, −α and α say the same near 0.
    this.#grid = withConstant
      ? steps(Math.log(ALPHA_SMALLEST), Math.log(ALPHA_LIMIT), SCAN).map(Math.exp)
      : steps(-ALPHA_LIMIT, ALPHA_LIMIT, 2 * SCAN);
    this.best = this.at(lowest(this.#grid, (alpha) => this.at(alpha).squares));
  }

  get parameters(): number {
    return this.withConstant ? 3 : 2;
  }

  get degreesOfFreedom(): number {
    return this.sizes.length - this.parameters;
  }

  /** The best A ≥ 0 and c ≥ 0 for this exponent. */
  at(alpha: number): Solution {
    const slice = this.#slice(alpha);
    if (this.withConstant && slice.amplitude >= 0 && slice.constant >= 0)
      return { alpha, amplitude: slice.amplitude, constant: slice.constant, squares: slice.squares };
    const amplitude = Math.max(0, slice.uy / slice.uu);
    const power = { alpha, amplitude, constant: 0, squares: this.#squares(slice.u, amplitude, 0) };
    if (!this.withConstant) return power;
    const constant = mean(this.losses);
    const flat = { alpha, amplitude: 0, constant, squares: this.#squares(slice.u, 0, constant) };
    return power.squares <= flat.squares ? power : flat;
  }

  /** The sum of squares up to which parameters cannot be told from the best, at this confidence. */
  threshold(confidence: number): number {
    const roundOff = this.losses.reduce((sum, loss) => sum + (1e-10 * loss) ** 2, 0);
    const f = fQuantile(confidence, 1, this.degreesOfFreedom);
    return this.best.squares * (1 + f / this.degreesOfFreedom) + roundOff;
  }

  alphaInterval(threshold: number): Interval {
    const inside = (alpha: number) => this.at(alpha).squares <= threshold;
    const edge = (from: number, to: number) => {
      for (let i = 0; i < 60; i++) {
        const middle = (from + to) / 2;
        if (inside(middle)) from = middle;
        else to = middle;
      }
      return from;
    };
    // The outermost grid exponents inside, so that a region in two pieces is not cut short.
    const within = this.#grid.filter(inside);
    const low = Math.min(this.best.alpha, ...within);
    const high = Math.max(this.best.alpha, ...within);
    const below = this.#grid.findLast((alpha) => alpha < low);
    const above = this.#grid.find((alpha) => alpha > high);
    return [below === undefined ? low : edge(low, below), above === undefined ? high : edge(high, above)];
  }

  constantInterval(threshold: number): Interval {
    return this.#extremes(threshold, () => [0, 1]);
  }

  /** Of a itself, the loss above the floor that the law gives a model of one parameter: known only as well as α allows. */
  scaleInterval(threshold: number): Interval {
    return this.#extremes(threshold, (alpha) => [Math.exp(alpha * this.logReference), 0]);
  }

  curve(size: number): number {
    const { alpha, amplitude, constant } = this.best;
    return amplitude * Math.exp(-alpha * (Math.log(size) - this.logReference)) + constant;
  }

  curveInterval(size: number, threshold: number): Interval {
    const x = Math.log(size) - this.logReference;
    return this.#extremes(threshold, (alpha) => [Math.exp(-alpha * x), this.withConstant ? 1 : 0]);
  }

  residuals(): number[] {
    return this.losses.map((loss, i) => loss - this.curve(this.sizes[i]));
  }

  #extremes(threshold: number, functional: Functional): Interval {
    const [from, to] = this.alphaInterval(threshold);
    const alphas = [...steps(from, to, SLICES), this.best.alpha].sort((x, y) => x - y);
    const slice = (alpha: number) => this.#sliceExtremes(alpha, threshold, functional(alpha));
    const low = lowest(alphas, (alpha) => slice(alpha)?.[0] ?? Number.POSITIVE_INFINITY);
    const high = lowest(alphas, (alpha) => -(slice(alpha)?.[1] ?? Number.NEGATIVE_INFINITY));
    const [p, q] = functional(this.best.alpha);
    const best = p * this.best.amplitude + q * this.best.constant;
    return [Math.min(best, slice(low)?.[0] ?? best), Math.max(best, slice(high)?.[1] ?? best)];
  }

  /** The extremes of p·A + q·c over the slice of the region at this α; undefined where the slice is empty. */
  #sliceExtremes(alpha: number, threshold: number, [p, q]: [number, number]): Interval | undefined {
    const { u, uu, uy, spread, meanU, amplitude, constant, squares } = this.#slice(alpha);
    const n = u.length;
    const candidates: [A: number, c: number][] = [];

    // Where the ellipse touches a line p·A + q·c: θ ± √(slack/v)·M·g, with M the inverse of XᵀX, g = (p, q), v = gᵀMg.
    if (this.withConstant && spread > 0 && squares <= threshold) {
      const mA = (p - q * meanU) / spread;
      const mC = q / n - meanU * mA;
      const v = p * mA + q * mC;
      const reach = v > 0 ? Math.sqrt((threshold - squares) / v) : 0;
      candidates.push([amplitude + reach * mA, constant + reach * mC], [amplitude - reach * mA, constant - reach * mC]);
    }
    // Where it meets c = 0, and A = 0.
    const power = Math.max(0, uy / uu);
    const powerSlack = threshold - this.#squares(u, power, 0);
    if (powerSlack >= 0) {
      const reach = Math.sqrt(powerSlack / uu);
      candidates.push([power + reach, 0], [Math.max(0, power - reach), 0]);
    }
    if (this.withConstant) {
      const level = mean(this.losses);
      const flatSlack = threshold - this.#squares(u, 0, level);
      if (flatSlack >= 0) {
        const reach = Math.sqrt(flatSlack / n);
        candidates.push([0, level + reach], [0, Math.max(0, level - reach)]);
      }
    }
    const values = candidates.filter(([A, c]) => A >= 0 && c >= 0).map(([A, c]) => p * A + q * c);
    return values.length > 0 ? [Math.min(...values), Math.max(...values)] : undefined;
  }

  /** The linear problem at this α: its sums, and its solution with no sign asked for. */
  #slice(alpha: number) {
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
    return { u, uu, uy, spread, meanU, amplitude, constant, squares: this.#squares(u, amplitude, constant) };
  }

  #squares(u: readonly number[], amplitude: number, constant: number): number {
    let squares = 0;
    for (let i = 0; i < u.length; i++) squares += (this.losses[i] - amplitude * u[i] - constant) ** 2;
    return squares;
  }
}

/** Where the function is least: the best of a grid (ascending), then golden section between its neighbours. */
function lowest(grid: readonly number[], value: (x: number) => number): number {
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
  for (let i = 0; i < 60; i++) {
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
