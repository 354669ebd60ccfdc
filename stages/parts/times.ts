/**
 * How long a run took on this machine: a JSON file for each run, outputs/times/RUN.json.
 *
 * Two runs of the same study give the same metrics but not the same times, so times are in no file that git or the lock
 * keeps. A restored run keeps the metrics of its inputs, while its file of times is that of the last training. So the
 * file holds the hash of the metrics that it belongs to, and is ignored if the metrics are others.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readJson, writeJson } from './stage.ts';

/** Time and memory of a run, and of its smaller budgets by their share of the tokens. */
export interface Times {
  /** all attempts, with evaluations and smaller budgets */
  seconds: number;
  /** of training steps alone */
  tokens_per_second: number;
  /** of the process that ended the run */
  peak_memory_mb: number;
  /** with its kernels: "native fp32, AVX2, 1 thread" */
  engine: string;
  budgets: Record<string, { tokens_per_second: number }>;
}

/** Writes the times of a run with the hash of its metrics. */
export async function writeTimes(file: string, times: Times, metrics: object): Promise<void> {
  await writeJson(file, { ...times, metrics: hashOf(metrics) });
}

/**
 * Reads the times of a run.
 *
 * @param metrics the metrics of the run, as read from their file
 * @returns undefined if there are none, or if they are those of a run with other metrics
 */
export async function readTimes(file: string, metrics: object): Promise<Times | undefined> {
  if (!existsSync(file)) return undefined;
  const { metrics: hash, ...times } = (await readJson(file)) ?? {};
  return hash === hashOf(metrics) ? times : undefined;
}

function hashOf(metrics: object): string {
  return createHash('sha256').update(JSON.stringify(metrics)).digest('hex');
}
