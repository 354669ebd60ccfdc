/**
 * Runs the stages of a plan. Above planning and processes; the commands of the CLI use it.
 *
 *   execute.ts      carries out a plan, with the options in run-options.ts
 *   stage-runner.ts brings one stage up to date: when it may start, and whether it is restored or run
 *   attempt.ts      one attempt at one stage; taking outputs into the cache, and restoring them
 *   pool.ts         which waiting stage starts next
 *   capacity.ts     whether a stage fits beside the running ones; machine.ts: what this machine has
 *   stages-above.ts refuses a call of repro that would wait for the stage it comes from
 *   leases.ts       how several repros share stages and GPUs
 *   killed-files.ts  temporary files that a killed repro left
 *   events.ts       what a run reports, as data
 *   attempt-log.ts  the record of past attempts, their output and durations; log-files.ts: the files of the output
 *   running-stages.ts  what runs now, for other terminals
 *   params-copies.ts  copies of params files, which an edit during a run does not touch
 *   expectation.ts  how long each stage will take, with costs.ts: what the `cost` commands answer
 *   forecast.ts     how long they take together; run-estimate.ts: for a plan,
 *                   time-left.ts: for the rest of a run
 */
export { commitStage, ignoredIn, missingOutputs, restoreStage } from './attempt.ts';
export { type Attempt, AttemptLog } from './attempt-log.ts';
export type { Cost } from './costs.ts';
export type { Listener, RunEvent } from './events.ts';
export { execute, type Interrupt, type RunResult } from './execute.ts';
export { type Expectation, expectationOf } from './expectation.ts';
export { killedFiles } from './killed-files.ts';
export { Leases } from './leases.ts';
export { oldLogs } from './log-files.ts';
export { thisMachine } from './machine.ts';
export { estimateRun, type RunEstimate } from './run-estimate.ts';
export { type RunningRecord, runningStages } from './running-stages.ts';
export { checkNotWithin } from './stages-above.ts';
