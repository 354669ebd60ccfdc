/**
 * Profile-likelihood intervals of a power law. The confidence region holds every (α, a, c) whose residual sum of
 * squares is below the threshold of an F test. The interval of a parameter, or of the curve at a size, is its range
 * over the region.
 *
 * At a fixed α the region is an ellipse in (A, c), cut by A ≥ 0 and c ≥ 0. The extremes of a linear function p·A + q·c
 * over it have a closed form, and the interval is the extremes over all α. The intervals of a, c and the curve at a
 * size are all computed in this way.
 *
 * @see Venzon and Moolgavkar 1988, "A method for computing profile-likelihood-based confidence intervals"
 */
import { fQuantile, type Interval, linearSteps, mean } from '../numbers/index.ts';
import { argmin, type LinearFit, type VariableProjection } from './variable-projection.ts';

/** Grid steps over the interval of α. */
const ALPHA_STEPS = 96;
/** Bisections of the bracket around an end of the interval of α. */
const BISECTIONS = 50;

/** A linear function p·A + q·c whose coefficients may depend on α. */
type LinearFunction = (alpha: number) => [p: number, q: number];

/** The confidence region around a fit. */
export class ConfidenceRegion {
  /** The interval of α. */
  readonly alpha: Interval;
  readonly #fit: VariableProjection;
  /** Parameters whose residual sum of squares is at most this are in the region. */
  readonly #threshold: number;
  /** The linear problem at each α of a grid over the interval of α; computed when it is needed. */
  #computed: Map<number, LinearFit> | undefined;

  /** @param confidence between 0 and 1 */
  constructor(fit: VariableProjection, confidence: number) {
    this.#fit = fit;
    // Without this, the region would be empty if the law fits all points exactly.
    const roundOff = fit.losses.reduce((sum, loss) => sum + (1e-10 * loss) ** 2, 0);
    const f = fQuantile(confidence, 1, fit.degreesOfFreedom);
    this.#threshold = fit.best.rss * (1 + f / fit.degreesOfFreedom) + roundOff;
    this.alpha = this.#alphaInterval();
  }

  /** Whether parameters with this residual sum of squares are in the region. */
  holds(rss: number): boolean {
    return rss <= this.#threshold;
  }

  /** The interval of c. */
  constant(): Interval {
    return this.#extremes(() => [0, 1]);
  }

  /**
   * The interval of a, which is the loss above c of a model with one parameter. It is wide, because the law is
   * extrapolated from the measured sizes down to one parameter.
   */
  scale(): Interval {
    return this.#extremes((alpha) => [Math.exp(alpha * this.#fit.logReference), 0]);
  }

  /** The interval of the curve at a size. */
  curve(size: number): Interval {
    const x = this.#fit.relativeLog(size);
    return this.#extremes((alpha) => [Math.exp(-alpha * x), this.#fit.withConstant ? 1 : 0]);
  }

  #alphaInterval(): Interval {
    const { grid, best } = this.#fit;
    const isInside = (alpha: number) => this.#fit.solveAt(alpha).rss <= this.#threshold;
    const bisect = (inside: number, outside: number) => {
      for (let i = 0; i < BISECTIONS; i++) {
        const middle = (inside + outside) / 2;
        if (isInside(middle)) inside = middle;
        else outside = middle;
      }
      return inside;
    };
    // Start from the outermost grid points inside, because the region may consist of two parts.
    const inside = grid.filter(isInside);
    const low = Math.min(best.alpha, ...inside);
    const high = Math.max(best.alpha, ...inside);
    const below = grid.findLast((alpha) => alpha < low);
    const above = grid.find((alpha) => alpha > high);
    return [below === undefined ? low : bisect(low, below), above === undefined ? high : bisect(high, above)];
  }

  #linearFits(): Map<number, LinearFit> {
    if (this.#computed === undefined) {
      const steps = linearSteps(this.alpha[0], this.alpha[1], ALPHA_STEPS);
      const alphas = [...steps, this.#fit.best.alpha].sort((x, y) => x - y);
      this.#computed = new Map(alphas.map((alpha) => [alpha, this.#fit.linearFit(alpha)]));
    }
    return this.#computed;
  }

  /** The extremes of a linear function over the region. */
  #extremes(linearFunction: LinearFunction): Interval {
    const { best } = this.#fit;
    const [p, q] = linearFunction(best.alpha);
    const atBest = p * best.amplitude + q * best.constant;
    const computed = this.#linearFits();
    const extremesAt = (alpha: number) =>
      this.#extremesAt(computed.get(alpha) ?? this.#fit.linearFit(alpha), linearFunction(alpha)) ?? [atBest, atBest];
    const alphas = [...computed.keys()];
    const low = extremesAt(argmin(alphas, (alpha) => extremesAt(alpha)[0]))[0];
    const high = extremesAt(argmin(alphas, (alpha) => -extremesAt(alpha)[1]))[1];
    return [Math.min(atBest, low), Math.max(atBest, high)];
  }

  /** The extremes of p·A + q·c over the region at one α. Undefined if the region is empty there. */
  #extremesAt(linear: LinearFit, [p, q]: [number, number]): Interval | undefined {
    const { u, sumUU, sumUL, centredUU, meanU, amplitude, constant, rss } = linear;
    const n = u.length;
    const candidates: [A: number, c: number][] = [];

    // The two points of the ellipse where p·A + q·c is extreme: θ ± √((threshold − rss)/v)·M·g, where θ is the
    // solution, M = (XᵀX)⁻¹, g = (p, q) and v = gᵀMg.
    if (this.#fit.withConstant && centredUU > 0 && rss <= this.#threshold) {
      const mgA = (p - q * meanU) / centredUU;
      const mgC = q / n - meanU * mgA;
      const v = p * mgA + q * mgC;
      const reach = v > 0 ? Math.sqrt((this.#threshold - rss) / v) : 0;
      candidates.push(
        [amplitude + reach * mgA, constant + reach * mgC],
        [amplitude - reach * mgA, constant - reach * mgC],
      );
    }
    // The points where the ellipse meets c = 0.
    const power = Math.max(0, sumUL / sumUU);
    const powerSlack = this.#threshold - this.#fit.rss(u, power, 0);
    if (powerSlack >= 0) {
      const reach = Math.sqrt(powerSlack / sumUU);
      candidates.push([power + reach, 0], [Math.max(0, power - reach), 0]);
    }
    // The points where it meets A = 0.
    if (this.#fit.withConstant) {
      const level = mean(this.#fit.losses);
      const flatSlack = this.#threshold - this.#fit.rss(u, 0, level);
      if (flatSlack >= 0) {
        const reach = Math.sqrt(flatSlack / n);
        candidates.push([0, level + reach], [0, Math.max(0, level - reach)]);
      }
    }
    const values = candidates.filter(([A, c]) => A >= 0 && c >= 0).map(([A, c]) => p * A + q * c);
    return values.length > 0 ? [Math.min(...values), Math.max(...values)] : undefined;
  }
}
