/** What stage programs use of repro. Light to import: YAML and ajv are loaded by the first readParams. */
export { describeError, type Place, type Problem, ReproError } from './messages/index.ts';
export {
  openProgress,
  type Progress,
  type ProgressUpdate,
  type ReadParamsOptions,
  readParams,
} from './stage-api/index.ts';
