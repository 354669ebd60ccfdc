/**
 * The scaling law of one family of models, L(N) = a·N^(−α) + c, with intervals; or a refusal that says what is missing.
 *
 *   points ─→ enough runs? ─→ does loss turn up again? ─→ does it fall? ─→ can c be told from 0? ─→ a·N^(−α) + c
 *               └─ no: refused   └─ yes: refused          └─ no: refused  └─ no ────────────→ a·N^(−α), and the bound on c
 *
 * Points are never dropped and never weighted. Models of equal size are replicates: they tell noise from misfit. Intervals are profile
 * likelihoods (see region.ts), which for five to ten runs hold what they promise where a bootstrap of residuals does not.
 * How loss falls with data as well as with size is in chinchilla.ts.
 */
import { type Comparison, compareForms, polynomial } from './compare-forms.ts';
import { ScalingError } from './errors.ts';
import { fCumulative, fQuantile } from './f-distribution.ts';
import { ConfidenceRegion, type Interval } from './profile-likelihood.ts';
import { ALPHA_LIMIT, mean, Projection } from './variable-projection.ts';
import { count, interval, number, percent } from './wording.ts';

export type { Interval } from './profile-likelihood.ts';

export interface Point {
  /** N, as the caller counts parameters */
  params: number;
  /** L, in any unit: nats a token, bits a byte */
  loss: number;
  /** a label for messages and plots; equal sizes are replicates only within one group */
  group?: string;
}

export interface PowerLawOptions {
  /** of every interval; default 0.95 */
  confidence?: number;
}

export interface PowerLawFit {
  form: 'power-plus-constant' | 'power';
  /** for people */
  formula: string;
  /** c is 0 in the form 'power' */
  parameters: { alpha: number; a: number; c: number };
  /** in the form 'power', given that c is 0; that of c is then what the other form allows, or null where it cannot be fitted */
  intervals: { alpha: Interval; a: Interval; c: Interval | null };
  confidence: number;
  /** where c is not told from 0: α with c left free, for those who cannot exclude a floor; a high end of null is open */
  alpha_if_constant: [low: number, high: number | null] | null;
  /** root of the mean squared residual, in the unit of the loss */
  rmse: number;
  /** loss − law, one a point, in the order given */
  residuals: number[];
  degrees_of_freedom: number;
  /** what counts as one observation: a run, or, where sizes miss the law by more than seeds scatter, the mean of a size */
  observation: 'run' | 'size';
  points: Point[];
  sizes: number;
  comparison: Comparison[];
  warnings: string[];
}

export interface Refusal {
  /** why there is no law here, and what is missing */
  refused: string;
  points: Point[];
  sizes: number;
  comparison: Comparison[];
  warnings: string[];
}

export interface Prediction {
  loss: number;
  /** confidence band of the law itself, not of a further run */
  low: number;
  high: number;
}

/** Two runs and one size more than parameters: one degree of freedom gives intervals 13 standard errors wide. */
const SPARE_RUNS = 2;
const SPARE_SIZES = 1;
/** A parabola in log N must beat the law by this much Akaike information before it is believed that loss turns up. */
const STRONG_EVIDENCE = 6;

