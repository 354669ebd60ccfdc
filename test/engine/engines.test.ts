/** One specification for all engines. It runs on each engine; those that are not built are skipped. */
import { beforeAll, describe, expect, test } from 'vitest';
import type { Batch, Engine, Model } from '../../lib/engine/index.ts';
import { EngineError } from '../../lib/engine/index.ts';
import { initialWeights, type ModelConfig, parameters, type Weights } from '../../lib/models/index.ts';
import { gpuIsTestable } from './gpu/fake-gpu.ts';
import { inDoubles, referenceLogits, referenceLoss } from './reference.ts';
import { enginesAndGpu, nativeIsBuilt, perturbedWeights, randomBatch, tinyConfigs, tinyGpt, tinyLstm } from './tiny.ts';

const rows = ({ length, sequences }: Batch, tokens: Batch['inputs']) =>
  Array.from({ length: sequences }, (_, s) => [...tokens.subarray(s * length, (s + 1) * length)]);
const perturbed = (config: ModelConfig) => perturbedWeights(initialWeights(config, 1));
const settings = { learningRate: 0.01, clip: 1 };

/** Returns the largest difference of two values, relative to the largest value of their tensor. */
function difference(a: Weights, b: Weights): number {
  expect([...a.keys()]).toEqual([...b.keys()]);
  let worst = 0;
  for (const [name, { data }] of a) {
    const other = b.get(name)!.data;
    const scale = data.reduce((most, x) => Math.max(most, Math.abs(x)), 1e-6);
    worst = Math.max(worst, ...data.map((x, i) => Math.abs(x - other[i]) / scale));
  }
  return worst;
}

