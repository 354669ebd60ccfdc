/**
 * The log of attempts at stages, and their output.
 *
 *   attempt-log.ts  when each stage ran, for how long and how it ended, and the output of each attempt
 *   log-files.ts    the files of this output, which may be larger than memory
 */
export { type Attempt, AttemptLog, type AttemptOutput } from './attempt-log.ts';
export { oldLogs } from './log-files.ts';
