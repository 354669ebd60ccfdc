/**
 * Chooses the form of the law: a·N^(−α) + c, a·N^(−α), or no law.
 *
 *   does the loss rise again? ── yes ─→ none
 *   does the loss fall?       ── no ──→ none
 *   is c above 0?             ── yes ─→ a·N^(−α) + c, or none if α has no upper bound
 *                             ── no ──→ a·N^(−α)
 *
 * "c is above 0" means that its profile-likelihood interval excludes 0.
 */

import {
  type AlphaInterval,
  formatInterval,
  formatNumber,
  formatPercent,
  fQuantile,
  type Interval,
  mean,
} from '../numbers/index.ts';
import { fitPolynomial } from './compare-forms.ts';
import { describeMissingRuns, isEnough, type Point, type SizeGroup } from './observations.ts';
import { ConfidenceRegion } from './profile-likelihood.ts';
import { ALPHA_LIMIT, VariableProjection } from './variable-projection.ts';

/** The chosen form, its fit and its intervals; or the reason why there is none. */
export type FormChoice =
  | {
      form: 'power-plus-constant' | 'power';
      fit: VariableProjection;
      /** α and c: of the law with c in both forms; null if it could not be fitted. */
      intervals: { alpha: AlphaInterval | null; a: Interval; c: Interval | null };
      /** Form 'power' only: the interval of α in the law without c. */
      alphaWithoutFloor: Interval | null;
    }
  | { refused: string };

/** A parabola in log N must beat the law by this difference of AIC before the loss counts as rising again. */
const STRONG_EVIDENCE = 6;

/**
 * Chooses the form.
 *
 * @param observed the observations: runs, or the means of sizes
 * @param sizes all runs, grouped by size; there must be enough for a law of two parameters
 * @param confidence confidence of the intervals and tests, between 0 and 1
 * @param warnings receives warnings for the reader of the fit
 */
export function chooseForm(
  observed: readonly Point[],
  sizes: readonly SizeGroup[],
  confidence: number,
  warnings: string[],
): FormChoice {
  const power = new VariableProjection(observed, false);
  const powerRegion = new ConfidenceRegion(power, confidence);
  const withConstant = isEnough(observed.length, sizes.length, 3) ? new VariableProjection(observed, true) : undefined;

  const turn = withConstant && turningPoint(observed, sizes, withConstant, confidence);
  if (turn !== undefined)
    return {
      refused: `loss falls up to about ${formatNumber(turn)} parameters and then rises, which no power law does: the larger models are probably trained on too few tokens, or at a learning rate that is wrong for them`,
    };

  const falls = powerRegion.alpha[0] > 0 || (withConstant !== undefined && beatsConstant(withConstant, confidence));
  if (!falls) return { refused: describeNotFalling(sizes, powerRegion.alpha, confidence) };
  warnings.push(...rangeWarnings(sizes), ...riseWarnings(sizes));

  const choosePower = (c: Interval | null, alpha: AlphaInterval | null): FormChoice => ({
    form: 'power',
    fit: power,
    intervals: { alpha, a: powerRegion.scale(), c },
    alphaWithoutFloor: powerRegion.alpha,
  });
  if (withConstant === undefined) {
    warnings.push(
      `c is not fitted: ${describeMissingRuns(observed.length, sizes.length, 3)}; the law is given with c = 0`,
    );
    return choosePower(null, null);
  }

  const region = new ConfidenceRegion(withConstant, confidence);
  const { alpha } = region;
  const c = region.constant();
  if (c[0] > 0) {
    if (isUnbounded(alpha))
      return {
        refused: `loss is flat beyond the smallest sizes, so that α has no upper bound (it is at least ${formatNumber(alpha[0])}): sizes between and below the smallest ones are missing, or more tokens for the larger`,
      };
    const intervals = { alpha, a: region.scale(), c };
    return { form: 'power-plus-constant', fit: withConstant, intervals, alphaWithoutFloor: null };
  }
  warnings.push(
    `c cannot be told from 0: nothing in ${formatInterval(c)} is excluded; the law is given with c = 0, and the interval of α allows for any c`,
  );
  if (powerRegion.alpha[0] > 0) return choosePower(c, [alpha[0], isUnbounded(alpha) ? null : alpha[1]]);
  return {
    refused: 'loss falls, but these runs determine neither form of the law: more sizes are needed',
  };
}

