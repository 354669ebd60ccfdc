export { LISTED_PARAMS, listedParams } from './listed-params.ts';
export { openProgress, type Progress, type ProgressUpdate } from './progress.ts';
export { type ReadParamsOptions, readParams } from './read-params.ts';
