/**
 * LSTMs whose state is carried from window to window: the results of each engine from a state, and runs that carry the
 * state.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { beginsStreams, streamOffsets } from '../../lib/engine/data/streams.ts';
import { type Batch, type Engine, EngineError, type TrainOptions, train } from '../../lib/engine/index.ts';
import { resolveSettings } from '../../lib/engine/training/training-settings.ts';
import {
  initialWeights,
  type LstmConfig,
  loadCheckpoint,
  modelConfig,
  parameters,
  Random,
  saveCheckpoint,
} from '../../lib/models/index.ts';
import { inDoubles, referenceLoss } from './reference.ts';
import {
  anyEngine,
  countingSource,
  engines,
  nativeIsBuilt,
  perturbedWeights,
  randomBatch,
  tinyGpt,
  tinyLstm,
} from './tiny.ts';

const carried: LstmConfig = { ...tinyLstm, state: 'carried' };
const configs: [name: string, config: LstmConfig][] = [
  ['an LSTM', tinyLstm],
  ['an LSTM with a separate head', { ...tinyLstm, embedding: 5 }],
  ['an LSTM of one layer', { ...tinyLstm, layers: 1 }],
  ['an LSTM of three layers', { ...tinyLstm, layers: 3, width: 9, embedding: 7 }],
];
const perturbed = (config: LstmConfig) => perturbedWeights(initialWeights(config, 1));
/** a learning rate of 0, so that a step changes no weights */
const noLearning = { learningRate: 0 };

/** Draws a state of the shape [layers, 2, sequences, width]. */
function randomState({ layers, width }: LstmConfig, sequences: number): Float32Array {
  const random = new Random(1, 'state');
  return Float32Array.from({ length: layers * 2 * sequences * width }, () => 0.5 * random.normal());
}

/** Cuts out the tokens [from, to) of each sequence. */
function cut({ inputs, targets, sequences, length }: Batch, from: number, to: number): Batch {
  const part = (tokens: Batch['inputs']) =>
    Uint16Array.from({ length: sequences * (to - from) }, (_, i) => {
      const s = Math.floor(i / (to - from));
      return tokens[s * length + from + (i % (to - from))];
    });
  return { inputs: part(inputs), targets: part(targets), sequences, length: to - from };
}

const rows = (tokens: Batch['inputs'], { sequences, length }: Batch) =>
  Array.from({ length: sequences }, (_, s) => [...tokens.subarray(s * length, (s + 1) * length)]);

const largestDifference = (a: Float32Array, b: Float32Array) =>
  a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i])), 0);

