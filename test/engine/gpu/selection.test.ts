/** When a run trains on a GPU, and what people are told when it cannot. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { readPtx } from '../../../lib/engine/gpu/device/addon.ts';
import { EngineError, openEngine, train } from '../../../lib/engine/index.ts';
import type { ModelConfig } from '../../../lib/models/index.ts';
import { engineWithoutGpu } from '../../../stages/parts/engine-without-gpu.ts';
import { countingSource, interruptAtStep, nativeIsBuilt, tinyGpt, tinyLstm } from '../tiny.ts';
import { buildFakeDriver } from './build.ts';
import { gpuIsTestable, openFakeGpu } from './fake-gpu.ts';

const settings = {
  ...{ tokens: 24 * 12, batch: 4, block: 6, learningRate: 0.01, evaluations: 2, evaluationTokens: 60 },
};

describe.skipIf(!gpuIsTestable)('a GPU (skipped without a C++ compiler, or if the addon is not built)', () => {
  afterEach(() => {
    vi.unstubAllEnvs();
    vi.restoreAllMocks();
  });
  const leasing = (gpus: string | undefined, driver = buildFakeDriver()) => {
    vi.stubEnv('CUDA_VISIBLE_DEVICES', gpus);
    vi.stubEnv('CUDA_DRIVER_LIBRARY', driver);
  };
  const otherName = nativeIsBuilt ? 'native' : 'tfjs';

  test('is used by the engine that is named gpu', async () => {
    leasing(undefined);
    const engine = await openEngine({ name: 'gpu', precision: 'bf16' });
    expect([engine.name, engine.description]).toEqual(['gpu', 'gpu bf16, CPU behind a fake driver']);
    expect(engine.arithmetic.kernels).toMatch(/^CPU behind a fake driver, kernels [0-9a-f]{8}$/);
  });

  test.each([
    ['0', 'gpu'],
    ['GPU-fafafafa-fafa-fafa-fafa-fafafafafafa', 'gpu'],
    ['', otherName],
    ['-1', otherName],
    [undefined, otherName],
  ])('is what auto takes if CUDA_VISIBLE_DEVICES names one: %o', async (gpus, name) => {
    leasing(gpus);
    expect((await openEngine()).name).toBe(name);
  });

  test('is not needed by stages that lease none: with the engine gpu, they compute on the CPU', async () => {
    leasing('');
    for (const engine of ['gpu', 'auto'] as const)
      for (const precision of ['fp32', 'tf32'] as const) {
        const { name } = await openEngine(engineWithoutGpu({ engine, precision }));
        expect(name).toBe(otherName);
      }
  });

  test('is needed for TF32', async () => {
    leasing('');
    for (const name of ['auto', 'native', 'tfjs'] as const)
      await expect(openEngine({ name, precision: 'tf32' })).rejects.toThrow(
        /^only GPUs compute in tf32; set the precision/,
      );
    leasing('0');
    expect((await openEngine({ precision: 'tf32' })).description).toBe('gpu tf32, CPU behind a fake driver');
  });

  test('that was leased but cannot be opened is replaced by the CPU, with one sentence', async () => {
    leasing('0', 'libno-such-driver.so');
    const stderr = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    expect((await openEngine()).name).toBe(otherName);
    expect(stderr.mock.calls.map(([text]) => text)).toEqual([
      'warning: training on the CPU, although a GPU was leased: there is no NVIDIA driver (libno-such-driver.so was not found)\n',
    ]);
    await expect(openEngine({ name: 'gpu' })).rejects.toThrow(EngineError);
  });

  describe('with too little memory is refused before training starts, with both figures and what would fit', () => {
    const refusal = async (config: ModelConfig, batch = 4) => {
      const engine = openFakeGpu();
      const wide = { ...settings, batch, block: config.block };
      const source = countingSource(11, 40_000);
      const message = await train({ engine, config, source, settings: wide, seed: 1 }).catch((error) => error.message);
      return { message, engine };
    };

    test('fewer windows at a time', async () => {
      // By default, 40 % of the memory is for windows. Another program has most of it.
      vi.stubEnv('FAKE_CUDA_USED', String(1000 * 2 ** 20));
      const config = { ...tinyGpt, block: 64, width: 64, layers: 4 };
      const { message, engine } = await refusal(config, 400);
      expect(message).toMatch(
        /training this gpt of 4 layers × 64 on batches of 400 windows needs 0\.\d GiB of the GPU's memory, but only 0\.0 GiB are free\. It fits with train\.microbatch: \d+, which needs 0\.0 GiB\. A GPU on which nothing else/,
      );
      const microbatch = Number(/microbatch: (\d+)/.exec(message)![1]);
      expect(engine.memory(config, { batch: 400, microbatch })).toBeLessThanOrEqual(engine.deviceMemory!);
      expect(engine.memory(config, { batch: 400, microbatch: microbatch + 1 })).toBeGreaterThan(engine.deviceMemory!);
    });

    test('fewer layers, or narrower ones', async () => {
      const config = { ...tinyGpt, width: 2048, heads: 64, layers: 8 };
      const { message, engine } = await refusal(config);
      expect(message).toMatch(
        /this gpt of 8 layers × 2048 on batches of 4 windows needs \d+\.\d GiB of the GPU's memory, but only \d\.\d GiB are free\. Even one window at a time needs \d+\.\d GiB\. (\d) layers × 2048 or 8 layers × \d+ would fit, with train\.microbatch: 1\./,
      );
      const [layers, width] = [/(\d+) layers × 2048 or/, /8 layers × (\d+) would/].map((of) =>
        Number(of.exec(message)![1]),
      );
      const needs = (smaller: object) => engine.memory({ ...config, ...smaller }, { batch: 4, microbatch: 1 });
      const free = engine.deviceMemory!;
      expect(needs({ layers })).toBeLessThanOrEqual(free);
      expect(needs({ layers: layers + 1 })).toBeGreaterThan(free);
      expect(needs({ width, heads: width / 32 })).toBeLessThanOrEqual(free);
      expect(needs({ width: width + 32, heads: width / 32 + 1 })).toBeGreaterThan(free);
    });

    test('an LSTM that is narrower', async () => {
      const { message } = await refusal({ ...tinyLstm, width: 8192, embedding: 8192 });
      expect(message).toMatch(/Even one window at a time .* 2 layers × \d+ would fit/);
    });

    test('nothing, if other programs have all of it', async () => {
      vi.stubEnv('FAKE_CUDA_USED', String(2 ** 30));
      expect((await refusal(tinyGpt)).message).toContain('No model with this block and vocabulary fits');
    });
  });

  test('gives the same bits when a run is interrupted and resumed', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'gpu-resume-'));
    try {
      const engine = openFakeGpu({ precision: 'bf16' });
      const config = { ...tinyGpt, dropout: 0.1 };
      const run = { engine, config, source: countingSource(11, 600), settings, seed: 1 };
      const uninterrupted = await train(run);
      const interrupted = train({ ...run, checkpointDir: dir, ...interruptAtStep(run.source, 5) });
      await expect(interrupted).rejects.toThrow('enough');
      const resumed = await train({ ...run, checkpointDir: dir });
      expect(resumed.weights).toEqual(uninterrupted.weights);
      expect(resumed.curve).toEqual(uninterrupted.curve);
    } finally {
      await rm(dir, { recursive: true });
    }
  });

  test('of another model, or with other kernels, does not continue the run, because its bits would differ', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'gpu-other-'));
    try {
      const engine = openFakeGpu();
      const run = { config: tinyGpt, source: countingSource(11, 600), settings, seed: 1, checkpointDir: dir };
      await expect(train({ ...run, engine, ...interruptAtStep(run.source, 5) })).rejects.toThrow('enough');
      vi.stubEnv('FAKE_CUDA_NAME', 'NVIDIA H100');
      const other = openFakeGpu();
      await expect(train({ ...run, engine: other })).rejects.toThrow(
        /checkpoint of another run: engine\.kernels was "CPU behind a fake driver, kernels (\w{8})" and is "NVIDIA H100, kernels \1"/,
      );
      const { arithmetic } = engine;
      const newKernels = { ...engine, arithmetic: { ...arithmetic, kernels: 'CPU behind a fake driver, kernels 0' } };
      await expect(train({ ...run, engine: newKernels })).rejects.toThrow(/another run: engine\.kernels was/);
    } finally {
      await rm(dir, { recursive: true });
    }
  });

  test('has the digest of its PTX in what decides its bits', () => {
    expect(openFakeGpu().arithmetic.kernels).toContain(/^\/\/ sources (\w{8})/.exec(readPtx())![1]);
  });

  test('that is lost in mid-run ends it with a clear error, and a GPU that is back continues from the checkpoint', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'gpu-lost-'));
    try {
      const engine = openFakeGpu();
      const run = { engine, config: tinyGpt, source: countingSource(11, 600), settings, seed: 1, checkpointDir: dir };
      const onProgress = ({ done }: { done: number }) => {
        if (done === 24 * 6) process.env.FAKE_CUDA_LOST = '0';
      };
      await expect(train({ ...run, onProgress })).rejects.toThrow(
        /the GPU failed: .*unspecified launch failure \(CUDA_ERROR_LAUNCH_FAILED\); run the same command again, and it continues/,
      );
      delete process.env.FAKE_CUDA_LOST;
      const resumed = await train(run);
      expect(resumed.weights).toEqual((await train({ ...run, checkpointDir: undefined })).weights);
    } finally {
      delete process.env.FAKE_CUDA_LOST;
      await rm(dir, { recursive: true });
    }
  });
});
