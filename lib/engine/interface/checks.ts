/**
 * Checks of the arguments of an engine. Every engine runs them before it computes, because kernels do not check their
 * arguments.
 */
import { elementCount, type ModelConfig, type Parameter, stateShape, type Weights } from '../../models/index.ts';
import type { Batch, StepOptions } from './engine.ts';
import { EngineError } from './errors.ts';

/** @throws EngineError if arrays of the batch have wrong types or lengths, or the model does not have such a state */
export function checkBatch({ inputs, targets, sequences, length, state }: Batch, config: ModelConfig): void {
  checkInputs(inputs, sequences, length, config);
  checkArray('targets', targets);
  if (targets.length !== inputs.length)
    throw new EngineError(`the batch has ${inputs.length} inputs but ${targets.length} targets; each input needs one`);
  checkTokens(targets, config);
  if (state === undefined) return;
  const shape = stateShape(config, sequences);
  if (!shape)
    throw new EngineError(`the batch has a state, but a ${config.architecture} has none: it sees only its window`);
  if (state.length !== elementCount(shape))
    throw new EngineError(
      `the batch's state has ${state.length} numbers; ${shape[0]} layers × ${shape[1]} × ${sequences} sequences × ${shape[3]} need ${elementCount(shape)}`,
    );
}

/** @throws EngineError unless `inputs` has shape (sequences, length), length ≤ block, and all tokens are in the vocabulary */
export function checkInputs(inputs: Batch['inputs'], sequences: number, length: number, config: ModelConfig): void {
  for (const [name, n] of Object.entries({ sequences, length }))
    if (!Number.isSafeInteger(n) || n < 1)
      throw new EngineError(`${name} is ${n}; it must be a whole number of at least 1`);
  checkArray('inputs', inputs);
  if (length > config.block)
    throw new EngineError(`a window of ${length} tokens is longer than the model's block of ${config.block}`);
  if (inputs.length !== sequences * length)
    throw new EngineError(
      `${sequences} windows of ${length} tokens are ${sequences * length} tokens, not ${inputs.length}`,
    );
  checkTokens(inputs, config);
}

/** @throws EngineError unless the numbers of windows per step and per microbatch are whole numbers of at least 1 */
export function checkStepSize(batch: number, microbatch: number | undefined): void {
  for (const [name, n] of Object.entries({ batch, microbatch }))
    if (n !== undefined && (!Number.isSafeInteger(n) || n < 1))
      throw new EngineError(`${name} is ${n}; it must be a whole number of at least 1`);
}

/** @throws EngineError naming the step option that is out of range */
export function checkStepOptions({ betas = [0.9, 0.95], microbatch, ...numbers }: StepOptions): void {
  const { learningRate, epsilon = 0, weightDecay = 0, clip = 0, dropoutSeed = 0 } = numbers;
  for (const [name, n] of Object.entries({ learningRate, epsilon, weightDecay, clip, dropoutSeed }))
    if (!Number.isFinite(n) || n < 0) throw new EngineError(`${name} is ${n}; it must be a number of at least 0`);
  for (const beta of betas)
    if (!(beta >= 0 && beta < 1)) throw new EngineError(`betas are ${betas}; each must be at least 0 and below 1`);
  checkStepSize(1, microbatch);
}

/** @throws EngineError unless the number of updates that an optimizer has made is a whole number of at least 0 */
export function checkOptimizerStep(step: number): void {
  if (!Number.isSafeInteger(step) || step < 0)
    throw new EngineError(`the optimizer's step is ${step}; it must be a whole number of at least 0`);
}

/** The largest number of streams of a decoder. */
const MAX_STREAMS = 2 ** 16;

/** @throws EngineError unless `streams` is a whole number from 1 to MAX_STREAMS */
export function checkStreams(streams: number): void {
  if (!Number.isSafeInteger(streams) || streams < 1 || streams > MAX_STREAMS)
    throw new EngineError(`a decoder of ${streams} streams; it must have a whole number from 1 to ${MAX_STREAMS}`);
}

/**
 * The values of one parameter, row-major.
 *
 * @throws EngineError if the parameter is missing, or its shape or length is not the model's
 */
export function numbersOf(weights: Weights, { name, shape }: Pick<Parameter, 'name' | 'shape'>): Float32Array {
  const tensor = weights.get(name);
  if (!tensor || String(tensor.shape) !== String(shape))
    throw new EngineError(`${name} has the shape [${tensor?.shape ?? 'missing'}]; the model needs [${shape}]`);
  if (tensor.data.length !== elementCount(shape))
    throw new EngineError(
      `${name} has ${tensor.data.length} numbers; its shape [${shape}] needs ${elementCount(shape)}`,
    );
  return tensor.data;
}

function checkArray(name: string, tokens: unknown): void {
  if (!(tokens instanceof Uint16Array || tokens instanceof Uint32Array))
    throw new EngineError(`${name} must be a Uint16Array or a Uint32Array`);
}

/** @throws EngineError if a token is outside the vocabulary */
export function checkTokens(tokens: Batch['inputs'], { vocabularySize }: ModelConfig): void {
  for (let i = 0; i < tokens.length; i++)
    if (tokens[i] >= vocabularySize)
      throw new EngineError(
        `token ${tokens[i]} at position ${i} is outside the vocabulary of ${vocabularySize}; the tokens were made with another tokenizer`,
      );
}
