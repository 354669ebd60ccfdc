/** Chooses random windows of the training split, for models that do not carry a state from window to window. */
import { Random } from '../../models/index.ts';
import type { TokenSource } from './token-source.ts';

/**
 * The offsets at which the windows of a step begin, uniform over the training split. They depend only on the arguments,
 * not on the engine or on earlier steps, so a resumed run reads the same windows.
 *
 * @param seed the seed of the run
 * @param step number of the step, from 0
 * @param size `batch` windows of `length` tokens
 * @returns `batch` offsets in tokens from the start of the split
 */
export function randomOffsets(
  source: TokenSource,
  seed: number,
  step: number,
  { batch, length }: { batch: number; length: number },
): number[] {
  const random = new Random(seed, 'windows', step);
  const starts = source.totals('train').tokens - length;
  return Array.from({ length: batch }, () => random.below(starts));
}
