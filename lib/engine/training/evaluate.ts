/**
 * Computes the loss of a model over windows of a split: the whole split with sliding windows, or windows spread over
 * it. Dropout is off.
 */
import { checkSplit, inputsAndTargets, type Split, type TokenSource } from '../data/index.ts';
import { type Batch, EngineError, type Model } from '../interface/index.ts';
import { contextWindows, slidingWindows, type Window } from './windows.ts';

/** The loss of a model on a split. Bits per byte are loss / ln 2 · tokens per byte of the whole split. */
export interface Evaluation {
  /** mean, in nats per token */
  loss: number;
  /** number of predicted tokens */
  tokens: number;
  /** comparable between tokenizers */
  bitsPerByte: number;
  /** the loss of each predicted token, in nats; element i is that of token i + 1 of the split */
  tokenLosses: Float32Array;
  /** mean losses by position: element i is that of the tokens with i + 1 tokens before them in a window, in nats */
  positions: { loss: number; tokens: number }[];
  /** mean over all positions of all windows: what windows that do not overlap would give, but for their places */
  bitsPerByteWithoutOverlap: number;
  /** with `equalContext` only, and if its windows fit into the model's block */
  bitsPerByteEqualContext?: number;
}

/** The model and the split to evaluate, the stride of the windows, and the number of tokens. */
export interface EvaluateOptions {
  model: Model;
  source: TokenSource;
  split: Split;
  /** tokens by which windows as long as the block slide, 1 … block. Default: the block, without overlap */
  stride?: number;
  /** evaluates only this many tokens, from the start of the split. Default: all */
  maxTokens?: number;
  /** also judges each token with `bytes` to 2·`bytes` bytes of text before it, see contextWindows */
  equalContext?: {
    bytes: number;
    /** bytes of each token of the vocabulary, at least 1 */
    tokenBytes: ArrayLike<number>;
  };
  onProgress?(progress: { done: number; total: number; unit: string; text: string }): void;
}

/**
 * Windows in a batch of a whole evaluation. An LSTM reads its weights once for a time step of all windows. During training
 * batches are smaller, because their buffers are in addition to those of training.
 */
const WINDOWS_PER_BATCH = 32;
const WINDOWS_PER_BATCH_IN_TRAINING = 8;

/**
 * Computes the loss over windows as long as the model's block, which slide by `stride`. Every token but the first of the
 * split is predicted once. It has at least block − stride tokens before it in its window, where the split has as many.
 *
 * @throws EngineError if the split is shorter than one window, an option is out of range, or the loss is NaN or infinite
 */
export async function evaluate(options: EvaluateOptions): Promise<Evaluation> {
  const { model, source, split, maxTokens, equalContext, onProgress } = options;
  const { block } = model.config;
  const { stride = block } = options;
  checkSplit(source, split, block);
  if (maxTokens !== undefined && !(maxTokens >= 1))
    throw new EngineError(`maxTokens is ${maxTokens}; it must be at least 1, or absent for the whole split`);
  if (!(Number.isSafeInteger(stride) && stride >= 1 && stride <= block))
    throw new EngineError(`stride is ${stride}; it must be a whole number from 1 to the model's block of ${block}`);
  const { tokens, bytes } = source.totals(split);
  const total = Math.min(tokens - 1, maxTokens ?? tokens);
  const bitsPerByte = (loss: number) => ((loss / Math.LN2) * tokens) / bytes;

  const windows = slidingWindows(total, block, stride);
  const others = equalContext && equalContextWindows(source, split, total, block, equalContext);
  const passes = others === undefined || equalWindows(windows, others) ? [windows] : [windows, others];
  const work = passes.flat().reduce((sum, { length }) => sum + length, 0);
  let done = 0;
  const onTokens = (read: number) =>
    onProgress?.({ done: (done += read), total: work, unit: 'tokens', text: `loss on ${split}` });

  const positions = Array.from({ length: Math.min(block, total) }, () => ({ loss: 0, tokens: 0 }));
  const tokenLosses = await lossesOfTokens(model, source, split, windows, onTokens, (position, loss) => {
    positions[position].loss += loss;
    positions[position].tokens++;
  });
  const loss = mean(tokenLosses);
  if (!Number.isFinite(loss)) throw notFinite(`the loss on ${split}`, loss);
  const sums = positions.reduce((all, each) => ({ loss: all.loss + each.loss, tokens: all.tokens + each.tokens }));
  let equal = others === undefined ? undefined : bitsPerByte(loss);
  if (passes.length === 2) equal = bitsPerByte(mean(await lossesOfTokens(model, source, split, passes[1], onTokens)));
  return {
    loss,
    tokens: total,
    bitsPerByte: bitsPerByte(loss),
    tokenLosses,
    positions: positions.map((each) => ({ loss: each.loss / each.tokens, tokens: each.tokens })),
    bitsPerByteWithoutOverlap: bitsPerByte(sums.loss / sums.tokens),
    ...(equal !== undefined && { bitsPerByteEqualContext: equal }),
  };
}