/** Throws a ScalingError for a point that is no number; whatever else is wrong with the data is a refusal. */
export function fitPowerLaw(points: readonly Point[], options: PowerLawOptions = {}): PowerLawFit | Refusal {
  const confidence = options.confidence ?? 0.95;
  if (!(confidence > 0 && confidence < 1))
    throw new ScalingError(`confidence is ${confidence}: it must lie between 0 and 1, as in 0.95`);
  points.forEach(checkPoint);
  const all = points.map((point) => ({ ...point }));
  const sizes = bySize(all);
  const warnings: string[] = [];
  const refuse = (refused: string, comparison: Comparison[] = []): Refusal => ({
    refused,
    points: all,
    sizes: sizes.length,
    comparison,
    warnings,
  });

  if (!enough(all.length, sizes.length, 2)) return refuse(tooFew(all.length, sizes.length, 2));
  const observation = observationUnit(all, sizes, confidence);
  const observed = observation === 'run' ? all : sizes.map(({ params, loss }) => ({ params, loss }));
  const comparison = compareForms(observed);
  if (observation === 'size') {
    warnings.push(
      'the sizes miss the law by more than seeds of one size scatter, so the means of sizes are fitted, and the intervals count sizes, not runs',
    );
    if (!enough(observed.length, sizes.length, 2)) return refuse(tooFew(observed.length, sizes.length, 2), comparison);
  }

  const power = new Projection(observed, false);
  const powerRegion = new ConfidenceRegion(power, confidence);
  const powerAlpha = powerRegion.alpha;
  const canFloor = enough(observed.length, sizes.length, 3);
  const floored = canFloor ? new Projection(observed, true) : undefined;
  const falls = powerAlpha[0] > 0 || (floored !== undefined && beatsConstant(floored, confidence));
  const turn = floored ? turningPoint(observed, sizes, floored, confidence) : undefined;
  if (turn !== undefined)
    return refuse(
      `loss falls up to about ${number(turn)} parameters and then rises, which no power law does: the larger models are probably trained on too few tokens, or at a learning rate that is wrong for them`,
      comparison,
    );
  if (!falls) return refuse(notFalling(sizes, powerAlpha, confidence), comparison);
  warnings.push(...rangeWarnings(sizes), ...riseWarnings(sizes));

  if (floored) {
    const region = new ConfidenceRegion(floored, confidence);
    const { alpha } = region;
    const c = region.constant();
    if (c[0] > 0 && isOpen(alpha))
      return refuse(
        `loss is flat beyond the smallest sizes, so that α has no upper bound (it is at least ${number(alpha[0])}): sizes between and below the smallest ones are missing, or more tokens for the larger`,
        comparison,
      );
    if (c[0] > 0)
      return finish(floored, {
        form: 'power-plus-constant',
        formula: 'a·N^(−α) + c',
        intervals: { alpha, a: region.scale(), c },
        alpha_if_constant: null,
      });
    warnings.push(
      `c cannot be told from 0: nothing in ${interval(c)} is excluded, and with c free α lies in ${openInterval(alpha)}; the law is given with c = 0`,
    );
    if (powerAlpha[0] > 0) return finishPower(c, alpha);
    return refuse(
      'loss falls, but neither form of the law is determined by these runs: more sizes are missing',
      comparison,
    );
  }
  warnings.push(`c is not fitted: ${tooFew(observed.length, sizes.length, 3)}; the law is given with c = 0`);
  return finishPower(null, null);

  function finishPower(c: Interval | null, alphaWithConstant: Interval | null): PowerLawFit {
    return finish(power, {
      form: 'power',
      formula: 'a·N^(−α)',
      intervals: { alpha: powerAlpha, a: powerRegion.scale(), c },
      alpha_if_constant: alphaWithConstant && [
        alphaWithConstant[0],
        isOpen(alphaWithConstant) ? null : alphaWithConstant[1],
      ],
    });
  }

  function finish(
    projection: Projection,
    found: Pick<PowerLawFit, 'form' | 'formula' | 'intervals' | 'alpha_if_constant'>,
  ): PowerLawFit {
    const { alpha, amplitude, constant } = projection.best;
    const residuals = all.map((point) => point.loss - projection.curve(point.params));
    warnings.push(...comparisonWarnings(comparison, found.form));
    return {
      form: found.form,
      formula: found.formula,
      parameters: { alpha, a: amplitude * Math.exp(alpha * projection.logReference), c: constant },
      intervals: found.intervals,
      confidence,
      alpha_if_constant: found.alpha_if_constant,
      rmse: Math.sqrt(mean(residuals.map((residual) => residual ** 2))),
      residuals,
      degrees_of_freedom: projection.degreesOfFreedom,
      observation,
      points: all,
      sizes: sizes.length,
      comparison,
      warnings,
    };
  }
}

