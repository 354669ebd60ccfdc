/**
 * The F distribution, which turns a sum of squares into a statement of confidence; nothing else.
 *
 * Its distribution function is an incomplete beta integral, evaluated by the continued fraction of Abramowitz & Stegun 26.5.8
 * with Lentz's method; its quantiles are found by bisection, which is slow and cannot fail.
 */

/** P(F ≤ f) for F with d1 and d2 degrees of freedom. */
export function fCumulative(f: number, d1: number, d2: number): number {
  if (!(f > 0)) return 0;
  if (f === Number.POSITIVE_INFINITY) return 1;
  return incompleteBeta((d1 * f) / (d1 * f + d2), d1 / 2, d2 / 2);
}

/** The f with P(F ≤ f) = probability, to 12 digits. */
export function fQuantile(probability: number, d1: number, d2: number): number {
  let [low, high] = [-50, 50]; // of log f
  while (high - low > 1e-12) {
    const middle = (low + high) / 2;
    if (fCumulative(Math.exp(middle), d1, d2) < probability) low = middle;
    else high = middle;
  }
  return Math.exp((low + high) / 2);
}

/** I_x(a, b), regularised: from 0 at x = 0 to 1 at x = 1. */
function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const logFront = logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x);
  // The fraction converges fast only on this side of the mean; on the other, the tail is taken instead.
  return x < (a + 1) / (a + b + 2)
    ? (Math.exp(logFront) * betaFraction(x, a, b)) / a
    : 1 - (Math.exp(logFront) * betaFraction(1 - x, b, a)) / b;
}

function betaFraction(x: number, a: number, b: number): number {
  const away = (value: number) => (Math.abs(value) < 1e-300 ? 1e-300 : value);
  let c = 1;
  let d = 1 / away(1 - ((a + b) * x) / (a + 1));
  let fraction = d;
  for (let m = 1; m <= 1000; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / away(1 + even * d);
    c = away(1 + even / c);
    fraction *= c * d;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / away(1 + odd * d);
    c = away(1 + odd / c);
    fraction *= c * d;
    if (Math.abs(c * d - 1) < 1e-15) break;
  }
  return fraction;
}

/** log Γ(x) for x > 0: Stirling's series, after the recurrence has made x large enough for it. */
function logGamma(x: number): number {
  let shift = 0;
  while (x < 12) shift -= Math.log(x++);
  const r = 1 / (x * x);
  const series = (1 / 12 - r * (1 / 360 - r * (1 / 1260 - r / 1680))) / x;
  return shift + (x - 0.5) * Math.log(x) - x + Math.log(2 * Math.PI) / 2 + series;
}
