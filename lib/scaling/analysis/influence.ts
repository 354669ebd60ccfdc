/**
 * Influential runs, found by leaving out one run at a time. A run is named if it lies far from the law of the others or
 * from the other seeds of its size, or if the form of the law depends on it alone. Nothing is left out of the fit: the
 * reader decides.
 *
 * @see Cook and Weisberg 1982, "Residuals and influence in regression"
 */
import { formatNumber, fQuantile, quantile } from '../numbers/index.ts';
import {
  fitPowerLaw,
  groupBySize,
  isEnough,
  isRefusal,
  type Point,
  type PowerLawFit,
  type Refusal,
  type Solution,
  VariableProjection,
} from '../size-law/index.ts';
import { type ChinchillaFit, fitChinchillaDraws, type TokenPoint } from '../token-law/index.ts';

/** A point with the name of its run. */
export type NamedPoint<P> = P & { run: string };

/** A run on which the result depends. The names are the keys of scaling.json. */
export interface Influence {
  run: string;
  params: number;
  loss: number;
  /**
   * `outlier`: far from the law of the other runs. `seed`: far from the other runs of its size. `form`: without it, the
   * law has another form.
   */
  kind: 'outlier' | 'seed' | 'form';
  /** The result without this run; null if it was not computed. */
  without: { form: PowerLawFit['form'] | 'chinchilla' | null; alpha: number | null; c: number | null } | null;
  /** The warning in words. */
  message: string;
}

/** Chance of a false alarm in a study without outliers. It is shared by all runs (Bonferroni). */
const FALSE_ALARMS = 0.05;
/** With one degree of freedom, a run decides the form if the others fit better by this factor, in two comparisons. */
const DECISIVE = 10;
/** With more, a run decides the form only if it is unusual at this confidence. */
const UNUSUAL = 0.99;
/** Residuals of L(N, D) beyond this many robust standard deviations are outliers. */
const ROBUST_LIMIT = 6;
/** The median absolute deviation of a normal distribution is its standard deviation divided by this. */
const MAD_SCALE = 1.4826;
/** Most outliers of L(N, D) that are named. */
const MAX_NAMED = 5;

/**
 * The runs on which L(N) depends.
 *
 * @param fit the fit of all runs
 */
export function influentialRuns(
  points: readonly NamedPoint<Point>[],
  fit: PowerLawFit | Refusal,
  confidence: number,
): Influence[] {
  const found = new Map<string, Influence>();
  for (const influence of [
    ...seedOutliers(points),
    ...lawOutliers(points, fit),
    ...decidersOfForm(points, fit, confidence),
  ])
    if (!found.has(influence.run)) found.set(influence.run, influence);
  return [...found.values()];
}

/** Runs far from the other runs of their size, measured by how much the seeds of all sizes vary. */
function seedOutliers(points: readonly NamedPoint<Point>[]): Influence[] {
  return points.flatMap((point) => {
    const others = groupBySize(points.filter((other) => other !== point));
    const twins = others.find(({ params, group }) => params === point.params && group === point.group);
    const degrees = others.reduce((sum, { losses }) => sum + losses.length - 1, 0);
    if (twins === undefined || twins.losses.length < 2 || degrees < 2) return [];
    const squares = others.reduce(
      (sum, { loss, losses }) => sum + losses.reduce((part, value) => part + (value - loss) ** 2, 0),
      0,
    );
    const deviation = point.loss - twins.loss;
    const scatter = Math.sqrt(squares / degrees);
    const variance = scatter ** 2 * (1 + 1 / twins.losses.length);
    if (deviation ** 2 <= variance * fQuantile(1 - FALSE_ALARMS / points.length, 1, degrees)) return [];
    const times = scatter > 0 ? `, ${formatNumber(Math.abs(deviation) / scatter)} times the scatter of seeds` : '';
    const message = `run ${point.run} lies ${describeSide(deviation)} the other runs of its size${times}: look at it before you believe the fit`;
    return [{ ...identify(point), kind: 'seed' as const, without: null, message }];
  });
}

/** Runs far from the law of the other runs. */
function lawOutliers(points: readonly NamedPoint<Point>[], fit: PowerLawFit | Refusal): Influence[] {
  if (isRefusal(fit) || fit.observation === 'size') return [];
  const withConstant = fit.form === 'power-plus-constant';
  const all = new VariableProjection(points, withConstant);
  if (all.degreesOfFreedom < 2) return [];
  return points.flatMap((point) => {
    const others = new VariableProjection(without(points, point), withConstant);
    const statistic = (all.best.rss - others.best.rss) / (others.best.rss / others.degreesOfFreedom);
    if (!(statistic > fQuantile(1 - FALSE_ALARMS / points.length, 1, others.degreesOfFreedom))) return [];
    const deviation = point.loss - others.curve(point.params);
    const scatter = Math.sqrt(others.best.rss / others.degreesOfFreedom);
    const message = `run ${point.run} lies ${describeSide(deviation)} the law of the other runs, ${formatNumber(Math.abs(deviation) / scatter)} times their scatter: without it, ${describeLaw(others.best, others)}`;
    return [{ ...identify(point), kind: 'outlier' as const, without: summary(others), message }];
  });
}

