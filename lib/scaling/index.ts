export { type ArchitectureComparison, type Difference, predictDifference } from './architectures.ts';
export {
  type ChinchillaFit,
  type ChinchillaOptions,
  type ChinchillaParameter,
  fitChinchilla,
  type TokenPoint,
} from './chinchilla.ts';
export type { Comparison, Form } from './comparison.ts';
export { ScalingError } from './errors.ts';
export {
  fitPowerLaw,
  type Interval,
  isRefusal,
  type Point,
  type PowerLawFit,
  type PowerLawOptions,
  type Prediction,
  predict,
  type Refusal,
} from './power-law.ts';
export { type RunRow, readRuns } from './runs.ts';
export { fitStudy, type GroupFit, groupName, lossName, type Study, type StudyOptions } from './study.ts';
export { type Cell, type ColumnKind, readTable, TableError, type TableSchema } from './table.ts';
export { displayName } from './wording.ts';
