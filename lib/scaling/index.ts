/**
 * Scaling laws: fits, confidence intervals, and the comparison of architectures.
 *
 *   study/       the table of runs in, the contents of scaling.json out; the claims in words
 *   analysis/    architectures at equal size, held-out sizes, influential runs, error of the test split, advice on designs
 *   token-law/   L(N, D) = E + A·N^(−α) + B·D^(−β), token budgets, compute-optimal sizes
 *   size-law/    L(N) = a·N^(−α) + c and its intervals
 *   tables/      CSV tables and the columns of results.csv
 *   numbers/     numerical methods, numbers in sentences
 *   errors.ts    the errors that are thrown
 */
export {
  type Addition,
  type Advice,
  type AdviceOptions,
  type ArchitectureComparison,
  adviseDesign,
  type Design,
  type Difference,
  designOf,
  type Expectation,
  type HeldOut,
  type Influence,
  predictDifference,
  readTuneLosses,
  type TestSplitError,
  type TuneLoss,
} from './analysis/index.ts';
export { ScalingError, TableError } from './errors.ts';
export {
  type AlphaInterval,
  displayName,
  formatNumber,
  formatPercent,
  type Interval,
  wilsonInterval,
} from './numbers/index.ts';
export {
  type Comparison,
  type Form,
  fitPowerLaw,
  isRefusal,
  type Point,
  type PowerLawFit,
  type PowerLawOptions,
  type Prediction,
  predict,
  type Refusal,
} from './size-law/index.ts';
export {
  type BudgetFit,
  fitStudy,
  type GroupFit,
  groupName,
  type LawForm,
  lossName,
  type PublishedResults,
  publishedResults,
  type SizeSummary,
  type Study,
  type StudyOptions,
} from './study/index.ts';
export {
  type Cell,
  type ColumnKind,
  type RunRow,
  readRuns,
  readTable,
  type TableSchema,
  wholeRuns,
} from './tables/index.ts';
export {
  type Allocation,
  type ChinchillaFit,
  type ChinchillaOptions,
  type ChinchillaParameter,
  type ComputeOptimal,
  type FrontierPoint,
  fitChinchilla,
  type IsoFlopProfile,
  predictTokens,
  type TokenPoint,
} from './token-law/index.ts';
