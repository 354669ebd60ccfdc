/** Training runs: results, interruption and resume, divergence, refused settings, and the windows of a step. */
import { mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { randomOffsets } from '../../lib/engine/data/index.ts';
import {
  type Engine,
  EngineError,
  openEngine,
  type TokenSource,
  type TrainOptions,
  type TrainSettings,
  train,
} from '../../lib/engine/index.ts';
import { resolveSettings } from '../../lib/engine/training/training-settings.ts';
import { flopsPerToken, initialWeights } from '../../lib/models/index.ts';
import { anyEngine, countingSource, interruptAtStep, nativeIsBuilt, tinyGpt, tinyLstm } from './tiny.ts';

const config = { ...tinyGpt, layers: 1, dropout: 0.1 };
const source = countingSource(11, 600);
const settings: TrainSettings = {
  ...{ tokens: 30 * 24, batch: 4, learningRate: 0.03, warmup: 0.1, clip: 1, evaluations: 3, evaluationTokens: 60 },
};

let engine: Engine;
beforeAll(async () => {
  engine = await anyEngine();
});
let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'train-'));
});
afterEach(() => rm(dir, { recursive: true }));

const run = (more: Partial<TrainOptions> = {}) => train({ engine, config, source, settings, seed: 1, ...more });

describe('a training run', () => {
  test('learns, reads its token budget, and returns its figures', async () => {
    const { curve, ...result } = await run({ config: { ...config, dropout: 0 } });
    expect(result.diverged).toBeUndefined();
    expect(result.steps).toBe(30);
    expect(result.tokens).toBe(720);
    expect(result.flops).toBe(720 * flopsPerToken(config, 6));
    expect(curve.map(({ step, tokens }) => [step, tokens])).toEqual([...[[10, 240]], ...[[20, 480]], ...[[30, 720]]]);
    expect(curve[0].train_loss).toBeGreaterThan(curve[2].train_loss);
    expect(result.sampledValLoss).toBe(curve[2].sampled_val_loss);
    expect(result.sampledValLoss).toBeLessThan(0.5 * Math.log(11));
    expect(result.trainLoss).toBeLessThan(curve[2].train_loss);
    expect(result.seconds).toBeGreaterThan(0);
    expect(result.tokensPerSecond).toBeGreaterThan(720 / result.seconds);
    expect(curve[0].learning_rate).toBeGreaterThan(curve[2].learning_rate);
    expect(curve.every(({ gradient_norm }) => gradient_norm > 0)).toBe(true);
  });

  test('repeats bit for bit with the same seed, and differs with another', async () => {
    const [first, again, other] = [await run(), await run(), await run({ seed: 2 })];
    expect(again.weights).toEqual(first.weights);
    expect(again.curve).toEqual(first.curve);
    expect(other.weights).not.toEqual(first.weights);
  });

  test('reports its progress in tokens, up to the budget', async () => {
    const seen: number[] = [];
    await run({
      onProgress: ({ done, total, unit }) => seen.push(done) && expect([total, unit]).toEqual([720, 'tokens']),
    });
    expect(seen).toEqual(Array.from({ length: 30 }, (_, i) => 24 * (i + 1)));
  });
});

