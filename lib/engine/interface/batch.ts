/** What every engine asks of its input, checked before any kernel sees it. */
import { type ModelConfig, type Parameter, sizeOf, stateShape, type Weights } from '../../models/index.ts';
import type { Batch, StepOptions } from './engine.ts';
import { EngineError } from './errors.ts';

/** @throws EngineError when the batch is not one that this model takes */
export function checkBatch({ inputs, targets, sequences, length, state }: Batch, config: ModelConfig): void {
  checkInputs(inputs, sequences, length, config);
  checkArray('targets', targets);
  if (targets.length !== inputs.length)
    throw new EngineError(`the batch has ${inputs.length} inputs but ${targets.length} targets; each input needs one`);
  checkTokens(targets, config);
  if (state === undefined) return;
  const shape = stateShape(config, sequences);
  if (!shape)
    throw new EngineError(
      `the batch comes with a state; a ${config.architecture} carries none, it sees its window alone`,
    );
  if (state.length !== sizeOf(shape))
    throw new EngineError(
      `the batch's state has ${state.length} numbers; ${shape[0]} layers × ${shape[1]} × ${sequences} sequences × ${shape[3]} need ${sizeOf(shape)}`,
    );
}

/** @throws EngineError when these are not `sequences` windows of `length` tokens of the vocabulary, within the block */
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

/** @throws EngineError when no step takes so many windows, or so many at a time */
export function checkStepSize(batch: number, microbatch: number | undefined): void {
  for (const [name, n] of Object.entries({ batch, microbatch }))
    if (n !== undefined && (!Number.isSafeInteger(n) || n < 1))
      throw new EngineError(`${name} is ${n}; it must be a whole number of at least 1`);
}

/** @throws EngineError naming the option of a step that is wrong */
export function checkStepOptions({ betas = [0.9, 0.95], microbatch, ...numbers }: StepOptions): void {
  const { learningRate, epsilon = 0, weightDecay = 0, clip = 0, dropoutSeed = 0 } = numbers;
  for (const [name, n] of Object.entries({ learningRate, epsilon, weightDecay, clip, dropoutSeed }))
    if (!Number.isFinite(n) || n < 0) throw new EngineError(`${name} is ${n}; it must be a number of at least 0`);
  for (const beta of betas)
    if (!(beta >= 0 && beta < 1)) throw new EngineError(`betas are ${betas}; each must be at least 0 and below 1`);
  checkStepSize(1, microbatch);
}

/** Of a decoder, at most. */
const mostStreams = 2 ** 16;

/** @throws EngineError when no decoder has so many */
export function checkStreams(streams: number): void {
  if (!Number.isSafeInteger(streams) || streams < 1 || streams > mostStreams)
    throw new EngineError(`a decoder of ${streams} streams; it must have a whole number from 1 to ${mostStreams}`);
}

/** The numbers of a parameter. @throws EngineError when they are missing, or of another shape than the model's */
export function numbersOf(weights: Weights, { name, shape }: Pick<Parameter, 'name' | 'shape'>): Float32Array {
  const tensor = weights.get(name);
  if (!tensor || String(tensor.shape) !== String(shape))
    throw new EngineError(`${name} has the shape [${tensor?.shape ?? 'missing'}]; the model needs [${shape}]`);
  if (tensor.data.length !== sizeOf(shape))
    throw new EngineError(`${name} has ${tensor.data.length} numbers; its shape [${shape}] needs ${sizeOf(shape)}`);
  return tensor.data;
}

function checkArray(what: string, tokens: unknown): void {
  if (!(tokens instanceof Uint16Array || tokens instanceof Uint32Array))
    throw new EngineError(`${what} are no Uint16Array or Uint32Array, as tokens must be`);
}

export function checkTokens(tokens: Batch['inputs'], { vocabularySize }: ModelConfig): void {
  for (let i = 0; i < tokens.length; i++)
    if (tokens[i] >= vocabularySize)
      throw new EngineError(
        `token ${tokens[i]} at position ${i} is outside the vocabulary of ${vocabularySize}; the tokens were made with another tokenizer`,
      );
}
