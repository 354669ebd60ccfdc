/** A model size is an entry of `sizes` in params.yaml. `modelConfig` turns it into the configuration of a model. */
import { checkConfig } from './check-config.ts';
import { ModelError } from './errors.ts';
import type { GptConfig, ModelConfig } from './model-config.ts';

/** An entry of `sizes` in params.yaml: architecture and shape. See GptConfig and LstmConfig for the keys. */
export type ModelSize =
  | ({ architecture: 'gpt'; layers: number; width: number; heads: number; bias?: boolean } & Pick<
      GptConfig,
      'positions' | 'init'
    >)
  | { architecture: 'lstm'; layers: number; width: number; embedding?: number; state?: 'reset' | 'carried' };

/** The parts of a configuration that are the same for all sizes: the tokenizer and the study determine them. */
export type SharedSettings = Pick<ModelConfig, 'vocabularySize' | 'block' | 'dropout'>;

const KEYS: Record<ModelConfig['architecture'], string[]> = {
  gpt: ['architecture', 'layers', 'width', 'heads', 'bias', 'positions', 'init'],
  lstm: ['architecture', 'layers', 'width', 'embedding', 'state'],
};

/**
 * Makes the configuration of a model from its size. By default a GPT has biases, as GPT-2 does, and an LSTM's embedding is
 * as wide as its layers, so that the head is tied.
 *
 * @throws ModelError naming the key that is wrong or unknown
 * @example modelConfig({ architecture: 'gpt', layers: 1, width: 16, heads: 2 }, { vocabularySize: 97, block: 128, dropout: 0 })
 */
export function modelConfig(size: ModelSize, { vocabularySize, block, dropout }: SharedSettings): ModelConfig {
  const known = KEYS[size.architecture] ?? [];
  const unknown = Object.keys(size).find((key) => !known.includes(key));
  if (known.length > 0 && unknown !== undefined)
    throw new ModelError(
      `${unknown} is not a setting of a ${size.architecture} size; there are ${known.join(', ')}`,
      unknown,
    );
  const config = withDefaults(size, { vocabularySize, block, dropout });
  checkConfig(config);
  return config;
}

function withDefaults(size: ModelSize, shared: SharedSettings): ModelConfig {
  switch (size.architecture) {
    case 'gpt':
      return { ...shared, bias: true, ...size };
    case 'lstm':
      return { ...shared, embedding: size.width, ...size };
    default: // An unknown architecture: checkConfig throws the error.
      return size satisfies never;
  }
}
