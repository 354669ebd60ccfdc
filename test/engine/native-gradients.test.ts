/**
 * The native engine's gradients, compared with finite differences and TensorFlow.js, for every instruction set of this
 * CPU.
 */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { EngineError, openEngine } from '../../lib/engine/index.ts';
import { openNative } from '../../lib/engine/native/native-engine.ts';
import { openTfjs } from '../../lib/engine/tfjs/tfjs-engine.ts';
import { type ModelConfig, parameters, type Weights } from '../../lib/models/index.ts';
import { instructionSets, isBuilt } from './native-build.ts';
import { batchOf, difference, distance, gpt, lstm, models, weightsOf } from './native-models.ts';

test.skipIf(isBuilt)('without a built addon, the native engine refuses to open', async () => {
  await expect(openEngine({ name: 'native' })).rejects.toThrow(EngineError);
});

afterEach(() => vi.unstubAllEnvs());

describe.skipIf(!isBuilt).each(models)('%s', (_, config) => {
  test('has the same losses, gradients and logits as TensorFlow.js', async () => {
    const weights = weightsOf(config);
    const batch = batchOf(config, 3);
    const reference = (await openTfjs({ device: 'cpu' })).model(config, { weights });
    const expected = await reference.gradients(batch);
    const expectedLogits = await reference.logits(batch.inputs, batch.sequences, batch.length);
    for (const set of instructionSets)
      for (const threads of [1, 2]) {
        vi.stubEnv('ENGINE_ISA', set);
        const model = openNative({ threads }).model(config, { weights });
        const { loss, gradients } = await model.gradients(batch);
        expect(Math.abs(loss / expected.loss - 1)).toBeLessThan(1e-6);
        expect(difference(gradients, expected.gradients)).toBeLessThan(1e-5);
        expect(await model.loss(batch)).toBe(loss);
        const logits = await model.logits(batch.inputs, batch.sequences, batch.length);
        for (let i = 0; i < logits.length; i++) expect.soft(Math.abs(logits[i] - expectedLogits[i]) < 1e-5).toBe(true);
        model.dispose();
      }
    reference.dispose();
  });

  test('has gradients within 1e-2 of them in bf16, and losses that differ from those in fp32', async () => {
    const weights = weightsOf(config);
    const batch = batchOf(config, 3);
    const reference = (await openTfjs({ device: 'cpu' })).model(config, { weights });
    const expected = await reference.gradients(batch);
    for (const set of instructionSets) {
      vi.stubEnv('ENGINE_ISA', set);
      const model = openNative({ precision: 'bf16' }).model(config, { weights });
      const { loss, gradients } = await model.gradients(batch);
      expect(Math.abs(loss / expected.loss - 1), set).toBeLessThan(1e-3);
      expect(Math.abs(loss / expected.loss - 1), set).toBeGreaterThan(1e-7);
      expect(distance(gradients, expected.gradients), set).toBeLessThan(1e-2);
      expect(await model.loss(batch)).toBe(loss);
      model.dispose();
    }
    reference.dispose();
  });

  test('has the gradients of finite differences', async () => {
    const batch = batchOf(config);
    const engine = openNative();
    const weights = weightsOf(config);
    const model = engine.model(config, { weights });
    const { gradients } = await model.gradients(batch);
    for (const { name } of parameters(config)) {
      const lossAt = async (moved: Weights) => {
        const there = engine.model(config, { weights: moved });
        const loss = await there.loss(batch);
        there.dispose();
        return loss;
      };
      const measured = await slopeAlong(weights, name, gradients, lossAt);
      expect(Math.abs(measured - 1), name).toBeLessThan(5e-3);
    }
    model.dispose();
  });
});

describe.skipIf(!isBuilt).each([
  ['a GPT', gpt],
  ['an LSTM', lstm],
] as [string, ModelConfig][])('%s with dropout', (_, plain) => {
  test('has the gradients of the loss with the dropout masks of that step', async () => {
    const config = { ...plain, dropout: 0.2 };
    const batch = batchOf(config);
    const engine = openNative();
    const weights = weightsOf(config);
    // With learning rate 0 the weights stay. The first moments are then (1 − β₁) times the gradient.
    const options = { learningRate: 0, betas: [0.5, 0.5] as [number, number], dropoutSeed: 7 };
    const model = engine.model(config, { weights });
    await model.trainStep(batch, options);
    const gradients: Weights = new Map(
      [...(await model.optimizerState()).first].map(([name, { shape, data }]) => [
        name,
        { shape, data: data.map((x) => x / 0.5) },
      ]),
    );
    const lossAt = async (moved: Weights) => {
      const there = engine.model(config, { weights: moved });
      const { loss } = await there.trainStep(batch, options);
      there.dispose();
      return loss;
    };
    for (const { name } of parameters(config)) {
      const measured = await slopeAlong(weights, name, gradients, lossAt);
      expect(Math.abs(measured - 1), name).toBeLessThan(5e-3);
    }
    expect(Math.abs((await model.loss(batch)) - (await lossAt(weights)))).toBeGreaterThan(1e-5);
    model.dispose();
  });
});

describe.skipIf(!isBuilt).each(models.filter(([, { architecture }]) => architecture === 'lstm'))('%s', (_, config) => {
  test('has the same losses, gradients and final state from a state as TensorFlow.js', async () => {
    const weights = weightsOf(config);
    const size = 2 * config.layers * 5 * config.width;
    const batch = { ...batchOf(config), state: Float32Array.from({ length: size }, (_, i) => 0.5 * Math.sin(7 * i)) };
    const noLearning = { learningRate: 0, microbatch: 2 };
    const reference = (await openTfjs({ device: 'cpu' })).model(config, { weights });
    const expected = await reference.gradients(batch);
    const { state: expectedState } = await reference.trainStep(batch, noLearning);
    for (const set of instructionSets)
      for (const threads of [1, 2]) {
        vi.stubEnv('ENGINE_ISA', set);
        const model = openNative({ threads }).model(config, { weights });
        const { loss, gradients } = await model.gradients(batch);
        expect(Math.abs(loss / expected.loss - 1)).toBeLessThan(1e-6);
        expect(difference(gradients, expected.gradients)).toBeLessThan(1e-5);
        expect(await model.loss(batch)).toBe(loss);
        const { state } = await model.trainStep(batch, noLearning);
        expect(state).toHaveLength(size);
        for (const [i, x] of state!.entries()) expect.soft(Math.abs(x - expectedState![i])).toBeLessThan(1e-6);
        model.dispose();
      }
    reference.dispose();
  });
});

/**
 * Measures the slope of the loss along one parameter's gradient by central differences. Returns it divided by the
 * predicted slope.
 */
async function slopeAlong(
  weights: Weights,
  name: string,
  gradients: Weights,
  lossAt: (weights: Weights) => Promise<number>,
): Promise<number> {
  const { shape, data } = weights.get(name)!;
  const gradient = gradients.get(name)!.data;
  const norm = Math.sqrt(gradient.reduce((sum, g) => sum + g * g, 0));
  // The loss changes by about 2e-3. That is far more than rounding errors, and small enough for the loss to be linear.
  const h = Math.min(2e-2, 1e-3 / norm);
  const weightsAt = (by: number): Weights =>
    new Map(weights).set(name, { shape, data: data.map((x, i) => x + (by * gradient[i]) / norm) });
  return ((await lossAt(weightsAt(h))) - (await lossAt(weightsAt(-h)))) / (2 * h) / norm;
}
