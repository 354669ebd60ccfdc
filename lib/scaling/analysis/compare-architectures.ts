/**
 * Compares two architectures at equal size, within the range of sizes in which both were measured. If both have a law,
 * the difference of the laws has an interval. If not, the measured losses are interpolated, and no claim is made.
 *
 * A claim needs two laws: an F test must reject that one law describes both architectures. Without this test, equal
 * laws would be called different in 6 to 26 % of studies, because the difference is looked at over many sizes.
 */
import {
  displayName,
  fCumulative,
  formatInterval,
  formatNumber,
  linearSteps,
  mean,
  quantileInterval,
} from '../numbers/index.ts';
import {
  groupBySize,
  isEnough,
  isRefusal,
  type Point,
  type PowerLawFit,
  predict,
  type Refusal,
  VariableProjection,
} from '../size-law/index.ts';
import { combine, resampleLaws, type TuneResamples } from './test-split.ts';

/** The difference a − b of two losses at one size, in the unit of the loss. Below 0, a is better. */
export interface Difference {
  params: number;
  difference: number;
  /**
   * Ends of the interval; null if there is none. It covers the scatter of runs. If the losses by tune are known, it
   * also covers the choice of test tunes.
   */
  low: number | null;
  high: number | null;
  /** The architecture whose loss is significantly lower; null if neither is. */
  better: string | null;
}

/** The comparison of two architectures with the same tokenizer. The names are the keys of scaling.json. */
export interface ArchitectureComparison {
  tokenizer: string;
  architectures: [a: string, b: string];
  /** The range of sizes in which both were measured; null if they have no common range. */
  range: [number, number] | null;
  /** The number of tokens of the runs that are compared, if there are several budgets; otherwise null. */
  tokens: number | null;
  /** The difference at the ends and in the middle (of log N) of the range. */
  at: Difference[];
  /** The difference over the whole range, at sizes that are evenly spaced in log N. Empty if a law is missing. */
  along: Difference[];
  /** Sources of variation that the intervals cover. */
  intervals_include: 'runs' | 'runs and test tunes' | null;
  /**
   * The size at which the laws cross, and the range of sizes around it in which they do not differ significantly. Null
   * if neither overtakes the other.
   */
  crossing: { params: number; low: number; high: number } | null;
  /** The probability of data like these if one law holds for both; null if a law is missing. */
  p_one_law: number | null;
  /** The result in words. */
  verdict: string;
}

/** An architecture with the fit of its runs. */
export interface ComparedGroup {
  tokenizer: string;
  architecture: string;
  fit: PowerLawFit | Refusal;
}

/** Number of grid steps over the common range in which a crossing is searched. */
const GRID_STEPS = 64;

/** Options of `compareArchitectures`. */
export interface CompareOptions {
  /** Whether the verdict begins with the tokenizer. Default: true. */
  named?: boolean;
  /** The budget of the runs, if there are several. */
  tokens?: number | null;
  /** The losses of the runs on resampled test splits, which widen the intervals. */
  resamples?: TuneResamples;
}

/**
 * Compares two architectures.
 *
 * @param unit the name of the loss, for the verdict
 */
