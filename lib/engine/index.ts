/**
 * The training engine: trains, evaluates and samples models of lib/models.
 *
 * | folder     | holds                                                                             |
 * | ---------- | --------------------------------------------------------------------------------- |
 * | open.ts    | `openEngine`: chooses between the engines                                         |
 * | interface/ | the interface of an engine, a model and a decoder; start with interface/engine.ts |
 * | training/  | the training loop, evaluation, sampling                                           |
 * | data/      | where tokens come from, and which windows a step reads                            |
 * | native/    | the C++ engine (native/engine)                                                    |
 * | gpu/       | the engine for NVIDIA GPUs (native/cuda)                                          |
 * | tfjs/      | the same mathematics in TensorFlow.js: the reference that the tests compare with  |
 */
export type { Split, TokenSource } from './data/index.ts';
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
} from './interface/index.ts';
export { EngineError } from './interface/index.ts';
export { openEngine } from './open.ts';
export {
  type BudgetOutcome,
  type CurveRow,
  type EvaluateOptions,
  type Evaluation,
  estimateRunMemory,
  evaluate,
  type LearningRateSchedule,
  learningRateAt,
  type Outcome,
  type SampleOptions,
  sample,
  type TokenConstraint,
  type TrainOptions,
  type TrainResult,
  type TrainSettings,
  train,
} from './training/index.ts';
