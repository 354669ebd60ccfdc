/**
 * The interface through which training and evaluation read tokens. A token store on disk or an array in memory
 * implements it.
 */
import { EngineError } from '../interface/index.ts';

/** A part of the data: models train on `train`, and are evaluated on `val` during training and on `test` at the end. */
export type Split = 'train' | 'val' | 'test';

/** The tokens of a data set, by split. */
export interface TokenSource {
  /** Reads `length` tokens of a split, starting at `offset`. */
  window(split: Split, offset: number, length: number): Uint16Array | Uint32Array;
  /** The number of tokens in a split, and the bytes of UTF-8 text they encode. */
  totals(split: Split): { tokens: number; bytes: number };
}

/**
 * Checks that a split has at least one window and one more token, the target of the window's last token.
 *
 * @param length of a window, in tokens
 * @throws EngineError if the split is shorter
 */
export function checkSplit(source: TokenSource, split: Split, length: number): void {
  const { tokens } = source.totals(split);
  if (tokens < length + 1)
    throw new EngineError(
      `the ${split} split has ${tokens} tokens; a window of ${length} and the token after it need ${length + 1}. ` +
        'More data, a larger share of it for this split, or a smaller block would do',
    );
}

/** Reads one window and its targets, which are the same tokens shifted by one. Both have `length` tokens. */
export function inputsAndTargets(source: TokenSource, split: Split, offset: number, length: number) {
  const tokens = source.window(split, offset, length + 1);
  return { inputs: tokens.subarray(0, length), targets: tokens.subarray(1) };
}