/** The windows of contextWindows for the first tokens of a split. */
function equalContextWindows(
  source: TokenSource,
  split: Split,
  total: number,
  block: number,
  { bytes, tokenBytes }: NonNullable<EvaluateOptions['equalContext']>,
): Window[] | undefined {
  const lengths = Array.from(source.window(split, 0, total + 1), (token) => tokenBytes[token]);
  return contextWindows(lengths, bytes, block);
}

/** Whether both lists have the same windows, which count the same tokens. */
function equalWindows(a: Window[], b: Window[]): boolean {
  const same = (one: Window, other: Window) =>
    one.offset === other.offset && one.length === other.length && one.skip === other.skip;
  return a.length === b.length && a.every((window, i) => same(window, b[i]));
}

function mean(values: Float32Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/**
 * The error for a loss or logit that is NaN or infinite. Damaged weights are the cause, because training stops before
 * it would save such weights.
 */
export function notFinite(name: string, value: number): EngineError {
  return new EngineError(`${name} is ${value}: the model's weights are damaged, train it or copy them again`);
}

/**
 * Computes the loss of each token that the windows count, in nats.
 *
 * @param windows that count the tokens 1 … n of the split, each once
 * @param onTokens called after each batch with the number of tokens read
 * @param onLoss called with every prediction, also those that do not count
 * @returns element i is the loss of token i + 1
 */
async function lossesOfTokens(
  model: Model,
  source: TokenSource,
  split: Split,
  windows: Window[],
  onTokens: (read: number) => void,
  onLoss?: (position: number, loss: number) => void,
): Promise<Float32Array> {
  const losses = new Float32Array(windows.reduce((end, { offset, length }) => Math.max(end, offset + length), 0));
  for (const batch of batchesOf(
    [...windows].sort((a, b) => b.length - a.length),
    WINDOWS_PER_BATCH,
  )) {
    const { length } = batch[0];
    const offsets = batch.map(({ offset }) => offset);
    const values = await model.tokenLosses(gatherBatch(source, split, offsets, length));
    batch.forEach(({ offset, skip = 0 }, i) => {
      for (let t = 0; t < length; t++) onLoss?.(t, values[i * length + t]);
      losses.set(values.subarray(i * length + skip, (i + 1) * length), offset + skip);
    });
    onTokens(values.length);
  }
  return losses;
}

/** Divides windows into batches: neighbours of the same length, at most `most`. */
function* batchesOf(windows: Window[], most: number): Generator<Window[]> {
  for (let i = 0; i < windows.length; ) {
    const begin = i++;
    while (i - begin < most && windows[i]?.length === windows[begin].length) i++;
    yield windows.slice(begin, i);
  }
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
  { signal }: { signal?: AbortSignal } = {},
): Promise<{ loss: number; predicted: number }> {
  let sum = 0;
  let predicted = 0;
  for (const batch of batchesOf(windows, WINDOWS_PER_BATCH_IN_TRAINING)) {
    signal?.throwIfAborted();
    const { length } = batch[0];
    const offsets = batch.map(({ offset }) => offset);
    sum += (await model.loss(gatherBatch(source, split, offsets, length))) * batch.length * length;
    predicted += batch.length * length;
  }
  return { loss: sum / predicted, predicted };
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
