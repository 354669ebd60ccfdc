/**
 * Scaling laws: fits, confidence intervals, and the comparison of architectures.
 *
 *   study.ts                  the table of runs in, the contents of scaling.json out
 *   runs.ts                   the columns of results.csv
 *   csv-table.ts              reads and checks CSV tables
 *   power-law.ts              fits L(N) = a·N^(−α) + c and evaluates it
 *   observations.ts           the number of runs that a law needs; the choice of runs or sizes as observations
 *   choose-form.ts            decides between a·N^(−α) + c, a·N^(−α) and no law
 *   compare-forms.ts          compares four forms by AICc
 *   variable-projection.ts    the least-squares fit
 *   profile-likelihood.ts     the confidence intervals
 *   f-distribution.ts         quantiles of the F distribution
 *   chinchilla.ts             fits L(N, D) = E + A·N^(−α) + B·D^(−β)
 *   bfgs.ts                   the minimiser of that fit
 *   compare-architectures.ts  two architectures at equal size
 *   wilson.ts                the interval of a share
 *   wording.ts                numbers and names in sentences
 */
export {
  type ChinchillaFit,
  type ChinchillaOptions,
  type ChinchillaParameter,
  fitChinchilla,
  predictTokens,
  type TokenPoint,
} from './chinchilla.ts';
export { type ArchitectureComparison, type Difference, predictDifference } from './compare-architectures.ts';
export type { Comparison, Form } from './compare-forms.ts';
export type { Allocation, ComputeOptimal, FrontierPoint, IsoFlopProfile } from './compute-optimal.ts';
export { type Cell, type ColumnKind, readTable, type TableSchema } from './csv-table.ts';
export { ScalingError, TableError } from './errors.ts';
export type { BudgetFit, GroupFit, LawForm, SizeSummary } from './group-fit.ts';
export type { HeldOut } from './held-out.ts';
export type { Influence } from './influence.ts';
export type { Point } from './observations.ts';
export {
  fitPowerLaw,
  isRefusal,
  type PowerLawFit,
  type PowerLawOptions,
  type Prediction,
  predict,
  type Refusal,
} from './power-law.ts';
export type { AlphaInterval, Interval } from './profile-likelihood.ts';
export { type RunRow, readRuns } from './runs.ts';
export { fitStudy, groupName, type Study, type StudyOptions } from './study.ts';
export type { TestSplitError, TuneLoss } from './test-split.ts';
export { lossName } from './verdicts.ts';
export { wilsonInterval } from './wilson.ts';
export { displayName } from './wording.ts';