export function compareArchitectures(
  a: ComparedGroup,
  b: ComparedGroup,
  unit: string,
  { named = true, tokens = null, resamples }: CompareOptions = {},
): ArchitectureComparison {
  const who = `${named && a.tokenizer ? `${a.tokenizer}: ` : ''}${tokens === null ? '' : `at ${formatNumber(tokens)} tokens, `}`;
  const names = [a, b].map(({ architecture }) => displayName(architecture)) as [string, string];
  const range = overlap(a.fit, b.fit);
  const base: ArchitectureComparison = {
    tokenizer: a.tokenizer,
    architectures: [a.architecture, b.architecture],
    range,
    tokens,
    at: [],
    along: [],
    intervals_include: null,
    crossing: null,
    p_one_law: null,
    verdict: `${who}${names[0]} and ${names[1]} have no range of sizes in common, so they cannot be compared at equal size.`,
  };
  if (range === null) return base;
  const [low, high] = range.map(Math.log);
  const threeSizes = [low, (low + high) / 2, high].map(Math.exp);
  if (isRefusal(a.fit) || isRefusal(b.fit)) {
    const lacking = [a, b].filter((group) => isRefusal(group.fit)).map((group) => displayName(group.architecture));
    const at = threeSizes.map((params): Difference => {
      const difference = interpolate(a.fit.points, params) - interpolate(b.fit.points, params);
      return { params, difference, low: null, high: null, better: null };
    });
    const middle = at[1];
    const lower = middle.difference < 0 ? names[0] : names[1];
    return {
      ...base,
      at,
      verdict: `${who}${names[0]} and ${names[1]} are not distinguishable: ${lacking.join(' and ')} ${lacking.length > 1 ? 'have' : 'has'} no law and so no interval. Between the runs as measured, ${lower} is lower by ${formatNumber(Math.abs(middle.difference))} in ${unit} at ${formatNumber(middle.params)} parameters.`,
    };
  }
  const [fitA, fitB] = [a.fit, b.fit];
  const p = probabilityOfOneLaw(fitA, fitB);
  const differ = p < 1 - Math.max(fitA.confidence, fitB.confidence);
  const withTunes = resamples?.hasAll(fitA.points) && resamples.hasAll(fitB.points) ? resamples : undefined;
  const widen = withTunes && testSplitOfDifference(fitA, fitB, withTunes);
  const compare = (sizes: number[]) => {
    const differences = predictDifference(fitA, fitB, sizes, base.architectures);
    const widened = widen ? differences.map((one) => widen(one, base.architectures)) : differences;
    return differ ? widened : widened.map((one) => ({ ...one, better: null }));
  };
  const along = compare(linearSteps(low, high, GRID_STEPS).map(Math.exp));
  const crossing = findCrossing(along);
  const at = compare(threeSizes);
  const words = verdict(names, base.architectures, unit, along, at, crossing, differ);
  return {
    ...base,
    at,
    along,
    intervals_include: widen ? 'runs and test tunes' : 'runs',
    crossing,
    p_one_law: p,
    verdict: who + words,
  };
}

/**
 * The error of the test split in the difference of two laws. The same tunes are drawn for both, so what makes a tune
 * hard for both cancels.
 *
 * @returns a function that widens the interval of a difference
 */
function testSplitOfDifference(a: PowerLawFit, b: PowerLawFit, resamples: TuneResamples) {
  const [lawsA, lawsB] = [a, b].map((fit) =>
    resampleLaws(fit.points, fit, fit.form === 'power-plus-constant', resamples),
  );
  return (one: Difference, names: [a: string, b: string]): Difference => {
    const drawn = lawsA.map((law, i) => law.curve(one.params) - lawsB[i].curve(one.params));
    const tunes = quantileInterval(drawn, Math.max(a.confidence, b.confidence));
    const [low, high] = combine(one.difference, [one.low!, one.high!], tunes);
    return { ...one, low, high, better: high < 0 ? names[0] : low > 0 ? names[1] : null };
  };
}

/**
 * The p value of an F test: the probability that two laws fit better than one by at least this much, if one law holds
 * for both. Both laws have the floor c if there are enough runs to fit it.
 *
 * @returns 1 if there are too few runs to ask
 */
function probabilityOfOneLaw(a: PowerLawFit, b: PowerLawFit): number {
  const [runsA, runsB] = [observationsOf(a), observationsOf(b)];
  const withConstant = [a, b].every((fit, i) => isEnough([runsA, runsB][i].length, fit.sizes, 3));
  const parameters = withConstant ? 3 : 2;
  const degrees = runsA.length + runsB.length - 2 * parameters;
  if (degrees < 1) return 1;
  const rss = (points: readonly Point[]) => new VariableProjection(points, withConstant).best.rss;
  const apart = rss(runsA) + rss(runsB);
  const together = rss([...runsA, ...runsB]);
  return 1 - fCumulative((together - apart) / parameters / (apart / degrees), parameters, degrees);
}

/** The observations of a fit: its runs, or the means of its sizes. */
function observationsOf(fit: PowerLawFit): readonly Point[] {
  return fit.observation === 'run' ? fit.points : groupBySize(fit.points);
}

/**
 * The difference a − b of two laws. Its interval is computed from the intervals of both laws, which need not be
 * symmetric.
 *
 * @param params the sizes
 * @param names the architectures, for `better`
 * @see Zou and Donner 2008, "Construction of confidence limits about effect measures" (the MOVER method)
 * @example predictDifference(gpt, lstm, [1e5], ['gpt', 'lstm'])[0].better // 'gpt', 'lstm' or null
 */
export function predictDifference(
  a: PowerLawFit,
  b: PowerLawFit,
  params: readonly number[],
  names: [a: string, b: string] = ['a', 'b'],
): Difference[] {
  const [lawA, lawB] = [predict(a, params), predict(b, params)];
  return params.map((size, i) => {
    const [x, y] = [lawA[i], lawB[i]];
    const difference = x.loss - y.loss;
    const low = difference - Math.hypot(x.loss - x.low, y.high - y.loss);
    const high = difference + Math.hypot(x.high - x.loss, y.loss - y.low);
    return { params: size, difference, low, high, better: high < 0 ? names[0] : low > 0 ? names[1] : null };
  });
}

