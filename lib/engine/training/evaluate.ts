/** The loss of a model over windows of a split: all of it in order, or a few spread over it. No dropout, no update. */

import { checkSplit, inputsAndTargets, type Split, type TokenSource } from '../data/index.ts';
import { type Batch, EngineError, type Model } from '../interface/index.ts';

export interface Evaluation {
  /** mean, in nats a token */
  loss: number;
  /** tokens predicted */
  tokens: number;
  /** loss / ln 2 · tokens / bytes of the whole split: comparable between tokenizers */
  bitsPerByte: number;
}

export interface EvaluateOptions {
  model: Model;
  source: TokenSource;
  split: Split;
  /** Stops after about this many tokens, from the split's start; default: all of it */
  maxTokens?: number;
  onProgress?(progress: { done: number; total: number; unit: string; text: string }): void;
}

/** A piece of a split: `length` tokens to read, and as many to predict. */
export interface Window {
  offset: number;
  length: number;
}

/** Windows evaluated at a time. */
const windowsPerBatch = 8;

/**
 * Loss over consecutive windows as long as the model's block, the last one shorter: every token but the first is predicted
 * once, from what precedes it in its window.
 * @throws EngineError when the split is shorter than one window, or the loss is no finite number
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

/** What a model of damaged weights gives; training stops before it saves such. */
export function notFinite(what: string, value: number): EngineError {
  return new EngineError(`${what} is ${value}: the model's weights are damaged, train it or copy them again`);
}

/** Windows that predict `total` tokens one after the other. */
export function consecutiveWindows(total: number, length: number): Window[] {
  const windows: Window[] = [];
  for (let offset = 0; offset < total; offset += length)
    windows.push({ offset, length: Math.min(length, total - offset) });
  return windows;
}

/** About `wanted` tokens in full windows that do not overlap, evenly over a split of `tokens`; at least one. */
export function spreadWindows(tokens: number, length: number, wanted: number): Window[] {
  const count = Math.max(1, Math.min(Math.round(wanted / length), Math.floor((tokens - 1) / length)));
  const stride = Math.floor((tokens - 1) / count);
  return Array.from({ length: count }, (_, i) => ({ offset: i * stride, length }));
}

/**
 * Mean over all the tokens of the windows. Windows of one length that follow each other share a batch.
 * @throws the signal's reason when it is aborted, between two batches
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
    while (batch.length < windowsPerBatch && windows[i]?.length === length) batch.push(windows[i++].offset);
    sum += (await model.loss(gather(source, split, batch, length))) * batch.length * length;
    done += batch.length * length;
    onProgress?.(done, total);
  }
  return { loss: sum / done, predicted: done };
}

/** The windows at these offsets as one batch. */
export function gather(source: TokenSource, split: Split, offsets: number[], length: number): Batch {
  let batch: Batch | undefined;
  for (const [i, offset] of offsets.entries()) {
    const { inputs, targets } = inputsAndTargets(source, split, offset, length);
    const array = inputs instanceof Uint16Array ? Uint16Array : Uint32Array;
    batch ??= {
      inputs: new array(offsets.length * length),
      targets: new array(offsets.length * length),
      sequences: offsets.length,
      length,
    };
    batch.inputs.set(inputs, i * length);
    batch.targets.set(targets, i * length);
  }
  if (!batch) throw new EngineError('a batch needs at least one window');
  return batch;
}