describe.each(enginesAndGpu)('the %s engine', (name, open) => {
  if (name === 'native' && !nativeIsBuilt) return void test.skip('is not built here: `npm run build`');
  if (name === 'gpu' && !gpuIsTestable) return void test.skip('is not built here, or there is no compiler');
  let engine: Engine;
  beforeAll(async () => {
    engine = await open();
  });
  const withModel = async <T>(config: ModelConfig, weights: Weights, use: (model: Model) => Promise<T>) => {
    const model = engine.model(config, { weights });
    try {
      return await use(model);
    } finally {
      model.dispose();
    }
  };

  describe.each(tinyConfigs)('with %s', (_, config) => {
    const batch = randomBatch(config, 2, config.block);
    const inputs = rows(batch, batch.inputs);
    const targets = rows(batch, batch.targets);

    test('gives the same logits and loss as the reference', () =>
      withModel(config, perturbed(config), async (model) => {
        const weights = inDoubles(perturbed(config));
        const expected = inputs.flatMap((ids) => referenceLogits(config, weights, ids).flat());
        const logits = await model.logits(batch.inputs, batch.sequences, batch.length);
        const worst = logits.reduce((most, x, i) => Math.max(most, Math.abs(x - expected[i])), 0);
        expect(worst).toBeLessThan(2e-5);
        expect(await model.loss(batch)).toBeCloseTo(referenceLoss(config, weights, inputs, targets), 5);
      }));

    test('gives the loss of each token, in the order of the batch', () =>
      withModel(config, perturbed(config), async (model) => {
        const weights = inDoubles(perturbed(config));
        const losses = await model.tokenLosses(batch);
        expect(losses).toHaveLength(inputs.flat().length);
        // The loss of the first t tokens of a window is the mean over them.
        for (const [s, ids] of inputs.entries())
          for (let t = 1; t <= ids.length; t++) {
            const expected = t * referenceLoss(config, weights, [ids.slice(0, t)], [targets[s].slice(0, t)]);
            const first = losses.subarray(s * ids.length, s * ids.length + t);
            expect(first.reduce((sum, loss) => sum + loss, 0)).toBeCloseTo(expected, 4);
          }
      }));

    test("gives the gradients of finite differences of the reference's loss, for every parameter", () =>
      withModel(config, perturbed(config), async (model) => {
        const { loss, gradients } = await model.gradients(batch);
        const weights = inDoubles(perturbed(config));
        expect(loss).toBeCloseTo(referenceLoss(config, weights, inputs, targets), 5);
        expect([...gradients.keys()]).toEqual(parameters(config).map((parameter) => parameter.name));
        for (const [parameter, { data }] of gradients) {
          const at = weights.get(parameter)!.data;
          const scale = data.reduce((most, x) => Math.max(most, Math.abs(x)), 1e-3);
          for (let i = 0; i < data.length; i += Math.ceil(data.length / 4)) {
            const value = at[i];
            const lossAt = (x: number) => {
              at[i] = x;
              return referenceLoss(config, weights, inputs, targets);
            };
            const slope = (lossAt(value + 1e-4) - lossAt(value - 1e-4)) / 2e-4;
            at[i] = value;
            expect(Math.abs(data[i] - slope) / scale, `${parameter}[${i}]`).toBeLessThan(1e-5);
          }
        }
      }));

    test('gives the same logits token by token as for the whole window', () =>
      withModel(config, perturbed(config), async (model) => {
        const whole = await model.logits(batch.inputs, batch.sequences, batch.length);
        const V = config.vocabularySize;
        const decoder = model.decoder(batch.sequences);
        for (let attempt = 0; attempt < 2; attempt++) {
          for (let t = 0; t < batch.length; t++) {
            expect(decoder.position).toBe(t);
            const step = await decoder.step(Uint16Array.from(inputs, (ids) => ids[t]));
            for (let s = 0; s < batch.sequences; s++)
              for (let v = 0; v < V; v++)
                expect(Math.abs(step[s * V + v] - whole[(s * batch.length + t) * V + v])).toBeLessThan(1e-5);
          }
          decoder.reset();
        }
        decoder.dispose();
      }));

    test('accepts windows shorter than the block', () =>
      withModel(config, perturbed(config), async (model) => {
        const short = randomBatch(config, 2, 2);
        const expected = referenceLoss(
          config,
          inDoubles(perturbed(config)),
          rows(short, short.inputs),
          rows(short, short.targets),
        );
        expect(await model.loss(short)).toBeCloseTo(expected, 5);
      }));
  });

  test('with all weights 0 the loss is ln V, and only the head has a gradient', () =>
    withModel(tinyLstm, zeros(tinyLstm), async (model) => {
      const batch = { inputs: Uint16Array.of(0, 1), targets: Uint16Array.of(4, 4), sequences: 1, length: 2 };
      const { loss, gradients } = await model.gradients(batch);
      expect(loss).toBeCloseTo(Math.log(11), 6);
      // softmax − one-hot: 1/11 everywhere, minus 1 for the target
      for (const [v, slope] of gradients.get('decoder.bias')!.data.entries())
        expect(slope).toBeCloseTo(v === 4 ? 1 / 11 - 1 : 1 / 11, 6);
      expect(gradients.get('rnn.weight_hh_l0')!.data.every((slope) => slope === 0)).toBe(true);
    }));

  test("makes the updates of PyTorch's AdamW: two steps computed by hand, with clipping, and decay on matrices only", () =>
    withModel(tinyGpt, perturbed(tinyGpt), async (model) => {
      const batch = randomBatch(tinyGpt, 2, 6);
      const options = {
        learningRate: 0.01,
        betas: [0.8, 0.9] as [number, number],
        epsilon: 1e-6,
        weightDecay: 0.2,
        clip: 0.5,
      };
      const expected = inDoubles(perturbed(tinyGpt));
      const moments = new Map(
        [...expected].map(([key, { data }]) => [key, { m: data.map(() => 0), v: data.map(() => 0) }]),
      );
      for (const step of [1, 2]) {
        const { gradients } = await model.gradients(batch);
        const squares = [...gradients.values()].reduce((sum, { data }) => data.reduce((s, g) => s + g * g, sum), 0);
        const factor = 0.5 / (Math.sqrt(squares) + 1e-6);
        expect(factor).toBeLessThan(1);
        for (const { name, decay } of parameters(tinyGpt)) {
          const { data } = expected.get(name)!;
          const { m, v } = moments.get(name)!;
          for (let i = 0; i < data.length; i++) {
            const g = gradients.get(name)!.data[i] * factor;
            m[i] = 0.8 * m[i] + 0.2 * g;
            v[i] = 0.9 * v[i] + 0.1 * g * g;
            if (decay) data[i] *= 1 - 0.01 * 0.2;
            data[i] -= ((0.01 / (1 - 0.8 ** step)) * m[i]) / (Math.sqrt(v[i] / (1 - 0.9 ** step)) + 1e-6);
          }
        }
        const { gradientNorm } = await model.trainStep(batch, options);
        expect(gradientNorm).toBeCloseTo(Math.sqrt(squares), 5);
      }
      expect(difference(await model.weights(), toWeights(expected))).toBeLessThan(1e-5);
      const { step, first, second } = await model.optimizerState();
      expect(step).toBe(2);
      expect(
        difference(first, toWeights(new Map([...moments].map(([key, { m }]) => [key, { shape: [], data: m }])))),
      ).toBeLessThan(1e-4);
      expect(
        difference(second, toWeights(new Map([...moments].map(([key, { v }]) => [key, { shape: [], data: v }])))),
      ).toBeLessThan(1e-4);
    }));

  test('makes the same step for every size of microbatch', () =>
    withModel(tinyLstm, perturbed(tinyLstm), (whole) =>
      withModel(tinyLstm, perturbed(tinyLstm), async (parts) => {
        const batch = randomBatch(tinyLstm, 5, 6);
        const a = await whole.trainStep(batch, { ...settings, microbatch: 5 });
        const b = await parts.trainStep(batch, { ...settings, microbatch: 2 });
        expect(b.loss).toBeCloseTo(a.loss, 5);
        expect(b.gradientNorm).toBeCloseTo(a.gradientNorm, 5);
        const [first, expected] = [await parts.optimizerState(), await whole.optimizerState()].map(
          (state) => state.first,
        );
        expect(difference(first, expected)).toBeLessThan(1e-5);
      }),
    ));

  test.each([tinyGpt, tinyLstm])(
    'continues from weights and optimizer state with the same bits, dropout included: $architecture',
    async (plain) => {
      const config = { ...plain, dropout: 0.2 };
      const batches = [1, 2, 3, 4].map((seed) => randomBatch(config, 2, 6, seed));
      const steps = async (model: Model, some: Batch[]) => {
        for (const batch of some) await model.trainStep(batch, { ...settings, dropoutSeed: 7 });
        return model;
      };
      const uninterrupted = await steps(engine.model(config, { seed: 1 }), batches);
      const before = await steps(engine.model(config, { seed: 1 }), batches.slice(0, 2));
      const after = engine.model(config, { weights: await before.weights() });
      await after.restoreOptimizer(await before.optimizerState());
      await steps(after, batches.slice(2));
      expect(await after.weights()).toEqual(await uninterrupted.weights());
      expect(await after.optimizerState()).toEqual(await uninterrupted.optimizerState());
      for (const model of [uninterrupted, before, after]) model.dispose();
    },
  );

  test('applies dropout only in training, with masks chosen by the seed', async () => {
    const config = { ...tinyGpt, dropout: 0.5 };
    const batch = randomBatch(config, 2, 6);
    const losses = [];
    for (const dropoutSeed of [1, 1, 2])
      losses.push(
        await withModel(
          config,
          perturbed(config),
          async (m) => (await m.trainStep(batch, { ...settings, dropoutSeed })).loss,
        ),
      );
    expect(losses[0]).toBe(losses[1]);
    expect(losses[0]).not.toBe(losses[2]);
    const without = await withModel(tinyGpt, perturbed(config), (model) => model.loss(batch));
    await withModel(config, perturbed(config), async (model) => {
      expect(await model.loss(batch)).toBe(without);
      expect((await model.gradients(batch)).loss).toBeCloseTo(without, 6);
    });
  });

  test('has different dropout masks at each step', () =>
    withModel({ ...tinyGpt, dropout: 0.5 }, perturbed(tinyGpt), async (model) => {
      const batch = randomBatch(tinyGpt, 2, 6);
      const stepWithoutLearning = () => model.trainStep(batch, { learningRate: 0, dropoutSeed: 1 });
      expect((await stepWithoutLearning()).loss).not.toBe((await stepWithoutLearning()).loss);
    }));

  test('keeps the mean under dropout: losses with dropout lie around the loss without dropout', async () => {
    const config = { ...tinyGpt, dropout: 0.05 };
    const batch = randomBatch(config, 4, 6);
    const without = await withModel(tinyGpt, perturbed(config), (model) => model.loss(batch));
    let sum = 0;
    for (let dropoutSeed = 0; dropoutSeed < 10; dropoutSeed++)
      sum += await withModel(
        config,
        perturbed(config),
        async (m) => (await m.trainStep(batch, { ...settings, dropoutSeed })).loss,
      );
    expect(Math.abs(sum / 10 - without) / without).toBeLessThan(0.05);
  });

  test.each([tinyGpt, tinyLstm])(
    'makes calls in the order in which they come, whether or not the caller waits: $architecture',
    async (plain) => {
      const config = { ...plain, dropout: 0.2 };
      const run = async (waits: boolean) => {
        const model = engine.model(config, { seed: 1 });
        const decoder = model.decoder(1);
        const step = (seed: number) => model.trainStep(randomBatch(config, 2 + seed, 6, seed), settings);
        const calls: (() => Promise<unknown>)[] = [
          ...[
            () => step(1),
            () => model.weights(),
            () => decoder.step(Uint16Array.of(3)),
            () => step(2),
            () => step(3),
          ],
          ...[() => model.optimizerState(), () => model.loss(randomBatch(config, 3, 4)), () => step(4)],
          ...[() => step(1), () => decoder.step(Uint16Array.of(5)), () => model.weights()],
        ];
        const results: unknown[] = [];
        if (waits) for (const call of calls) results.push(await call());
        else results.push(...(await Promise.all(calls.map((call) => call()))));
        decoder.dispose();
        model.dispose();
        return results;
      };
      expect(await run(false)).toEqual(await run(true));
    },
  );

  test('changes nothing in a step whose loss is NaN, and returns that loss', () =>
    withModel(tinyGpt, perturbed(tinyGpt), async (model) => {
      await model.trainStep(randomBatch(tinyGpt, 2, 6), settings);
      const [weights, before] = [await model.weights(), await model.optimizerState()];
      const broken = new Map([...weights].map(([name, tensor]) => [name, { ...tensor, data: tensor.data.slice() }]));
      [...broken.values()][0].data.fill(Number.NaN);
      const other = engine.model(tinyGpt, { weights: broken });
      await other.restoreOptimizer(before);
      expect((await other.trainStep(randomBatch(tinyGpt, 2, 6), settings)).loss).toBeNaN();
      expect(await other.weights()).toEqual(broken);
      expect(await other.optimizerState()).toEqual(before);
      other.dispose();
    }));

  test('copies weights in and out', () =>
    withModel(tinyGpt, initialWeights(tinyGpt, 1), async (model) => {
      const out = await model.weights();
      for (const { data } of out.values()) data.fill(9);
      expect(await model.weights()).toEqual(initialWeights(tinyGpt, 1));
      await model.trainStep(randomBatch(tinyGpt, 1, 6), settings);
      expect(await model.weights()).not.toEqual(initialWeights(tinyGpt, 1));
    }));

  test('estimates larger memory for larger layers, width, length and sequences', () => {
    const base = engine.memory(tinyGpt, { batch: 1 });
    expect(base).toBeGreaterThan(0);
    for (const larger of [{ layers: 8 }, { width: 64 }, { block: 256 }])
      expect(engine.memory({ ...tinyGpt, ...larger }, { batch: 1 })).toBeGreaterThan(base);
    const long = (batch: number, microbatch: number) =>
      engine.memory({ ...tinyGpt, block: 256 }, { batch, microbatch });
    expect(long(8, 8)).toBeGreaterThan(long(8, 1));
  });

  test.each([tinyGpt, tinyLstm])(
    'needs only the memory of its microbatch for a batch of 50,000 tokens: $architecture',
    (tiny) => {
      const config = { ...tiny, block: 256 };
      expect(engine.memory(config, { batch: 195, microbatch: 2 })).toBe(
        engine.memory(config, { batch: 2, microbatch: 2 }),
      );
      // The default microbatch has an upper limit.
      expect(engine.memory(config, { batch: 100_000 })).toBe(engine.memory(config, { batch: 200_000 }));
      expect(() => engine.memory(config, { batch: 0 })).toThrow(/batch is 0; .*at least 1/);
      expect(() => engine.memory(config, { batch: 8, microbatch: 1.5 })).toThrow(/microbatch is 1.5/);
    },
  );

  test('refuses batches that do not fit the model, and works afterwards', () =>
    withModel(tinyGpt, initialWeights(tinyGpt, 1), async (model) => {
      const batch = randomBatch(tinyGpt, 2, 6);
      const refuse = async (wrong: Partial<Batch>, message: RegExp) => {
        await expect(model.trainStep({ ...batch, ...wrong }, settings)).rejects.toThrow(EngineError);
        await expect(model.loss({ ...batch, ...wrong })).rejects.toThrow(message);
      };
      await refuse(
        { inputs: Uint16Array.from({ length: 12 }, () => 11) },
        /token 11 at position 0 is outside the vocabulary of 11/,
      );
      await refuse({ targets: Uint16Array.from({ length: 12 }, (_, i) => i) }, /token 11 at position 11/);
      await refuse({ targets: new Uint16Array(11) }, /12 inputs but 11 targets/);
      await refuse({ length: 5 }, /2 windows of 5 tokens are 10 tokens, not 12/);
      await refuse({ sequences: 1, length: 12 }, /window of 12 tokens is longer than the model's block of 6/);
      await refuse({ sequences: 0 }, /sequences is 0/);
      await refuse({ inputs: new Int32Array(12) as never }, /inputs must be a Uint16Array or a Uint32Array/);
      for (const [wrong, message] of [
        [{ learningRate: -1 }, /learningRate is -1; it must be a number of at least 0/],
        [{ clip: Number.NaN }, /clip is NaN/],
        [{ betas: [0.9, 1] }, /betas are 0.9,1; each must be at least 0 and below 1/],
        [{ microbatch: 0.5 }, /microbatch is 0.5; it must be a whole number of at least 1/],
      ] as const)
        await expect(model.trainStep(batch, { ...settings, ...(wrong as object) })).rejects.toThrow(message);
      for (const streams of [0, 1.5, 1e9])
        expect(() => model.decoder(streams)).toThrow(
          `a decoder of ${streams} streams; it must have a whole number from 1`,
        );
      const decoder = model.decoder(1);
      for (let t = 0; t < 6; t++) await decoder.step(Uint16Array.of(t));
      await expect(decoder.step(Uint16Array.of(0))).rejects.toThrow(/block of 6 tokens is full/);
      decoder.reset();
      await expect(decoder.step(Uint16Array.of(11))).rejects.toThrow(/outside the vocabulary/);
      decoder.dispose();
      expect(await model.loss(batch)).toBeGreaterThan(0);
    }));

  test('refuses a wrong configuration, and weights of another shape', () => {
    expect(() => engine.model({ ...tinyGpt, heads: 3 }, { seed: 1 })).toThrow(/heads is 3/);
    const weights = initialWeights({ ...tinyGpt, width: 16 }, 1);
    expect(() => engine.model(tinyGpt, { weights })).toThrow(
      /wte.weight has the shape \[11,16\]; the model needs \[11,8\]/,
    );
    const short = new Map([...initialWeights(tinyGpt, 1)].map(([name, t]) => [name, { ...t, data: t.data.slice(1) }]));
    expect(() => engine.model(tinyGpt, { weights: short })).toThrow(/wte.weight has 87 numbers; .* needs 88/);
  });

  test.each(tinyConfigs)('trains on windows of one token (%s)', async (_, config) => {
    await withModel(config, initialWeights(config, 1), async (model) => {
      const { loss } = await model.trainStep(randomBatch(config, 3, 1), settings);
      expect(loss).toBeGreaterThan(0);
    });
  });
});

function zeros(config: ModelConfig): Weights {
  return new Map(
    [...initialWeights(config, 1)].map(([name, { shape, data }]) => [name, { shape, data: data.fill(0) }]),
  );
}

function toWeights(doubles: Map<string, { shape: number[]; data: Float64Array }>): Weights {
  return new Map([...doubles].map(([name, { shape, data }]) => [name, { shape, data: Float32Array.from(data) }]));
}