/**
 * Finds where one architecture overtakes the other. A crossing counts only if one is significantly better below it and
 * the other above it.
 *
 * @param along the difference over a grid of sizes
 */
function findCrossing(along: readonly Difference[]): ArchitectureComparison['crossing'] {
  const decided = along.filter((point) => point.better !== null);
  const turn = decided.findIndex((point, i) => i > 0 && point.better !== decided[i - 1].better);
  if (turn < 0) return null;
  const [from, to] = [along.indexOf(decided[turn - 1]), along.indexOf(decided[turn])];
  const sign = Math.sign(along[from].difference);
  const after = along.findIndex((point, i) => i > from && Math.sign(point.difference) !== sign);
  const [left, right] = [along[after - 1], along[after]];
  const share = left.difference / (left.difference - right.difference);
  const params = Math.exp(Math.log(left.params) + share * (Math.log(right.params) - Math.log(left.params)));
  return { params, low: along[from].params, high: along[to].params };
}

/** The result of a comparison of two laws, in one sentence. */
function verdict(
  [nameA, nameB]: [string, string],
  [a]: [string, string],
  unit: string,
  along: readonly Difference[],
  at: readonly Difference[],
  crossing: ArchitectureComparison['crossing'],
  differ: boolean,
): string {
  const nameOf = (architecture: string) => (architecture === a ? nameA : nameB);
  const otherOf = (architecture: string) => (architecture === a ? nameB : nameA);
  const range = `${formatNumber(along[0].params)} to ${formatNumber(along[along.length - 1].params)} parameters`;
  const decided = along.filter((point) => point.better !== null);
  if (decided.length === 0)
    return `${nameA} and ${nameB} are not distinguishable at equal size, from ${range}: ${differ ? '' : 'one law describes both as well as two, and '}at ${formatNumber(at[1].params)} they differ by ${formatNumber(at[1].difference)} in ${unit} (${formatInterval([at[1].low!, at[1].high!])}).`;
  const better = decided[0].better!;
  if (crossing)
    return `${nameOf(better)} is better at small sizes and ${otherOf(better)} at large ones; the laws cross near ${formatNumber(crossing.params)} parameters, anywhere from ${formatNumber(crossing.low)} to ${formatNumber(crossing.high)}.`;
  const size = (point: Difference) => Math.abs(point.difference);
  const widest = at.filter((point) => point.better !== null).sort((x, y) => size(y) - size(x))[0] ?? decided[0];
  const sign = better === a ? -1 : 1;
  const bounds = [sign * widest.low!, sign * widest.high!].sort((x, y) => x - y) as [number, number];
  const by = `by ${formatNumber(size(widest))} in ${unit} (${formatInterval(bounds)}) at ${formatNumber(widest.params)}`;
  if (decided.length === along.length)
    return `${nameOf(better)} is better than ${otherOf(better)} at every size from ${range}, ${by}.`;
  return `${nameOf(better)} is better than ${otherOf(better)} from ${formatNumber(decided[0].params)} to ${formatNumber(decided[decided.length - 1].params)} parameters, ${by}; elsewhere from ${range} they are not distinguishable.`;
}

/** The range of sizes that both groups cover; null if there is none. */
function overlap(a: { points: { params: number }[] }, b: { points: { params: number }[] }): [number, number] | null {
  if (a.points.length === 0 || b.points.length === 0) return null;
  const [sizesA, sizesB] = [a, b].map((group) => group.points.map((point) => point.params));
  const low = Math.max(Math.min(...sizesA), Math.min(...sizesB));
  const high = Math.min(Math.max(...sizesA), Math.max(...sizesB));
  return low < high ? [low, high] : null;
}

/** The mean loss at a size, interpolated linearly in log N between the measured sizes. */
function interpolate(points: readonly { params: number; loss: number }[], params: number): number {
  const sizes = [...new Set(points.map((point) => point.params))].sort((x, y) => x - y);
  const meanLossAt = (size: number) => mean(points.filter((point) => point.params === size).map((point) => point.loss));
  const above = Math.max(
    1,
    sizes.findIndex((size) => size >= params * (1 - 1e-9)),
  );
  const [low, high] = [sizes[above - 1], sizes[above]];
  const share = (Math.log(params) - Math.log(low)) / (Math.log(high) - Math.log(low));
  return meanLossAt(low) + share * (meanLossAt(high) - meanLossAt(low));
}
