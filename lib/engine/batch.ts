/** What every engine asks of its input, checked before any kernel sees it. */
import { type ModelConfig, sizeOf, stateShape } from '../models/index.ts';
import type { Batch } from './engine.ts';
import { EngineError } from './error.ts';

/** @throws EngineError when the batch is not one that this model takes */
export function checkBatch({ inputs, targets, sequences, length, state }: Batch, config: ModelConfig): void {
  checkInputs(inputs, sequences, length, config);
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

export function checkTokens(tokens: Batch['inputs'], { vocabularySize }: ModelConfig): void {
  for (let i = 0; i < tokens.length; i++)
    if (tokens[i] >= vocabularySize)
      throw new EngineError(
        `token ${tokens[i]} at position ${i} is outside the vocabulary of ${vocabularySize}; the tokens were made with another tokenizer`,
      );
}
