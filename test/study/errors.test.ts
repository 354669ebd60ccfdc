/**
 * Mistakes of users. Each gives an error of one sentence, both from repro and from a stage program that is run by hand.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { composePiece } from '../../lib/compose/index.ts';
import { removeProjects } from '../repro/project.ts';
import { ROOT, smallStudy } from './copy.ts';

const folder = mkdtempSync(join(tmpdir(), 'stages-test-'));
mkdirSync(join(folder, 'empty'));
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
  removeProjects();
});

const path = (...parts: string[]) => join(folder, ...parts);
const start = join(ROOT, 'stages/start.mjs');

function runStage(name: string, ...args: string[]) {
  return runStageWith({}, name, ...args);
}

function runStageWith(env: NodeJS.ProcessEnv, name: string, ...args: string[]) {
  const { status, stderr } = spawnSync(process.execPath, [start, join(ROOT, 'stages', `${name}.ts`), ...args], {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  return { status, stderr: stderr.trim() };
}

/** Writes a copy of params.yaml with one text replaced, and returns its path. */
function params(from: string, to: string): string {
  const text = readFileSync(join(ROOT, 'params.yaml'), 'utf8');
  if (!text.includes(from)) throw new Error(`params.yaml has no ${from}`);
  const file = path(`params-${to.replace(/\W+/g, '-')}.yaml`);
  writeFileSync(file, text.replace(from, to));
  return file;
}

