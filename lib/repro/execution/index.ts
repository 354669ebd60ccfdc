/**
 * Runs the stages of a plan. Above planning and processes; the commands of the CLI use it.
 *
 *   execute.ts      carries out a plan, with the options in run-options.ts
 *   stage-runner.ts brings one stage up to date: when it may start, and whether it is restored or run
 *   attempt.ts      one attempt at one stage
 *   record-stage.ts taking outputs into the cache, and restoring them
 *   incremental.ts  what an incremental stage begins with; input-changes.ts compares its inputs, file by file
 *   pool.ts         which waiting stage starts next
 *   stages-above.ts refuses a call of repro that would wait for the stage it comes from
 *   leases.ts       how several repros share stages and GPUs
 *   killed-files.ts  temporary files that a killed repro left
 *   events.ts       what a run reports, as data
 *   running-stages.ts  what runs now, for other terminals
 *   params-copies.ts  copies of params files, which an edit during a run does not touch
 *   time-left.ts    how long the rest of the run will take
 */
export { ignoredIn } from './attempt.ts';
export type { Listener, RunEvent } from './events.ts';
export { execute, type Interrupt, type RunResult } from './execute.ts';
export { killedFiles } from './killed-files.ts';
export { Leases } from './leases.ts';
export { commitStage, missingOutputs, restoreStage } from './record-stage.ts';
export { type RunningRecord, type RunningStage, runningStages } from './running-stages.ts';
export { checkNotWithin } from './stages-above.ts';
