/**
 * Streams for truncated backpropagation through time, as in PyTorch's word_language_model example.
 *
 * The training split is cut into as many streams as a batch has sequences. Each step reads the next window of every
 * stream, and an LSTM starts it with the state at the end of the window before. Gradients end where a window begins.
 * After the last window, all streams start again with a state of zeros.
 *
 * The order of the data is the same for every seed.
 */
import { EngineError } from '../interface/index.ts';

/** The division of a split into streams. */
export interface Streams {
  /** tokens from the start of a stream to the start of the next; the last target of the last stream is one token later */
  stride: number;
  /** windows per stream; a remainder shorter than a window is not read */
  windows: number;
}

/**
 * Cuts a split into streams of equal length.
 *
 * @param tokens in the training split
 * @param batch number of streams
 * @param length of a window, in tokens
 * @throws EngineError if a stream would be shorter than one window
 */
export function cutIntoStreams(tokens: number, batch: number, length: number): Streams {
  const stride = Math.floor((tokens - 1) / batch);
  const windows = Math.floor(stride / length);
  if (windows < 1)
    throw new EngineError(
      `the train split has ${tokens} tokens; ${batch} streams of at least one window of ${length}, and the token after them, need ` +
        `${batch * length + 1}. More data, a smaller batch or block, or state: reset would do`,
    );
  return { stride, windows };
}

/**
 * The offsets at which the windows of a step begin, one for each stream.
 *
 * @param step number of the step, from 0
 */
export function streamOffsets(step: number, { stride, windows }: Streams, batch: number, length: number): number[] {
  const within = (step % windows) * length;
  return Array.from({ length: batch }, (_, stream) => stream * stride + within);
}

/** Whether this step reads the first window of the streams. */
export function beginsStreams(step: number, { windows }: Streams): boolean {
  return step % windows === 0;
}