describe('a run that is interrupted', () => {
  const interruptAt = async (step: number, more: Partial<TrainOptions> = {}) => {
    const interrupted = run({ ...more, ...interruptAtStep(source, step), checkpointDir: dir });
    await expect(interrupted).rejects.toThrow('enough');
  };

  test.each(['gpt', 'lstm'])(
    'and resumed twice gives the same bits as an uninterrupted run: %s',
    async (architecture) => {
      const model = architecture === 'gpt' ? config : { ...tinyLstm, dropout: 0.1 };
      const uninterrupted = await run({ config: model });
      await interruptAt(7, { config: model });
      expect(await readdir(dir)).toEqual(['step-7']);
      await interruptAt(7, { config: model });
      expect(await readdir(dir)).toEqual(['step-14']);
      const resumed = await run({ config: model, checkpointDir: dir });
      expect(resumed.weights).toEqual(uninterrupted.weights);
      expect(resumed.curve).toEqual(uninterrupted.curve);
      expect(resumed.trainLoss).toBe(uninterrupted.trainLoss);
      expect(resumed.tokens).toBe(uninterrupted.tokens);
    },
  );

  test.skipIf(!nativeIsBuilt || availableParallelism() < 2).each([
    ['a GPT', { ...config, dropout: 0.1 }],
    ['an LSTM', { ...tinyLstm, dropout: 0.1 }],
    ['an LSTM that carries its state', { ...tinyLstm, dropout: 0.1, state: 'carried' } as const],
  ])('and resumed on two threads in bf16 gives the same bits as an uninterrupted run: %s', async (_, model) => {
    const engine = await openEngine({ name: 'native', precision: 'bf16', threads: 2 });
    const uninterrupted = await run({ engine, config: model });
    await interruptAt(7, { engine, config: model });
    const resumed = await run({ engine, config: model, checkpointDir: dir });
    expect(resumed.weights).toEqual(uninterrupted.weights);
    expect(resumed.curve).toEqual(uninterrupted.curve);
    expect(uninterrupted.weights).not.toEqual((await run({ config: model })).weights);
  });

  test('without a signal is resumed from its last checkpoint', async () => {
    const killed = new Error('killed');
    const steps = async () => (await readdir(dir)).filter((name) => name.startsWith('step-'));
    const killedRun = run({
      checkpointDir: dir,
      checkpointSeconds: 0,
      onProgress({ done }) {
        if (done === 24 * 9) throw killed;
      },
    });
    await expect(killedRun).rejects.toBe(killed);
    expect(await steps()).toEqual(['step-8']);
    const resumed: number[] = [];
    const { weights } = await run({ checkpointDir: dir, onProgress: ({ done }) => resumed.push(done) });
    expect(resumed[0]).toBe(24 * 9);
    expect(weights).toEqual((await run()).weights);
  });

  test('deletes its checkpoint when it is complete', async () => {
    await interruptAt(7);
    await writeFile(join(dir, 'notes.txt'), 'mine');
    await run({ checkpointDir: dir });
    expect(await readdir(dir)).toEqual(['notes.txt']);
  });

  test('is not resumed with another configuration, settings or seed', async () => {
    await interruptAt(7);
    const other = (more: Partial<TrainOptions>) => expect(run({ checkpointDir: dir, ...more })).rejects;
    await other({ seed: 2 }).toThrow(/checkpoint of another run: seed was 1 and is 2/);
    await other({ settings: { ...settings, learningRate: 0.1 } }).toThrow(/settings.learningRate was 0.03 and is 0.1/);
    await other({ config: { ...config, width: 16 } }).toThrow(/config.width was 8 and is 16/);
  });

  test('is not resumed with other data, threads or precision, which would change the bits', async () => {
    await interruptAt(7);
    const other = (more: Partial<TrainOptions>) => expect(run({ checkpointDir: dir, ...more })).rejects;
    const { arithmetic } = engine;
    const withArithmetic = (more: Partial<Engine['arithmetic']>) => ({
      engine: { ...engine, arithmetic: { ...arithmetic, ...more } },
    });
    await other(withArithmetic({ threads: 64 })).toThrow(
      /another run: engine.threads was 1 and is 64. Delete it to start again/,
    );
    await other(withArithmetic({ precision: 'bf16' })).toThrow(
      /another run: engine.precision was "fp32" and is "bf16"/,
    );
    await other(withArithmetic({ kernels: 'abacus' })).toThrow(/another run: engine.kernels was ".*" and is "abacus"/);
    await other({ source: countingSource(11, 700) }).toThrow(/another run: data.train was "\w{16}" and is "\w{16}"/);
    // The same number of tokens, one of them different.
    const edited: TokenSource = {
      ...source,
      window: (split, offset, length) =>
        source.window(split, offset, length).map((token, i) => (split === 'val' && offset + i === 300 ? 0 : token)),
    };
    await other({ source: edited }).toThrow(/another run: data.val was/);
    await run({ checkpointDir: dir });
  });

  test('is not resumed from a checkpoint that is cut short, and the checkpoint is not deleted', async () => {
    await interruptAt(7);
    const file = join(dir, 'step-7', 'optimizer.safetensors');
    await truncate(file, 1000);
    await expect(run({ checkpointDir: dir })).rejects.toThrow(
      /step-7.optimizer.safetensors is cut short: it has 1000 of/,
    );
    expect(await readdir(dir)).toEqual(['step-7']);
  });

  test('during an evaluation repeats that evaluation', async () => {
    const stop = new AbortController();
    let read = 0;
    const interrupting: TokenSource = {
      ...source,
      window(split, offset, length) {
        if (split === 'val' && length === 7 && ++read === 3) stop.abort(new Error('enough'));
        return source.window(split, offset, length);
      },
    };
    await expect(run({ source: interrupting, checkpointDir: dir, signal: stop.signal })).rejects.toThrow('enough');
    // Ten windows are evaluated in batches of eight.
    expect(read).toBe(8);
    expect(await readdir(dir)).toEqual(['step-10']);
    const resumed = await run({ checkpointDir: dir });
    const uninterrupted = await run();
    expect(resumed.curve).toEqual(uninterrupted.curve);
    expect(resumed.weights).toEqual(uninterrupted.weights);
  });
});

