/**
 * Runs shell commands so that none is left behind. Used by execution.
 *
 *   command.ts         one command: its output as text and progress, its timeout, its result
 *   shell-script.ts    the script that the shell runs for a command
 *   launch.ts          how a shell is started, by launch-with-addon.ts or launch-with-node.ts
 *   process-groups.ts  kills commands whose repro has died
 *   peak-memory.ts     the memory that commands use
 *   gpu-use.ts         the memory and load of leased GPUs
 *   process-table.ts   start times and groups of processes, from proc-files.ts or ps-program.ts
 */
export { Command, type CommandResult } from './command.ts';
export { type GpuFigures, GpuUse } from './gpu-use.ts';
export { PeakMemory } from './peak-memory.ts';
export { killOrphans, ProcessGroups } from './process-groups.ts';
export { startTimeOf } from './process-table.ts';
export { shellScript } from './shell-script.ts';
