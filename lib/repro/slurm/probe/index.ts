/**
 * Tests whether nodes see the project's folder: jobs that run before all others, and their remembered answers.
 *
 *   probe.ts         submits a job for each set of options, and waits for its answer
 *   probe-files.ts   the files that repro and the job exchange
 *   known-nodes.ts   the answers that are remembered
 */
export { noteResult } from './known-nodes.ts';
export { probeNodes } from './probe.ts';
