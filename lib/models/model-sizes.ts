/** From an entry of params.yaml's `sizes` to the configuration of a model. */
import { checkConfig } from './check-config.ts';
import { ModelError } from './errors.ts';
import type { ModelConfig } from './model-config.ts';

/** What params.yaml says of a size: its shape, but nothing that the data or the study decides. */
export type ModelSize =
  | { architecture: 'gpt'; layers: number; width: number; heads: number; bias?: boolean }
  | { architecture: 'lstm'; layers: number; width: number; embedding?: number; state?: 'reset' | 'carried' };

/** What the data and the study decide for all sizes alike. */
export type SharedSettings = Pick<ModelConfig, 'vocabularySize' | 'block' | 'dropout'>;

const keys: Record<ModelConfig['architecture'], string[]> = {
  gpt: ['architecture', 'layers', 'width', 'heads', 'bias'],
  lstm: ['architecture', 'layers', 'width', 'embedding', 'state'],
};

/**
 * A GPT has biases unless told otherwise, as GPT-2 has; an LSTM's embedding is as wide as its layers, so that the head is tied.
 * @throws ModelError naming the key that is wrong, unknown keys included
 */
export function modelConfig(size: ModelSize, { vocabularySize, block, dropout }: SharedSettings): ModelConfig {
  const known = keys[size.architecture] ?? [];
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

function withDefaults(size: ModelSize, setting: SharedSettings): ModelConfig {
  switch (size.architecture) {
    case 'gpt':
      return { ...setting, bias: true, ...size };
    case 'lstm':
      return { ...setting, embedding: size.width, ...size };
    default: // checkConfig refuses it
      return size satisfies never;
  }
}
