/** Tiny models, batches for them, and the engines that are available. */
import { type Batch, type Engine, type EngineName, openEngine, type TokenSource } from '../../lib/engine/index.ts';
import { type GptConfig, type LstmConfig, type ModelConfig, Random, type Weights } from '../../lib/models/index.ts';
import { openFakeGpu } from './gpu/fake-gpu.ts';

export const tinyGpt: GptConfig = {
  ...{ architecture: 'gpt', vocabularySize: 11, block: 6, layers: 2, width: 8, heads: 2, dropout: 0, bias: true },
};
export const tinyLstm: LstmConfig = {
  ...{ architecture: 'lstm', vocabularySize: 11, block: 6, layers: 2, width: 6, embedding: 6, dropout: 0 },
};
/** A configuration for each branch of the formulas. */
export const tinyConfigs = allArchitectures({
  gpt: [
    ['a GPT', tinyGpt],
    ['a GPT without biases', { ...tinyGpt, bias: false }],
    ['a GPT of one layer and head', { ...tinyGpt, layers: 1, heads: 1 }],
    ['a GPT with rotary positions', { ...tinyGpt, positions: 'rotary' }],
  ],
  lstm: [
    ['an LSTM', tinyLstm],
    ['an LSTM with a separate head', { ...tinyLstm, embedding: 5 }],
    ['an LSTM of one layer', { ...tinyLstm, layers: 1 }],
  ],
});

type Named = [name: string, config: ModelConfig];

/** Lists configurations of all architectures. The compiler reports an architecture that is missing. */
export function allArchitectures(configs: Record<ModelConfig['architecture'], Named[]>): Named[] {
  return Object.values(configs).flat();
}

/** Adds random numbers to weights, large enough that every parameter affects the loss, biases and gains included. */
export function perturbedWeights(weights: Weights, seed = 1, size = 0.3): Weights {
  const random = new Random(seed, 'lively weights');
  for (const { data } of weights.values()) for (let i = 0; i < data.length; i++) data[i] += size * random.normal();
  return weights;
}

/** Makes a batch of random tokens. */
export function randomBatch(config: ModelConfig, sequences: number, length: number, seed = 1): Batch {
  const random = new Random(seed, 'batch');
  const tokens = () => Uint16Array.from({ length: sequences * length }, () => random.below(config.vocabularySize));
  return { inputs: tokens(), targets: tokens(), sequences, length };
}

/** Makes a source that is easy to learn: token t of each split is t·step modulo the vocabulary. */
export function countingSource(vocabulary: number, tokens: number, step = 3): TokenSource {
  return {
    window: (_, offset, length) => Uint16Array.from({ length }, (_, i) => ((offset + i) * step) % vocabulary),
    totals: () => ({ tokens, bytes: 2 * tokens }),
  };
}

/**
 * The source, with a signal that is aborted while a run reads the windows of one of its steps. The run ends after that step.
 *
 * @param step the number of the step, from 1 on, counted from where the run begins or continues
 * @param windows of a step, of `length` tokens
 */
export function interruptAtStep(source: TokenSource, step: number, windows = 4, length = 6) {
  const stop = new AbortController();
  let read = 0;
  const interrupting: TokenSource = {
    ...source,
    window(split, offset, count) {
      if (split === 'train' && count === length + 1 && ++read === windows * step) stop.abort(new Error('enough'));
      return source.window(split, offset, count);
    },
  };
  return { source: interrupting, signal: stop.signal };
}

/** Whether the native engine is built. */
export const nativeIsBuilt = await openEngine({ name: 'native' }).then(
  () => true,
  () => false,
);

/** All engines, with functions that open them. */
export const engines: [name: 'tfjs' | 'native', open: () => Promise<Engine>][] = [
  ['tfjs', () => openEngine({ name: 'tfjs', device: 'cpu' })],
  ['native', () => openEngine({ name: 'native' })],
];

/** The same, and the GPU engine over a driver that runs its kernels on the CPU. */
export const enginesAndGpu: [name: EngineName, open: () => Promise<Engine>][] = [
  ...engines,
  ['gpu', async () => openFakeGpu()],
];

/** Opens the fastest engine that is built, for tests that do not depend on the engine. */
export const anyEngine = () => openEngine(nativeIsBuilt ? { name: 'native' } : { name: 'tfjs', device: 'cpu' });
