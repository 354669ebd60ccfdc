/**
 * Runs stages as jobs of Slurm. docs/cluster.md describes it for users.
 *
 *   slurm-executor.ts   makes stages by jobs: submits, watches, takes results, adopts what an earlier repro left
 *   tasks.ts            what it keeps of each
 *   run-attempt.ts      what a job does on its node; oom-kills.ts: what its cgroup says about memory
 *   attempt-files.ts    the files that repro and nodes exchange; remembered.ts: hashes that they pass to each other
 *   probe               jobs that test before a run whether nodes see the folder
 *   take-result.ts      what a result says; accept-outputs.ts: outputs that this host may not see yet
 *   live-output.ts      what jobs print while they run
 *   slurm-programs.ts   calls sbatch, squeue, sacct, scancel
 * Plans, without any effect:
 *   settings.ts         the settings
 *   sbatch-args.ts      what a stage asks of Slurm
 *   answers.ts          what the programs print, as data
 *   job-states.ts       what a state of Slurm means
 *   journal-entries.ts  which attempts are under way
 */
export { type CellProgress, readOpenAttempts } from './attempt-files.ts';
export { type JobUnderWay, jobsUnderWay } from './jobs-under-way.ts';
export { probeNodes } from './probe/index.ts';
export { runAttempt } from './run-attempt.ts';
export { wantsOf } from './sbatch-args.ts';
export { readSettings, type SlurmSettings } from './settings.ts';
export { SlurmExecutor } from './slurm-executor.ts';
export { testOnly } from './slurm-programs.ts';
