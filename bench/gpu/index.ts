/**
 * Checks and times the gpu engine on a GPU.
 *
 *     npm run bench -- gpu                     the first GPU that CUDA_VISIBLE_DEVICES leaves
 *     npm run bench -- gpu --only gpt-0.8M     one model
 *     npm run bench -- gpu --fake LIBRARY      the fake driver of native/cuda: tiny models, to see that the script works
 *
 * First it compares gradients with the native engine, in both precisions, and runs the same steps twice, which must give
 * the same bits. Then it trains models of several sizes in bf16 and prints, as Markdown, tokens per second of the median
 * step and TFLOP/s. Exits 1 if a comparison fails. Without a GPU it says so, and exits 0.
 */
import { parseArgs } from 'node:util';
import { type Batch, type Engine, EngineError, type Model, openEngine } from '../../lib/engine/index.ts';
import { countParameters, flopsPerToken, type ModelConfig, Random } from '../../lib/models/index.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    steps: { type: 'string', default: '20' },
    fake: { type: 'string' },
  },
});
if (values.fake) process.env.CUDA_DRIVER_LIBRARY = values.fake;

const gpt = (layers: number, width: number, heads: number): ModelConfig => ({
  ...{ architecture: 'gpt', vocabularySize: 128, block: 256, layers, width, heads, dropout: 0, bias: true },
});
const lstm = (layers: number, width: number): ModelConfig => ({
  ...{ architecture: 'lstm', vocabularySize: 128, block: 256, layers, width, embedding: width, dropout: 0 },
});
/** Models of the published studies, and windows per step: 16,384 tokens. */
const MODELS: [name: string, config: ModelConfig, batch: number][] = values.fake
  ? [
      ['gpt-tiny', { ...gpt(2, 32, 2), block: 32 }, 4],
      ['lstm-tiny', { ...lstm(2, 32), block: 16 }, 4],
    ]
  : [
      ['gpt-0.8M', gpt(4, 128, 4), 64],
      ['gpt-4.8M', gpt(6, 256, 8), 64],
      ['gpt-21M', gpt(12, 384, 12), 64],
      ['gpt-51M', gpt(16, 512, 16), 64],
      ['gpt-113M', gpt(16, 768, 12), 64],
      ['gpt-206M', gpt(16, 1024, 16), 64],
      ['lstm-1M', lstm(2, 256), 64],
      ['lstm-5M', lstm(2, 560), 64],
      ['lstm-20M', lstm(2, 1104), 64],
      ['lstm-50M', lstm(2, 1760), 64],
    ];
/** Larger than a tile in each direction, and no multiple of one. */
const CHECKED: [name: string, config: ModelConfig][] = [
  ['a GPT', { ...gpt(2, 72, 3), vocabularySize: 141, block: 70 }],
  [
    'a GPT with rotary positions',
    { ...gpt(2, 72, 3), vocabularySize: 141, block: 70, positions: 'rotary' } as ModelConfig,
  ],
  ['an LSTM', { ...lstm(2, 67), vocabularySize: 141, block: 19 }],
];

try {
  const engine = await openEngine({ name: 'gpu', precision: 'bf16' });
  console.log(`${engine.description}; ${engine.arithmetic.kernels}\n`);
  await compareWithNative();
  await repeat(engine);
  await measureAll(engine);
} catch (error) {
  if (!(error instanceof EngineError)) throw error;
  console.log(`no GPU was measured: ${error.message}`);
  if (values.fake) process.exitCode = 1;
}

function randomBatch(config: ModelConfig, sequences: number, seed: number): Batch {
  const random = new Random(seed, 'bench/gpu');
  const length = config.block;
  const tokens = () => Uint16Array.from({ length: sequences * length }, () => random.below(config.vocabularySize));
  return { inputs: tokens(), targets: tokens(), sequences, length };
}

/** Gradients of the native engine in fp32 against those of the GPU, as vectors. */
async function compareWithNative(): Promise<void> {
  console.log('| gradients, relative to the native engine | fp32 | bf16 |\n| --- | --- | --- |');
  const native = await openEngine({ name: 'native' });
  for (const [name, config] of CHECKED) {
    const cells = [];
    for (const [precision, limit] of [
      ['fp32', 1e-4],
      ['bf16', 2e-2],
    ] as const) {
      const models = [native, await openEngine({ name: 'gpu', precision })].map((e) => e.model(config, { seed: 1 }));
      const [expected, actual] = await Promise.all(models.map((m) => m.gradients(randomBatch(config, 3, 1))));
      let [difference, size] = [0, 0];
      for (const [key, { data }] of expected.gradients)
        for (const [i, value] of data.entries()) {
          difference += (actual.gradients.get(key)!.data[i] - value) ** 2;
          size += value ** 2;
        }
      const relative = Math.sqrt(difference / size);
      if (!(relative < limit)) process.exitCode = 1;
      cells.push(`${relative.toExponential(1)}${relative < limit ? '' : ' WRONG'}`);
      for (const model of models) model.dispose();
    }
    console.log(`| ${name} | ${cells.join(' | ')} |`);
  }
}

/** The same steps twice, with dropout: they must give the same bits. */
async function repeat(engine: Engine): Promise<void> {
  for (const [name, config] of CHECKED) {
    const runs = [];
    for (let run = 0; run < 2; run++) {
      const model = engine.model({ ...config, dropout: 0.1 }, { seed: 1 });
      for (let step = 0; step < 3; step++)
        await model.trainStep(randomBatch(config, 5, step), { learningRate: 0.003, clip: 1, microbatch: 2 });
      runs.push(
        [...(await model.weights()).values()].map(({ data }) => Buffer.from(data.buffer).toString('base64')).join(),
      );
      model.dispose();
    }
    if (runs[0] !== runs[1]) process.exitCode = 1;
    console.log(`\n${name}: ${runs[0] === runs[1] ? 'the same bits twice' : 'WRONG: other bits the second time'}`);
  }
}

async function measureAll(engine: Engine): Promise<void> {
  console.log('\n| model | parameters | tokens/s | TFLOP/s | loss of the last step |\n| --- | --- | --- | --- | --- |');
  for (const [name, config, batch] of MODELS) {
    if (!name.includes(values.only)) continue;
    let model: Model | undefined;
    try {
      model = engine.model(config, { seed: 1 });
      const data = randomBatch(config, batch, 1);
      const seconds: number[] = [];
      let loss = Number.NaN;
      for (let step = -3; step < Number(values.steps); step++) {
        const start = performance.now();
        ({ loss } = await model.trainStep(data, { learningRate: 1e-4, clip: 1 }));
        if (step >= 0) seconds.push((performance.now() - start) / 1000);
      }
      const median = seconds.sort((a, b) => a - b)[Math.floor(seconds.length / 2)];
      const speed = (batch * config.block) / median;
      const teraflops = (speed * flopsPerToken(config, config.block)) / 1e12;
      console.log(
        `| ${name} | ${(countParameters(config).total / 1e6).toFixed(1)}M | ${speed.toFixed(0)} | ${teraflops.toFixed(teraflops < 1 ? 5 : 1)} | ${loss.toFixed(3)} |`,
      );
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      console.log(`| ${name} | ${error.message} | | | |`);
    } finally {
      model?.dispose();
    }
  }
}