/** Runs without which the law would have another form. */
function decidersOfForm(
  points: readonly NamedPoint<Point>[],
  fit: PowerLawFit | Refusal,
  confidence: number,
): Influence[] {
  const sizes = new Set(points.map(({ params }) => params)).size;
  if (points.length < 5 || sizes < 4) return [];
  const all = new VariableProjection(points, true);
  return points.flatMap((point): Influence[] => {
    const kept = without(points, point);
    const others = new VariableProjection(kept, true);
    const degrees = others.degreesOfFreedom;
    if (degrees < 1) return [];
    const deviance = ratio(all.best.rss - others.best.rss, others.best.rss / degrees);
    const keptSizes = new Set(kept.map(({ params }) => params)).size;
    const say = (words: string, solution: Influence['without']): Influence[] => [
      {
        ...identify(point),
        kind: 'form',
        without: solution,
        message: `the form depends on run ${point.run}: without it, ${words}`,
      },
    ];
    if (isEnough(kept.length, keptSizes, 3)) {
      if (!(deviance > fQuantile(UNUSUAL, 1, degrees))) return [];
      const refit = fitPowerLaw(kept, { confidence });
      const [before, after] = [formOf(fit), formOf(refit)];
      if (before === after) return [];
      if (isRefusal(refit)) return say('no law is supported', { form: null, alpha: null, c: null });
      const { alpha, c } = refit.parameters;
      return say(describeForm(refit.form, alpha, c), { form: refit.form, alpha, c });
    }
    // Too few runs to choose a form without this one: ask how much better they fit with a floor.
    if (isRefusal(fit) || fit.form !== 'power' || others.best.constant <= 0) return [];
    const power = new VariableProjection(kept, false);
    const gain = ratio(power.best.rss - others.best.rss, others.best.rss / degrees);
    if (!(deviance > DECISIVE && gain > DECISIVE)) return [];
    return say(
      `the other runs follow a law with a floor, ${describeLaw(others.best, others)}; a second seed of this size would decide`,
      summary(others),
    );
  });
}

/**
 * The runs far from L(N, D), as warnings, with the exponents without them. The Huber loss limits their effect on the fit,
 * and does not remove it.
 */
export function influentialTokenRuns(
  points: readonly NamedPoint<TokenPoint>[],
  fit: ChinchillaFit,
  confidence: number,
): Influence[] {
  const scale = MAD_SCALE * quantile(fit.residuals.map(Math.abs), 0.5);
  const far = points
    .map((point, i) => ({ point, times: Math.abs(fit.residuals[i]) / scale, residual: fit.residuals[i] }))
    .filter(({ times }) => times > ROBUST_LIMIT)
    .sort((a, b) => b.times - a.times);
  if (far.length === 0) return [];
  const refit = fitChinchillaDraws(
    points.filter((point) => !far.some((one) => one.point === point)),
    { confidence, resamples: 1 },
  );
  const rest =
    'refused' in refit
      ? ''
      : `: without ${far.length === 1 ? 'it' : `the ${far.length} such runs`}, α = ${formatNumber(refit.fit.parameters.alpha)} and β = ${formatNumber(refit.fit.parameters.beta)}`;
  return far.slice(0, MAX_NAMED).map(({ point, times, residual }) => ({
    ...identify(point),
    kind: 'outlier' as const,
    without:
      'refused' in refit
        ? null
        : { form: 'chinchilla' as const, alpha: refit.fit.parameters.alpha, c: refit.fit.parameters.E },
    message: `run ${point.run} lies ${describeSide(point.loss * (1 - Math.exp(-residual)))} L(N, D), ${formatNumber(times)} times the usual scatter${rest}`,
  }));
}

function identify({ run, params, loss }: NamedPoint<Point>) {
  return { run, params, loss };
}

function without<P>(points: readonly P[], left: P): P[] {
  return points.filter((point) => point !== left);
}

function ratio(a: number, b: number): number {
  return b > 0 ? a / b : a > 0 ? Number.POSITIVE_INFINITY : 0;
}

function formOf(fit: PowerLawFit | Refusal): PowerLawFit['form'] | null {
  return isRefusal(fit) ? null : fit.form;
}

function summary({ best, withConstant }: VariableProjection): Influence['without'] {
  return { form: withConstant ? 'power-plus-constant' : 'power', alpha: best.alpha, c: best.constant };
}

function describeLaw({ alpha, constant }: Solution, { withConstant }: VariableProjection): string {
  return withConstant ? `α = ${formatNumber(alpha)} and c = ${formatNumber(constant)}` : `α = ${formatNumber(alpha)}`;
}

function describeForm(form: PowerLawFit['form'], alpha: number, c: number): string {
  return form === 'power-plus-constant'
    ? `there is a law with a floor, α = ${formatNumber(alpha)} and c = ${formatNumber(c)}`
    : `there is a law and no floor is found, α = ${formatNumber(alpha)}`;
}

function describeSide(deviation: number): string {
  return `${formatNumber(Math.abs(deviation))} ${deviation > 0 ? 'above' : 'below'}`;
}
