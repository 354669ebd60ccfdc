/** Smaller budgets that one run gives by cooldowns: outcomes, interruption and resume, divergence, refused settings. */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Engine, openEngine, type TrainOptions, type TrainSettings, train } from '../../lib/engine/index.ts';
import type { ModelConfig } from '../../lib/models/index.ts';
import { anyEngine, countingSource, interruptAtStep, tinyGpt, tinyLstm } from './tiny.ts';

const source = countingSource(11, 600);
/** 40 steps; branches at 0.25: steps 8 to 10, and at 0.5: steps 16 to 20. */
const settings: TrainSettings = {
  ...{ tokens: 40 * 24, batch: 4, learningRate: 0.03, warmup: 3, clip: 1, evaluations: 3, evaluationTokens: 60 },
  ...{ schedule: 'wsd', cooldown: 0.2, budgets: [0.25, 0.5] },
};
const MODELS: [string, ModelConfig][] = [
  ['a GPT', { ...tinyGpt, layers: 1, dropout: 0.1 }],
  ['an LSTM that carries its state', { ...tinyLstm, dropout: 0.1, state: 'carried' }],
];
const [[, config]] = MODELS;

let engine: Engine;
beforeAll(async () => {
  engine = await anyEngine();
});
let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'budgets-'));
});
afterEach(() => rm(dir, { recursive: true }));

const run = (more: Partial<TrainOptions> = {}) => train({ engine, config, source, settings, seed: 1, ...more });

/** Figures of a run that do not depend on the clock. */
function figures({ weights, trainLoss, sampledValLoss, steps, tokens, flops }: Awaited<ReturnType<typeof run>>) {
  return { weights, trainLoss, sampledValLoss, steps, tokens, flops };
}

describe('a run with smaller budgets', () => {
  test.each(MODELS)('gives the bits of a run of each budget: %s', async (_, config) => {
    const { budgets, ...whole } = await run({ config });
    expect(budgets.map(({ share, steps, tokens }) => [share, steps, tokens])).toEqual([
      [0.25, 10, 240],
      [0.5, 20, 480],
    ]);
    for (const budget of budgets) {
      const alone = await run({
        config,
        settings: { ...settings, tokens: budget.tokens, budgets: [], evaluations: 1 },
      });
      expect(budget).toMatchObject(figures(alone));
    }
    const without = await run({ config, settings: { ...settings, budgets: [] } });
    expect(whole).toMatchObject({ ...figures(without), curve: without.curve });
  });

  test('reports its progress in tokens of all steps, with those of the cooldowns', async () => {
    const seen: number[] = [];
    await run({ onProgress: ({ done, total }) => seen.push(done) && expect(total).toBe(46 * 24) });
    expect(seen).toEqual(Array.from({ length: 46 }, (_, i) => 24 * (i + 1)));
  });
});

describe('interrupted and resumed, it gives the same bits', () => {
  // Steps made in all: 8 and the first cooldown to 10, the trunk to 18, the second cooldown to 22.
  test.each([
    ['before a cooldown', 8],
    ['in the middle of a cooldown', 9],
    ['at the end of a cooldown', 10],
    ['between cooldowns', 13],
    ['in the second cooldown', 20],
    ['after both', 30],
  ])('%s, at step %d', async (_, at) => {
    for (const [, config] of MODELS) {
      const uninterrupted = await run({ config });
      const interrupted = run({ config, checkpointDir: dir, ...interruptAtStep(source, at) });
      await expect(interrupted).rejects.toThrow('enough');
      expect(await readdir(dir)).toEqual([`step-${at}`]);
      const resumed = await run({ config, checkpointDir: dir });
      expect(figures(resumed)).toEqual(figures(uninterrupted));
      expect(resumed.curve).toEqual(uninterrupted.curve);
      const withoutClock = resumed.budgets.map((each, i) => ({
        ...each,
        tokensPerSecond: uninterrupted.budgets[i].tokensPerSecond,
      }));
      expect(withoutClock).toEqual(uninterrupted.budgets);
      expect(await readdir(dir)).toEqual([]);
    }
  });

  test('in the middle of a cooldown, with the tfjs engine', async () => {
    const tfjs = {
      engine: await openEngine({ name: 'tfjs', device: 'cpu' }),
      config: { ...config, layers: 1, dropout: 0 },
    };
    const uninterrupted = await run(tfjs);
    await expect(run({ ...tfjs, checkpointDir: dir, ...interruptAtStep(source, 9) })).rejects.toThrow('enough');
    const resumed = await run({ ...tfjs, checkpointDir: dir });
    expect(figures(resumed)).toEqual(figures(uninterrupted));
    expect(resumed.budgets.map(({ weights }) => weights)).toEqual(uninterrupted.budgets.map(({ weights }) => weights));
  });

  test('also if it is killed at every step, and continues from the checkpoint of the step before', async () => {
    const uninterrupted = await run();
    let attempts = 0;
    let resumed: Awaited<ReturnType<typeof run>> | undefined;
    while (resumed === undefined && attempts < 30) {
      attempts++;
      let steps = 0;
      const onProgress = () => {
        if (++steps === 3) throw new Error('killed');
      };
      resumed = await run({ checkpointDir: dir, checkpointSeconds: 0, onProgress }).catch((error) => {
        expect(error.message).toBe('killed');
        return undefined;
      });
    }
    expect(attempts).toBeGreaterThan(15);
    expect(figures(resumed!)).toEqual(figures(uninterrupted));
    expect(resumed!.budgets.map(({ weights }) => weights)).toEqual(uninterrupted.budgets.map(({ weights }) => weights));
  });
});

describe('divergence', () => {
  /** An engine whose loss is NaN in the step of this number. */
  const brokenAt = (number: number): Engine => {
    let steps = 0;
    return {
      ...engine,
      model(...call) {
        const model = engine.model(...call);
        const step = model.trainStep.bind(model);
        model.trainStep = async (batch, options) => {
          const result = await step(batch, options);
          return ++steps === number ? { ...result, loss: Number.NaN } : result;
        };
        return model;
      },
    };
  };

  test('in a cooldown ends that budget only', async () => {
    const { budgets, ...whole } = await run({ engine: brokenAt(9) });
    expect(budgets[0].diverged).toEqual({ step: 9, reason: 'the loss is NaN', keptStep: 0 });
    expect(budgets[1].diverged).toBeUndefined();
    expect(figures(whole as never)).toEqual(figures(await run()));
  });

  test('of the run leaves out the budgets that it did not reach', async () => {
    const { budgets, diverged } = await run({ engine: brokenAt(14) });
    expect(budgets.map(({ share }) => share)).toEqual([0.25]);
    expect(diverged).toMatchObject({ step: 12, reason: 'the loss is NaN' });
  });
});

test.each([
  [{ schedule: 'cosine' }, 'budgets need the schedule wsd, and this one is cosine'],
  [{ budgets: [1.5] }, 'budgets has 1.5; a budget is above 0 and below 1'],
  [
    { budgets: [0.05] },
    'budgets has 0.05, which is 2 steps; a share of 0.2 of them (cooldown) must be at least 1 step',
  ],
  [
    { budgets: [0.05], cooldown: 1 },
    'budgets has 0.05, which is 2 steps with a cooldown of 2; the cooldown must begin after the warmup of 3 steps',
  ],
  [{ budgets: [0.49, 0.5] }, 'budgets has 0.5, which begins at the same step as the one before it'],
] as const)('refused: %j', async (wrong, message) => {
  await expect(run({ settings: { ...settings, ...wrong } as TrainSettings })).rejects.toThrow(message);
});
