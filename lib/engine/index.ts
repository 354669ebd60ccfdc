export type * from './engine.ts';
export { EngineError } from './error.ts';
export { type EvaluateOptions, type Evaluation, evaluate } from './evaluate.ts';
export { openEngine } from './open.ts';
export type { TrainSettings } from './plan.ts';
export { type SampleOptions, sample } from './sample.ts';
export { learningRate, type Schedule } from './schedule.ts';
export type { Split, TokenSource } from './token-source.ts';
export { type CurveRow, type TrainOptions, type TrainResult, train } from './train.ts';
