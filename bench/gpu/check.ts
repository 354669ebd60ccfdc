/** Checks of the gpu engine on a GPU: against the native engine, against itself, and under NVIDIA's compute-sanitizer. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Batch, type Engine, type Model, openEngine } from '../../lib/engine/index.ts';
import { type ModelConfig, Random } from '../../lib/models/index.ts';
import { CHECKED } from './models.ts';

/** A batch of random tokens, as long as the model's block. */
export function randomBatch(config: ModelConfig, sequences: number, seed: number): Batch {
  const random = new Random(seed, 'bench/gpu');
  const length = config.block;
  const tokens = () => Uint16Array.from({ length: sequences * length }, () => random.below(config.vocabularySize));
  return { inputs: tokens(), targets: tokens(), sequences, length };
}

function verdict(what: string, isRight: boolean, figure = ''): void {
  if (!isRight) process.exitCode = 1;
  console.log(`${isRight ? 'ok   ' : 'WRONG'} ${what}${figure && `: ${figure}`}`);
}

const PRECISIONS = [
  ['fp32', 1e-4],
  ['bf16', 2e-2],
] as const;
type Precision = (typeof PRECISIONS)[number][0];

/** Compares gradients of the GPU, as one vector, with the native engine's in fp32. `hasCublas`: also by cuBLASLt. */
export async function compareWithNative(hasCublas: boolean): Promise<void> {
  const native = await openEngine({ name: 'native' });
  const kinds: [Precision, number, products: 'own' | 'cublas'][] = [
    ...PRECISIONS.map(([precision, limit]): [Precision, number, 'own'] => [precision, limit, 'own']),
    ...(hasCublas ? ([['bf16', 2e-2, 'cublas']] as [Precision, number, 'cublas'][]) : []),
  ];
  for (const [name, config] of CHECKED)
    for (const [precision, limit, products] of kinds) {
      const gpu = await openEngine({ name: 'gpu', precision, products });
      const models = [native, gpu].map((engine) => engine.model(config, { seed: 1 }));
      const [expected, actual] = await Promise.all(models.map((m) => m.gradients(randomBatch(config, 3, 1))));
      let [difference, size] = [0, 0];
      for (const [key, { data }] of expected.gradients)
        for (const [i, value] of data.entries()) {
          difference += (actual.gradients.get(key)!.data[i] - value) ** 2;
          size += value ** 2;
        }
      const relative = Math.sqrt(difference / size);
      verdict(
        `${precision} gradients${products === 'cublas' ? ' by cuBLASLt' : ''} of ${name}, from those of the native engine`,
        relative < limit,
        relative.toExponential(1),
      );
      for (const model of models) model.dispose();
    }
}

/**
 * Trains the same steps twice, with dropout. They must give the same bits.
 *
 * @param by " by cuBLASLt", or nothing; it is printed
 */
export async function compareWithItself(engine: Engine, by: string): Promise<void> {
  for (const [name, config] of CHECKED) {
    const runs: string[] = [];
    for (let run = 0; run < 2; run++) {
      const model = engine.model({ ...config, dropout: 0.1 }, { seed: 1 });
      const steps = [0, 1, 2].map((step) =>
        model.trainStep(randomBatch(config, 5, step), { learningRate: 0.003, clip: 1, microbatch: 2 }),
      );
      await Promise.all(steps);
      const weights = [...(await model.weights()).values()];
      runs.push(weights.map(({ data }) => Buffer.from(data.buffer).toString('base64')).join());
      model.dispose();
    }
    verdict(`three steps of ${name}${by} give the same bits twice`, runs[0] === runs[1]);
  }
}

/**
 * Compares logits that were computed token by token with logits of whole windows.
 *
 * @param by " by cuBLASLt", or nothing; it is printed
 */
