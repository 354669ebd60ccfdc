/**
 * Profile-likelihood intervals: every (α, a, c) whose sum of squares stays below the threshold of an F test belongs to the confidence
 * region, and the interval of anything is what it does over that region.
 *
 * For a fixed α the slice of the region is an ellipse, cut by a ≥ 0 and c ≥ 0, on which the extremes of what is linear in a and c are
 * known in closed form: the interval is the extremes over all slices. So a, c and the curve at any size have theirs by the same step.
 */
import { fQuantile } from './f-distribution.ts';
import { lowest, mean, type Projection, type Slice, steps } from './variable-projection.ts';

export type Interval = [low: number, high: number];

const SLICES = 96;

/** What is asked of a slice: the extremes of p·A + q·c. */
type Functional = (alpha: number) => [p: number, q: number];

export class ConfidenceRegion {
  readonly alpha: Interval;
  readonly #fit: Projection;
  /** the sum of squares up to which parameters cannot be told from the best */
  readonly #threshold: number;
  readonly #slices: Slice[];

  constructor(fit: Projection, confidence: number) {
    this.#fit = fit;
    const roundOff = fit.losses.reduce((sum, loss) => sum + (1e-10 * loss) ** 2, 0);
    const f = fQuantile(confidence, 1, fit.degreesOfFreedom);
    this.#threshold = fit.best.squares * (1 + f / fit.degreesOfFreedom) + roundOff;
    this.alpha = this.#alphaInterval();
    const alphas = [...steps(this.alpha[0], this.alpha[1], SLICES), fit.best.alpha].sort((x, y) => x - y);
    this.#slices = alphas.map((alpha) => fit.slice(alpha));
  }

  constant(): Interval {
    return this.#extremes(() => [0, 1]);
  }

  /** Of a itself, the loss above the floor that the law gives a model of one parameter: known only as well as α allows. */
  scale(): Interval {
    return this.#extremes((alpha) => [Math.exp(alpha * this.#fit.logReference), 0]);
  }

  curve(size: number): Interval {
    const x = this.#fit.relative(size);
    return this.#extremes((alpha) => [Math.exp(-alpha * x), this.#fit.withConstant ? 1 : 0]);
  }

  #alphaInterval(): Interval {
    const { grid, best } = this.#fit;
    const inside = (alpha: number) => this.#fit.at(alpha).squares <= this.#threshold;
    const edge = (from: number, to: number) => {
      for (let i = 0; i < 50; i++) {
        const middle = (from + to) / 2;
        if (inside(middle)) from = middle;
        else to = middle;
      }
      return from;
    };
    // The outermost grid exponents inside, so that a region in two pieces is not cut short.
    const within = grid.filter(inside);
    const low = Math.min(best.alpha, ...within);
    const high = Math.max(best.alpha, ...within);
    const below = grid.findLast((alpha) => alpha < low);
    const above = grid.find((alpha) => alpha > high);
    return [below === undefined ? low : edge(low, below), above === undefined ? high : edge(high, above)];
  }

  #extremes(functional: Functional): Interval {
    const { best } = this.#fit;
    const [p, q] = functional(best.alpha);
    const atBest = p * best.amplitude + q * best.constant;
    const known = new Map(this.#slices.map((slice) => [slice.alpha, slice]));
    const over = (alpha: number) =>
      this.#sliceExtremes(known.get(alpha) ?? this.#fit.slice(alpha), functional(alpha)) ?? [atBest, atBest];
    const alphas = [...known.keys()];
    const low = over(lowest(alphas, (alpha) => over(alpha)[0]))[0];
    const high = over(lowest(alphas, (alpha) => -over(alpha)[1]))[1];
    return [Math.min(atBest, low), Math.max(atBest, high)];
  }

  /** The extremes of p·A + q·c over the region at this α; undefined where the slice is empty. */
  #sliceExtremes(slice: Slice, [p, q]: [number, number]): Interval | undefined {
    const { u, uu, uy, spread, meanU, amplitude, constant, squares } = slice;
    const n = u.length;
    const candidates: [A: number, c: number][] = [];

    // Where the ellipse touches a line p·A + q·c: θ ± √(slack/v)·M·g, with M the inverse of XᵀX, g = (p, q), v = gᵀMg.
    if (this.#fit.withConstant && spread > 0 && squares <= this.#threshold) {
      const mA = (p - q * meanU) / spread;
      const mC = q / n - meanU * mA;
      const v = p * mA + q * mC;
      const reach = v > 0 ? Math.sqrt((this.#threshold - squares) / v) : 0;
      candidates.push([amplitude + reach * mA, constant + reach * mC], [amplitude - reach * mA, constant - reach * mC]);
    }
    // Where it meets c = 0, and A = 0.
    const power = Math.max(0, uy / uu);
    const powerSlack = this.#threshold - this.#fit.squares(u, power, 0);
    if (powerSlack >= 0) {
      const reach = Math.sqrt(powerSlack / uu);
      candidates.push([power + reach, 0], [Math.max(0, power - reach), 0]);
    }
    if (this.#fit.withConstant) {
      const level = mean(this.#fit.losses);
      const flatSlack = this.#threshold - this.#fit.squares(u, 0, level);
      if (flatSlack >= 0) {
        const reach = Math.sqrt(flatSlack / n);
        candidates.push([0, level + reach], [0, Math.max(0, level - reach)]);
      }
    }
    const values = candidates.filter(([A, c]) => A >= 0 && c >= 0).map(([A, c]) => p * A + q * c);
    return values.length > 0 ? [Math.min(...values), Math.max(...values)] : undefined;
  }
}
