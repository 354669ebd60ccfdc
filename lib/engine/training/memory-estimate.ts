/**
 * Estimates the memory of a training run before it starts, and refuses a run that does not fit into this machine or
 * GPU.
 */
import { totalmem } from 'node:os';
import { carriesState, countParameters, elementCount, type ModelConfig, stateShape } from '../../models/index.ts';
import { type Engine, EngineError } from '../interface/index.ts';

/** The settings of a run that its memory depends on. */
export interface StepSize {
  /** windows per step */
  batch: number;
  /** windows computed at a time. Default: the engine's choice */
  microbatch?: number;
  /** smaller budgets whose models the run also gives */
  budgets?: readonly number[];
}

/**
 * Bytes of typed arrays that may wait for garbage collection. V8 collects when this much was allocated outside its heap
 * since the last collection: twice the 64 MiB that it allows for.
 */
const UNCOLLECTED_BYTES = 128 * 2 ** 20;

/** Bytes of a float32. */
const FLOAT_BYTES = 4;

/**
 * Estimates the peak memory of a run, without the memory of Node itself. It is the sum of
 *
 * - the engine's memory, if it is the machine's and not that of a GPU,
 * - the copies of the weights that the run holds: the last good ones and those that replace them. While a checkpoint is
 *   written, AdamW's two moments are held beside them,
 * - with smaller budgets: weights and moments of the run during a cooldown, and the weights of each budget,
 * - as many bytes again, at most UNCOLLECTED_BYTES, for copies that wait for garbage collection,
 * - an LSTM's carried state before and after a step. The engine has a second copy of both while it computes.
 *
 * @param writesCheckpoints whether the run has a folder for checkpoints
 * @returns bytes
 */
export function estimateRunMemory(
  engine: Engine,
  config: ModelConfig,
  step: StepSize,
  writesCheckpoints: boolean,
): number {
  const budgets = step.budgets?.length ?? 0;
  const copies = (writesCheckpoints ? 4 : 2) + (budgets > 0 ? 3 + budgets : 0);
  const stateBytes = carriesState(config) ? 4 * FLOAT_BYTES * elementCount(stateShape(config, step.batch)!) : 0;
  const heldBytes = copies * FLOAT_BYTES * countParameters(config).total;
  const engineBytes = engine.deviceMemory === undefined ? engine.memory(config, step) : 0;
  return engineBytes + heldBytes + Math.min(heldBytes, UNCOLLECTED_BYTES) + stateBytes;
}

/**
 * Compares the estimate with the memory of this machine, or with the limit of its container, and with the share of it
 * that the run may use; and the engine's estimate with the free memory of its GPU, if it has one.
 *
 * @param writesCheckpoints whether the run has a folder for checkpoints
 * @param share bytes that this run may use, because other runs need memory too. Default: all
 * @throws EngineError with both figures if the run does not fit
 */
export function checkMemory(
  engine: Engine,
  config: ModelConfig,
  step: StepSize,
  writesCheckpoints: boolean,
  share = Number.POSITIVE_INFINITY,
): void {
  checkDeviceMemory(engine, config, step);
  // Without a limit, constrainedMemory returns 0, or a number larger than any memory.
  const limit = process.constrainedMemory?.() || Number.POSITIVE_INFINITY;
  const available = Math.min(totalmem(), limit);
  const estimated = estimateRunMemory(engine, config, step, writesCheckpoints);
  if (estimated <= Math.min(available, share)) return;
  const has =
    estimated <= available
      ? `next to other runs, a run may use ${gib(share)}. With train.memory: ${Math.ceil(estimated / 2 ** 20)}MiB, fewer run at once. A`
      : `this machine has ${gib(available)}. A`;
  throw new EngineError(
    `${describeRun(config, step)} needs ${gib(estimated)}; ${has} smaller size, block or batch would fit`,
  );
}

/** @throws EngineError with both figures, and what would fit, if the GPU's free memory is less than the run needs */
function checkDeviceMemory(engine: Engine, config: ModelConfig, step: StepSize): void {
  const free = engine.deviceMemory;
  if (free === undefined) return;
  const needed = engine.memory(config, step);
  if (needed <= free) return;
  throw new EngineError(
    `${describeRun(config, step)} needs ${gib(needed)} of the GPU's memory, but only ${gib(free)} are free. ` +
      `${whatFits(engine, config, step, free)} A GPU on which nothing else runs may have more`,
  );
}

/** The largest microbatch with which the run fits, or the largest models of fewer layers and of smaller width. */
function whatFits(engine: Engine, config: ModelConfig, { batch }: StepSize, free: number): string {
  const needs = (smaller: ModelConfig, microbatch: number) => engine.memory(smaller, { batch, microbatch });
  const microbatch = largestThat(batch, (windows) => needs(config, windows) <= free);
  if (microbatch > 0)
    return `It fits with train.microbatch: ${microbatch}, which needs ${gib(needs(config, microbatch))}.`;
  const fits = (smaller: ModelConfig) => needs(smaller, 1) <= free;
  const layers = largestThat(config.layers - 1, (n) => fits({ ...config, layers: n }));
  const narrow = narrower(config);
  const width = largestThat(narrow.count, (n) => fits(narrow.at(n)));
  const sizes = [
    ...(layers > 0 ? [`${layers} layers × ${config.width}`] : []),
    ...(width > 0 ? [`${config.layers} layers × ${narrow.at(width).width}`] : []),
  ];
  const known = sizes.length > 0 ? `${sizes.join(' or ')} would fit` : 'No model with this block and vocabulary fits';
  return `Even one window at a time needs ${gib(needs(config, 1))}. ${known}${sizes.length > 0 ? ', with train.microbatch: 1' : ''}.`;
}

/** Models of smaller width: `at(1)` is the narrowest. A GPT keeps the width of its heads. */
function narrower(config: ModelConfig): { count: number; at: (n: number) => ModelConfig } {
  if (config.architecture === 'gpt') {
    const headWidth = config.width / config.heads;
    return { count: config.heads - 1, at: (heads) => ({ ...config, heads, width: heads * headWidth }) };
  }
  const at = (n: number) => ({ ...config, width: 8 * n, embedding: Math.min(config.embedding, 8 * n) });
  return { count: Math.ceil(config.width / 8) - 1, at };
}

/**
 * The largest whole number from 1 to `most` for which something holds that holds for all smaller ones; 0 if for none.
 */
function largestThat(most: number, holds: (n: number) => boolean): number {
  let [low, high] = [0, most];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (holds(middle)) low = middle;
    else high = middle - 1;
  }
  return low;
}

const gib = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)} GiB`;

function describeRun({ architecture, layers, width }: ModelConfig, { batch, microbatch }: StepSize): string {
  const parts = microbatch === undefined ? '' : `, ${microbatch} at a time,`;
  return `training this ${architecture} of ${layers} layers × ${width} on batches of ${batch} windows${parts}`;
}