export async function compareDecoding(engine: Engine, by: string): Promise<void> {
  for (const [name, config] of CHECKED) {
    const model = engine.model(config, { seed: 1 });
    const { inputs, sequences, length } = randomBatch(config, 3, 1);
    const whole = await model.logits(inputs, sequences, length);
    const V = config.vocabularySize;
    const decoder = model.decoder(sequences);
    let [worst, largest] = [0, 0];
    for (let t = 0; t < length; t++) {
      const logits = await decoder.step(Uint16Array.from({ length: sequences }, (_, s) => inputs[s * length + t]));
      for (let s = 0; s < sequences; s++)
        for (let v = 0; v < V; v++) {
          const expected = whole[(s * length + t) * V + v];
          worst = Math.max(worst, Math.abs(logits[s * V + v] - expected));
          largest = Math.max(largest, Math.abs(expected));
        }
    }
    verdict(
      `logits of ${name}${by}, token by token`,
      worst / largest < 3e-2,
      `${(worst / largest).toExponential(1)} of the largest`,
    );
    decoder.dispose();
    model.dispose();
  }
}

/** Uses every kind of work once, without a comparison. compute-sanitizer watches this. */
export async function useEverything(): Promise<void> {
  for (const [precision] of PRECISIONS) {
    const engine = await openEngine({ name: 'gpu', precision });
    for (const [, config] of CHECKED) {
      const model: Model = engine.model({ ...config, dropout: 0.1 }, { seed: 1 });
      const batch = randomBatch(config, 3, 1);
      for (let step = 0; step < 2; step++)
        await model.trainStep(batch, { learningRate: 0.003, clip: 1, microbatch: 2 });
      await model.tokenLosses(batch);
      const decoder = model.decoder(3);
      for (let t = 0; t < 4; t++) await decoder.step(Uint16Array.of(1, 2, 3));
      decoder.dispose();
      model.dispose();
    }
  }
}

const TOOLS = ['memcheck', 'racecheck', 'synccheck', 'initcheck'];
const SANITIZERS = [process.env.COMPUTE_SANITIZER, 'compute-sanitizer', '/usr/local/cuda/bin/compute-sanitizer'];

/**
 * Runs `useEverything` under each tool of compute-sanitizer, which comes with CUDA's toolkit. initcheck reports
 * reads of memory that was never written; it is for information.
 *
 * @param command that calls useEverything
 */
export function sanitize(command: string[], secondsEach: number): void {
  const isThere = (path: string | undefined) =>
    path && (!path.includes('/') || existsSync(path)) && spawnSync(path, ['--version']).status === 0;
  const sanitizer = SANITIZERS.find(isThere);
  if (!sanitizer) {
    console.log('compute-sanitizer is not installed, so memory and races were not checked');
    return;
  }
  // In the wheel of PyPI, the libraries that compute-sanitizer injects are in another folder.
  const library = join(dirname(sanitizer), '../lib');
  const injected = existsSync(join(library, 'libsanitizer-collection.so')) ? ['--injection-path', library] : [];
  for (const tool of TOOLS) {
    const args = [
      ...injected,
      '--tool',
      tool,
      '--target-processes',
      'all',
      '--error-exitcode',
      '9',
      '--print-limit',
      '5',
    ];
    const start = performance.now();
    const { status, stdout, stderr, error } = spawnSync(sanitizer, [...args, ...command], {
      encoding: 'utf8',
      timeout: secondsEach * 1000,
      killSignal: 'SIGKILL',
    });
    const seconds = ((performance.now() - start) / 1000).toFixed(0);
    if ((error as NodeJS.ErrnoException | undefined)?.code === 'ETIMEDOUT') {
      console.log(`?     ${tool}: not finished in ${seconds} s`);
      continue;
    }
    const lines = `${stdout}${stderr}`.trim().split('\n');
    const summary = lines.findLast((line) => /SUMMARY/.test(line))?.replace(/^=+ */, '');
    if (summary === undefined) console.log(`?     ${tool}: it did not work (${seconds} s)`);
    else if (tool === 'initcheck') console.log(`info  ${tool}: ${summary} (${seconds} s)`);
    else verdict(tool, status === 0, `${summary} (${seconds} s)`);
    if (status !== 0) console.log(lines.slice(0, 40).join('\n'));
  }
}
