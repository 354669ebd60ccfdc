/**
 * Scaling laws: fits, confidence intervals, and the comparison of architectures.
 *
 *   study.ts                  the table of runs in, the contents of scaling.json out
 *   group-fit.ts              all that is fitted for one tokenizer and architecture
 *   verdicts.ts               the claims in words
 *   runs.ts                   the columns of results.csv
 *   csv-table.ts              reads and checks CSV tables
 *   published-results.ts      scaling_results.json, as published studies write it
 *
 * L(N):
 *   power-law.ts              fits L(N) = a·N^(−α) + c and evaluates it
 *   observations.ts           the number of runs that a law needs; the choice of runs or sizes as observations
 *   choose-form.ts            decides between a·N^(−α) + c, a·N^(−α) and no law
 *   compare-forms.ts          compares four forms by AICc
 *   variable-projection.ts    the least-squares fit
 *   profile-likelihood.ts     the confidence intervals
 *   compare-architectures.ts  two architectures at equal size
 *
 * L(N, D):
 *   budgets.ts                the token budgets of runs
 *   chinchilla.ts             fits L(N, D) = E + A·N^(−α) + B·D^(−β)
 *   chinchilla-objective.ts   its objective and starting points
 *   compute-optimal.ts        frontier, isoFLOP profiles, compute-optimal sizes
 *
 * How far to trust a fit, and what to run next:
 *   held-out.ts               predicts the largest size from the smaller ones
 *   influence.ts              runs on which the result depends
 *   test-split.ts             the error from the choice of test tunes
 *   advise.ts                 the interval of α to expect from a design, and the run to add
 *
 * Numbers:
 *   bfgs.ts, bootstrap.ts, f-distribution.ts, wilson.ts, wording.ts
 */
export {
  type Addition,
  type Advice,
  type AdviceOptions,
  adviseDesign,
  type Design,
  designOf,
  type Expectation,
} from './advise.ts';
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
export { type PublishedResults, publishedResults } from './published-results.ts';
export { type RunRow, readRuns } from './runs.ts';
export { fitStudy, groupName, type Study, type StudyOptions } from './study.ts';
export { readTuneLosses, type TestSplitError, type TuneLoss } from './test-split.ts';
export { lossName } from './verdicts.ts';
export { wilsonInterval } from './wilson.ts';
export { displayName, formatNumber, formatPercent } from './wording.ts';