describe.each(engines)('a batch with a state, on the %s engine', (name, open) => {
  if (name === 'native' && !nativeIsBuilt) return void test.skip('is not built here: `npm run build`');
  let engine: Engine;
  beforeAll(async () => {
    engine = await open();
  });

  test.each(configs)(
    'continues the batch before it: two halves give the logits and losses of the whole window (%s)',
    async (_, config) => {
      const model = engine.model(config, { weights: perturbed(config) });
      const whole = randomBatch(config, 3, 6);
      const zeros = new Float32Array(randomState(config, 3).length);
      const first = await model.trainStep({ ...cut(whole, 0, 2), state: zeros }, noLearning);
      const second = await model.trainStep({ ...cut(whole, 2, 6), state: first.state }, noLearning);
      const all = await model.trainStep({ ...whole, state: zeros }, noLearning);
      expect((2 * first.loss + 4 * second.loss) / 6).toBeCloseTo(await model.loss(whole), 6);
      expect(all.loss).toBeCloseTo(await model.loss(whole), 6);
      expect(largestDifference(second.state!, all.state!)).toBeLessThan(1e-6);
      expect(largestDifference(all.state!, zeros)).toBeGreaterThan(0.1);
      // Without a state in the batch, the result has no state.
      expect((await model.trainStep(whole, noLearning)).state).toBeUndefined();
      model.dispose();
    },
  );

  test.each(configs)(
    'has the gradients of finite differences, with the state as a constant (%s)',
    async (_, config) => {
      const model = engine.model(config, { weights: perturbed(config) });
      const batch = { ...randomBatch(config, 2, 6), state: randomState(config, 2) };
      const { loss, gradients } = await model.gradients(batch);
      const weights = inDoubles(perturbed(config));
      const { layers, width: H } = config;
      const part = (s: number, layer: number, which: number) => {
        const begin = ((2 * layer + which) * 2 + s) * H;
        return [...batch.state.subarray(begin, begin + H)];
      };
      const before = [0, 1].map((s) =>
        Array.from({ length: layers }, (_, l) => ({ hidden: part(s, l, 0), cell: part(s, l, 1) })),
      );
      const [inputs, targets] = [rows(batch.inputs, batch), rows(batch.targets, batch)];
      const lossNow = () => referenceLoss(config, weights, inputs, targets, before);
      expect(loss).toBeCloseTo(lossNow(), 5);
      expect(await model.loss(batch)).toBeCloseTo(lossNow(), 5);
      for (const { name } of parameters(config)) {
        const { data } = gradients.get(name)!;
        const at = weights.get(name)!.data;
        const scale = data.reduce((most, x) => Math.max(most, Math.abs(x)), 1e-3);
        for (let i = 0; i < data.length; i += Math.ceil(data.length / 4)) {
          const value = at[i];
          const [above, below] = [1e-4, -1e-4].map((by) => {
            at[i] = value + by;
            return lossNow();
          });
          at[i] = value;
          expect(Math.abs(data[i] - (above - below) / 2e-4) / scale, `${name}[${i}]`).toBeLessThan(1e-5);
        }
      }
      model.dispose();
    },
  );

  test('gives each sequence its own state, for every size of microbatch', async () => {
    const batch = { ...randomBatch(tinyLstm, 5, 6), state: randomState(tinyLstm, 5) };
    const results = [];
    for (const microbatch of [5, 2, 1]) {
      const model = engine.model(tinyLstm, { weights: perturbed(tinyLstm) });
      results.push({
        ...(await model.trainStep(batch, { ...noLearning, microbatch })),
        ...(await model.optimizerState()),
      });
      model.dispose();
    }
    for (const { loss, gradientNorm, state } of results.slice(1)) {
      expect(loss).toBeCloseTo(results[0].loss, 6);
      expect(gradientNorm).toBeCloseTo(results[0].gradientNorm, 5);
      expect(largestDifference(state!, results[0].state!)).toBeLessThan(1e-6);
    }
  });

  test('is refused by a GPT, and if the state does not fit the batch', async () => {
    const [gpt, lstm] = [tinyGpt, tinyLstm].map((config) => engine.model(config, { seed: 1 }));
    const batch = randomBatch(tinyLstm, 2, 6);
    const step = (model: typeof gpt, state: Float32Array) => model.trainStep({ ...batch, state }, noLearning);
    await expect(step(gpt, new Float32Array(48))).rejects.toThrow(/a gpt has none/);
    await expect(step(lstm, new Float32Array(47))).rejects.toThrow(/state has 47 numbers; 2 layers .* need 48/);
    await expect(step(lstm, new Float32Array(47))).rejects.toThrow(EngineError);
    for (const model of [gpt, lstm]) model.dispose();
  });
});

const source = countingSource(11, 113);
const settings = { tokens: 24 * 30, batch: 4, learningRate: 0.03, clip: 1, evaluations: 3, evaluationTokens: 60 };
const runOn = (engine: Engine, more: Partial<TrainOptions> = {}) =>
  train({ engine, config: carried, source, settings, seed: 1, ...more });

describe('the streams of a run', () => {
  const { streams } = resolveSettings(settings, carried, source);
  const at = (step: number) => streamOffsets(step, streams!, 4, 6);

  test('have equal length, and each step reads the next window of every stream', () => {
    // A stream has (113 − 1) / 4 = 28 tokens: four windows of 6. The last 4 tokens are not read.
    expect(streams).toEqual({ stride: 28, windows: 4 });
    expect([at(0), at(1), at(3)]).toEqual([...[[0, 28, 56, 84]], ...[[6, 34, 62, 90]], ...[[18, 46, 74, 102]]]);
    expect(at(4)).toEqual(at(0));
    expect([0, 1, 2, 3, 4, 5].filter((step) => beginsStreams(step, streams!))).toEqual([0, 4]);
  });

  test('must each have at least one window', () => {
    const { config, ...rest } = { config: carried, ...settings };
    expect(resolveSettings(rest, config, countingSource(11, 25)).streams).toEqual({ stride: 6, windows: 1 });
    expect(() => resolveSettings(rest, config, countingSource(11, 24))).toThrow(
      /has 24 tokens; 4 streams of at least one window of 6, and the token after them, need 25/,
    );
  });

  test('are not used if the state is reset at each window', () =>
    expect(resolveSettings(settings, tinyLstm, source).streams).toBeUndefined());
});

