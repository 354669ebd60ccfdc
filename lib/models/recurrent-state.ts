/** What a model can see beyond its window: what an engine has to know of an architecture beside its parameters. */
import type { ModelConfig } from './model-config.ts';

/** Tokens after which a decoder is full: a GPT has no positions after its block. */
export function decoderCapacity(config: ModelConfig): number {
  switch (config.architecture) {
    case 'gpt':
      return config.block;
    case 'lstm':
      return Number.POSITIVE_INFINITY;
  }
}

/**
 * The shape of what `sequences` sequences leave behind for those that follow them: [layers, parts, sequences, width], the parts of an
 * LSTM being hidden states and cells. Undefined for a model that sees its window alone.
 */
export function stateShape(config: ModelConfig, sequences: number): [number, number, number, number] | undefined {
  switch (config.architecture) {
    case 'gpt':
      return undefined;
    case 'lstm':
      return [config.layers, 2, sequences, config.width];
  }
}

/** Whether training hands the state from one window to the next. */
export function carriesState(config: ModelConfig): boolean {
  return 'state' in config && config.state === 'carried';
}
