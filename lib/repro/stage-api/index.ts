/**
 * The functions that stage programs call, and the runner's side of them:
 * - read-params.ts: reads a params file and checks it against a JSON Schema;
 * - listed-params.ts: makes reading a param that the stage does not list an error;
 * - progress.ts: shows how far a stage program is.
 */
export { LISTED_PARAMS, listedParams, PARAMS_FOLDER, PARAMS_READ } from './listed-params.ts';
export { openProgress, type Progress, type ProgressUpdate } from './progress.ts';
export { type ReadParamsOptions, readParams } from './read-params.ts';
