/** `repro attempt FILE INDEX`: the command that a job of Slurm runs on its node. The help does not show it. */
import { resolve } from 'node:path';
import { runAttempt } from '../../slurm/index.ts';

/**
 * Makes one stage, and writes its result for the host that submitted the job.
 *
 * @param file attempt.json of the attempt
 * @param index the task of the array
 * @returns the exit code: 0 made, 1 failed
 */
export function attempt(file: string, index: number): Promise<number> {
  return runAttempt(resolve(file), index);
}
