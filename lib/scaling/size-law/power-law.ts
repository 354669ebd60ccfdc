/**
 * Fits the scaling law of one family of models, L(N) = a·N^(−α) + c, with intervals. If the points do not support a
 * law, returns a refusal that describes what is missing.
 *
 *   points ─→ enough runs and sizes? ─→ runs or sizes as observations? ─→ which form? ─→ the fit
 *             (observations.ts)         (observations.ts)                 (choose-form.ts)
 *
 * No point is dropped, and all points have equal weight. Models of equal size are replicates: their spread shows how
 * much of the deviation from the law is noise. Intervals are profile-likelihood intervals (profile-likelihood.ts). With
 * five to ten runs these cover the true value as often as they claim; those of a residual bootstrap do not.
 *
 * chinchilla.ts fits the loss as a function of both size and tokens.
 */

import { ScalingError } from '../errors.ts';
import { type AlphaInterval, type Interval, mean } from '../numbers/index.ts';
import { chooseForm } from './choose-form.ts';
import { type Comparison, compareForms } from './compare-forms.ts';
import { checkPoint, describeMissingRuns, groupBySize, isEnough, observationUnit, type Point } from './observations.ts';
import { ConfidenceRegion } from './profile-likelihood.ts';
import { VariableProjection } from './variable-projection.ts';

/** Options of `fitPowerLaw`. */
export interface PowerLawOptions {
  /** Confidence of all intervals, between 0 and 1. Default: 0.95. */
  confidence?: number;
}

/** A fitted law. The names are the keys of scaling.json. */
export interface PowerLawFit {
  form: 'power-plus-constant' | 'power';
  /** The form as text. */
  formula: string;
  /** c is 0 in the form 'power'. */
  parameters: { alpha: number; a: number; c: number };
  /**
   * The interval of α holds whether or not there is a floor: c is fitted too, in both forms. It and the interval of c
   * are null if there are too few runs to fit c. In the form 'power', the interval of a assumes c = 0.
   */
  intervals: { alpha: AlphaInterval | null; a: Interval; c: Interval | null };
  confidence: number;
  /** In the form 'power': the interval of α if c is 0. It says nothing if there is a floor. Otherwise null. */
  alpha_without_floor: Interval | null;
  /** Root mean square of the residuals, in the unit of the loss. */
  rmse: number;
  /** Loss − law for each point, in the given order. */
  residuals: number[];
  degrees_of_freedom: number;
  /**
   * The unit that counts as one observation: a run, or the mean of a size unless sizes deviate from the law as little as
   * their seeds scatter.
   */
  observation: 'run' | 'size';
  points: Point[];
  /** Number of distinct sizes. */
  sizes: number;
  comparison: Comparison[];
  warnings: string[];
}

/** The result if no law is supported by the points. */
export interface Refusal {
  /** The reason why there is no law, and the runs that are missing. */
  refused: string;
  points: Point[];
  /** Number of distinct sizes. */
  sizes: number;
  comparison: Comparison[];
  warnings: string[];
}

/** A point of the law's curve. */
export interface Prediction {
  loss: number;
  /** The confidence band of the law. A further run scatters around the law, so it may lie outside. */
  low: number;
  high: number;
}

const FORMULAS = { 'power-plus-constant': 'a·N^(−α) + c', power: 'a·N^(−α)' };

/** A form describes the points about as well as the best one if its AICc is larger by at most this difference. */
const EQUIVALENT_AICC = 2;

/**
 * Fits L(N) = a·N^(−α) + c, or a·N^(−α), by least squares on the loss.
 *
 * @param points one per run: `params` (count), `loss` (any unit, the same for all)
 * @returns the law with its intervals, or `{ refused }` with the reason
 * @throws ScalingError if a size, a loss or the confidence is not possible
 * @see Hoffmann et al. 2022 (arXiv:2203.15556), approach 3, for the law; Venzon and Moolgavkar 1988 for the intervals
 * @example
 * const fit = fitPowerLaw([{ params: 5632, loss: 1.47 }, { params: 21504, loss: 1.29 }, …]);
 * if (isRefusal(fit)) console.log(fit.refused);
 * else console.log(fit.parameters.alpha, fit.intervals.alpha);
 */
