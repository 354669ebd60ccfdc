/**
 * Times matrix products in bf16 on a GPU: our kernels beside cuBLASLt, each with the same bias, GELU, residual and rounding
 * as in training. It also prints which of the two the engine would choose by default. With these figures, the estimates in
 * lib/engine/gpu/launches/product-choice.ts can be replaced by measurements.
 */
import {
  type Cublas,
  Device,
  openCublas,
  PassBuilder,
  product,
  type Slice,
  summing,
  type Target,
  targetOf,
  weightGradient,
} from '../../lib/engine/gpu/index.ts';
import { Random } from '../../lib/models/index.ts';
import type { Timed } from './models.ts';
import { blocks, median } from './timing.ts';

/** Products of a layer with R rows and width C. Each allocates its matrices, and returns a function that adds its launch. */
const OF_GPT: [name: string, flops: (R: number, C: number) => number, Prepare][] = [
  [
    'queries, keys, values',
    (R, C) => 2 * R * 3 * C * C,
    (b, R, C) => {
      const [x, w, out] = [b.matrix(R, C, 'operand'), b.matrix(C, 3 * C, 'operand'), b.matrix(R, 3 * C, 'operand')];
      const bias = b.floats(3 * C);
      return () => product(b, 'NN', x, w, out, { bias });
    },
  ],
  [
    'projection with residual',
    (R, C) => 2 * R * C * C,
    (b, R, C) => {
      const [x, w, out] = [b.matrix(R, C, 'operand'), b.matrix(C, C, 'operand'), b.matrix(R, C, 'floats')];
      const [bias, addend] = [b.floats(C), b.floats(R * C)];
      return () => product(b, 'NN', x, w, out, { bias, addend });
    },
  ],
  [
    'first of the MLP, with GELU',
    (R, C) => 2 * R * 4 * C * C,
    (b, R, C) => {
      const [x, w, out] = [b.matrix(R, C, 'operand'), b.matrix(C, 4 * C, 'operand'), b.matrix(R, 4 * C, 'operand')];
      const [bias, pre] = [b.floats(4 * C), b.floats(R * 4 * C)];
      return () => product(b, 'NN', x, w, out, { bias, gelu: 'forward', pre });
    },
  ],
  [
    'second of the MLP',
    (R, C) => 2 * R * 4 * C * C,
    (b, R, C) => {
      const [x, w, out] = [b.matrix(R, 4 * C, 'operand'), b.matrix(4 * C, C, 'operand'), b.matrix(R, C, 'floats')];
      const [bias, addend] = [b.floats(C), b.floats(R * C)];
      return () => product(b, 'NN', x, w, out, { bias, addend });
    },
  ],
  [
    "gradient through GELU's slope",
    (R, C) => 2 * R * 4 * C * C,
    (b, R, C) => {
      const [dy, w, out] = [b.matrix(R, C, 'operand'), b.matrix(4 * C, C, 'operand'), b.matrix(R, 4 * C, 'both')];
      const pre = b.floats(R * 4 * C);
      return () => product(b, 'NT', dy, w, out, { gelu: 'backward', pre });
    },
  ],
  [
    'gradient of an input',
    (R, C) => 2 * R * 4 * C * C,
    (b, R, C) => {
      const [dy, w, out] = [b.matrix(R, 4 * C, 'operand'), b.matrix(C, 4 * C, 'operand'), b.matrix(R, C, 'floats')];
      return () => product(b, 'NT', dy, w, out);
    },
  ],
  ['gradient of a weight', (R, C) => 2 * R * 4 * C * C, gradientOfWeight],
];
const OF_LSTM: typeof OF_GPT = [
  [
    'gates',
    (R, C) => 2 * R * 4 * C * C,
    (b, R, C) => {
      const [x, w, out] = [b.matrix(R, C, 'operand'), b.matrix(4 * C, C, 'operand'), b.matrix(R, 4 * C, 'floats')];
      const bias = b.floats(4 * C);
      return () => product(b, 'NT', x, w, out, { bias });
    },
  ],
  ['gradient of a weight', (R, C) => 2 * R * 4 * C * C, gradientOfWeight],
];

