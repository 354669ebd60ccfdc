/**
 * Products by cuBLASLt, over the stand-ins for it and for the driver (native/cuda/fake-driver). The stand-in refuses what the
 * real library refuses, and sums in another order than the kernels, so its products have other bits.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { ProductShape } from '../../../lib/engine/gpu/device/addon.ts';
import { Device, openCublas } from '../../../lib/engine/gpu/index.ts';
import { type Engine, EngineError, type EngineOptions, openEngine, train } from '../../../lib/engine/index.ts';
import { type GptConfig, initialWeights, type LstmConfig, type ModelConfig } from '../../../lib/models/index.ts';
import { countingSource, interruptAtStep, nativeIsBuilt, perturbedWeights, randomBatch, tinyGpt } from '../tiny.ts';
import { buildFakeDriver } from './build.ts';
import { fakeCublasFolder, gpuIsTestable, openFakeGpu, withFakeDriver } from './fake-gpu.ts';

// Widths of 36, 37, 19 and 141 are no multiple of 8, so rows are padded; 48 is. Sums of more than 32 numbers have two parts.
// Several layers of a GPT would make a number that is rounded otherwise a difference of 1e-3.
const gpt: GptConfig = {
  ...{ architecture: 'gpt', vocabularySize: 141, block: 14, layers: 1, width: 36, heads: 3, dropout: 0, bias: true },
};
const lstm: LstmConfig = {
  ...{ architecture: 'lstm', vocabularySize: 141, block: 7, layers: 2, width: 37, embedding: 37, dropout: 0 },
};
const configs: [string, ModelConfig][] = [
  ['a GPT', gpt],
  ['a GPT whose queries, keys and values are wanted in bf16 only', { ...gpt, width: 48 }],
  ['a GPT with rotary positions and no biases', { ...gpt, width: 48, bias: false, positions: 'rotary' }],
  ['a GPT whose queries, keys and values are written in bf16 by cuBLASLt', { ...gpt, width: 48, bias: false }],
  ['an LSTM', lstm],
  ['an LSTM with a separate head', { ...lstm, embedding: 19 }],
];

const bf16 = (products: EngineOptions['products']) => openFakeGpu({ precision: 'bf16', products });

describe.skipIf(!gpuIsTestable)('cuBLASLt (skipped without a C++ compiler, or if the addon is not built)', () => {
  let folder: string;
  beforeAll(() => {
    folder = fakeCublasFolder(11, 12, 13);
  });
  beforeEach(() => {
    vi.stubEnv('CUBLASLT_LIBRARY', folder);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
  });
  const gradientsOf = async (engine: Engine, config: ModelConfig) => {
    const model = engine.model(config, { weights: perturbedWeights(initialWeights(config, 1), 1, 0.1) });
    const { gradients } = await model.gradients(randomBatch(config, 3, config.block));
    model.dispose();
    return gradients;
  };
  type Gradients = Awaited<ReturnType<typeof gradientsOf>>;
  /** The difference of gradients as one vector, relative to its length. */
  const difference = (expected: Gradients, actual: Gradients) => {
    let [apart, size] = [0, 0];
    for (const [name, { data }] of expected)
      for (const [i, value] of data.entries()) {
        apart += (actual.get(name)!.data[i] - value) ** 2;
        size += value ** 2;
      }
    return Math.sqrt(apart / size);
  };

  test.each(configs)('gives the gradients of the kernels, but for the order of sums: %s', async (_, config) => {
    const [own, cublas] = [await gradientsOf(bf16('own'), config), await gradientsOf(bf16('cublas'), config)];
    expect(difference(own, cublas)).toBeLessThan(1e-4);
    expect(difference(own, cublas)).toBeGreaterThan(0);
    if (!nativeIsBuilt) return;
    const native = await gradientsOf(await openEngine({ name: 'native' }), config);
    expect(difference(native, cublas)).toBeLessThan(1e-2);
  });

  test.each([configs[0], configs[5]])(
    'adds up over microbatches, and trains as the kernels do, with dropout: %s',
    async (_, config) => {
      const withDropout = { ...config, dropout: 0.1 };
      const runs = [];
      for (const products of ['own', 'cublas'] as const) {
        const model = bf16(products).model(withDropout, { seed: 1 });
        const steps = [];
        for (let step = 0; step < 3; step++)
          steps.push(
            await model.trainStep(randomBatch(config, 5, 6, step), { learningRate: 0.01, clip: 1, microbatch: 2 }),
          );
        runs.push(steps);
        model.dispose();
      }
      for (const [step, { loss, gradientNorm }] of runs[0].entries()) {
        expect(Math.abs(runs[1][step].loss - loss) / loss).toBeLessThan(1e-3);
        expect(Math.abs(runs[1][step].gradientNorm - gradientNorm) / gradientNorm).toBeLessThan(1e-2);
      }
    },
  );

  test('is left out where it has no algorithm, and where it cannot add another matrix than the one it writes', async () => {
    const own = await gradientsOf(bf16('own'), gpt);
    vi.stubEnv('FAKE_CUBLAS_NONE', '1');
    expect(await gradientsOf(bf16('cublas'), gpt)).toEqual(own);
    vi.stubEnv('FAKE_CUBLAS_NONE', undefined);
    vi.stubEnv('FAKE_CUBLAS_IN_PLACE', '1');
    const inPlace = await gradientsOf(bf16('cublas'), gpt);
    expect(difference(own, inPlace)).toBeLessThan(1e-3);
    expect(difference(own, inPlace)).toBeGreaterThan(0);
  });

  test('by default makes only products that it makes sooner, which those of a small model are not', async () => {
    expect(await gradientsOf(bf16('auto'), gpt)).toEqual(await gradientsOf(bf16('own'), gpt));
  });

  test('multiplies wherever a matrix in fp32 begins, and needs matrices in bf16 to be aligned to 16 bytes', () => {
    const device = withFakeDriver(() => {
      const opened = Device.open();
      openCublas(opened, true);
      return opened;
    });
    const memory = device.allocate(4096, 'a test');
    const at = (bytes: number) => ({ address: memory.address + bytes, size: 1024 });
    const product: ProductShape = {
      ...{ layout: 'NN', M: 2, N: 3, K: 2, lda: 8, ldb: 8, ldc: 3, rounded: false, bias: false, addend: 'none' },
    };
    const [one, two, three, four, five, six] = [0x3f80, 0x4000, 0x4040, 0x4080, 0x40a0, 0x40c0];
    device.write(at(0), Uint16Array.of(one, two, 0, 0, 0, 0, 0, 0, three, four));
    device.write(at(1024), Uint16Array.of(one, two, three, 0, 0, 0, 0, 0, four, five, six));
    const planWith = (A: number, C: number) =>
      device.plan([{ product, A: at(A), B: at(1024), bias: null, addend: null, C: at(C), workspace: null }]);
    const plan = planWith(0, 2052);
    const result = new Float32Array(6);
    plan.runNow([], [[at(2052), result]]);
    expect([...result]).toEqual([9, 12, 15, 19, 26, 33]);
    expect(() => planWith(8, 2052)).toThrow(
      'cuBLASLt failed: multiplying by cuBLASLt: CUBLAS_STATUS_INVALID_VALUE; run the same command again, and if this error returns, set train.products to own',
    );
    plan.dispose();
    device.close();
  });

  test('a plan that is made while a step is in flight changes the results of neither', async () => {
    // Each batch has a plan of its own, and the second needs more memory. Making a plan launches its products once.
    const batches = [2, 5, 3].map((sequences, i) => randomBatch(gpt, sequences, gpt.block, i));
    const trainWith = async (inFlight: boolean) => {
      const model = bf16('cublas').model({ ...gpt, dropout: 0.1 }, { seed: 1 });
      const steps = [];
      for (const batch of batches) {
        const step = model.trainStep(batch, { learningRate: 0.01 });
        if (!inFlight) await step;
        steps.push(step);
      }
      const results = { steps: await Promise.all(steps), weights: await model.weights() };
      model.dispose();
      return results;
    };
    expect(await trainWith(true)).toEqual(await trainWith(false));
  });

  test('samples and evaluates as the kernels do', async () => {
    const logits = [];
    for (const products of ['own', 'cublas'] as const) {
      const model = bf16(products).model(gpt, { seed: 1 });
      const decoder = model.decoder(3);
      logits.push([
        await decoder.step(Uint16Array.of(1, 2, 3)),
        await decoder.step(Uint16Array.of(4, 5, 6)),
        await model.logits(
          Uint16Array.from({ length: 15 }, (_, i) => i),
          3,
          5,
        ),
      ]);
      decoder.dispose();
      model.dispose();
    }
    for (const [i, expected] of logits[0].entries())
      for (const [j, value] of expected.entries()) expect(Math.abs(logits[1][i][j] - value)).toBeLessThan(5e-3);
  });

  test('needs memory for its workspace and for results that it cannot round, which the estimate has', async () => {
    const [, config] = configs[1];
    const sizes = [];
    for (const engine of [bf16('own'), bf16('cublas')]) {
      const before = engine.deviceMemory!;
      const model = engine.model(config, { seed: 1 });
      await model.trainStep(randomBatch(config, 3, config.block), { learningRate: 0.01 });
      const estimated = engine.memory(config, { batch: 3, microbatch: 3 });
      sizes.push({ estimated, used: before - engine.deviceMemory! });
      model.dispose();
    }
    const more = sizes[1].used - sizes[0].used;
    expect(more).toBeGreaterThan(0);
    expect(sizes[1].estimated - sizes[0].estimated).toBe(more);
  });

  test('leaves as much memory as the kernels do, if the microbatch follows from the memory of the GPU', () => {
    const memory = 256 * 2 ** 20;
    vi.stubEnv('FAKE_CUDA_MEMORY', String(memory));
    // The stand-in splits a sum only if its parts fit into the workspace. Those of the gates do for 16 windows, not for 32.
    const config: LstmConfig = { ...lstm, layers: 1, block: 64, width: 85, embedding: 85 };
    const engine = bf16('cublas');
    const [one, many] = [1, 1e6].map((batch) => engine.memory(config, { batch }));
    expect(many - one).toBeLessThan(0.4 * memory);
    expect(many - one).toBeGreaterThan(0.35 * memory);
  });

  describe('is opened', () => {
    const kernelsOf = (options: EngineOptions) => openFakeGpu(options).arithmetic.kernels;
    const versionOf = (kernels: string) => /cuBLASLt .*/.exec(kernels)?.[0];

    test('in the newest version that the driver supports', () => {
      // Our stand-in for the driver is of CUDA 12.4 unless told otherwise.
      expect(versionOf(kernelsOf({ precision: 'bf16' }))).toBe('cuBLASLt 12.8.4');
      vi.stubEnv('FAKE_CUDA_DRIVER', '13000');
      expect(versionOf(kernelsOf({ precision: 'bf16' }))).toBe('cuBLASLt 13.0.2');
      vi.stubEnv('FAKE_CUDA_DRIVER', '11040');
      expect(versionOf(kernelsOf({ precision: 'bf16' }))).toBe('cuBLASLt 11.11.3');
    });

    test('from a file that CUBLASLT_LIBRARY names', () => {
      vi.stubEnv('CUBLASLT_LIBRARY', join(folder, 'libcublasLt.so.11'));
      expect(versionOf(kernelsOf({ precision: 'bf16' }))).toBe('cuBLASLt 11.11.3');
    });

    test('in bf16 only, unless own kernels are asked for', () => {
      expect(versionOf(kernelsOf({ precision: 'bf16', products: 'own' }))).toBeUndefined();
      for (const precision of ['fp32', 'tf32'] as const) {
        expect(versionOf(kernelsOf({ precision }))).toBeUndefined();
        expect(() => openFakeGpu({ precision, products: 'cublas' })).toThrow(
          `cuBLASLt multiplies in bf16 only, and the precision is ${precision}; set train.precision to bf16, or train.products to auto`,
        );
      }
    });

    test('and named in what people and checkpoints are told', () => {
      const engine = bf16('auto');
      expect(engine.description).toBe('gpu bf16, CPU behind a fake driver, cuBLASLt 12.8.4');
      expect(engine.arithmetic.kernels).toMatch(/^CPU behind a fake driver, kernels [0-9a-f]{8}, cuBLASLt 12\.8\.4$/);
      expect(bf16('cublas').arithmetic.kernels).toMatch(/, cuBLASLt 12\.8\.4 for all products$/);
    });
  });

  describe('that cannot be opened', () => {
    const refusal = (env: Record<string, string>) => {
      for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
      // By default the kernels multiply, and a warning says why the library that was named is not used.
      const stderr = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
      expect(bf16('auto').description).toBe('gpu bf16, CPU behind a fake driver');
      const warnings = stderr.mock.calls.map(([text]) => text);
      stderr.mockRestore();
      const named = process.env.CUBLASLT_LIBRARY;
      try {
        bf16('cublas');
      } catch (error) {
        expect(error).toBeInstanceOf(EngineError);
        const { message } = error as Error;
        const reasons = /\((.*)\); install/.exec(message)?.[1];
        const warning = `warning: multiplying without cuBLASLt, although CUBLASLT_LIBRARY is set to ${named}: ${reasons}\n`;
        expect(warnings).toEqual(named ? [warning] : []);
        return message;
      }
    };
    const remedy =
      'install it, name the library or its folder in CUBLASLT_LIBRARY, or set train.products to auto or own';

    test('is an error if it is asked for, which says where it was searched', () => {
      expect(refusal({ CUBLASLT_LIBRARY: '/nowhere/libcublasLt.so.12' })).toBe(
        `there is no cuBLASLt to multiply with (/nowhere/libcublasLt.so.12 was not found); ${remedy}`,
      );
      const empty = fakeCublasFolder();
      vi.stubEnv('CUBLASLT_LIBRARY', empty);
      const [first, second, third] = [13, 12, 11].map((major) => join(empty, `libcublasLt.so.${major}`));
      expect(() => bf16('cublas')).toThrow(`(${first}, ${second} and ${third} were not found); install it`);
    });

    test('because the driver is older, or because it does not start, is said to be so', () => {
      const thirteen = fakeCublasFolder(13);
      expect(refusal({ CUBLASLT_LIBRARY: thirteen })).toMatch(
        /\(.*libcublasLt\.so\.13 is for CUDA 13\.0, and the driver supports CUDA 12\.4\); install/,
      );
      vi.stubEnv('CUBLASLT_LIBRARY', join(folder, 'libcublasLt.so.12'));
      vi.stubEnv('FAKE_CUBLAS_BROKEN', '1');
      expect(() => bf16('cublas')).toThrow(/so\.12 cannot be started: CUBLAS_STATUS_NOT_INITIALIZED\)/);
    });

    test('or is another library, is said to be so', () => {
      expect(refusal({ CUBLASLT_LIBRARY: buildFakeDriver() })).toMatch(/lacks the function cublasLtCreate\)/);
    });

    test('is not searched beside a stand-in for the driver, whose memory it cannot read', () => {
      expect(refusal({ CUBLASLT_LIBRARY: '' })).toMatch(/CUDA_DRIVER_LIBRARY names another driver/);
    });
  });

  describe('and checkpoints', () => {
    const settings = {
      ...{ tokens: 24 * 12, batch: 4, block: 6, learningRate: 0.01, evaluations: 2, evaluationTokens: 60 },
    };
    const inFolder = async (use: (dir: string) => Promise<void>) => {
      const dir = await mkdtemp(join(tmpdir(), 'gpu-cublas-'));
      await use(dir).finally(() => rm(dir, { recursive: true }));
    };
    const runOf = (engine: Engine) => ({
      ...{ engine, config: { ...tinyGpt, dropout: 0.1 }, source: countingSource(11, 600), settings, seed: 1 },
    });

    test('a run that was interrupted continues with the same bits', () =>
      inFolder(async (dir) => {
        const run = runOf(bf16('cublas'));
        const uninterrupted = await train(run);
        const interrupted = train({ ...run, checkpointDir: dir, ...interruptAtStep(run.source, 5) });
        await expect(interrupted).rejects.toThrow('enough');
        // Another process would open the library anew.
        const resumed = await train({ ...run, engine: bf16('cublas'), checkpointDir: dir });
        expect(resumed.weights).toEqual(uninterrupted.weights);
        expect(resumed.curve).toEqual(uninterrupted.curve);
      }));

    test('a run with another precision is not told to change the library', () =>
      inFolder(async (dir) => {
        const run = { ...runOf(bf16('auto')), checkpointDir: dir };
        await expect(train({ ...run, ...interruptAtStep(run.source, 5) })).rejects.toThrow('enough');
        await expect(train({ ...run, engine: openFakeGpu() })).rejects.toThrow(
          /engine\.precision was "bf16" and is "fp32"\. Delete it to start again/,
        );
      }));

    test.each([
      [
        'own',
        'cublas',
        /kernels \w{8}" and is ".*, cuBLASLt 12\.8\.4 for all products"\. To continue it, set train\.products: own\. Delete/,
      ],
      [
        'cublas',
        'own',
        /kernels was ".*, cuBLASLt 12\.8\.4 for all products" and is ".*\. To continue it, set train\.products: cublas, and name cuBLASLt 12\.8\.4 in CUBLASLT_LIBRARY\. Delete/,
      ],
      [
        'auto',
        'cublas',
        /To continue it, set train\.products: auto, and name cuBLASLt 12\.8\.4 in CUBLASLT_LIBRARY\. /,
      ],
    ] as const)('a run with %s is not continued with %s, and is told what continues it', (before, after, message) =>
      inFolder(async (dir) => {
        const run = { ...runOf(bf16(before)), checkpointDir: dir };
        await expect(train({ ...run, ...interruptAtStep(run.source, 5) })).rejects.toThrow('enough');
        await expect(train({ ...run, engine: bf16(after) })).rejects.toThrow(message);
      }),
    );
  });
});
