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
  type CurveRow,
  type EvaluateOptions,
  type Evaluation,
  evaluate,
  learningRate,
  type SampleOptions,
  type Schedule,
  sample,
  type TrainOptions,
  type TrainResult,
  type TrainSettings,
  train,
} from './training/index.ts';
