/**
 * The interface of an engine (engine.ts), the checks of its arguments that all engines share (checks.ts, threads.ts), the
 * order of a model's calls (call-queue.ts), and its error (errors.ts).
 */
export { CallQueue } from './call-queue.ts';
export {
  checkBatch,
  checkInputs,
  checkOptimizerStep,
  checkStepOptions,
  checkStepSize,
  checkStreams,
  checkTokens,
  numbersOf,
} from './checks.ts';
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
