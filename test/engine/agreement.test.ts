/** Compares the native engine with the tfjs engine, at sizes larger than a vector register and a cache tile. */
import { beforeAll, describe, expect, test } from 'vitest';
import type { Engine } from '../../lib/engine/index.ts';
import { initialWeights, type ModelConfig } from '../../lib/models/index.ts';
import { expectSameGradients } from './same-gradients.ts';
import { allArchitectures, engines, nativeIsBuilt, perturbedWeights, randomBatch } from './tiny.ts';

const gpt = { vocabularySize: 53, block: 24, layers: 3, width: 36, heads: 3, dropout: 0 };
const lstm = { vocabularySize: 53, block: 24, layers: 2, width: 37, dropout: 0 };
const configs = allArchitectures({
  gpt: [
    ['a GPT', { architecture: 'gpt', ...gpt, bias: true }],
    ['a GPT without biases', { architecture: 'gpt', ...gpt, bias: false }],
    ['a GPT with rotary positions', { architecture: 'gpt', ...gpt, bias: true, positions: 'rotary', init: 'fan-in' }],
  ],
  lstm: [
    ['an LSTM', { architecture: 'lstm', ...lstm, embedding: 37 }],
    ['an LSTM with a separate head', { architecture: 'lstm', ...lstm, embedding: 19 }],
  ],
});

describe.skipIf(!nativeIsBuilt)('native and tfjs (skipped if the addon is not built: `npm run build`)', () => {
  let tfjs: Engine;
  let native: Engine;
  beforeAll(async () => {
    [tfjs, native] = await Promise.all(engines.map(([, open]) => open()));
  });
  const both = (config: ModelConfig) => {
    const weights = perturbedWeights(initialWeights(config, 1));
    return [tfjs, native].map((engine) => engine.model(config, { weights }));
  };

  test.each(configs)(
    '%s: losses agree, and every gradient differs by less than 1e-5 of the largest in its tensor',
    async (_, config) => {
      const models = both(config);
      const batch = randomBatch(config, 5, config.block);
      const [reference, tested] = await Promise.all(models.map((model) => model.gradients(batch)));
      expect(Math.abs(tested.loss - reference.loss) / reference.loss).toBeLessThan(1e-5);
      expectSameGradients(config, reference, tested);
      for (const model of models) model.dispose();
    },
  );

  test.each(configs)('%s: losses and gradient norms agree over ten training steps', async (_, config) => {
    const models = both(config);
    const curve = async (model: (typeof models)[number]) => {
      const results = [];
      for (let step = 0; step < 10; step++)
        results.push(await model.trainStep(randomBatch(config, 3, 12, step), { learningRate: 0.003, clip: 1 }));
      return results;
    };
    const [reference, tested] = await Promise.all(models.map(curve));
    for (const [step, { loss, gradientNorm }] of reference.entries()) {
      expect(Math.abs(tested[step].loss - loss) / loss, `loss of step ${step}`).toBeLessThan(5e-5);
      expect(Math.abs(tested[step].gradientNorm - gradientNorm) / gradientNorm, `norm of step ${step}`).toBeLessThan(
        1e-3,
      );
    }
    for (const model of models) model.dispose();
  });
});
