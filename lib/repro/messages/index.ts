export { describeError, type Place, type Problem, ReproError } from './errors.ts';
export { describeFailure, describeSkip, type Failure, type Skip } from './failure.ts';
export { nearestName, suggestion } from './nearest.ts';
export { markdownTable, plainTable } from './table.ts';
export {
  describeBytes,
  describeDuration,
  describeRoughDuration,
  describeStateCounts,
  describeUpToDate,
  listNames,
  parseBytes,
  parseSeconds,
  plural,
} from './units.ts';
