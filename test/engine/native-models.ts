/** Small models of odd shapes, and batches for them, for the tests of the native engine. */
import type { Batch } from '../../lib/engine/index.ts';
import {
  type GptConfig,
  initialWeights,
  type LstmConfig,
  type ModelConfig,
  type Weights,
} from '../../lib/models/index.ts';
import { allArchitectures } from './tiny.ts';

export const gpt: GptConfig = {
  ...{ architecture: 'gpt', vocabularySize: 37, block: 37, layers: 2, width: 24, heads: 3, dropout: 0, bias: true },
};
export const lstm: LstmConfig = {
  ...{ architecture: 'lstm', vocabularySize: 37, block: 19, layers: 2, width: 19, embedding: 11, dropout: 0 },
};
export const models = allArchitectures({
  gpt: [
    ['a GPT', gpt],
    ['a GPT without biases, one head', { ...gpt, width: 10, heads: 1, layers: 1, bias: false }],
    ['a GPT with a block of one more than attention takes at a time', { ...gpt, block: 33, heads: 2, layers: 1 }],
    ['a GPT with rotary positions', { ...gpt, positions: 'rotary' }],
  ],
  lstm: [
    ['an LSTM', lstm],
    ['an LSTM with a tied head', { ...lstm, embedding: 19, layers: 3 }],
    ['an LSTM of one layer', { ...lstm, layers: 1, width: 5, embedding: 17 }],
  ],
});

/** Draws initial weights and changes them a little, so that biases are not 0 and gains are not 1. */
export function weightsOf(config: ModelConfig): Weights {
  const weights = initialWeights(config, 3);
  let i = 0;
  for (const { data } of weights.values())
    for (let j = 0; j < data.length; j++) data[j] += 0.1 * Math.sin(12.9898 * i++);
  return weights;
}

/** Makes a batch of tokens without a pattern that a model could learn. */
export function batchOf(config: ModelConfig, sequences = 5, length = config.block): Batch {
  const tokens = (salt: number) =>
    Uint16Array.from(
      { length: sequences * length },
      (_, i) => (i * i * 7 + salt * i + (i >> 3)) % config.vocabularySize,
    );
  return { inputs: tokens(1), targets: tokens(5), sequences, length };
}

/** Returns the largest difference between two sets of weights, relative to the largest number of its tensor. */
export function difference(actual: Weights, expected: Weights): number {
  let worst = 0;
  for (const [name, { data }] of expected) {
    const other = actual.get(name)!.data;
    let largest = 1e-30;
    let apart = 0;
    for (let i = 0; i < data.length; i++) {
      largest = Math.max(largest, Math.abs(data[i]));
      apart = Math.max(apart, Math.abs(data[i] - other[i]));
    }
    worst = Math.max(worst, apart / largest);
  }
  return worst;
}

/** Returns the Euclidean distance between two sets of weights, relative to the length of the second. */
export function distance(actual: Weights, expected: Weights): number {
  let [apart, length] = [0, 0];
  for (const [name, { data }] of expected) {
    const other = actual.get(name)!.data;
    for (let i = 0; i < data.length; i++) {
      apart += (data[i] - other[i]) ** 2;
      length += data[i] ** 2;
    }
  }
  return Math.sqrt(apart / length);
}