type Prepare = (b: PassBuilder, R: number, C: number) => () => void;

function gradientOfWeight(b: PassBuilder, R: number, C: number): () => void {
  const [x, dy, gradient] = [b.matrix(R, C, 'operand'), b.matrix(R, 4 * C, 'operand'), b.floats(4 * C * C)];
  return () => summing(b, (sums) => weightGradient(sums, x, dy, gradient, true));
}

/** Number of times that a plan contains the product. It is large, so that the start of the plan hardly counts. */
const REPEATED = 10;
/** Bytes that are written at a time. */
const FILLED = 2 ** 22;

/** Seconds of a product, and whether cuBLASLt makes it. */
async function time(device: Device, target: Target, prepare: Prepare, size: [R: number, C: number], seconds: number) {
  const build = (b: PassBuilder) => {
    const launch = prepare(b, ...size);
    for (let i = 0; i < REPEATED; i++) launch();
    return b;
  };
  const first = build(new PassBuilder(target));
  const isByCublas = first.launches.some((launch) => 'product' in launch);
  if (seconds === 0) return { isByCublas, seconds: 0 };
  const memory: Slice = device.allocate(first.size, 'a product');
  fill(device, memory);
  const plan = device.plan(build(new PassBuilder(target, memory.address, first.layoutSize)).launches);
  const work = (n: number) => Promise.all(Array.from({ length: n }, () => plan.run([], [])));
  const times = await blocks(work, seconds);
  plan.dispose();
  device.free(memory);
  return { isByCublas, seconds: median(times) / REPEATED };
}

/**
 * Fills memory with numbers between −1 and 1, whether it is read as bf16 or as fp32: a GPU multiplies zeros with less power,
 * and so faster.
 */
function fill(device: Device, memory: Slice): void {
  const random = new Random(1, 'bench/gpu/products');
  const chunk = Float32Array.from({ length: Math.min(memory.size, FILLED) / 4 }, () => 2 * random.uniform() - 1);
  const halves = new Uint16Array(chunk.buffer);
  // Each word is two numbers in bf16: the low half becomes a copy of the high half.
  for (let i = 0; i < halves.length; i += 2) halves[i] = halves[i + 1];
  for (let start = 0; start < memory.size; start += FILLED) {
    const part = halves.subarray(0, Math.min(memory.size - start, FILLED) / 2);
    device.write({ address: memory.address + start, size: part.byteLength }, part);
  }
}

/** Times the products of each model's layers, and prints a row for each at once. */
export async function timeProducts(models: Timed[], seconds: number): Promise<void> {
  const device = Device.open();
  const cublas: Cublas | undefined = openCublas(device, false);
  const [own, theirs, chosen] = [
    targetOf(device, 'bf16', undefined, false),
    targetOf(device, 'bf16', cublas, true),
    targetOf(device, 'bf16', cublas, false),
  ];
  const name = cublas ? `cuBLASLt ${cublas.version}` : 'cuBLASLt (not found)';
  console.log(`| product | rows × width | own, µs | TFLOP/s | ${name}, µs | TFLOP/s | ratio | by default |`);
  console.log('| --- | --- | ---: | ---: | ---: | ---: | ---: | --- |');
  for (const { config, batch } of models) {
    const size: [number, number] = [batch * config.block, config.width];
    for (const [what, flopsOf, prepare] of config.architecture === 'gpt' ? OF_GPT : OF_LSTM) {
      const flops = flopsOf(...size);
      const cells = (each: number) => [(each * 1e6).toFixed(1), (flops / each / 1e12).toPrecision(3)];
      const ours = await time(device, own, prepare, size, seconds);
      const library = cublas && (await time(device, theirs, prepare, size, seconds));
      const choice = (await time(device, chosen, prepare, size, 0)).isByCublas ? 'cuBLASLt' : 'own';
      const compared = library?.isByCublas
        ? [...cells(library.seconds), (ours.seconds / library.seconds).toFixed(2)]
        : ['–', '–', '–'];
      const row = [`${config.architecture} ${what}`, size.join(' × '), ...cells(ours.seconds), ...compared, choice];
      console.log(`| ${row.join(' | ')} |`);
    }
  }
  device.close();
}
