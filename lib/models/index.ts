export { checkConfig } from './check.ts';
export { type Checkpoint, loadCheckpoint, type OptimizerState, saveCheckpoint } from './checkpoint.ts';
export type * from './config.ts';
export { ModelError } from './error.ts';
export { flopsPerToken } from './flops.ts';
export { initialWeights } from './initial.ts';
export { countParameters, parameters, sizeOf } from './parameters.ts';
export { Random } from './random.ts';
export { modelConfig, type Setting, type Size } from './sizes.ts';
