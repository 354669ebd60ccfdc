/** How many threads an engine may have. */
import { availableParallelism } from 'node:os';
import { EngineError } from './errors.ts';

/** @throws EngineError when there are not so many cores, or it is no number of threads */
export function checkThreads(threads: number): void {
  const cores = availableParallelism();
  if (!Number.isSafeInteger(threads) || threads < 1 || threads > cores)
    throw new EngineError(
      `threads is ${threads}; it must be a whole number from 1 to ${cores}, the cores of this machine`,
    );
}
