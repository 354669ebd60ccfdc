export { describeError, type Place, type Problem, ReproError } from './errors.ts';
export { nearest, suggestion } from './nearest.ts';
export { markdownTable, plainTable } from './table.ts';
export {
  bytes,
  count,
  describeBytes,
  describeRoughly,
  describeSeconds,
  describeStates,
  describeUpToDate,
  listNames,
  seconds,
} from './units.ts';
