/** The native engine through its interface: training steps, repeatability, decoding, and refused arguments. */
import { execFileSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { EngineError, type Model, openEngine, type StepOptions } from '../../lib/engine/index.ts';
import { openNative } from '../../lib/engine/native/native-engine.ts';
import { countParameters, type ModelConfig, parameters, type Weights } from '../../lib/models/index.ts';
import { instructionSets, isBuilt } from './native-build.ts';
import { batchOf, difference, gpt, lstm, models, weightsOf } from './native-models.ts';

test.skipIf(isBuilt)('without a built addon, the native engine refuses to open', async () => {
  await expect(openEngine({ name: 'native' })).rejects.toThrow(EngineError);
});

afterEach(() => vi.unstubAllEnvs());

const architectures = [
  ['a GPT', gpt],
  ['an LSTM', lstm],
] as [string, ModelConfig][];
const twoCores = availableParallelism() > 1;

async function takeSteps(model: Model, count: number, options: Partial<StepOptions> = {}) {
  const losses: number[] = [];
  for (let i = 0; i < count; i++) {
    const batch = batchOf(model.config, 4 + (i % 2));
    losses.push((await model.trainStep(batch, { learningRate: 3e-3, clip: 1, dropoutSeed: 5, ...options })).loss);
  }
  return losses;
}

describe.skipIf(!isBuilt).each(architectures)('training %s', (_, config) => {
  test('a step is AdamW on clipped gradients, with decay on matrices only', async () => {
    const weights = weightsOf(config);
    const model = openNative().model(config, { weights });
    const batch = batchOf(config);
    const { gradients } = await model.gradients(batch);
    const norm = Math.sqrt([...gradients.values()].reduce((s, { data }) => s + data.reduce((a, g) => a + g * g, 0), 0));
    const clip = norm / 3;
    const result = await model.trainStep(batch, { learningRate: 0.01, clip, weightDecay: 0.2, betas: [0.8, 0.9] });
    expect(result.gradientNorm / norm).toBeCloseTo(1, 5);

    const expected: Weights = new Map();
    for (const { name, shape, decay } of parameters(config)) {
      const g = gradients.get(name)!.data.map((x) => (x * clip) / (norm + 1e-6));
      // At the first step the corrected moments are g and g².
      const data = weights
        .get(name)!
        .data.map((w, i) => w * (decay ? 1 - 0.01 * 0.2 : 1) - (0.01 * g[i]) / (Math.abs(g[i]) + 1e-8));
      expected.set(name, { shape, data });
    }
    const after = await model.weights();
    for (const [name, { data }] of expected)
      for (let i = 0; i < data.length; i++) {
        // If a gradient is nearly 0, the sign of a rounding error decides the update.
        if (Math.abs(gradients.get(name)!.data[i]) < 1e-6) continue;
        expect.soft(Math.abs(after.get(name)!.data[i] - data[i]), `${name}[${i}]`).toBeLessThan(2e-5);
      }
    expect((await model.optimizerState()).step).toBe(1);
  });

  test('memorizes a batch', async () => {
    const model = openNative().model(config, { seed: 1 });
    const batch = batchOf(config, 2);
    const first = await model.loss(batch);
    expect(first).toBeCloseTo(Math.log(config.vocabularySize), 0);
    for (let i = 0; i < 120; i++) await model.trainStep(batch, { learningRate: 0.02, weightDecay: 0, clip: 1 });
    expect(await model.loss(batch)).toBeLessThan(first / 3);
  });

  test('the same seed gives the same model, bit for bit', async () => {
    const engine = openNative();
    const weightsOfSeed = (seed: number) => engine.model(config, { seed }).weights();
    expect(await weightsOfSeed(4)).toEqual(await weightsOfSeed(4));
    expect(difference(await weightsOfSeed(4), await weightsOfSeed(5))).not.toBe(0);
  });

  test.skipIf(!twoCores).each([
    [1, 'fp32'],
    [2, 'fp32'],
    [2, 'bf16'],
  ] as const)('repeats bit for bit on %i threads in %s, with dropout', async (threads, precision) => {
    const run = async () => {
      const model = openNative({ threads, precision }).model({ ...config, dropout: 0.1 }, { seed: 1 });
      const losses = await takeSteps(model, 6);
      return { losses, weights: await model.weights(), state: await model.optimizerState() };
    };
    expect(await run()).toEqual(await run());
  });

  test.each([1, 2, 5])('gradients of %i windows do not depend on the previous batch', async (sequences) => {
    const threads = twoCores ? 2 : 1;
    const model = openNative({ threads }).model(config, { weights: weightsOf(config) });
    for (const length of [config.block, 1]) {
      const batch = batchOf(config, sequences, length);
      const fresh = openNative({ threads }).model(config, { weights: weightsOf(config) });
      await model.gradients(batchOf(config, 7));
      expect(await model.gradients(batch)).toEqual(await fresh.gradients(batch));
    }
  });

  test('a model made from weights and moments continues with the same bits as an uninterrupted one', async () => {
    const withDropout = { ...config, dropout: 0.1 };
    const uninterrupted = openNative().model(withDropout, { seed: 1 });
    await takeSteps(uninterrupted, 6);

    const before = openNative().model(withDropout, { seed: 1 });
    await takeSteps(before, 4);
    const after = openNative().model(withDropout, { weights: await before.weights() });
    await after.restoreOptimizer(await before.optimizerState());
    before.dispose();
    await takeSteps(after, 2);
    expect(await after.weights()).toEqual(await uninterrupted.weights());
    expect(await after.optimizerState()).toEqual(await uninterrupted.optimizerState());
  });

  test('threads, microbatches and instruction sets change only the last bits of sums', async () => {
    const withDropout = { ...config, dropout: 0.1 };
    const batch = batchOf(config, 7);
    const gradientsOf = async (threads: number, microbatch?: number) => {
      const model = openNative({ threads }).model(withDropout, { weights: weightsOf(config) });
      await model.trainStep(batch, { learningRate: 0, dropoutSeed: 9, microbatch });
      return (await model.optimizerState()).first;
    };
    const expected = await gradientsOf(1);
    expect(difference(await gradientsOf(1, 2), expected)).toBeLessThan(1e-5);
    if (twoCores) expect(difference(await gradientsOf(2), expected)).toBeLessThan(1e-5);
    for (const set of instructionSets) {
      vi.stubEnv('ENGINE_ISA', set);
      expect(difference(await gradientsOf(1), expected), set).toBeLessThan(1e-5);
    }
  });

  test('dropout masks differ by seed and by step', async () => {
    const model = openNative().model({ ...config, dropout: 0.3 }, { weights: weightsOf(config) });
    const batch = batchOf(config);
    const lossOf = async (dropoutSeed: number) => (await model.trainStep(batch, { learningRate: 0, dropoutSeed })).loss;
    const losses = [await lossOf(1), await lossOf(1), await lossOf(2)];
    expect(new Set(losses).size).toBe(3);
  });

  test('windows may be shorter than the block, and of different lengths', async () => {
    const model = openNative().model(config, { weights: weightsOf(config) });
    const long = await model.loss(batchOf(config, 3));
    const { inputs, targets } = batchOf(config, 3);
    const expected = await openNative()
      .model(config, { weights: weightsOf(config) })
      .logits(inputs.subarray(0, 7), 1, 7);
    expect(await model.logits(inputs.subarray(0, 7), 1, 7)).toEqual(expected);
    await model.trainStep(
      { inputs: inputs.subarray(0, 1), targets: targets.subarray(0, 1), sequences: 1, length: 1 },
      { learningRate: 0 },
    );
    expect(await model.loss(batchOf(config, 3))).toBe(long);
  });

  test('a loss that is NaN is returned, and the weights do not change', async () => {
    const weights = weightsOf(config);
    [...weights.values()][0].data.fill(Number.NaN);
    const model = openNative().model(config, { weights });
    expect((await takeSteps(model, 1))[0]).toBeNaN();
    expect(await model.weights()).toEqual(weights);
    expect((await model.optimizerState()).step).toBe(0);
  });

  test('the event loop runs during a step', async () => {
    // This step takes a few tenths of a second.
    const model = openNative().model({ ...config, block: 128, layers: 6, width: 96 }, { seed: 1 });
    let turns = 0;
    let computing = true;
    const step = model.trainStep(batchOf(model.config, 16), { learningRate: 1e-3 }).then(() => (computing = false));
    while (computing) {
      turns++;
      await setImmediate();
    }
    await step;
    expect(turns).toBeGreaterThan(2);
  });
});

describe.skipIf(!isBuilt).each(models)('decoding with %s', (_, config) => {
  test('gives the same logits token by token as for the whole window', async () => {
    const model = openNative().model(config, { weights: weightsOf(config) });
    const { inputs, sequences, length } = batchOf(config, 3);
    const V = config.vocabularySize;
    const whole = await model.logits(inputs, sequences, length);
    const decoder = model.decoder(sequences);
    const decodeAll = async () => {
      let worst = 0;
      for (let t = 0; t < length; t++) {
        expect(decoder.position).toBe(t);
        const logits = await decoder.step(Uint16Array.from({ length: sequences }, (_, s) => inputs[s * length + t]));
        for (let s = 0; s < sequences; s++)
          for (let v = 0; v < V; v++)
            worst = Math.max(worst, Math.abs(logits[s * V + v] - whole[(s * length + t) * V + v]));
      }
      return worst;
    };
    expect(await decodeAll()).toBeLessThan(1e-5);
    decoder.reset();
    expect(await decodeAll()).toBeLessThan(1e-5);
    if (config.architecture === 'gpt')
      await expect(decoder.step(inputs.subarray(0, sequences))).rejects.toThrow(
        `the block of ${config.block} tokens is full`,
      );
  });
});

describe.skipIf(!isBuilt || !twoCores).each([
  ['a GPT', { ...gpt, width: 72 }],
  ['an LSTM', { ...lstm, width: 70 }],
] as [string, ModelConfig][])('decoding with %s on two threads', (_, config) => {
  // Smaller models are decoded by one thread.
  const streams = 9;
  test.each(['fp32', 'bf16'] as const)('gives the same bits as on one thread, %s', async (precision) => {
    expect(streams * countParameters(config).total).toBeGreaterThan(2 ** 19);
    const decoded = [1, 2].map((threads) => {
      const decoder = openNative({ threads, precision })
        .model(config, { weights: weightsOf(config) })
        .decoder(streams);
      const tokens = (t: number) =>
        Uint16Array.from({ length: streams }, (_, s) => (t * t + 5 * s) % config.vocabularySize);
      return Promise.all(Array.from({ length: config.block }, (_, t) => decoder.step(tokens(t))));
    });
    expect(await decoded[1]).toEqual(await decoded[0]);
  });
});

describe.skipIf(!isBuilt)('the native engine refuses', () => {
  const engine = isBuilt ? openNative() : undefined!;
  const model = () => engine.model(gpt, { seed: 1 });
  const { inputs, targets, sequences, length } = batchOf(gpt);

  test('tokens outside the vocabulary', async () => {
    const wrong = inputs.with(17, 37);
    await expect(model().loss({ inputs: wrong, targets, sequences, length })).rejects.toThrow(
      'token 37 at position 17 is outside the vocabulary of 37',
    );
    await expect(model().decoder(1).step(Uint16Array.of(99))).rejects.toThrow('token 99');
  });

  test('a window longer than the block, and a window with tokens missing', async () => {
    await expect(model().logits(new Uint16Array(38), 1, 38)).rejects.toThrow(
      'longer than the model’s block'.replace('’', "'"),
    );
    await expect(model().logits(inputs.subarray(1), sequences, length)).rejects.toThrow('185 tokens, not 184');
  });

  test('heads that do not divide the width', () => {
    expect(() => engine.model({ ...gpt, heads: 5 }, { seed: 1 })).toThrow('heads is 5, which does not divide');
  });

  test('a number of threads that is 0, not whole, or above the number of cores', () => {
    for (const threads of [0, 1.5, availableParallelism() + 1])
      expect(() => openNative({ threads })).toThrow(`threads is ${threads}; it must be a whole number from 1 to`);
  });

  test('an instruction set that the CPU lacks', () => {
    vi.stubEnv('ENGINE_ISA', 'mmx');
    expect(() => openNative()).toThrow('ENGINE_ISA is mmx');
  });

  test('weights and moments of another shape', async () => {
    const weights = weightsOf({ ...gpt, width: 12 });
    expect(() => engine.model(gpt, { weights })).toThrow(
      'transformer.wte.weight has the shape [37,12]; the model needs [37,24]',
    );
    const state = await engine.model({ ...gpt, width: 12 }, { seed: 1 }).optimizerState();
    await expect(model().restoreOptimizer(state)).rejects.toThrow('has the shape [37,12]');
  });

  test('step options that are NaN', async () => {
    await expect(model().trainStep(batchOf(gpt), { learningRate: Number.NaN })).rejects.toThrow('learningRate is NaN');
  });

  test('a decoder during a step, and every call after dispose', async () => {
    const busy = model();
    const decoder = busy.decoder(1);
    const step = takeSteps(busy, 1);
    expect(() => busy.decoder(1)).toThrow('cannot make a decoder while the model computes');
    await step;
    busy.dispose();
    busy.dispose();
    await expect(busy.weights()).rejects.toThrow('disposed of');
    await expect(decoder.step(Uint16Array.of(1))).rejects.toThrow('disposed of');
    await expect(busy.loss(batchOf(gpt))).rejects.toThrow('disposed of');
  });
});

test.skipIf(!isBuilt)('the memory estimate grows with the model, the microbatch and the threads', () => {
  const engine = openNative();
  const one = engine.memory(gpt, { batch: 1 });
  // The estimate includes weights, gradients and two moments, of 4 bytes each.
  expect(one).toBeGreaterThan(16 * parameters(gpt).reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b), 0));
  expect(engine.memory(gpt, { batch: 8, microbatch: 8 })).toBeGreaterThan(one);
  expect(engine.memory({ ...gpt, width: 96 }, { batch: 1 })).toBeGreaterThan(one);
  if (twoCores) expect(openNative({ threads: 2 }).memory(gpt, { batch: 2 })).toBeGreaterThan(one);
});

test.skipIf(!isBuilt)('the addon throws errors for invalid arguments, and does not crash', () => {
  const program = fileURLToPath(new URL('addon-abuse.ts', import.meta.url));
  const output = execFileSync(process.execPath, ['--import', 'tsx', program, '60'], { encoding: 'utf8' });
  const { returned, threw } = JSON.parse(output);
  expect(returned).toBeGreaterThan(100);
  expect(threw).toBeGreaterThan(returned);
});

test.skipIf(!isBuilt)('the description of the native engine has its precision, kernels and threads', () => {
  expect(openNative().description).toMatch(/^native fp32, (AVX-512|AVX2|generic), 1 thread$/);
  vi.stubEnv('ENGINE_ISA', 'generic');
  expect(openNative().description).toBe('native fp32, generic, 1 thread');
  expect(openNative({ precision: 'bf16' }).description).toBe('native bf16, generic, 1 thread');
});
