/**
 * Compares the GPU engine, over the fake driver, with the native engine and with tfjs, whose gradients are those of
 * automatic differentiation: at sizes larger than a tile of a product or of attention, in both precisions, with dropout,
 * over training steps.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { type Engine, type Model, openEngine } from '../../../lib/engine/index.ts';
import { type GptConfig, initialWeights, type LstmConfig, type ModelConfig } from '../../../lib/models/index.ts';
import { expectSameGradients } from '../same-gradients.ts';
import { nativeIsBuilt, perturbedWeights, randomBatch } from '../tiny.ts';
import { gpuIsTestable, openFakeGpu } from './fake-gpu.ts';

const gpt: GptConfig = {
  ...{ architecture: 'gpt', vocabularySize: 141, block: 70, layers: 2, width: 36, heads: 3, dropout: 0, bias: true },
};
const lstm: LstmConfig = {
  ...{ architecture: 'lstm', vocabularySize: 141, block: 9, layers: 2, width: 37, embedding: 37, dropout: 0 },
};
const configs: [string, ModelConfig][] = [
  ['a GPT', gpt],
  // heads of 16: in bf16, their attention is computed on tensor cores
  ['a GPT with rotary positions and no biases', { ...gpt, width: 48, bias: false, positions: 'rotary' }],
  // a head of 136: a part of 128 and one of 8
  ['a GPT with a wide head', { ...gpt, layers: 1, width: 136, heads: 1, block: 35 }],
  ['an LSTM', lstm],
  ['an LSTM with a separate head', { ...lstm, embedding: 19 }],
];

describe.skipIf(!gpuIsTestable || !nativeIsBuilt)(
  'the gpu engine and the native engine (skipped if one is not built)',
  () => {
    let gpu: Engine;
    let native: Engine;
    let tfjs: Engine;
    beforeAll(async () => {
      [gpu, native] = [openFakeGpu(), await openEngine({ name: 'native' })];
      tfjs = await openEngine({ name: 'tfjs', device: 'cpu' });
    });
    const references: [string, () => Engine, longest: number][] = [
      ['the native engine', () => native, Number.POSITIVE_INFINITY],
      // In plain JavaScript, windows of one tile of attention and a part of the next are long enough.
      ['tfjs', () => tfjs, 37],
    ];
    /** `size`: of the random numbers that are added to the initial weights */
    const models = (config: ModelConfig, engines: Engine[], size = 0.3) => {
      const weights = perturbedWeights(initialWeights(config, 1), 1, size);
      return engines.map((engine) => engine.model(config, { weights }));
    };
    const dispose = (all: Model[]) => {
      for (const model of all) model.dispose();
    };

    describe.each(references)('beside %s', (_, reference, longest) =>
      describe.each(configs)('with %s', (_, { block, ...rest }) => {
        const config = { ...rest, block: Math.min(block, longest) } as ModelConfig;
        test('in fp32, the losses agree, and every gradient differs by less than 1e-5 of the largest of its tensor', async () => {
          // Products of wide matrices would be larger numbers, with larger errors.
          const both = models(config, [reference(), gpu], config.width > 100 ? 0.1 : 0.3);
          const batch = randomBatch(config, 3, config.block);
          const [expected, tested] = await Promise.all(both.map((model) => model.gradients(batch)));
          expect(Math.abs(tested.loss - expected.loss) / expected.loss).toBeLessThan(1e-6);
          expectSameGradients(config, expected, tested);
          dispose(both);
        });

        test.each([
          ['bf16', 1e-3, 1e-2, 1e-4],
          ['tf32', 1e-4, 2e-3, 1e-5],
        ] as const)(
          'in %s, the losses agree to %d, and the gradients, as one vector, to %d',
          async (precision, ofLoss, most, least) => {
            const both = models(config, [reference(), openFakeGpu({ precision })], 0.1);
            const batch = randomBatch(config, 3, config.block);
            const [expected, tested] = await Promise.all(both.map((model) => model.gradients(batch)));
            expect(Math.abs(tested.loss - expected.loss) / expected.loss).toBeLessThan(ofLoss);
            let [difference, size] = [0, 0];
            for (const [name, { data }] of expected.gradients) {
              const actual = tested.gradients.get(name)!.data;
              for (const [i, value] of data.entries()) {
                difference += (actual[i] - value) ** 2;
                size += value ** 2;
              }
            }
            expect(Math.sqrt(difference / size)).toBeLessThan(most);
            // In fp32 the difference is far smaller.
            expect(Math.sqrt(difference / size)).toBeGreaterThan(least);
            dispose(both);
          },
        );
      }),
    );

    test.each([configs[0], configs[3]])(
      'the losses of 20 training steps differ by less than 1e-3, with dropout and microbatches: %s',
      async (_, config) => {
        const short = { ...config, block: Math.min(config.block, 20), dropout: 0.1 };
        const both = models(short, [native, gpu]);
        const curve = async (model: Model) => {
          const losses = [];
          for (let step = 0; step < 20; step++) {
            const options = { learningRate: 0.003, clip: 1, dropoutSeed: 5, microbatch: 4 };
            losses.push((await model.trainStep(randomBatch(short, 7, short.block, step % 3), options)).loss);
          }
          return losses;
        };
        const [reference, tested] = [await curve(both[0]), await curve(both[1])];
        for (const [step, loss] of reference.entries())
          expect(Math.abs(tested[step] - loss) / loss, `step ${step}`).toBeLessThan(1e-3);
        expect(tested[19]).toBeLessThan(tested[1]);
        dispose(both);
      },
    );

    test('an LSTM in bf16 has the same bits on a GPU that is too small to compute all time steps in one launch', async () => {
      const large = openFakeGpu({ precision: 'bf16' });
      process.env.FAKE_CUDA_MULTIPROCESSORS = '0';
      const small = openFakeGpu({ precision: 'bf16' });
      delete process.env.FAKE_CUDA_MULTIPROCESSORS;
      const both = models(lstm, [large, small]);
      const batch = randomBatch(lstm, 35, 3);
      const [first, second] = await Promise.all(both.map((model) => model.gradients(batch)));
      expect(first).toEqual(second);
      dispose(both);
    });

    test('the state of an LSTM goes in and comes out, in both precisions', async () => {
      for (const precision of ['fp32', 'bf16'] as const) {
        const both = models(lstm, [native, openFakeGpu({ precision })]);
        const state = Float32Array.from({ length: 2 * 2 * 3 * 37 }, (_, i) => Math.sin(i));
        const batch = { ...randomBatch(lstm, 3, 9), state };
        const [reference, tested] = await Promise.all(
          both.map((model) => model.trainStep(batch, { learningRate: 0.01, microbatch: 2 })),
        );
        const limit = precision === 'fp32' ? 1e-5 : 3e-2;
        expect(Math.abs(tested.loss - reference.loss)).toBeLessThan(limit);
        expect(Math.abs(tested.gradientNorm - reference.gradientNorm) / reference.gradientNorm).toBeLessThan(limit);
        for (const [i, value] of reference.state!.entries())
          expect(Math.abs(tested.state![i] - value)).toBeLessThan(limit);
        dispose(both);
      }
    });
  },
);
