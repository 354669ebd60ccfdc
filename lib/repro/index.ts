/**
 * The library for stage programs: read params, show progress, report errors, print text from outside. Importing it is cheap, because YAML and
 * ajv are only loaded by the first call of readParams.
 *
 * @example
 * const params = await readParams('params.yaml');
 * const progress = openProgress();
 */
export { describeError, escapeControls, type Place, type Problem, ReproError } from './messages/index.ts';
export {
  openProgress,
  type Progress,
  type ProgressUpdate,
  type ReadParamsOptions,
  readParams,
} from './stage-api/index.ts';
