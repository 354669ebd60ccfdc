/** Which windows of a split an evaluation reads, and which of their tokens it counts. */

/** A window of a split: the model reads `length` tokens and predicts as many, each one token later. */
export interface Window {
  /** position of the first token in the split */
  offset: number;
  length: number;
  /** number of predictions at its start that do not count, because an earlier window counts the same tokens. Default 0 */
  skip?: number;
}

/**
 * Windows that slide over a split by `stride`. Each predicted token counts once. It has at least length − stride tokens
 * before it in its window, unless it is among the first tokens of the split. The last window may be shorter.
 *
 * @param total tokens to predict: all but the first of the split
 * @param length of a window, in tokens
 * @param stride 1 … length; with `length` the windows do not overlap
 */
export function slidingWindows(total: number, length: number, stride: number): Window[] {
  const windows: Window[] = [];
  for (let offset = 0, counted = 0; counted < total; offset += stride) {
    const window = { offset, length: Math.min(length, total - offset), skip: counted - offset };
    windows.push(window);
    counted = offset + window.length;
  }
  return windows;
}

/**
 * Windows in which each predicted token has more than `context` and at most 2·context bytes of text before it, unless
 * it is among the first of the split. A token that is longer than the context may have more. So models with different
 * tokenizers see equally much text. Where each token is a byte, these are the sliding windows of length 2·context and
 * stride `context`.
 *
 * @param bytes of each token of the split, in order; the last one is only predicted
 * @returns undefined if a window has more than `block` tokens
 */
export function contextWindows(bytes: ArrayLike<number>, context: number, block: number): Window[] | undefined {
  const total = bytes.length - 1;
  const windows: Window[] = [];
  let offset = 0;
  /** bytes of the tokens from `offset` to `end` − 1, which are the context of the token `end` */
  let before = 0;
  for (let end = 0, counted = 0; counted < total; counted = end) {
    before += bytes[end++];
    while (before - bytes[offset] > context) before -= bytes[offset++];
    while (end < total && before + bytes[end] <= 2 * context) before += bytes[end++];
    if (end - offset > block) return undefined;
    windows.push({ offset, length: end - offset, skip: counted - offset });
  }
  return windows;
}

/**
 * Returns full windows that do not overlap, evenly spread over a split.
 *
 * @param tokens in the split
 * @param length of a window, in tokens
 * @param wanted tokens in all windows together, rounded to whole windows; at least one window
 */
export function spreadWindows(tokens: number, length: number, wanted: number): Window[] {
  const windows = Math.max(1, Math.min(Math.round(wanted / length), Math.floor((tokens - 1) / length)));
  const stride = Math.floor((tokens - 1) / windows);
  return Array.from({ length: windows }, (_, i) => ({ offset: i * stride, length }));
}