/** The law and its confidence band at these sizes; of a fit as returned, or as read back from JSON. */
export function predict(fit: PowerLawFit, params: readonly number[]): Prediction[] {
  const observed = fit.observation === 'run' ? fit.points : bySize(fit.points);
  const projection = new Projection(observed, fit.form === 'power-plus-constant');
  const region = new ConfidenceRegion(projection, fit.confidence);
  return params.map((size) => {
    const [low, high] = region.curve(size);
    return { loss: projection.curve(size), low, high };
  });
}

export function isRefusal<Fit extends object>(
  fit: Fit | Refusal | { refused: string },
): fit is Extract<typeof fit, { refused: string }> {
  return 'refused' in fit;
}

// ---- what the points are ----------------------------------------------------------------------------------------------------------

/** The runs of one size. */
interface Size extends Point {
  /** mean of the runs' */
  loss: number;
  losses: number[];
}

function checkPoint(point: Point, index: number): void {
  const name = `point ${index + 1}${point.group === undefined ? '' : ` (${point.group})`}`;
  if (!(Number.isFinite(point.params) && point.params > 0))
    throw new ScalingError(`${name} has params ${point.params}: a model size is a number above 0`);
  if (!(Number.isFinite(point.loss) && point.loss > 0))
    throw new ScalingError(`${name} has loss ${point.loss}: a loss is a number above 0; leave out runs that diverged`);
}

/** By ascending size. */
function bySize(points: readonly Point[]): Size[] {
  const sizes = new Map<string, Size>();
  for (const { params, loss, group } of points) {
    const key = `${params} ${group ?? ''}`;
    const size = sizes.get(key) ?? { params, loss: 0, group, losses: [] };
    size.losses.push(loss);
    size.loss = mean(size.losses);
    sizes.set(key, size);
  }
  return [...sizes.values()].sort((a, b) => a.params - b.params);
}

function enough(runs: number, sizes: number, parameters: number): boolean {
  return runs >= parameters + SPARE_RUNS && sizes >= parameters + SPARE_SIZES;
}

function tooFew(runs: number, sizes: number, parameters: number): string {
  const form = parameters === 2 ? 'a·N^(−α)' : 'a·N^(−α) + c';
  const needed = `the law ${form} needs at least ${parameters + SPARE_RUNS} runs of ${parameters + SPARE_SIZES} sizes`;
  const missing = Math.max(parameters + SPARE_RUNS - runs, parameters + SPARE_SIZES - sizes);
  const kind = sizes < parameters + SPARE_SIZES ? ' of further sizes' : '';
  return `${needed}, and there ${runs === 1 ? 'is' : 'are'} ${count(runs, 'run')} of ${count(sizes, 'size')}: ${missing} more${kind} ${missing === 1 ? 'is' : 'are'} missing`;
}

/**
 * Seeds of one size share whatever that size has of its own (its shape, its learning rate). Where sizes miss the law by significantly
 * more than seeds scatter (the lack-of-fit F test, at 5 %), runs of one size are not independent witnesses, and a size counts once.
 */
function observationUnit(points: readonly Point[], sizes: readonly Size[], confidence: number): 'run' | 'size' {
  const freedom = points.length - sizes.length;
  const parameters = enough(points.length, sizes.length, 3) ? 3 : 2;
  const lackFreedom = sizes.length - parameters;
  if (freedom < 1 || lackFreedom < 1) return 'run';
  const pure = sizes.reduce((sum, size) => sum + size.losses.reduce((s, loss) => s + (loss - size.loss) ** 2, 0), 0);
  const lack = new Projection(points, parameters === 3).best.squares - pure;
  return fCumulative(lack / lackFreedom / (pure / freedom), lackFreedom, freedom) > Math.max(0.95, confidence)
    ? 'size'
    : 'run';
}

