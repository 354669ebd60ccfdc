/**
 * Wilson's score interval of a share: k successes in n trials. It stays within 0 and 1, and it is right for few trials
 * and for shares of 0 and 1, where the usual interval has no width.
 *
 * @see Wilson 1927, "Probable inference, the law of succession, and statistical inference"
 */
import { fQuantile } from './f-distribution.ts';
import type { Interval } from './interval.ts';

/** Degrees of freedom at which F(1, d) is the square of a normal distribution to nine digits. */
const MANY = 1e9;

/**
 * The interval of a share.
 *
 * @param successes 0 … trials
 * @param trials at least 1
 * @param confidence level of the interval. Default 0.95
 * @example wilsonInterval(0, 20) // [0, 0.161]
 */
export function wilsonInterval(successes: number, trials: number, confidence = 0.95): Interval {
  const z2 = fQuantile(confidence, 1, MANY);
  const share = successes / trials;
  const centre = share + z2 / (2 * trials);
  const half = Math.sqrt(z2 * ((share * (1 - share)) / trials + z2 / (4 * trials * trials)));
  const scale = 1 + z2 / trials;
  return [successes === 0 ? 0 : (centre - half) / scale, successes === trials ? 1 : (centre + half) / scale];
}
