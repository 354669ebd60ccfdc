/**
 * Runs the stages of a plan. Above planning and processes; the commands of the CLI use it.
 *
 *   execute.ts      carries out a plan, with the options in run-options.ts
 *   stage-runner.ts brings one stage up to date: when it may start, and whether it is restored or run
 *   stage-attempts.ts  makes a stage by an executor (the folders making and slurm), and records it; the log of attempts
 *   detach-when-idle.ts  when --detach may end repro
 *   record-stage.ts records the result of an executor (making/) in the run cache and the lock; restores runs
 *   pool.ts         which waiting stage starts next
 *   leases.ts       how several repros share stages and GPUs
 *   killed-files.ts  temporary files that a killed repro left
 *   events.ts       the events that a run reports
 *   running-stages.ts  the stages that run now, for other terminals
 *   time-left.ts    how long the rest of the run will take
 */
export type { Listener, RunEvent } from './events.ts';
export { execute, type Interrupt, type RunResult } from './execute.ts';
export { killedFiles } from './killed-files.ts';
export { Leases } from './leases.ts';
export { commitStage, restoreStage } from './record-stage.ts';
export { elsewhereOf, type SlurmOptions } from './run-options.ts';
export { type RunningRecord, type RunningStage, runningStages } from './running-stages.ts';
