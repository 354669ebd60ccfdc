/** What stage programs use of repro. Light to import: YAML and ajv are loaded by the first readParams. */
export { inWords, type Place, type Problem, ReproError } from './errors.ts';
export { openProgress, type Progress, type ProgressUpdate } from './progress.ts';
export { type ReadParamsOptions, readParams } from './read-params.ts';
