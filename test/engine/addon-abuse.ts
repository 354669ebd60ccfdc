/**
 * Calls the addon with invalid arguments, for native.test.ts. It runs in its own process, because the test is that the
 * process does not crash.
 *
 *     node --import tsx test/engine/addon-abuse.ts [ROUNDS]
 *
 * Every function is called with valid arguments. Up to two of them are replaced by invalid ones, or some are left out.
 * Each call must return or throw. The program prints the number of calls that returned and of those that threw. With an
 * addon built with -fsanitize=address, and libasan preloaded, it also finds memory errors that do not crash the
 * process.
 */
import { type Addon, addonParameters, loadAddon } from '../../lib/engine/native/native-addon.ts';
import { parameters, Random } from '../../lib/models/index.ts';
import { tinyGpt, tinyLstm } from './tiny.ts';

const rounds = Number(process.argv[2] ?? 2000);
const addon = loadAddon();
const random = new Random(1, 'abuse');
const pick = <T>(from: T[]): T => from[random.below(from.length)];

function modelOf(config: typeof tinyGpt | typeof tinyLstm) {
  const list = addonParameters(parameters(config));
  const size = list.reduce((sum, each) => sum + each.size, 0);
  const model = addon.create(config, list, 1, '', 'fp32');
  addon.write(model, 0, new Float32Array(size).fill(0.01));
  return { config, list, size, model, decoder: addon.decoder(model, 2) };
}
const models = [modelOf(tinyGpt), modelOf(tinyLstm)];
const handles: unknown[] = models.flatMap(({ model, decoder }) => [model, decoder]);

const junk: (() => unknown)[] = [
  ...[undefined, null, true, '', 'junk', 'gpt', 'bf16', 'x'.repeat(1000), 5n, Symbol('junk')].map((x) => () => x),
  ...[-1, 0, 1, 0.5, 7, 4097, 2 ** 24, 2 ** 31, 2 ** 32, 2 ** 53, 1e300, Number.NaN, Infinity, -Infinity].map(
    (x) => () => x,
  ),
  () => ({}),
  () => [],
  () => [1, 2, 3],
  () => () => 1,
  () =>
    new Proxy(
      {},
      {
        get: () => {
          throw new Error('no');
        },
      },
    ),
  () => new Float32Array(random.below(40)),
  () => new Uint32Array(random.below(40)).fill(random.below(30)),
  () => new Float64Array(3),
  () => new Uint8Array(new SharedArrayBuffer(8)),
  () => detached(),
  () => pick(models).model,
  () => pick(models).decoder,
  () => pick(models).list,
  () => pick(models).config,
  () => ({
    ...pick(models).config,
    [pick(['heads', 'width', 'layers', 'block', 'vocabularySize', 'dropout', 'architecture'])]: pick(junk)(),
  }),
  () => pick(models).list.map((each) => ({ ...each, [pick(['name', 'size', 'decay'])]: pick(junk)() })),
];

function detached(): Float32Array {
  const array = new Float32Array(8);
  structuredClone(array, { transfer: [array.buffer] });
  return array;
}

const step = {
  learningRate: 1e-3,
  beta1: 0.9,
  beta2: 0.95,
  epsilon: 1e-8,
  weightDecay: 0.1,
  clip: 1,
  microbatch: 0,
  dropoutSeed: 1,
};
const kernels = [
  ...[
    'pack',
    'packTransposed',
    'product',
    'accumulateGradient',
    'streamProduct',
    'appendToCache',
    'attentionDecode',
    'layerNorm',
  ],
  ...['layerNormBackward', 'addColumnSums', 'attention', 'attentionBackward', 'attentionScratch', 'crossEntropy'],
  ...[
    'gelu',
    'geluBackward',
    'exp',
    'tanh',
    'sigmoid',
    'add',
    'dropout',
    'dropoutRows',
    'lstmCell',
    'lstmCellBackward',
  ],
  ...['sumOfSquares', 'adamw', 'panel', 'valueRowSize', 'paddedTokens', 'packedSize', 'multiplyAdds'],
];
/** Valid arguments of each function. Those of a kernel are valid only by chance. */
const calls: { [name in keyof Addon]: () => unknown[] } = {
  kernelsName: () => ['generic', 'fp32'],
  architectures: () => [],
  create: () => [pick(models).config, pick(models).list, 1, '', 'fp32'],
  memory: () => [pick(models).config, pick(models).list, 1, 5, 0, '', 'fp32'],
  read: () => [pick(models).model, random.below(3), new Float32Array(pick(models).size)],
  write: () => [pick(models).model, random.below(3), new Float32Array(pick(models).size)],
  step: () => [pick(models).model],
  setStep: () => [pick(models).model, 3],
  dispose: () => [pick(junk)()],
  run: () => {
    const { model, config, size } = pick(models);
    const tokens = () => new Uint32Array(12).fill(random.below(config.vocabularySize));
    const kind = random.below(4);
    const state = config.architecture === 'lstm' && kind < 3 ? new Float32Array(2 * 2 * 2 * 6) : undefined;
    const out = [state && new Float32Array(48), undefined, new Float32Array(size), new Float32Array(12 * 11)][kind];
    return [
      model,
      kind,
      tokens(),
      tokens(),
      2,
      6,
      { ...step, ...(random.below(3) === 0 && { microbatch: pick(junk)() }) },
      out,
      state,
    ];
  },
  decoder: () => [pick(models).model, 1 + random.below(3)],
  decoderStep: () => [pick(models).decoder, new Uint32Array(2), new Float32Array(22)],
  decoderReset: () => [pick(models).decoder],
  decoderDispose: () => [pick(junk)()],
  kernel: () => {
    const n = () => random.below(20);
    const arrays = Array.from({ length: 8 }, () =>
      pick([new Float32Array(pick([20, 2000, 20_000])), new Uint32Array(20).fill(n()), null]),
    );
    return [
      pick(['generic', 'avx2', 'avx512', 'generic/bf16', 'avx2/bf16', 'avx512/bf16']),
      pick(kernels),
      Array.from({ length: 10 }, n),
      arrays,
    ];
  },
};

const counts = { returned: 0, threw: 0 };
const names = Object.keys(calls) as (keyof Addon)[];
if (names.sort().join() !== Object.keys(addon).sort().join()) throw new Error('a function of the addon is not tested');
for (let round = 0; round < rounds; round++)
  for (const name of names) {
    const args = calls[name]();
    for (let invalid = random.below(3); invalid > 0; invalid--) args[random.below(args.length || 1)] = pick(junk)();
    if (random.below(8) === 0) args.length = random.below(args.length + 1);
    // Later calls still need these handles.
    if (name.endsWith('ispose') && handles.includes(args[0])) continue;
    try {
      await (addon[name] as (...args: unknown[]) => unknown)(...args);
      counts.returned++;
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      counts.threw++;
    }
  }
console.log(JSON.stringify(counts));
