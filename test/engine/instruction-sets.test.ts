/** The kernels of all x86-64 instruction sets with FMA give the same bits in fp32: AVX2, AVX-512, and the sets beyond. */
import { createHash } from 'node:crypto';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { sample } from '../../lib/engine/index.ts';
import { openNative } from '../../lib/engine/native/native-engine.ts';
import type { ModelConfig, Weights } from '../../lib/models/index.ts';
import { instructionSets } from './native-build.ts';
import { batchOf, gpt, lstm, weightsOf } from './native-models.ts';

afterEach(() => vi.unstubAllEnvs());

const others = instructionSets.filter((set) => set !== 'generic' && set !== 'avx2');
const rotary = { positions: 'rotary' } as const;

/** Each model has a part that vectors of 8 and of 16 lanes could add up in another order. */
const models: [string, ModelConfig][] = [
  ['a GPT with heads of 8, in windows of more than one tile', { ...gpt, ...rotary, block: 83 }],
  ['a GPT with heads of 8 and dropout', { ...gpt, ...rotary, block: 70, dropout: 0.1 }],
  ['a GPT with heads of 16', { ...gpt, ...rotary, width: 48, block: 67, layers: 1 }],
  [
    'a GPT with heads of 10, learned positions, dropout and no biases',
    { ...gpt, width: 30, bias: false, dropout: 0.1 },
  ],
  // Its products have K = 224, which they take in one part on AVX2, and in two on AVX-512.
  ['a GPT with heads of 28', { ...gpt, ...rotary, width: 56, heads: 2, block: 81, layers: 1 }],
  ['an LSTM of odd sizes with dropout', { ...lstm, dropout: 0.1 }],
  ['an LSTM with products of K = 212', { ...lstm, width: 53, embedding: 53, layers: 1 }],
];

const digestOf = (arrays: (Float32Array | Uint32Array)[]) => {
  const hash = createHash('sha256');
  for (const { buffer, byteOffset, byteLength } of arrays) hash.update(new Uint8Array(buffer, byteOffset, byteLength));
  return hash.digest('hex');
};
const digestOfWeights = (weights: Weights) => digestOf([...weights.values()].map(({ data }) => data));

/** Trains a model for three steps with the kernels of an instruction set. Returns digests of all that comes of it. */
async function resultsOf(set: string, config: ModelConfig, precision: 'fp32' | 'bf16' = 'fp32') {
  vi.stubEnv('ENGINE_ISA', set);
  const model = openNative({ precision }).model(config, { weights: weightsOf(config) });
  const steps = [];
  for (const sequences of [3, 4, 7])
    steps.push(await model.trainStep(batchOf(config, sequences), { learningRate: 3e-3, clip: 1, dropoutSeed: 5 }));
  const decoder = model.decoder(3);
  const { first, second } = await model.optimizerState();
  const results = {
    steps,
    weights: digestOfWeights(await model.weights()),
    firstMoments: digestOfWeights(first),
    secondMoments: digestOfWeights(second),
    loss: await model.loss(batchOf(config, 2)),
    tokenLosses: digestOf([await model.tokenLosses(batchOf(config, 2, 9))]),
    logits: await Promise.all(
      Array.from({ length: config.block }, async (_, t) =>
        digestOf([await decoder.step(Uint16Array.of(t % 37, 7, (t * t) % 37))]),
      ),
    ),
    samples: digestOf(await sample({ model, prompts: [[1], [2, 3], [4, 5, 6]], maxTokens: 40, seed: 1 })),
  };
  model.dispose();
  return results;
}

test('the kernels without FMA have another name, because their bits differ', () => {
  vi.stubEnv('ENGINE_ISA', 'generic');
  expect(openNative().arithmetic.kernels).toBe('generic');
});

if (others.length === 0)
  test.skip('this CPU has at most one instruction set with FMA, so there is nothing to compare', () => {});
else
  describe(`${others.join(', ')} have the bits of avx2`, () => {
    test.each(models)('%s', async (_, config) => {
      const expected = await resultsOf('avx2', config);
      expect(expected.steps.every(({ loss }) => Number.isFinite(loss))).toBe(true);
      for (const set of others) expect(await resultsOf(set, config), set).toEqual(expected);
    });

    test('so a run that was interrupted on one goes on with another', () => {
      const arithmeticOf = (set: string) => {
        vi.stubEnv('ENGINE_ISA', set);
        return openNative().arithmetic;
      };
      for (const set of others) expect(arithmeticOf(set), set).toEqual(arithmeticOf('avx2'));
    });

    test('avx512 also in bf16', async () => {
      for (const config of [gpt, lstm])
        expect(await resultsOf('avx512', config, 'bf16')).toEqual(await resultsOf('avx2', config, 'bf16'));
    });
  });
