/**
 * Compares the speed of training steps and sampling with PyTorch: the same shapes, batches and threads, in one run.
 *
 *     npx tsx bench/engine/index.ts [--python PYTHON] [--threads 1] [--sizes study|published] [--only NAME,NAME…] [--precisions fp32,bf16]
 *         [--seconds 3] [--rounds 1] [--compile] [--sampling]
 *
 * PYTHON must have torch and numpy (install-peers.sh installs them; peers.py runs in it). Without PYTHON only this
 * project is timed. Each model runs in its own process on both sides. Prints Markdown: tokens per second (median over
 * steps, wall clock), the ratio to PyTorch, the fastest step, the share of the bound, and sampling of 8 streams with a
 * cache, greedily.
 *
 * The bound is the speed of multiply-adds from registers on these threads, measured before and after each model. A step
 * cannot be faster than its matrix products at that speed. For attention only the causal half of the products counts.
 *
 * --sampling times only sampling. --rounds is the number of rounds. In each round both sides are timed for --seconds,
 * and all steps of all rounds count. Short rounds are fairer than one long run for each side, because the speed of a
 * shared machine changes within minutes.
 */
import { execFileSync } from 'node:child_process';
import { openEngine } from '../../lib/engine/index.ts';
import { loadAddon } from '../../lib/engine/native/native-addon.ts';
import { countParameters, flopsPerToken, type ModelConfig } from '../../lib/models/index.ts';
import { parseOptions } from '../../scripts/command-line.ts';

const STREAMS = 8;
const DECODE = 64;

interface Case {
  name: string;
  config: ModelConfig;
  /** windows per step */
  sequences: number;
}

const gpt = (layers: number, width: number, heads: number, block: number, vocabularySize: number): ModelConfig => ({
  ...{ architecture: 'gpt', vocabularySize, block, layers, width, heads, dropout: 0, bias: true },
});
const lstm = (
  layers: number,
  width: number,
  embedding: number,
  block: number,
  vocabularySize: number,
): ModelConfig => ({
  ...{ architecture: 'lstm', vocabularySize, block, layers, width, embedding, dropout: 0 },
});
const SIZES: Record<string, Case[]> = {
  study: [
    { name: 'GPT 2×16', config: gpt(2, 16, 2, 128, 96), sequences: 8 },
    { name: 'GPT 2×32', config: gpt(2, 32, 2, 128, 96), sequences: 8 },
    { name: 'GPT 3×48', config: gpt(3, 48, 4, 128, 96), sequences: 8 },
    { name: 'GPT 4×64', config: gpt(4, 64, 4, 128, 96), sequences: 8 },
    { name: 'GPT 4×96', config: gpt(4, 96, 4, 128, 96), sequences: 8 },
    { name: 'LSTM 1×32', config: lstm(1, 32, 16, 128, 96), sequences: 8 },
    { name: 'LSTM 2×64', config: lstm(2, 64, 32, 128, 96), sequences: 8 },
    { name: 'LSTM 2×96', config: lstm(2, 96, 48, 128, 96), sequences: 8 },
    { name: 'LSTM 2×176', config: lstm(2, 176, 176, 128, 96), sequences: 8 },
  ],
  published: [
    { name: 'GPT 4×128', config: gpt(4, 128, 4, 256, 128), sequences: 16 },
    { name: 'GPT 6×256', config: gpt(6, 256, 8, 256, 128), sequences: 8 },
    { name: 'GPT 12×384', config: gpt(12, 384, 6, 256, 128), sequences: 4 },
    { name: 'GPT 16×512', config: gpt(16, 512, 8, 256, 128), sequences: 4 },
    { name: 'LSTM 2×256', config: lstm(2, 256, 256, 256, 128), sequences: 32 },
    { name: 'LSTM 2×560', config: lstm(2, 560, 560, 256, 128), sequences: 32 },
    { name: 'LSTM 2×1100', config: lstm(2, 1100, 1100, 256, 128), sequences: 32 },
  ],
};

