/** A training run starts a step before it reads the loss of the one before it. That changes no number. */
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Engine, type TrainOptions, type TrainSettings, train } from '../../lib/engine/index.ts';
import { gpuIsTestable, openFakeGpu } from './gpu/fake-gpu.ts';
import { countingSource, enginesAndGpu, nativeIsBuilt, randomBatch, tinyGpt, tinyLstm } from './tiny.ts';

const config = { ...tinyGpt, layers: 1, dropout: 0.1 };
/** 20 steps, an evaluation after 10 of them, and a cooldown to a smaller budget at steps 8 to 10. */
const settings: TrainSettings = {
  ...{ tokens: 20 * 24, batch: 4, learningRate: 0.01, clip: 1, evaluations: 2, evaluationTokens: 60 },
  ...{ schedule: 'wsd', cooldown: 0.2, budgets: [0.5] },
};
const available = enginesAndGpu.filter(
  ([name]) => (name !== 'gpu' || gpuIsTestable) && (name !== 'native' || nativeIsBuilt),
);

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'in-flight-'));
});
afterEach(() => rm(dir, { recursive: true }));

/** An engine that notes the steps after whose end the next one was called, and whose loss is NaN at a step. */
function watched(engine: Engine, brokenAt = Number.POSITIVE_INFINITY) {
  const notes = { steps: 0, alone: [] as number[] };
  const watching: Engine = {
    ...engine,
    model(...call) {
      const model = engine.model(...call);
      const step = model.trainStep.bind(model);
      model.trainStep = async (...of) => {
        const number = ++notes.steps;
        const result = await step(...of);
        if (notes.steps === number) notes.alone.push(number);
        return number === brokenAt ? { ...result, loss: Number.NaN } : result;
      };
      return model;
    },
  };
  return { engine: watching, notes };
}
const all = (steps: number) => Array.from({ length: steps }, (_, i) => i + 1);

describe.each(available)('with the engine %s, a run', (_, open) => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await open();
  });
  const run = (more: Partial<TrainOptions>) =>
    train({ engine, config, source: countingSource(11, 600), settings, seed: 1, ...more });
  const bits = ({ weights, curve, trainLoss, budgets, steps, diverged }: Awaited<ReturnType<typeof train>>) => ({
    ...{ weights, curve, trainLoss, steps, diverged },
    budgets: budgets.map(({ tokensPerSecond: _, ...each }) => each),
  });

  test('has two steps in flight, unless the weights between them are needed', async () => {
    const { engine: watching, notes } = watched(engine);
    await run({ engine: watching });
    // Before the cooldown, at its end, before the evaluation of the trunk, and at the end.
    expect(notes).toEqual({ steps: 22, alone: [8, 10, 12, 22] });
  });

  test('has the bits of a run that waits for each step', async () => {
    const { engine: watching, notes } = watched(engine);
    const waiting = await run({ engine: watching, checkpointDir: dir, checkpointSeconds: 0 });
    expect(notes.alone).toEqual(all(22));
    expect(bits(await run({}))).toEqual(bits(waiting));
  });

  test('drops the step that it has started when the one before it ends the run', async () => {
    const { engine: watching, notes } = watched(engine, 15);
    const { diverged, steps, budgets } = await run({ engine: watching });
    // Two of the fifteen steps were those of the cooldown.
    expect([diverged, steps]).toEqual([{ step: 13, reason: 'the loss is NaN', keptStep: 10 }, 13]);
    expect(budgets).toHaveLength(1);
    expect(notes.steps).toBe(16);
  });

  test('waits for the state of an LSTM that carries it', async () => {
    const { engine: watching, notes } = watched(engine);
    await run({ engine: watching, config: { ...tinyLstm, state: 'carried' } });
    expect(notes.alone).toEqual(all(22));
  });
});

test.skipIf(!gpuIsTestable)('a GPU has two steps at once, and no more', async () => {
  const [hold, plans] = [join(dir, 'hold'), join(dir, 'plans')];
  const noted = async () => (existsSync(plans) ? (await readFile(plans, 'utf8')).trim().split('\n') : []);
  const model = openFakeGpu().model(config, { seed: 1 });
  const step = () => model.trainStep(randomBatch(config, 2, 6), { learningRate: 0.01 });
  const first = await step();
  await writeFile(hold, '');
  vi.stubEnv('FAKE_CUDA_HOLD', hold).stubEnv('FAKE_CUDA_PLANS', plans);
  const steps = [step(), step(), step()];
  await vi.waitFor(async () => expect(await noted()).toEqual(['launched', 'launched']));
  await rm(hold);
  const losses = (await Promise.all(steps)).map(({ loss }) => loss);
  // The third began when the first had ended.
  expect((await noted()).filter((line) => line === 'launched')).toHaveLength(3);
  expect((await noted()).slice(0, 3)).toEqual(['launched', 'launched', 'ended']);
  expect(losses[0]).not.toBe(first.loss);
  vi.unstubAllEnvs();
  model.dispose();
});
