/**
 * Truncated backpropagation through time, as PyTorch's word_language_model has it: the training split is cut into as many streams
 * as a batch has sequences, each step reads the next window of every stream, and an LSTM begins it with the state in which the
 * window before it ended. Gradients end where a window begins. At the end of the streams all begin again, at zero.
 *
 * Nothing here is drawn: the order of the data is the same for every seed.
 */
import { EngineError } from '../interface/index.ts';

export interface Streams {
  /** between the beginnings of two streams, in tokens; the last one's last target is the token after it */
  stride: number;
  /** windows a stream; what remains of it is shorter than one and is passed over */
  windows: number;
}

/**
 * @param tokens of the training split
 * @param length of a window
 * @throws EngineError when a stream would not have one window
 */
export function planStreams(tokens: number, batch: number, length: number): Streams {
  const stride = Math.floor((tokens - 1) / batch);
  const windows = Math.floor(stride / length);
  if (windows < 1)
    throw new EngineError(
      `the train split has ${tokens} tokens; ${batch} streams of at least one window of ${length}, and the token after them, need ` +
        `${batch * length + 1}. More data, a smaller batch or block, or state: reset would do`,
    );
  return { stride, windows };
}

/** Where the windows of a step begin, stream by stream. */
export function streamOffsets(step: number, { stride, windows }: Streams, batch: number, length: number): number[] {
  const within = (step % windows) * length;
  return Array.from({ length: batch }, (_, stream) => stream * stride + within);
}

/** Whether the streams are at their beginning at this step. */
export function beginsStreams(step: number, { windows }: Streams): boolean {
  return step % windows === 0;
}
