/**
 * The context of a model beyond one window: the number of tokens that a decoder can read, and the state that an LSTM
 * carries.
 */
import type { ModelConfig } from './model-config.ts';

/** The number of tokens that a decoder can read: a GPT's block, or infinity for an LSTM. */
export function decoderCapacity(config: ModelConfig): number {
  switch (config.architecture) {
    case 'gpt':
      return config.block;
    case 'lstm':
      return Number.POSITIVE_INFINITY;
  }
}

/**
 * The shape of the state of `sequences` sequences: (layers, parts, sequences, width). An LSTM has two parts, hidden states
 * and cells.
 *
 * @returns undefined for a GPT, which has no state
 */
export function stateShape(config: ModelConfig, sequences: number): [number, number, number, number] | undefined {
  switch (config.architecture) {
    case 'gpt':
      return undefined;
    case 'lstm':
      return [config.layers, 2, sequences, config.width];
  }
}

/** Whether training carries the state from one window to the next. */
export function carriesState(config: ModelConfig): boolean {
  return 'state' in config && config.state === 'carried';
}
