/**
 * Shared by interop.ts, curves.ts, rounding.ts and tfjs.ts: the models to compare, learnable tokens, and the call to
 * interop.py.
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { initialWeights, type ModelConfig, Random, type Weights } from '../../lib/models/index.ts';

const V = 128;
const shape = { vocabularySize: V, block: 256, dropout: 0 };

/** Shapes of published studies, and a configuration for each branch of the architectures. */
const byArchitecture: Record<ModelConfig['architecture'], [name: string, config: ModelConfig][]> = {
  gpt: [
    ['GPT 4 × 128', { ...shape, architecture: 'gpt', layers: 4, width: 128, heads: 4, bias: true }],
    ['GPT 4 × 128 without biases', { ...shape, architecture: 'gpt', layers: 4, width: 128, heads: 4, bias: false }],
    [
      'GPT 4 × 128, rotary positions',
      { ...shape, architecture: 'gpt', layers: 4, width: 128, heads: 4, bias: true, positions: 'rotary' },
    ],
    [
      'GPT 3 × 96, rotary, without biases',
      {
        ...shape,
        architecture: 'gpt',
        layers: 3,
        width: 96,
        heads: 6,
        bias: false,
        positions: 'rotary',
        init: 'fan-in',
      },
    ],
    ['GPT 6 × 256', { ...shape, architecture: 'gpt', layers: 6, width: 256, heads: 8, bias: true }],
  ],
  lstm: [
    ['LSTM 2 × 256', { ...shape, architecture: 'lstm', layers: 2, width: 256, embedding: 256 }],
    ['LSTM 2 × 96, embedding 48', { ...shape, architecture: 'lstm', layers: 2, width: 96, embedding: 48 }],
  ],
};
/** The models to compare, of all architectures, with their names. */
export const models = Object.values(byArchitecture).flat();

/** Initial weights with small changes, so that biases are not 0 and gains are not 1. */
export function livelyWeights(config: ModelConfig): Weights {
  const weights = initialWeights(config, 1);
  const random = new Random(1, 'lively weights');
  for (const { data } of weights.values()) for (let i = 0; i < data.length; i++) data[i] += 0.05 * random.normal();
  return weights;
}

/**
 * Draws tokens from a Markov chain in which each token has eight likely successors. A model learns it in a hundred
 * steps.
 */
export function chain(count: number, purpose: string): Uint32Array {
  const random = new Random(1, purpose);
  const tokens = new Uint32Array(count);
  for (let i = 1; i < count; i++)
    tokens[i] = random.below(10) === 0 ? random.below(V) : (tokens[i - 1] * 5 + 7 * random.below(8)) % V;
  return tokens;
}

/** Calls interop.py and returns its answer. */
export function python(program: string, command: 'logits' | 'make' | 'gradients' | 'train', request: object) {
  const script = fileURLToPath(new URL('interop.py', import.meta.url));
  const input = JSON.stringify({ threads: 1, ...request });
  const output = execFileSync(program, [script, command], { input, encoding: 'utf8', maxBuffer: 2 ** 28 });
  return JSON.parse(output) as { versions: string; losses: number[] | null };
}