export function fitPowerLaw(points: readonly Point[], options: PowerLawOptions = {}): PowerLawFit | Refusal {
  const confidence = options.confidence ?? 0.95;
  if (!(confidence > 0 && confidence < 1))
    throw new ScalingError(`confidence is ${confidence}: it must lie between 0 and 1, as in 0.95`);
  points.forEach(checkPoint);
  const all = points.map((point) => ({ ...point }));
  const sizes = groupBySize(all);
  const warnings: string[] = [];
  const refuse = (refused: string, comparison: Comparison[] = []): Refusal => ({
    refused,
    points: all,
    sizes: sizes.length,
    comparison,
    warnings,
  });

  if (!isEnough(all.length, sizes.length, 2)) return refuse(describeMissingRuns(all.length, sizes.length, 2));
  const observation = observationUnit(all, sizes, confidence);
  const observed = observation === 'run' ? all : sizes.map(({ params, loss }) => ({ params, loss }));
  const comparison = compareForms(observed);
  if (observation === 'size') {
    warnings.push(
      'sizes may deviate from the law by more than their seeds scatter, so the means of sizes are fitted, and the intervals count sizes, not runs',
    );
    if (!isEnough(observed.length, sizes.length, 2))
      return refuse(describeMissingRuns(observed.length, sizes.length, 2), comparison);
  }

  const choice = chooseForm(observed, sizes, confidence, warnings);
  if ('refused' in choice) return refuse(choice.refused, comparison);
  const { form, fit, intervals, alphaWithoutFloor } = choice;
  const { alpha, amplitude, constant } = fit.best;
  const residuals = all.map((point) => point.loss - fit.curve(point.params));
  warnings.push(...comparisonWarnings(comparison, form));
  return {
    form,
    formula: FORMULAS[form],
    parameters: { alpha, a: amplitude * Math.exp(alpha * fit.logReference), c: constant },
    intervals,
    confidence,
    alpha_without_floor: alphaWithoutFloor,
    rmse: Math.sqrt(mean(residuals.map((residual) => residual ** 2))),
    residuals,
    degrees_of_freedom: fit.degreesOfFreedom,
    observation,
    points: all,
    sizes: sizes.length,
    comparison,
    warnings,
  };
}

/**
 * Evaluates a law and its confidence band. The band allows for a floor also if the law is given without one: within the
 * measured sizes this changes little, beyond them the floor decides. If there were too few runs to fit c, the band
 * beyond the largest size reaches up to the curve there, as if the loss stopped falling.
 *
 * @param fit as returned by `fitPowerLaw`, or the same read back from JSON
 * @param params the sizes
 * @returns one prediction per size
 * @example predict(fit, [1e6])[0] // { loss: 1.02, low: 0.98, high: 1.05 }
 */
export function predict(fit: PowerLawFit, params: readonly number[]): Prediction[] {
  const observed = fit.observation === 'run' ? fit.points : groupBySize(fit.points);
  const projection = new VariableProjection(observed, fit.form === 'power-plus-constant');
  const fitsConstant = isEnough(observed.length, fit.sizes, 3);
  const allowsFloor = fitsConstant && fit.form === 'power' ? new VariableProjection(observed, true) : projection;
  const region = new ConfidenceRegion(allowsFloor, fit.confidence);
  const largest = Math.max(...projection.sizes);
  return params.map((size) => {
    const loss = projection.curve(size);
    const [low, high] = region.curve(size);
    const top = !fitsConstant && size > largest ? Math.max(high, region.curve(largest)[1]) : high;
    return { loss, low: Math.min(low, loss), high: Math.max(top, loss) };
  });
}

/** Whether a result is a refusal rather than a law. */
export function isRefusal<Fit extends object>(
  fit: Fit | Refusal | { refused: string },
): fit is Extract<typeof fit, { refused: string }> {
  return 'refused' in fit;
}

/**
 * Warns if AICc is undefined for some form, and if a straight line in log N describes the points as well as the law.
 */
function comparisonWarnings(comparison: readonly Comparison[], chosen: Comparison['form']): string[] {
  const undefinedForms = comparison
    .filter((form) => form.missing_runs > 0)
    .map((form) => `${form.missing_runs} more for ${form.form}`);
  const warnings =
    undefinedForms.length > 0
      ? [`AICc, which compares the forms, is not defined for so few runs: it takes ${undefinedForms.join(', ')}`]
      : [];
  const law = comparison.find((form) => form.form === chosen);
  const line = comparison.find((form) => form.form === 'log-linear');
  if (law?.aicc != null && line?.aicc != null && line.aicc < law.aicc + EQUIVALENT_AICC)
    warnings.push(
      'a straight line in log N describes these runs as well: nothing here shows that the law is a power law rather than logarithmic',
    );
  return warnings;
}