describe('a run with carried state', () => {
  let dir: string;
  let engine: Engine;
  beforeAll(async () => {
    engine = await anyEngine();
  });
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'carried-'));
  });
  afterEach(() => rm(dir, { recursive: true }));

  test('gives each step the state after the step before, and zeros where the streams begin', async () => {
    const steps: { initialState: Float32Array; finalState: Float32Array }[] = [];
    const recordingEngine: Engine = {
      ...engine,
      model(...call) {
        const model = engine.model(...call);
        const step = model.trainStep.bind(model);
        model.trainStep = async (batch, options) => {
          const result = await step(batch, options);
          steps.push({ initialState: batch.state!, finalState: result.state! });
          return result;
        };
        return model;
      },
    };
    await runOn(recordingEngine);
    expect(steps).toHaveLength(30);
    const zeros = new Float32Array(2 * 2 * 4 * 6);
    for (const [i, { initialState }] of steps.entries())
      expect(initialState).toEqual(i % 4 === 0 ? zeros : steps[i - 1].finalState);
    expect(steps[0].finalState).not.toEqual(zeros);
  });

  // At step 8 the streams begin again.
  test.each([7, 8])(
    'gives the same bits as an uninterrupted run if it is interrupted at step %d and resumed',
    async (at) => {
      const config = { ...carried, dropout: 0.1 };
      const stop = new AbortController();
      const onProgress = ({ done }: { done: number }) => done === 24 * at && stop.abort(new Error('enough'));
      const uninterrupted = await runOn(engine, { config });
      await expect(runOn(engine, { config, checkpointDir: dir, signal: stop.signal, onProgress })).rejects.toThrow(
        'enough',
      );
      const resumed = await runOn(engine, { config, checkpointDir: dir });
      expect(resumed.weights).toEqual(uninterrupted.weights);
      expect(resumed.curve).toEqual(uninterrupted.curve);
      expect(resumed.trainLoss).toBe(uninterrupted.trainLoss);
    },
  );

  test('does not resume with a state that is reset', async () => {
    const stop = new AbortController();
    const onProgress = ({ done }: { done: number }) => done === 24 * 7 && stop.abort(new Error('enough'));
    await expect(runOn(engine, { checkpointDir: dir, signal: stop.signal, onProgress })).rejects.toThrow('enough');
    await expect(runOn(engine, { config: tinyLstm, checkpointDir: dir })).rejects.toThrow(
      /checkpoint of another run: config.state was "carried" and is not set/,
    );
  });

  test.skipIf(!nativeIsBuilt)('has the same losses on both engines, step by step', async () => {
    const losses = await Promise.all(
      engines.map(async ([, open]) => {
        const recorded: number[] = [];
        const opened = await open();
        const recordingEngine: Engine = {
          ...opened,
          model(...call) {
            const model = opened.model(...call);
            const step = model.trainStep.bind(model);
            model.trainStep = async (...of) => {
              const result = await step(...of);
              recorded.push(result.loss);
              return result;
            };
            return model;
          },
        };
        await runOn(recordingEngine, { settings: { ...settings, tokens: 24 * 10, learningRate: 0.01 } });
        return Float32Array.from(recorded);
      }),
    );
    expect(losses[0]).toHaveLength(10);
    expect(largestDifference(losses[0], losses[1])).toBeLessThan(1e-5);
  });
});

describe('the key state of a size', () => {
  const setting = { vocabularySize: 11, block: 6, dropout: 0 };
  const lstm = { architecture: 'lstm', layers: 1, width: 4 } as const;
  test('is allowed for an LSTM', () =>
    expect(modelConfig({ ...lstm, state: 'carried' }, setting)).toMatchObject({ state: 'carried' }));

  test('is saved with the model', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'carried-model-'));
    for (const config of [carried, tinyLstm]) {
      await saveCheckpoint(dir, { config, weights: initialWeights(config, 1) });
      expect((await loadCheckpoint(dir)).config).toEqual(config);
    }
    await rm(dir, { recursive: true });
  });

  test('is refused for a GPT, and if it is neither reset nor carried', async () => {
    const gpt = { architecture: 'gpt', layers: 1, width: 4, heads: 1, state: 'carried' } as const;
    expect(() => modelConfig(gpt, setting)).toThrow(/state is not a setting of a gpt size/);
    expect(() => modelConfig({ ...lstm, state: 'kept' as 'reset' }, setting)).toThrow(
      /state is "kept"; it must be "reset" or "carried"/,
    );
    const config = { ...tinyGpt, state: 'carried' };
    await expect(runOn(await anyEngine(), { config })).rejects.toThrow(/only an LSTM has a state to carry or reset/);
  });
});
