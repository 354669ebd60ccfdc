/** The claims that fits support, in one or two sentences each. */

import type { TestSplitError } from '../analysis/index.ts';
import { countOf, formatAlpha, formatInterval, formatNumber, formatPercent } from '../numbers/index.ts';
import { isRefusal, type PowerLawFit, type Refusal } from '../size-law/index.ts';
import type { ChinchillaFit } from '../token-law/index.ts';

/**
 * The claim of a law of the size.
 *
 * @param label the group
 * @param loss the column of the loss
 * @param tests the error of the test split; null if it is not known
 */
export function sizeVerdict(
  label: string,
  fit: PowerLawFit | Refusal,
  loss: string,
  tests: TestSplitError | null,
): string {
  const lossInWords = lossName(loss);
  if (isRefusal(fit)) return `${label}: no scaling law is supported. ${sentence(fit.refused)}`;
  const { alpha, a, c } = fit.parameters;
  const sizes = fit.points.map((point) => point.params);
  const range = `${countOf(fit.points.length, 'run')} of ${countOf(fit.sizes, 'size')}, ${formatNumber(Math.min(...sizes))} to ${formatNumber(Math.max(...sizes))} parameters`;
  const doubling = formatPercent(Number((1 - 2 ** -alpha).toPrecision(2)));
  const level = formatPercent(fit.confidence);
  const withTunes = describeTestSplit(tests);
  if (fit.form === 'power-plus-constant')
    return `${label}: ${lossInWords} falls towards a floor, L(N) = ${formatNumber(a)}·N^(−${formatNumber(alpha)}) + ${formatNumber(c)}, with α = ${formatNumber(alpha)} (${level}: ${formatAlpha(fit.intervals.alpha!)}) and c in ${formatInterval(fit.intervals.c!)}, from ${range}. Each doubling of N takes ${doubling} off what lies above the floor.${withTunes}`;
  const lowest = Math.min(...fit.points.map((point) => point.loss));
  const floor =
    fit.intervals.c === null
      ? 'Whether there is a floor cannot be asked of so few runs.'
      : fit.intervals.c[1] < lowest
        ? `A floor anywhere up to ${formatNumber(fit.intervals.c[1])} is not excluded either.`
        : `No floor below the lowest loss, ${formatNumber(lowest)}, is excluded either.`;
  const anyFloor =
    fit.intervals.alpha === null
      ? ''
      : ` Whatever the floor is, α lies in ${formatAlpha(fit.intervals.alpha)} (${level}).`;
  return `${label}: ${lossInWords} falls as a power law, L(N) = ${formatNumber(a)}·N^(−${formatNumber(alpha)}) if there is no floor (then α lies in ${formatInterval(fit.alpha_without_floor!)}), from ${range}. Each doubling of N takes ${doubling} off. ${floor}${anyFloor}${withTunes}`;
}

/** The intervals with the choice of test tunes, as a further sentence. */
function describeTestSplit(tests: TestSplitError | null): string {
  if (tests === null || tests.intervals.alpha === null || tests.intervals.c === null) return '';
  return ` With the choice of the ${tests.tunes} test tunes included, α lies in ${formatAlpha(tests.intervals.alpha)} and c in ${formatInterval(tests.intervals.c)}.`;
}

/** The claim of a law of size and tokens. */
export function tokensVerdict(label: string, fit: ChinchillaFit, loss: string): string {
  const range = (values: number[]) => `${formatNumber(Math.min(...values))} to ${formatNumber(Math.max(...values))}`;
  const sizes = fit.points.map(({ params }) => params);
  const tokens = fit.points.map((point) => point.tokens);
  const from = `${countOf(fit.runs, 'run')} of ${countOf(new Set(sizes).size, 'size')}, ${range(sizes)} parameters on ${range(tokens)} tokens`;
  return `${label}: ${lossName(loss)} falls with size and tokens, ${describeTokenLaw(fit)}, from ${from}.`;
}

/** A floor of the loss below this is none. */
const NO_FLOOR = 1e-6;

/** "L(N, D) = …, with α = … and E in …". */
export function describeTokenLaw({ parameters, intervals, confidence }: ChinchillaFit): string {
  const { E, A, B, alpha, beta } = parameters;
  const level = formatPercent(confidence);
  // The fit keeps E above 0, so a law without a floor ends at a tiny one.
  const hasFloor = E > NO_FLOOR;
  const floor = hasFloor ? `${formatNumber(E)} + ` : '';
  const least =
    intervals.E[1] > NO_FLOOR
      ? `E in ${formatInterval(intervals.E.map((end) => (end > NO_FLOOR ? end : 0)) as [number, number])}`
      : 'no floor E';
  return `L(N, D) = ${floor}${formatNumber(A)}·N^(−${formatNumber(alpha)}) + ${formatNumber(B)}·D^(−${formatNumber(beta)}), with α = ${formatNumber(alpha)} (${level}: ${formatInterval(intervals.alpha)}), β = ${formatNumber(beta)} (${formatInterval(intervals.beta)}) and ${least}`;
}

/** The name of a loss column in words: test_bits_per_byte → "test bits per byte". */
export function lossName(column: string): string {
  return column.replaceAll('_', ' ');
}

/** Capitalises the first letter and adds a full stop. */
export function sentence(text: string): string {
  return `${text[0].toUpperCase()}${text.slice(1)}.`;
}
