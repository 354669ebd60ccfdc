/**
 * Numerical methods and the wording of numbers, for all fits.
 *
 *   bfgs.ts             minimises a smooth function
 *   bootstrap.ts        random numbers, quantiles, percentile intervals
 *   f-distribution.ts   the F distribution
 *   wilson.ts           the interval of a share
 *   interval.ts         the types of intervals
 *   sequences.ts        evenly spaced values, means
 *   wording.ts          numbers, intervals and names in sentences
 */
export { minimise, type Objective } from './bfgs.ts';
export { mulberry32, quantile, quantileInterval, standardNormal } from './bootstrap.ts';
export { fCumulative, fQuantile } from './f-distribution.ts';
export type { AlphaInterval, Interval } from './interval.ts';
export { linearSteps, mean } from './sequences.ts';
export { wilsonInterval } from './wilson.ts';
export { countOf, displayName, formatAlpha, formatInterval, formatNumber, formatPercent } from './wording.ts';
