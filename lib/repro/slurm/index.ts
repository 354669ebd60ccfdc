/**
 * Runs stages as jobs of Slurm. docs/cluster.md describes it for users.
 *
 *   slurm-executor.ts   makes stages by jobs: submits, watches, takes results, adopts attempts of an earlier repro
 *   tasks.ts            its data about each stage and attempt
 *   run-attempt.ts      the program of a job on its node; oom-kills.ts: kills for lack of memory, from its cgroup
 *   attempt-files.ts    the files that repro and nodes exchange; remembered.ts: hashes that they pass to each other
 *   probe               jobs that test before a run whether nodes see the folder
 *   take-result.ts      turns a result file into the stage's result; accept-outputs.ts: outputs not seen here yet
 *   live-output.ts      shows the output of jobs while they run
 *   slurm-programs.ts   calls sbatch, squeue, sacct, scancel
 * Plans, without any effect:
 *   settings.ts         the settings
 *   sbatch-args.ts      the resources of a stage as options of sbatch
 *   answers.ts          parses the output of Slurm's programs
 *   job-states.ts       interprets a state of Slurm
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
