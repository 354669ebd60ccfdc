/** The stages train, evaluate and generate as processes: output, signals and errors. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse, parseDocument } from 'yaml';
import { type GptConfig, initialWeights, saveCheckpoint } from '../../lib/models/index.ts';
import { CharTokenizer, tokenizeCorpus } from '../../lib/tokenizer/index.ts';
import { readPrompts } from '../../stages/parts/prompts.ts';
import { buildFakeDriver } from './gpu/build.ts';
import { gpuIsTestable } from './gpu/fake-gpu.ts';
import { nativeIsBuilt } from './tiny.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const dir = mkdtempSync(join(tmpdir(), 'train-stage-'));
const path = (...parts: string[]) => join(dir, ...parts);
const checkpoint = path('checkpoint');
afterAll(() => rmSync(dir, { recursive: true }));

beforeAll(async () => {
  mkdirSync(path('splits'));
  const tune = (i: number) => `X:${i}\n${'CDEF GABc|'.repeat(3 + (i % 5))}${'^cBAG FEDC|'.repeat(2 + (i % 3))}\n`;
  for (const [split, count] of Object.entries({ train: 60, val: 20, test: 20 })) {
    const lines = Array.from({ length: count }, (_, i) => JSON.stringify({ id: `${split}-${i}`, abc: tune(i) }));
    writeFileSync(path('splits', `${split}.jsonl`), `${lines.join('\n')}\n`);
  }
  await tokenizeCorpus(path('splits'), path('tokens'), { name: 'char', threads: 1 });
  const params = parseDocument(readFileSync(join(root, 'params.yaml'), 'utf8'));
  // Long enough that the signal arrives during training.
  const edits = { tokens: 160_000, block: 64, batch: 8, dropout: 0.1, evaluations: 4, evaluation_tokens: 640 };
  for (const [key, value] of Object.entries(edits)) params.setIn(['train', key], value);
  params.setIn(['train', 'engine'], nativeIsBuilt ? 'native' : 'tfjs');
  if (!nativeIsBuilt) params.setIn(['train', 'tokens'], 4000);
  writeFileSync(path('params.yaml'), String(params));
});

/** Runs the train stage. Sends `signal`, if any, once the share `interruptAt` of the run is done. */
async function trainStage(
  name: string,
  more: string[] = [],
  signal?: NodeJS.Signals,
  interruptAt = 0,
  { size = 'lstm-small', params = 'params.yaml', env = {} }: { size?: string; params?: string; env?: object } = {},
) {
  const args = [
    join(root, 'stages/start.mjs'),
    join(root, 'stages/train.ts'),
    path('tokens'),
    path(name),
    path(`${name}.csv`),
  ];
  const flags = [...['--size', size, '--seed', '1'], ...['--params', path(params), '--metrics', path(`${name}.json`)]];
  const stage = spawn(process.execPath, [...args, ...flags, ...more], {
    cwd: root,
    env: { ...process.env, ...env, REPRO_PROGRESS_FD: '3' },
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise<number | null>((resolve) => stage.on('close', resolve));
  let stderr = '';
  stage.stderr!.on('data', (text) => (stderr += text));
  const progress: { done: number; total: number; unit: string }[] = [];
  for await (const line of createInterface({ input: stage.stdio[3] as Readable })) {
    progress.push(JSON.parse(line));
    const { done, total } = progress.at(-1)!;
    if (signal && done >= interruptAt * total && done < total && !stage.killed) stage.kill(signal);
  }
  return { status: await ended, stderr, progress };
}

const bytes = (name: string) => readFileSync(path(name));

describe('the train stage', () => {
  test('writes a checkpoint when it is stopped, and the next attempt gives the same bytes as an uninterrupted run', async () => {
    const uninterrupted = await trainStage('through');
    expect(uninterrupted).toMatchObject({ status: 0, stderr: '' });
    expect(uninterrupted.progress.at(-1)).toMatchObject({ unit: 'tokens' });
    expect(uninterrupted.progress.at(-1)!.done).toBe(uninterrupted.progress.at(-1)!.total);

    const stopped = await trainStage('stopped', ['--checkpoint', checkpoint], 'SIGTERM', 0.05);
    expect(stopped).toMatchObject({
      status: 1,
      stderr: 'train: interrupted (SIGTERM); the next attempt continues from here\n',
    });
    expect(existsSync(path('stopped'))).toBe(false);
    const [kept, ...others] = readdirSync(checkpoint);
    expect(others).toEqual([]);
    const step = Number(/^step-(\d+)$/.exec(kept)![1]);
    expect(step).toBeGreaterThan(0);

    const resumed = await trainStage('stopped', ['--checkpoint', checkpoint]);
    expect(resumed).toMatchObject({ status: 0, stderr: '' });
    expect(resumed.progress[0].done).toBe((step + 1) * 8 * 64);
    expect(bytes('stopped/model.safetensors').equals(bytes('through/model.safetensors'))).toBe(true);
    expect(String(bytes('stopped.csv')).replaceAll('stopped', 'through')).toBe(String(bytes('through.csv')));
    expect(readdirSync(checkpoint)).toEqual([]);
  });
});

describe.skipIf(!gpuIsTestable)('the train stage on a GPU (skipped if the addon of native/cuda is not built)', () => {
  const checkpoint = path('gpu-checkpoint');
  const gpu = (more: object = {}) => ({
    ...{ size: 'lstm-tiny', params: 'gpu.yaml' },
    env: { CUDA_VISIBLE_DEVICES: '0', CUDA_DRIVER_LIBRARY: buildFakeDriver(), ...more },
  });
  const stage = (...[signal, share, env]: [NodeJS.Signals?, number?, object?]) =>
    trainStage('gpu', ['--checkpoint', checkpoint], signal, share, gpu(env));

  test('says in one sentence that the GPU was lost, keeps the checkpoint, and continues from it', async () => {
    const params = parseDocument(readFileSync(path('params.yaml'), 'utf8'));
    const edits = {
      // Far more than are trained before the signal.
      tokens: 400_000,
      block: 16,
      batch: 4,
      engine: 'auto',
      gpus: 1,
      evaluations: 1,
      budgets: [],
      schedule: 'cosine',
    };
    for (const [key, value] of Object.entries(edits)) params.setIn(['train', key], value);
    writeFileSync(path('gpu.yaml'), String(params));
    expect((await stage('SIGTERM')).status).toBe(1);
    const kept = readdirSync(checkpoint);
    expect(kept).toEqual([expect.stringMatching(/^step-\d+$/)]);

    const lost = await stage(undefined, 0, { FAKE_CUDA_LOST: '3' });
    expect(lost.stderr).toMatch(
      /^train: the GPU failed: [^\n]*\(CUDA_ERROR_LAUNCH_FAILED\); run the same command[^\n]*\n$/,
    );
    expect(lost.status).toBe(1);
    expect(readdirSync(checkpoint)).toEqual(kept);

    const resumed = await stage('SIGTERM');
    expect(resumed.progress[0].done).toBe((Number(kept[0].slice('step-'.length)) + 1) * 4 * 16);
  });

  test('names the GPU and the digest of its kernels in the metrics, which repro records in its lock', async () => {
    const params = parseDocument(readFileSync(path('gpu.yaml'), 'utf8'));
    params.setIn(['train', 'tokens'], 640);
    writeFileSync(path('short.yaml'), String(params));
    expect(await trainStage('short', [], undefined, 0, { ...gpu(), params: 'short.yaml' })).toMatchObject({
      ...{ status: 0, stderr: '' },
    });
    const { engine } = JSON.parse(String(bytes('short.json')));
    expect(engine).toMatch(/^gpu fp32, CPU behind a fake driver, kernels [0-9a-f]{8}$/);
    const pipeline = parse(readFileSync(join(root, 'pipeline.yaml'), 'utf8'));
    expect(pipeline.stages.train.deps).toContain('native/cuda/ptx');
  });
});

test('a run that diverges reports the step, the reason and the weights that it kept', () => {
  const params = parseDocument(readFileSync(path('params.yaml'), 'utf8'));
  params.setIn(['train', 'lr'], 1e9);
  writeFileSync(path('wild.yaml'), String(params));
  const args = [
    join(root, 'stages/start.mjs'),
    join(root, 'stages/train.ts'),
    path('tokens'),
    path('wild'),
    path('wild.csv'),
  ];
  const flags = ['--size', 'gpt-tiny', '--seed', '1', '--params', path('wild.yaml'), '--metrics', path('wild.json')];
  const { status, stderr } = spawnSync(process.execPath, [...args, ...flags], { cwd: root, encoding: 'utf8' });
  expect(stderr).toMatch(
    /^train: warning: stopped at step \d+, because the (loss|norm of the gradient|validation loss) .*; \S+wild has the initial weights\. .*train.lr.*\n$/,
  );
  expect(status).toBe(0);
  const { step } = JSON.parse(String(bytes('wild.json'))).diverged_at;
  expect(stderr).toContain(`step ${step},`);
});

describe('a model and tokens of another tokenizer', () => {
  test.each(['evaluate', 'generate'])('are refused by %s, in one sentence with both vocabularies', async (stage) => {
    const config: GptConfig = {
      ...{ architecture: 'gpt', vocabularySize: 99, block: 8, layers: 1, width: 4, heads: 1, dropout: 0, bias: true },
    };
    await saveCheckpoint(path('other'), { config, weights: initialWeights(config, 1) });
    const outputs = stage === 'generate' ? [path('samples')] : [path('losses.csv'), path('positions.csv')];
    const paths = [path('other'), path('tokens'), ...outputs];
    const args = [
      join(root, 'stages/start.mjs'),
      join(root, `stages/${stage}.ts`),
      ...paths,
      '--params',
      path('params.yaml'),
    ];
    const { status, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
    expect(stderr).toMatch(
      new RegExp(`^${stage}: \\S+other has a vocabulary of 99 tokens, \\S+tokens one of \\d+: .*another tokenizer\\n$`),
    );
    expect(status).toBe(1);
  });
});

describe('samples begin with', () => {
  const HEAD = 'X:1\nM:4/4\nL:1/4\nQ:1/4=100\nK:C\n';
  const one = `${HEAD}CDEF|GABc|\n`;
  const two = `${HEAD}V:1\nV:2\n%%MIDI program 3\n[V:1]CDEF|[V:2]C,4|\n[V:1]GABc|[V:2]Z|\n[V:1]c4|[V:2]C,4|\n`;
  const header = two.slice(0, two.indexOf('[V:1]'));

  test.each([
    ['nothing', 'none', [{ text: '', bars: 0 }]],
    ['a text', HEAD, [{ text: HEAD, bars: 0 }]],
    [
      'headers of test tunes, and the mark of the first of several voices',
      'header',
      [
        { text: HEAD, bars: 0, tune: 0 },
        { text: `${header}[V:1]`, bars: 0, tune: 1 },
      ],
    ],
    [
      'first bars of test tunes, but never all of them',
      'bars',
      [
        { text: `${HEAD}CDEF|`, bars: 1, tune: 0 },
        { text: two.slice(0, two.indexOf('[V:1]c4') + 5), bars: 2, tune: 1 },
      ],
    ],
    [
      'headers of tunes whose bars the tokens hold',
      'header',
      [
        { text: HEAD, bars: 0, tune: 0 },
        { text: HEAD, bars: 0, tune: 2 },
      ],
      12,
    ],
  ] as [string, string, object[], number?][])('%s', async (_, prompt, prompts, max_tokens = 1000) => {
    const folder = mkdtempSync(path('prompts-'));
    for (const split of ['train', 'val', 'test']) {
      const lines = [one, two, one].map((abc, i) => `${JSON.stringify({ id: String(i), abc })}\n`);
      writeFileSync(join(folder, `${split}.jsonl`), lines.join(''));
    }
    await tokenizeCorpus(folder, join(folder, 'tokens'), { name: 'char', threads: 1 });
    const tokenizer = CharTokenizer.load(join(folder, 'tokens/tokenizer.json'));
    const params = parse(readFileSync(join(root, 'params.yaml'), 'utf8'));
    const settings = { ...params.generate, prompt, prompt_bars: 2, max_tokens };
    expect(await readPrompts(join(folder, 'tokens'), tokenizer, settings, 2)).toEqual(prompts);
  });
});
