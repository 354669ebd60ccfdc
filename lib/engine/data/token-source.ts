/** Where training and evaluation take their tokens from. A store of tokens on disk fits it; so does an array in memory. */
import { EngineError } from '../interface/index.ts';

export type Split = 'train' | 'val' | 'test';

export interface TokenSource {
  /** `length` tokens of a split from `offset` on. */
  window(split: Split, offset: number, length: number): Uint16Array | Uint32Array;
  /** How many tokens a split has, and how many bytes of text they stand for. */
  totals(split: Split): { tokens: number; bytes: number };
}

/**
 * @param length of a window, in tokens; one more is needed, for the last one's target
 * @throws EngineError when the split has not one window
 */
export function checkSplit(source: TokenSource, split: Split, length: number): void {
  const { tokens } = source.totals(split);
  if (tokens < length + 1)
    throw new EngineError(
      `the ${split} split has ${tokens} tokens; a window of ${length} and the token after it need ${length + 1}. ` +
        'More data, a larger share of it for this split, or a smaller block would do',
    );
}

/** One window and, a token later, its targets: both of `length` tokens. */
export function inputsAndTargets(source: TokenSource, split: Split, offset: number, length: number) {
  const tokens = source.window(split, offset, length + 1);
  return { inputs: tokens.subarray(0, length), targets: tokens.subarray(1) };
}