describe('a stage program that is run by hand', () => {
  test.each([
    [
      'a folder that is not there',
      'download',
      () => [path('raw'), '--params', params('dataset: synthetic', 'dataset: nowhere/midi')],
      /nowhere\/midi/,
    ],
    [
      'a folder without MIDI',
      'convert',
      () => [path('empty'), path('abc'), '--params', join(ROOT, 'params.yaml')],
      /empty.*no music file/,
    ],
    [
      'a folder below /proc',
      'convert',
      () => [path('empty'), '/proc/nope/abc'],
      /\/proc\/nope\/abc: \/proc cannot hold new files/,
    ],
    ['a params file that is not there', 'convert', () => [path('empty'), path('abc')], /params\.yaml.*no such file/],
    [
      'a params file that is not YAML',
      'convert',
      () => [path('empty'), path('abc'), '--params', params('convert:', 'convert: [')],
      /\.yaml:\d+:\d+/,
    ],
    [
      'a wrong type',
      'convert',
      () => [path('empty'), path('abc'), '--params', params('grid: 16', 'grid: many')],
      /\.yaml:\d+:\d+: convert\.grid: must be 1, 2, 4, 8, 16 or 32, but is "many"/,
    ],
    [
      'an unknown key',
      'convert',
      () => [path('empty'), path('abc'), '--params', params('grid: 16', 'gird: 16')],
      /unknown key "gird".*did you mean "grid"/,
    ],
    [
      'too few arguments',
      'convert',
      () => [path('empty')],
      /needs RAW ABC, and got 1 path\n\ntsx stages\/convert\.ts RAW ABC \[--memo MEMO\] \[--record RECORD\] \[--params/,
    ],
    ['an unknown flag', 'convert', () => [path('empty'), path('abc'), '--fast'], /--fast/],
  ])('%s gives an error of one sentence without a stack, and exit code 1', (_, stage, args, sentence) => {
    const { status, stderr } = runStage(stage, ...args());
    expect(stderr).toMatch(sentence);
    expect(stderr).not.toMatch(/^\s+at /m);
    expect(status).toBe(1);
  });

  test('with DEBUG, the stack names the lines of the sources, although the program is bundled', () => {
    const { stderr } = runStageWith(
      { DEBUG: '1' },
      'convert',
      path('empty'),
      path('abc'),
      '--params',
      path('none.yaml'),
    );
    expect(stderr).toMatch(/at readParams .*lib\/repro\/stage-api\/read-params\.ts:\d+:\d+/);
  });

  test('a corrupt file is counted and named in the metrics, and the others are converted', () => {
    mkdirSync(path('raw/sub'), { recursive: true });
    writeFileSync(path('raw/sub/good.mid'), composePiece(1));
    writeFileSync(path('raw/broken.mid'), 'this is no MIDI');
    const args = [path('raw'), path('abc'), '--params', join(ROOT, 'params.yaml'), '--metrics', path('m.json')];
    expect(runStage('convert', ...args)).toEqual({ status: 0, stderr: '' });
    expect(readFileSync(path('abc/sub/good.abc'), 'utf8')).toMatch(/^X:1\n/);
    const metrics = JSON.parse(readFileSync(path('m.json'), 'utf8'));
    expect(metrics).toMatchObject({ files: 2, converted: 1, failed: [{ path: 'broken.mid' }] });
    expect(metrics.failed[0].reason).not.toBe('');
  });

  test('fit names the line of a table of runs that is wrong', () => {
    writeFileSync(path('runs.csv'), 'run,params,test_bits_per_byte\na,1000,2.0\nb,many,1.9\n');
    const { status, stderr } = runStage(
      'fit',
      path('runs.csv'),
      path('out.json'),
      '--params',
      join(ROOT, 'params.yaml'),
    );
    expect(stderr).toMatch(/runs\.csv:3.*params/);
    expect(status).toBe(1);
  });
});

describe('fit by hand', () => {
  test('reads a table of others with several budgets, and gives L(N, D)', () => {
    const lines = [1e3, 1e4, 1e5, 1e6].flatMap((n) =>
      [1e5, 1e6, 1e7].map((d) => `${n},${d},${1 + 9 * n ** -0.3 + 40 * d ** -0.35}`),
    );
    writeFileSync(path('table.csv'), ['Model Size,Training Tokens,loss', ...lines, ''].join('\n'));
    const yaml = ['--params', join(ROOT, 'params.yaml')];
    const results = ['--results', path('scaling_results.json')];
    expect(runStage('fit', path('table.csv'), path('fit.json'), ...yaml, ...results)).toEqual({
      status: 0,
      stderr: '',
    });
    const { loss, fits, warnings } = JSON.parse(readFileSync(path('fit.json'), 'utf8'));
    expect([loss, fits.all.law, fits.all.with_tokens.form]).toEqual(['loss', 'L(N, D)', 'chinchilla']);
    expect(warnings).toContain('the table has no test_bits_per_byte; its only loss, loss, is fitted');
    expect(JSON.parse(readFileSync(path('scaling_results.json'), 'utf8')).fits.all).toHaveProperty('beta');
    expect(runStage('by-hand/advise', ...yaml, '--sizes', '6k,2e4,60k')).toEqual({
      status: 1,
      stderr: 'advise: --noise is missing; for example, 0.01 means that losses scatter by 1 % between seeds',
    });
    const wrong = runStage('fit', path('table.csv'), path('fit.json'), ...yaml, '--form', 'cubic');
    expect(wrong).toEqual({ status: 1, stderr: 'fit: --form cubic is unknown: it is auto, power, chinchilla' });
  });
});

describe('repro', () => {
  test('refuses wrong params before any stage runs, with exit code 2', async () => {
    const study = smallStudy();
    const params = study.read('params.yaml');
    study.write('params.yaml', params.replace('  tokens:', '  token:'));
    const { exit, stderr } = await study.repro();
    expect(stderr).toMatch(/params\.yaml:\d+:\d+: unknown key "token" in train; did you mean "tokens"\?/);
    expect(exit).toBe(2);
    expect(study.exists('data')).toBe(false);
    study.write('params.yaml', params);
    const cosine = await study.repro('-S', 'train.schedule=cosine');
    const memory = await study.repro('-S', 'train.memory=lots');
    expect(memory.stderr).toMatch(
      /params\.yaml:\d+:\d+: train\.memory: "lots" is not of the right form: .* such as 512MiB/,
    );
    // Names and numbers of late stages, which would otherwise be found only after training.
    const late = ['fit.loss=nope', 'evaluate.budget_splits=[tset]', 'generate.seed=1e20'];
    const { stderr: lateErrors } = await study.repro(...late.flatMap((set) => ['-S', set]));
    expect(lateErrors).toMatch(/fit\.loss: must be "train_loss", .* or "perplexity", but is "nope"/);
    expect(lateErrors).toMatch(/evaluate\.budget_splits\[0\]: is "tset"; did you mean "test"/);
    expect(lateErrors).toMatch(/generate\.seed: must be <= 9007199254740991/);
    const empty = await study.repro(
      '-S',
      'fit.loss=test_bits_per_byte_equal_context',
      '-S',
      'evaluate.context_bytes=0',
    );
    expect(empty.stderr).toMatch(/evaluate\.context_bytes: must be >= 1/);
    expect(study.exists('data')).toBe(false);
    expect(cosine.stderr).toMatch(/params\.yaml.*train\.budgets: must have at most 0 items, but has 2/);
  });
});
