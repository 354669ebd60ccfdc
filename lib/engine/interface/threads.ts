/** The check of the number of threads that an engine may use. */
import { availableParallelism } from 'node:os';
import { EngineError } from './errors.ts';

/** @throws EngineError unless `threads` is a whole number from 1 to the number of this machine's cores */
export function checkThreads(threads: number): void {
  const cores = availableParallelism();
  if (!Number.isSafeInteger(threads) || threads < 1 || threads > cores)
    throw new EngineError(
      `threads is ${threads}; it must be a whole number from 1 to ${cores}, the cores of this machine`,
    );
}