// ---- what the points say -----------------------------------------------------------------------------------------------------------

/** Whether a·N^(−α) + c explains more than a constant does, by an F test on its two further parameters. */
function beatsConstant(fit: Projection, confidence: number): boolean {
  const level = mean(fit.losses);
  const total = fit.losses.reduce((sum, loss) => sum + (loss - level) ** 2, 0);
  const gain = (total - fit.best.squares) / 2;
  return gain > (fit.best.squares / fit.degreesOfFreedom) * fQuantile(confidence, 2, fit.degreesOfFreedom);
}

/**
 * The size from which loss rises again, where a parabola in log N shows it: its curvature is significant, it beats the law clearly, its
 * vertex lies among the sizes, and the largest size is in fact above the lowest.
 */
function turningPoint(
  observed: readonly Point[],
  sizes: readonly Size[],
  fit: Projection,
  confidence: number,
): number | undefined {
  const { squares, curvature, vertex } = polynomial(observed, 2);
  const curved = (polynomial(observed, 1).squares - squares) / (squares / fit.degreesOfFreedom);
  const evidence = observed.length * Math.log(fit.best.squares / squares);
  const last = sizes[sizes.length - 1];
  const turns =
    curvature > 0 &&
    curved > fQuantile(confidence, 1, fit.degreesOfFreedom) &&
    evidence > STRONG_EVIDENCE &&
    vertex > sizes[0].params &&
    vertex < last.params &&
    last.loss > Math.min(...sizes.map((size) => size.loss));
  return turns ? vertex : undefined;
}

function notFalling(sizes: readonly Size[], alpha: Interval, confidence: number): string {
  const [first, last] = [sizes[0], sizes[sizes.length - 1]];
  return `loss does not fall distinguishably with size: it is ${number(first.loss)} at ${number(first.params)} parameters and ${number(last.loss)} at ${number(last.params)}, and the ${percent(confidence)} interval of α, ${interval(alpha)}, does not exclude 0; more tokens for the larger models, more sizes or more seeds are missing`;
}

function rangeWarnings(sizes: readonly Size[]): string[] {
  if (sizes.length < 2) return [];
  const range = sizes[sizes.length - 1].params / sizes[0].params;
  return range < 10
    ? [`the sizes span only a factor of ${number(range)}: the exponent holds there and says little beyond`]
    : [];
}

function riseWarnings(sizes: readonly Size[]): string[] {
  return sizes
    .slice(1)
    .filter((size, i) => size.loss > sizes[i].loss)
    .map((size) => {
      const before = sizes[sizes.indexOf(size) - 1];
      return `loss rises from ${number(before.loss)} at ${number(before.params)} parameters to ${number(size.loss)} at ${number(size.params)}`;
    });
}

function comparisonWarnings(comparison: readonly Comparison[], chosen: Comparison['form']): string[] {
  const lacking = comparison
    .filter((form) => form.missing_runs > 0)
    .map((form) => `${form.missing_runs} more for ${form.form}`);
  const warnings =
    lacking.length > 0
      ? [`AICc, which compares the forms, is not defined for so few runs: it takes ${lacking.join(', ')}`]
      : [];
  const law = comparison.find((form) => form.form === chosen);
  const line = comparison.find((form) => form.form === 'log-linear');
  if (law?.aicc != null && line?.aicc != null && line.aicc < law.aicc + 2)
    warnings.push(
      'a straight line in log N describes these runs as well: nothing here shows that the law is a power law rather than logarithmic',
    );
  return warnings;
}

/** An interval of α that ends where the search does has no known end. */
function isOpen(alpha: Interval): boolean {
  return alpha[1] >= ALPHA_LIMIT * (1 - 1e-9);
}

function openInterval(alpha: Interval): string {
  return isOpen(alpha) ? `${number(alpha[0])} and above` : interval(alpha);
}