describe('a run that diverges', () => {
  test('stops, reports the step, and returns its initial weights if it had no evaluation', async () => {
    const unstable = { ...settings, learningRate: 1e30, warmup: 0, clip: 0, evaluations: 30, tokens: 720 };
    const result = await run({ settings: unstable });
    expect(result.diverged?.reason).toMatch(/loss|gradient/);
    expect(result.diverged?.step).toBeGreaterThan(0);
    expect(result.steps).toBe(result.diverged?.step);
    expect(result.steps).toBeLessThan(30);
    expect(result.diverged?.keptStep).toBe(0);
    expect(result.weights).toEqual(initialWeights(config, 1));
    expect(Number.isFinite(result.sampledValLoss)).toBe(true);
    expect(Number.isFinite(result.trainLoss)).toBe(true);
  });

  test('is stopped if the loss is far above the loss of uniform guessing', async () => {
    const unstable = { ...settings, learningRate: 3, warmup: 0, weightDecay: 0, tokens: 24 * 60, evaluations: 2 };
    const { diverged } = await run({ settings: unstable, config: { ...config, width: 32, dropout: 0 } });
    expect(diverged?.reason).toMatch(/the loss on average over 10 steps is \d+\.\d+; guessing would give 2.40/);
  });

  test('is stopped if a validation loss is far above that of uniform guessing, and does not return those weights', async () => {
    const unstable = { ...settings, learningRate: 3, warmup: 0, weightDecay: 0, tokens: 24 * 60, evaluations: 12 };
    const { diverged, weights, curve } = await run({
      settings: unstable,
      config: { ...config, width: 32, dropout: 0 },
    });
    expect(diverged?.reason).toMatch(/the validation loss is \d+\.\d+; guessing would give 2.40/);
    expect(curve.every((row) => row.sampled_val_loss <= 2 * row.train_loss + 10)).toBe(true);
    expect(diverged?.keptStep).toBe(curve.at(-1)?.step ?? 0);
    expect([...weights.values()].every(({ data }) => data.every(Number.isFinite))).toBe(true);
  });

  /** Returns the engine with a loss that is NaN at one step. */
  const engineWithNaNAt = (at: number): Engine => ({
    ...engine,
    model(...call) {
      const model = engine.model(...call);
      const [step, restore] = [model.trainStep.bind(model), model.restoreOptimizer.bind(model)];
      let steps = 0;
      model.restoreOptimizer = (state) => restore({ ...state, step: (steps = state.step) });
      model.trainStep = async (...batch) => {
        const isBroken = ++steps === at;
        const result = await step(...batch);
        return isBroken ? { ...result, loss: Number.NaN } : result;
      };
      return model;
    },
  });

  test.each([
    ['an evaluation before it', { interruptedAt: 13, brokenAt: 16, kept: 10 }],
    ['an evaluation due at it', { interruptedAt: 10, brokenAt: 16, kept: 10 }],
    ['no evaluation before it', { interruptedAt: 4, brokenAt: 6, kept: 0 }],
  ])('returns after a resume the weights of its last evaluation, not those of its checkpoint: %s', async (_, when) => {
    const interrupted = run({ checkpointDir: dir, ...interruptAtStep(source, when.interruptedAt) });
    await expect(interrupted).rejects.toThrow('enough');
    expect(await readdir(dir)).toEqual([`step-${when.interruptedAt}`]);

    const engine = engineWithNaNAt(when.brokenAt);
    const uninterrupted = await run({ engine });
    const resumed = await run({ engine, checkpointDir: dir });
    expect(resumed.diverged).toEqual({ step: when.brokenAt, reason: 'the loss is NaN', keptStep: when.kept });
    expect(resumed.weights).toEqual(uninterrupted.weights);
    expect(resumed.sampledValLoss).toBe(uninterrupted.sampledValLoss);
    expect(resumed.sampledValLoss).toBe(resumed.curve.at(-1)?.sampled_val_loss ?? resumed.sampledValLoss);
  });
});