interface Request {
  config: ModelConfig;
  precision: 'fp32' | 'bf16';
  sequences: number;
  threads: number;
  /** minimum duration of the timed steps */
  seconds: number;
  compile: boolean;
  /** false: time only sampling */
  train: boolean;
  streams: number;
  /** tokens per stream */
  decode: number;
}
interface Result {
  name: string;
  /** [wall, CPU] seconds of each step */
  steps: [number, number][];
  decodes: [number, number][];
  /** resident bytes after training */
  peak: number;
  /** operations per second of multiply-adds on one thread; native engine only */
  speed?: number;
}

const { values } = parseOptions(import.meta.url, {
  options: {
    python: { type: 'string' },
    threads: { type: 'string', default: '1' },
    sizes: { type: 'string', default: 'study' },
    only: { type: 'string', default: '' },
    precisions: { type: 'string', default: 'fp32' },
    seconds: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '1' },
    compile: { type: 'boolean', default: false },
    sampling: { type: 'boolean', default: false },
    one: { type: 'string' },
  },
});

if (values.one) console.log(JSON.stringify(await measureNative(JSON.parse(values.one))));
else compare();

function compare() {
  const threads = Number(values.threads);
  const wanted = values.only.split(',');
  const cases = (SIZES[values.sizes] ?? []).filter(({ name }) => wanted.some((part) => name.includes(part)));
  if (cases.length === 0)
    throw new Error(`no model matches --sizes and --only; --sizes can be ${Object.keys(SIZES).join(' or ')}`);
  const header = [
    'model',
    'parameters',
    'batch',
    'engine',
    'tokens/s',
    'ratio',
    'fastest',
    'of bound',
    'peak MB',
    'sampled/s',
  ];
  console.log(`${threads} thread(s), block ${cases[0].config.block}\n`);
  if (values.sampling) console.log('| model | native, tokens/s | PyTorch | ratio |\n| --- | ---: | ---: | ---: |');
  else
    console.log(
      `| ${header.join(' | ')} |\n|${header.map((_, i) => (i === 0 || i === 3 ? ' --- ' : ' ---: ')).join('|')}|`,
    );
  for (const precision of values.precisions.split(',') as Request['precision'][])
    for (const { name, config, sequences } of cases) {
      const request = {
        config,
        precision,
        sequences,
        threads,
        seconds: Number(values.seconds),
        compile: false,
        train: !values.sampling,
      };
      const native = [...process.execArgv, import.meta.filename ?? process.argv[1]];
      const peers = new URL('peers.py', import.meta.url).pathname;
      const runRound = () => {
        const results = [run(process.execPath, native, request)];
        if (values.python) results.push(run(values.python, [peers], request));
        if (values.python && values.compile) {
          const result = run(values.python, [peers], { ...request, compile: true });
          results.push({ ...result, name: `${result.name}, compiled` });
        }
        return results;
      };
      let results = runRound();
      for (let round = 1; round < Number(values.rounds); round++) {
        const next = runRound();
        results = results.map((result, side) => joinRounds(result, next[side]));
      }
      if (values.sampling) {
        const [ours, theirs] = results.map(
          ({ decodes }) => (STREAMS * DECODE) / Math.min(...decodes.map(([wall]) => wall)),
        );
        const cells = [
          `${name} ${precision}`,
          Math.round(ours),
          theirs && Math.round(theirs),
          theirs && (ours / theirs).toFixed(1),
        ];
        console.log(`| ${cells.join(' | ')} |`);
        continue;
      }
      const perStep = sequences * config.block;
      const tokens = (result: Result) => perStep / median(result.steps.map(([seconds]) => seconds));
      const bound = ((results[0].speed ?? 0) * threads) / productFlops(config);
      for (const result of results) {
        const speed = tokens(result);
        const best = perStep / Math.min(...result.steps.map(([seconds]) => seconds));
        const sampled = (STREAMS * DECODE) / Math.min(...result.decodes.map(([seconds]) => seconds));
        const row = [name, countParameters(config).total, sequences, `${result.name} ${precision}`, speed];
        row.push(result === results[0] ? '' : (tokens(results[0]) / speed).toFixed(2));
        row.push(best, `${Math.round((100 * speed) / bound)} %`, result.peak / 2 ** 20, sampled);
        console.log(
          `| ${row.map((cell) => (typeof cell === 'number' ? Math.round(cell).toLocaleString('en') : cell)).join(' | ')} |`,
        );
      }
    }
}

