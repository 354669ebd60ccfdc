export {
  checkBatch,
  checkInputs,
  checkStepOptions,
  checkStepSize,
  checkStreams,
  checkTokens,
  numbersOf,
} from './batch.ts';
export type {
  Batch,
  Decoder,
  Engine,
  EngineName,
  EngineOptions,
  Model,
  OptimizerState,
  StepOptions,
  StepResult,
} from './engine.ts';
export { EngineError } from './errors.ts';
export { checkThreads } from './threads.ts';
