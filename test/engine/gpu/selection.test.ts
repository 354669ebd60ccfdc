/** When a run trains on a GPU, and what people are told when it cannot. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { EngineError, openEngine, train } from '../../../lib/engine/index.ts';
import { engineWithoutGpu } from '../../../stages/parts/engine-without-gpu.ts';
import { countingSource, interruptAtStep, nativeIsBuilt, tinyGpt } from '../tiny.ts';
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
    for (const engine of ['gpu', 'auto'] as const) {
      const { name } = await openEngine(engineWithoutGpu({ engine, precision: 'fp32' }));
      expect(name).toBe(otherName);
    }
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

  test('with too little memory is refused before training starts, with both figures', async () => {
    const engine = openFakeGpu();
    const config = { ...tinyGpt, width: 4096, heads: 64, layers: 8 };
    await expect(train({ engine, config, source: countingSource(11, 600), settings, seed: 1 })).rejects.toThrow(
      /training this gpt of 8 layers × 4096 on batches of 4 windows needs \d+\.\d GiB of the GPU's memory, and \d\.\d GiB are free\. A smaller/,
    );
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

  test('that is lost in mid-run ends it with a clear error, and a GPU that is back continues from the checkpoint', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'gpu-lost-'));
    try {
      const engine = openFakeGpu();
      const run = { engine, config: tinyGpt, source: countingSource(11, 600), settings, seed: 1, checkpointDir: dir };
      const onProgress = ({ done }: { done: number }) => {
        if (done === 24 * 6) process.env.FAKE_CUDA_LOST = '0';
      };
      await expect(train({ ...run, onProgress })).rejects.toThrow(
        /the GPU failed: .*unspecified launch failure \(CUDA_ERROR_LAUNCH_FAILED\); the last checkpoint is kept/,
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