/** Counts the operations per token that a training step needs. flopsPerToken also counts attention to later tokens. */
function productFlops(config: ModelConfig): number {
  const whole = flopsPerToken(config, config.block);
  return config.architecture === 'gpt' ? whole - 6 * config.layers * config.width * config.block : whole;
}

function run(program: string, args: string[], request: Omit<Request, 'streams' | 'decode'>): Result {
  const whole = JSON.stringify({ ...request, streams: STREAMS, decode: DECODE });
  const output =
    program === process.execPath
      ? execFileSync(program, [...args, '--one', whole], { encoding: 'utf8' })
      : execFileSync(program, args, { input: whole, encoding: 'utf8' });
  return JSON.parse(output);
}

/** Joins two rounds of one side. */
function joinRounds(a: Result, b: Result): Result {
  return {
    name: a.name,
    steps: [...a.steps, ...b.steps],
    decodes: [...a.decodes, ...b.decodes],
    peak: Math.max(a.peak, b.peak),
    speed: a.speed && b.speed && Math.max(a.speed, b.speed),
  };
}

function median(numbers: number[]): number {
  return numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
}

/**
 * Measures multiply-adds in the registers of one thread. Returns operations per second of the fastest of several tries.
 */
function multiplyAddSpeed(): number {
  const addon = loadAddon();
  const set = process.env.ENGINE_ISA ?? '';
  const tries = Array.from({ length: 20 }, () => {
    const start = performance.now();
    return addon.kernel(set, 'multiplyAdds', [100_000], []) / ((performance.now() - start) / 1000);
  });
  return Math.max(...tries);
}

async function measureNative(request: Request): Promise<Result> {
  const { config, precision, sequences, threads, seconds, streams, decode } = request;
  const before = multiplyAddSpeed();
  const engine = await openEngine({ name: 'native', threads, precision });
  const model = engine.model(config, { seed: 1 });
  const { vocabularySize: V, block: length } = config;
  const tokens = (first: number) => Uint32Array.from({ length: sequences * length }, (_, i) => ((i + first) * 31) % V);
  const batch = { inputs: tokens(0), targets: tokens(1), sequences, length };
  const train = () => model.trainStep(batch, { learningRate: 1e-4, clip: 1 });
  const steps = request.train ? await measure(train, seconds, 5) : [];
  const peak = process.resourceUsage().maxRSS * 1024;
  const decoder = model.decoder(streams);
  const decodes = await measure(
    async () => {
      decoder.reset();
      let column = new Uint32Array(streams);
      for (let position = 0; position < decode; position++) {
        const logits = await decoder.step(column);
        column = column.map((_, s) => {
          const row = logits.subarray(s * V, (s + 1) * V);
          return row.indexOf(row.reduce((a, b) => Math.max(a, b)));
        });
      }
    },
    seconds / 4,
    2,
  );
  const speed = Math.max(before, multiplyAddSpeed());
  return { name: engine.description.replace(/^native \S+, (.*), .*$/, 'native, $1,'), steps, decodes, peak, speed };
}

async function measure(work: () => Promise<unknown>, seconds: number, least: number): Promise<[number, number][]> {
  await work();
  const times: [number, number][] = [];
  const start = performance.now();
  while (performance.now() - start < seconds * 1000 || times.length < least) {
    const [wall, cpu] = [performance.now(), process.cpuUsage()];
    await work();
    const { user, system } = process.cpuUsage(cpu);
    times.push([(performance.now() - wall) / 1000, (user + system) / 1e6]);
  }
  return times;
}
