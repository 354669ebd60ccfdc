export { type EvaluateOptions, type Evaluation, evaluate } from './evaluate.ts';
export type { TrainSettings } from './plan.ts';
export { type SampleOptions, sample } from './sample.ts';
export { learningRate, type Schedule } from './schedule.ts';
export { type CurveRow, type TrainOptions, type TrainResult, train } from './train.ts';
