/**
 * The F distribution, for the F tests and the profile-likelihood intervals.
 *
 * Its cumulative distribution function is a regularised incomplete beta function, computed by a continued fraction with
 * Lentz's method. Quantiles are found by bisection, which is slow but always converges.
 *
 * @see Abramowitz and Stegun 1964, 26.6.2 (F and incomplete beta) and 26.5.8 (continued fraction)
 */

/** Range of log f that is searched for a quantile. */
const LOG_F_LIMIT = 50;
const QUANTILE_TOLERANCE = 1e-12;
/** Replaces zero denominators in Lentz's method. */
const TINY = 1e-300;
const MAX_TERMS = 1000;
const FRACTION_TOLERANCE = 1e-15;
/** Smallest argument at which Stirling's series is accurate to double precision. */
const STIRLING_START = 12;

/**
 * Cumulative distribution function P(F ≤ f).
 *
 * @param d1 degrees of freedom of the numerator
 * @param d2 degrees of freedom of the denominator
 */
export function fCumulative(f: number, d1: number, d2: number): number {
  if (!(f > 0)) return 0;
  if (f === Number.POSITIVE_INFINITY) return 1;
  return incompleteBeta((d1 * f) / (d1 * f + d2), d1 / 2, d2 / 2);
}

/**
 * Quantile: the f with P(F ≤ f) = probability, to 12 digits.
 *
 * @param d1 degrees of freedom of the numerator
 * @param d2 degrees of freedom of the denominator
 * @example fQuantile(0.95, 1, 2) // 18.513
 */
export function fQuantile(probability: number, d1: number, d2: number): number {
  let [low, high] = [-LOG_F_LIMIT, LOG_F_LIMIT];
  while (high - low > QUANTILE_TOLERANCE) {
    const middle = (low + high) / 2;
    if (fCumulative(Math.exp(middle), d1, d2) < probability) low = middle;
    else high = middle;
  }
  return Math.exp((low + high) / 2);
}

/** Regularised incomplete beta function I_x(a, b): 0 at x = 0, 1 at x = 1. */
function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const logFront = logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x);
  // The fraction converges fast for x below about the mean. Above it, use I_x(a, b) = 1 − I_(1−x)(b, a).
  return x < (a + 1) / (a + b + 2)
    ? (Math.exp(logFront) * betaFraction(x, a, b)) / a
    : 1 - (Math.exp(logFront) * betaFraction(1 - x, b, a)) / b;
}

/** The continued fraction of the incomplete beta function, by Lentz's method. */
function betaFraction(x: number, a: number, b: number): number {
  const nonZero = (value: number) => (Math.abs(value) < TINY ? TINY : value);
  let c = 1;
  let d = 1 / nonZero(1 - ((a + b) * x) / (a + 1));
  let fraction = d;
  for (let m = 1; m <= MAX_TERMS; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / nonZero(1 + even * d);
    c = nonZero(1 + even / c);
    fraction *= c * d;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / nonZero(1 + odd * d);
    c = nonZero(1 + odd / c);
    fraction *= c * d;
    if (Math.abs(c * d - 1) < FRACTION_TOLERANCE) break;
  }
  return fraction;
}

/** log Γ(x) for x > 0, by Stirling's series. Small x are first raised by the recurrence Γ(x + 1) = x·Γ(x). */
function logGamma(x: number): number {
  let shift = 0;
  while (x < STIRLING_START) shift -= Math.log(x++);
  const r = 1 / (x * x);
  const series = (1 / 12 - r * (1 / 360 - r * (1 / 1260 - r / 1680))) / x;
  return shift + (x - 0.5) * Math.log(x) - x + Math.log(2 * Math.PI) / 2 + series;
}
