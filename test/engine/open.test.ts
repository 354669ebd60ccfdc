/** openEngine: the choice of the engine, refused options, and the memory estimate of tfjs. */
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { EngineError, openEngine } from '../../lib/engine/index.ts';
import { activationBytes, parameterBytes } from '../../lib/engine/tfjs/memory-estimate.ts';
import type { ModelConfig } from '../../lib/models/index.ts';
import { nativeIsBuilt, randomBatch, tinyGpt, tinyLstm } from './tiny.ts';

// Where these tests run on a leased GPU, auto would take it.
beforeAll(() => void vi.stubEnv('CUDA_VISIBLE_DEVICES', ''));
afterAll(() => void vi.unstubAllEnvs());

test('openEngine opens the native engine if it is built, and TensorFlow.js otherwise', async () => {
  expect((await openEngine()).name).toBe(nativeIsBuilt ? 'native' : 'tfjs');
});

test('openEngine opens the engine that is named, and describes its device', async () => {
  const engine = await openEngine({ name: 'tfjs', device: 'cpu' });
  expect([engine.name, engine.description]).toEqual(['tfjs', 'tfjs fp32, cpu']);
});

test.each([
  [{ name: 'torch' }, /engine is torch; it must be one of auto, native, gpu, tfjs/],
  [{ precision: 'fp8' }, /precision is fp8; it must be one of fp32, tf32, bf16/],
  [{ name: 'tfjs', precision: 'bf16' }, /tfjs engine computes in fp32 only/],
  [{ name: 'tfjs', threads: 0 }, /threads is 0; it must be a whole number from 1 to \d+, the cores of this machine/],
  [{ name: 'tfjs', threads: 100_000 }, /threads is 100000; .*the cores of this machine/],
])('openEngine refuses %o', async (options, message) => {
  await expect(openEngine(options as object)).rejects.toThrow(EngineError);
  await expect(openEngine(options as object)).rejects.toThrow(message);
});

test('the memory estimate of tfjs is at most 15 % above the figure of TensorFlow.js', async () => {
  const { loadTensorFlow } = await import('../../lib/engine/tfjs/backend.ts');
  const { tf } = await loadTensorFlow('cpu');
  const engine = await openEngine({ name: 'tfjs', device: 'cpu' });
  const configs: Record<ModelConfig['architecture'], ModelConfig[]> = {
    gpt: [tinyGpt, { ...tinyGpt, positions: 'rotary' }],
    lstm: [{ ...tinyLstm, embedding: 4 }],
  };
  for (const plain of Object.values(configs).flat()) {
    const config = { ...plain, block: 24, dropout: 0.1 };
    const model = engine.model(config, { seed: 1 });
    const { peakBytes } = await tf.profile(async () => {
      await model.trainStep(randomBatch(config, 3, 24), { learningRate: 0.01, microbatch: 3 });
      return tf.scalar(0);
    });
    model.dispose();
    expect(engine.memory(config, { batch: 3 })).toBe(parameterBytes(config) + activationBytes(config, 3));
    expect(engine.memory(config, { batch: 3 }) / peakBytes).toBeGreaterThan(1);
    expect(engine.memory(config, { batch: 3 }) / peakBytes).toBeLessThan(1.15);
  }
});