describe('train refuses', () => {
  const refuse = async (more: Partial<TrainOptions>, message: RegExp) => {
    await expect(run(more)).rejects.toThrow(EngineError);
    await expect(run(more)).rejects.toThrow(message);
  };
  test('a split shorter than a window', async () => {
    await refuse({ source: countingSource(11, 6) }, /the train split has 6 tokens; .*window of 6 .* need 7/);
    const halves = { ...source, totals: (split: string) => ({ tokens: split === 'val' ? 5 : 600, bytes: 1 }) };
    await refuse({ source: halves }, /the val split has 5 tokens/);
  });

  test.each([
    [{ tokens: 0 }, /tokens is 0; .*from 1 to/],
    [{ batch: 1.5 }, /batch is 1.5/],
    [{ block: 7 }, /block is 7; .*from 1 to the model's block of 6/],
    [{ learningRate: Number.NaN }, /learningRate is NaN; .*above 0/],
    [{ warmup: -1 }, /warmup is -1; .*share of the steps below 1, or a whole number/],
    [{ betas: [0.9, 1] as [number, number] }, /betas\[1\] is 1/],
    [{ evaluations: 0 }, /evaluations is 0/],
  ])('invalid settings: %o', (wrong, message) => refuse({ settings: { ...settings, ...wrong } }, message));

  test('more evaluations than steps are not: each step has one', () => {
    const { steps, evaluateAt } = resolveSettings({ ...settings, evaluations: 1e15 }, config, source);
    expect(evaluateAt).toEqual(Array.from({ length: steps }, (_, i) => i + 1));
  });

  test('a wrong configuration, before it reads data', () =>
    expect(run({ config: { ...config, heads: 3 } })).rejects.toThrow(
      /heads is 3, which does not divide the width of 8/,
    ));

  test('tokens of another vocabulary, at the step that reads one', () =>
    refuse({ source: countingSource(12, 600, 5) }, /token 11 at position \d+ is outside the vocabulary of 11/));

  test('a model larger than the memory of the machine, with both figures', () =>
    refuse(
      { config: { ...config, width: 2 ** 18, layers: 100 } },
      /100 layers × 262144 on batches of 4 windows needs \d+\.\d GiB; this machine has \d+\.\d GiB/,
    ));
});

describe('the windows of a step', () => {
  const resolved = resolveSettings(settings, config, source);
  test('depend only on seed and step, and reach the first and the last token', () => {
    const at = (step: number) => randomOffsets(source, 1, step, resolved);
    expect(at(5)).toEqual(at(5));
    expect(at(5)).not.toEqual(at(6));
    expect(randomOffsets(source, 2, 5, resolved)).not.toEqual(at(5));
    const all = Array.from({ length: 1000 }, (_, step) => at(step)).flat();
    expect([Math.min(...all), Math.max(...all)]).toEqual([0, 600 - 7]);
  });

  test('that measure the validation loss are spread over the split and do not overlap', () => {
    const offsets = resolved.evaluationWindows.map(({ offset }) => offset);
    expect(offsets).toHaveLength(10);
    for (let i = 1; i < offsets.length; i++) expect(offsets[i] - offsets[i - 1]).toBeGreaterThanOrEqual(6);
    expect(offsets[9] + 7).toBeLessThanOrEqual(600);
    expect(offsets[9]).toBeGreaterThan(500);
  });
});
