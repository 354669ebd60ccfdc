/**
 * The held-out check: the largest size is left out of the fit and predicted from the smaller ones. The error shows how
 * well the law extrapolates by that factor. No interval says that by itself, because the form may be wrong.
 *
 * @see Choshen et al. 2024, "A hitchhiker's guide to scaling law estimation" (arXiv:2410.11840)
 */
import { fQuantile, mean, quantile, quantileInterval } from '../numbers/index.ts';
import { fitPowerLaw, groupBySize, isRefusal, type Point, predict } from '../size-law/index.ts';
import { fitChinchillaDraws, predictTokens, type TokenPoint } from '../token-law/index.ts';

/** The prediction of the largest size. The names are the keys of scaling.json. */
export interface HeldOut {
  /** The size that was held out. */
  params: number;
  /** Number of its runs. */
  runs: number;
  /** With several budgets: the tokens of the run that is predicted, which is the longest one. Otherwise null. */
  tokens: number | null;
  /** Number of sizes that were fitted. */
  sizes_fitted: number;
  /** The held-out size divided by the largest size that was fitted. */
  factor: number;
  /** The form of the law that was fitted to the smaller sizes. */
  form: 'power-plus-constant' | 'power' | 'chinchilla';
  predicted: number;
  /** The interval in which the mean of the held-out runs should lie: of the law, and of the scatter of runs. */
  low: number;
  high: number;
  /** Mean loss of the held-out runs. */
  measured: number;
  /** measured − predicted */
  error: number;
  /** |error| / measured */
  relative_error: number;
  /** Whether the interval holds the measured loss. */
  inside: boolean;
}

/** Bootstrap samples of the fit without the largest size. */
const RESAMPLES = 100;

/**
 * Predicts the largest size from the smaller ones, by L(N).
 *
 * @returns the prediction, or why there is none
 */
export function holdOut(points: readonly Point[], confidence: number): HeldOut | { refused: string } {
  if (points.length === 0) return { refused: 'there are no runs' };
  const { params, held, kept, factor } = partition(points);
  const fit = fitPowerLaw(kept, { confidence });
  if (isRefusal(fit)) return { refused: `without the largest size, ${fit.refused}` };
  const [prediction] = predict(fit, [params]);
  const observed =
    fit.observation === 'run'
      ? fit.residuals
      : groupBySize(kept).map(({ params: size, loss }) => loss - predict(fit, [size])[0].loss);
  const variance = observed.reduce((sum, residual) => sum + residual ** 2, 0) / fit.degrees_of_freedom;
  // If sizes are the observations, the variance is that of the mean of a size.
  const share = fit.observation === 'run' ? held.length : 1;
  const scatter = Math.sqrt((fQuantile(confidence, 1, fit.degrees_of_freedom) * variance) / share);
  return {
    ...common(params, held, kept, factor),
    tokens: null,
    form: fit.form,
    ...compare(
      prediction.loss,
      prediction.loss - Math.hypot(prediction.loss - prediction.low, scatter),
      prediction.loss + Math.hypot(prediction.high - prediction.loss, scatter),
      mean(held.map(({ loss }) => loss)),
    ),
  };
}

/** Predicts the longest runs of the largest size from the smaller sizes, by L(N, D). */
export function holdOutTokens(points: readonly TokenPoint[], confidence: number): HeldOut | { refused: string } {
  if (points.length === 0) return { refused: 'there are no runs' };
  const { params, held, kept, factor } = partition(points);
  const fitted = fitChinchillaDraws(kept, { confidence, resamples: RESAMPLES });
  if ('refused' in fitted) return { refused: `without the largest size, ${fitted.refused}` };
  const { fit, draws } = fitted;
  const tokens = Math.max(...held.map((point) => point.tokens));
  const longest = held.filter((point) => point.tokens === tokens);
  const predicted = predictTokens(fit, { params, tokens });
  const [low, high] = quantileInterval(
    draws.map((draw) => predictTokens(draw, { params, tokens })),
    confidence,
  );
  // The residuals are of log L, and five parameters make them too small.
  const freedom = Math.sqrt(kept.length / (kept.length - 5));
  const scatter = (quantile(fit.residuals.map(Math.abs), confidence) * freedom * predicted) / Math.sqrt(longest.length);
  return {
    ...common(params, longest, kept, factor),
    tokens,
    form: fit.form,
    ...compare(
      predicted,
      predicted - Math.hypot(Math.max(0, predicted - low), scatter),
      predicted + Math.hypot(Math.max(0, high - predicted), scatter),
      mean(longest.map(({ loss }) => loss)),
    ),
  };
}

/** The runs of the largest size, and the others. */
function partition<P extends { params: number }>(points: readonly P[]) {
  const params = Math.max(...points.map((point) => point.params));
  const [held, kept] = [points.filter((p) => p.params === params), points.filter((p) => p.params !== params)];
  return { params, held, kept, factor: params / Math.max(...kept.map((point) => point.params)) };
}

function common(params: number, held: readonly object[], kept: readonly { params: number }[], factor: number) {
  return { params, runs: held.length, sizes_fitted: new Set(kept.map((point) => point.params)).size, factor };
}

function compare(predicted: number, low: number, high: number, measured: number) {
  const error = measured - predicted;
  return {
    predicted,
    low,
    high,
    measured,
    error,
    relative_error: Math.abs(error) / measured,
    inside: low <= measured && measured <= high,
  };
}
