/**
 * Models as data: configurations, parameters, initial weights and files. The mathematics is in lib/engine.
 *
 * | file                                | holds                                                                    |
 * | ----------------------------------- | ------------------------------------------------------------------------ |
 * | model-config.ts                     | the configuration of a model, and the types of parameters and weights    |
 * | model-sizes.ts                      | from a size in params.yaml to a configuration                            |
 * | check-config.ts                     | the checks of a configuration                                            |
 * | parameters.ts                       | names and shapes of the parameters, and their number                     |
 * | initial-weights.ts, random.ts       | the initial weights, and the random numbers of the whole project         |
 * | training-flops.ts                   | floating-point operations of training                                    |
 * | recurrent-state.ts                  | the state that an LSTM carries from window to window                     |
 * | checkpoint.ts                       | the files of a checkpoint: reads and writes them                         |
 * | safetensors.ts, hugging-face.ts,    | the file formats of a checkpoint                                         |
 * | gpt-neox.ts                         |                                                                          |
 */
export { checkConfig } from './check-config.ts';
export { type Checkpoint, loadCheckpoint, type OptimizerState, saveCheckpoint } from './checkpoint.ts';
export { ModelError } from './errors.ts';
export { initialWeights } from './initial-weights.ts';
export type * from './model-config.ts';
export { type ModelSize, modelConfig, type SharedSettings } from './model-sizes.ts';
export { countParameters, elementCount, parameters } from './parameters.ts';
export { Random } from './random.ts';
export { carriesState, decoderCapacity, stateShape } from './recurrent-state.ts';
export { flopsPerToken } from './training-flops.ts';
