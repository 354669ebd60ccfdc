/**
 * Training, evaluation and sampling, on any engine.
 *
 * | file                    | holds                                                                        |
 * | ----------------------- | ---------------------------------------------------------------------------- |
 * | train.ts                | the training loop                                                            |
 * | train-options.ts        | what a run is given                                                          |
 * | train-result.ts         | what a run gives                                                             |
 * | training-run.ts         | a run under way                                                              |
 * | branches.ts             | models of smaller budgets that one run gives                                 |
 * | training-settings.ts    | the settings of a run, their checks, and the steps and windows that follow   |
 * | learning-rate.ts        | the learning rate of each step                                               |
 * | training-checkpoints.ts | checkpoints from which an interrupted run continues                          |
 * | divergence.ts           | when to stop a run that has diverged                                         |
 * | memory-estimate.ts      | whether a run fits into memory                                               |
 * | evaluate.ts             | the loss of a model on a split                                               |
 * | windows.ts              | the windows of an evaluation, and which of their tokens count                |
 * | sample.ts               | text from a model                                                            |
 * | choose-token.ts         | the draw of one token, free or limited by a constraint                       |
 */
export type { TokenConstraint } from './choose-token.ts';
export { type EvaluateOptions, type Evaluation, evaluate } from './evaluate.ts';
export { type LearningRateSchedule, learningRateAt, type ScheduleName } from './learning-rate.ts';
export { estimateRunMemory } from './memory-estimate.ts';
export { type SampleOptions, sample } from './sample.ts';
export { train } from './train.ts';
export type { TrainOptions } from './train-options.ts';
export type { BudgetOutcome, CurveRow, Outcome, TrainResult } from './train-result.ts';
export type { TrainSettings } from './training-settings.ts';
