export {
  type ChinchillaFit,
  type ChinchillaOptions,
  type ChinchillaParameter,
  fitChinchilla,
  type TokenPoint,
} from './chinchilla.ts';
export { type ArchitectureComparison, type Difference, predictDifference } from './compare-architectures.ts';
export type { Comparison, Form } from './compare-forms.ts';
export { type Cell, type ColumnKind, readTable, type TableSchema } from './csv-table.ts';
export { ScalingError, TableError } from './errors.ts';
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
export { displayName } from './wording.ts';