/** Whether a·N^(−α) + c fits better than a constant, by an F test on its two additional parameters. */
function beatsConstant(fit: VariableProjection, confidence: number): boolean {
  const level = mean(fit.losses);
  const total = fit.losses.reduce((sum, loss) => sum + (loss - level) ** 2, 0);
  const gain = (total - fit.best.rss) / 2;
  return gain > (fit.best.rss / fit.degreesOfFreedom) * fQuantile(confidence, 2, fit.degreesOfFreedom);
}

/**
 * Finds the size from which the loss rises again: the vertex of a parabola in log N.
 *
 * @returns undefined unless the curvature is significantly positive, the parabola beats the law clearly, its vertex
 *   lies inside the range of sizes, and the loss of the largest size is above the lowest
 */
function turningPoint(
  observed: readonly Point[],
  sizes: readonly SizeGroup[],
  fit: VariableProjection,
  confidence: number,
): number | undefined {
  const { rss, curvature, vertex } = fitPolynomial(observed, 2);
  const f = (fitPolynomial(observed, 1).rss - rss) / (rss / fit.degreesOfFreedom);
  // The law and the parabola have equally many parameters, so this is their difference of AIC.
  const aicDifference = observed.length * Math.log(fit.best.rss / rss);
  const last = sizes[sizes.length - 1];
  const turns =
    curvature > 0 &&
    f > fQuantile(confidence, 1, fit.degreesOfFreedom) &&
    aicDifference > STRONG_EVIDENCE &&
    vertex > sizes[0].params &&
    vertex < last.params &&
    last.loss > Math.min(...sizes.map((size) => size.loss));
  return turns ? vertex : undefined;
}

function describeNotFalling(sizes: readonly SizeGroup[], alpha: Interval, confidence: number): string {
  const [first, last] = [sizes[0], sizes[sizes.length - 1]];
  const verdict = alpha[1] < 0 ? 'lies below 0: it rises' : 'does not exclude 0';
  return `loss does not fall distinguishably with size: it is ${formatNumber(first.loss)} at ${formatNumber(first.params)} parameters and ${formatNumber(last.loss)} at ${formatNumber(last.params)}, and the ${formatPercent(confidence)} interval of α, ${formatInterval(alpha)}, ${verdict}; more tokens for the larger models, more sizes or more seeds are missing`;
}

/** A warning if the sizes span less than a factor of ten. */
function rangeWarnings(sizes: readonly SizeGroup[]): string[] {
  if (sizes.length < 2) return [];
  const range = sizes[sizes.length - 1].params / sizes[0].params;
  return range < 10
    ? [`the sizes span only a factor of ${formatNumber(range)}: the exponent holds there and says little beyond`]
    : [];
}

/** A warning for each size whose mean loss is above that of the next smaller size. */
function riseWarnings(sizes: readonly SizeGroup[]): string[] {
  return sizes
    .slice(1)
    .filter((size, i) => size.params > sizes[i].params && size.loss > sizes[i].loss)
    .map((size) => {
      const before = sizes[sizes.indexOf(size) - 1];
      return `loss rises from ${formatNumber(before.loss)} at ${formatNumber(before.params)} parameters to ${formatNumber(size.loss)} at ${formatNumber(size.params)}`;
    });
}

/** Whether an interval of α reaches the end of the range that was searched. */
function isUnbounded(alpha: Interval): boolean {
  return alpha[1] >= ALPHA_LIMIT * (1 - 1e-9);
}
