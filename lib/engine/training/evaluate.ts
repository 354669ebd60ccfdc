/**
 * Computes the loss of a model over windows of a split: the whole split in order, or windows spread over it. Dropout is
 * off.
 */
import { checkSplit, inputsAndTargets, type Split, type TokenSource } from '../data/index.ts';
import { type Batch, EngineError, type Model } from '../interface/index.ts';

/** The loss of a model on a split, in two units. */
export interface Evaluation {
  /** mean, in nats per token */
  loss: number;
  /** number of predicted tokens */
  tokens: number;
  /** loss / ln 2 · tokens per byte of the whole split; comparable between tokenizers */
  bitsPerByte: number;
}

/** The model and the split to evaluate, and the number of tokens. */
export interface EvaluateOptions {
  model: Model;
  source: TokenSource;
  split: Split;
  /** evaluates only this many tokens, from the start of the split. Default: all */
  maxTokens?: number;
  onProgress?(progress: { done: number; total: number; unit: string; text: string }): void;
}

/** A window of a split: the model reads `length` tokens and predicts as many, each one token later. */
export interface Window {
  /** position of the first token in the split */
  offset: number;
  length: number;
}

/** Windows in a batch of an evaluation. */
const WINDOWS_PER_BATCH = 8;

/**
 * Computes the loss over consecutive windows as long as the model's block. The last window may be shorter. Every token
 * but the first of the split is predicted once, from the tokens before it in its window.
 *
 * @throws EngineError if the split is shorter than one window, or the loss is NaN or infinite
 */
export async function evaluate({ model, source, split, maxTokens, onProgress }: EvaluateOptions): Promise<Evaluation> {
  checkSplit(source, split, model.config.block);
  if (maxTokens !== undefined && !(maxTokens >= 1))
    throw new EngineError(`maxTokens is ${maxTokens}; it must be at least 1, or absent for the whole split`);
  const { tokens, bytes } = source.totals(split);
  const windows = consecutiveWindows(Math.min(tokens - 1, maxTokens ?? tokens), model.config.block);
  const { loss, predicted } = await lossOverWindows(model, source, split, windows, {
    onProgress: (done, total) => onProgress?.({ done, total, unit: 'tokens', text: `loss on ${split}` }),
  });
  if (!Number.isFinite(loss)) throw notFinite(`the loss on ${split}`, loss);
  return { loss, tokens: predicted, bitsPerByte: ((loss / Math.LN2) * tokens) / bytes };
}

/**
 * The error for a loss or logit that is NaN or infinite. Damaged weights are the cause, because training stops before
 * it would save such weights.
 */
export function notFinite(name: string, value: number): EngineError {
  return new EngineError(`${name} is ${value}: the model's weights are damaged, train it or copy them again`);
}

/** Returns consecutive windows that together predict `total` tokens. The last one may be shorter than `length`. */
export function consecutiveWindows(total: number, length: number): Window[] {
  const windows: Window[] = [];
  for (let offset = 0; offset < total; offset += length)
    windows.push({ offset, length: Math.min(length, total - offset) });
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

/**
 * Computes the mean loss over all tokens of the windows. Neighbouring windows of the same length share a batch.
 *
 * @returns `loss` in nats per token, and the number of predicted tokens
 * @throws the signal's reason if it is aborted; checked between batches
 */
export async function lossOverWindows(
  model: Model,
  source: TokenSource,
  split: Split,
  windows: Window[],
  { onProgress, signal }: { onProgress?(done: number, total: number): void; signal?: AbortSignal } = {},
): Promise<{ loss: number; predicted: number }> {
  const total = windows.reduce((sum, { length }) => sum + length, 0);
  let sum = 0;
  let done = 0;
  for (let i = 0; i < windows.length; ) {
    signal?.throwIfAborted();
    const { length } = windows[i];
    const batch = [];
    while (batch.length < WINDOWS_PER_BATCH && windows[i]?.length === length) batch.push(windows[i++].offset);
    sum += (await model.loss(gatherBatch(source, split, batch, length))) * batch.length * length;
    done += batch.length * length;
    onProgress?.(done, total);
  }
  return { loss: sum / done, predicted: done };
}

/**
 * Reads windows of a split into one batch.
 *
 * @param offsets positions of the first tokens of the B windows
 * @param length T tokens per window
 * @returns inputs (B,T) and targets (B,T), without a state
 * @throws EngineError if there are no offsets
 */
export function gatherBatch(source: TokenSource, split: Split, offsets: number[], length: number): Batch {
  let batch: Batch | undefined;
  for (const [i, offset] of offsets.entries()) {
    const { inputs, targets } = inputsAndTargets(source, split, offset, length);
    const TokenArray = inputs instanceof Uint16Array ? Uint16Array : Uint32Array;
    batch ??= {
      inputs: new TokenArray(offsets.length * length),
      targets: new TokenArray(offsets.length * length),
      sequences: offsets.length,
      length,
    };
    batch.inputs.set(inputs, i * length);
    batch.targets.set(targets, i * length);
  }
  if (!batch) throw new EngineError('a batch needs at least one window');
  return batch;
}
