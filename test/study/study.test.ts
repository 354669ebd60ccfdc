/** The study from MIDI files to the report page, through `repro`: its outputs, and which stages an edit runs again. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { csvParse } from 'd3-dsv';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { firstSteps } from '../../scripts/first-steps.ts';
import { readStudies } from '../../stages/parts/studies.ts';
import { events, removeProjects, type TestProject } from '../repro/project.ts';
import { ROOT, smallStudy } from './copy.ts';

const RUNS = ['char-gpt-tiny-1', 'char-lstm-tiny-1'];
let study: TestProject;
let first: Record<string, string>;

beforeAll(async () => {
  study = smallStudy();
  first = await study.outcomes();
});
afterAll(removeProjects);

const json = (path: string) => JSON.parse(study.read(path));
const outcomes = (...args: string[]) => study.outcomes(...args);

describe('one command', () => {
  test('runs every stage', () => {
    const cells = ['train', 'evaluate', 'generate'].flatMap((stage) => RUNS.map((run) => `${stage}@${run}`));
    const single = ['download', 'convert', 'split', 'tokenize@char', 'samples', 'results', 'fit', 'plot', 'report'];
    expect(Object.keys(first).sort()).toEqual([...single, ...cells].sort());
    expect(new Set(Object.values(first))).toEqual(new Set(['ran']));
  });

  test('makes a table with a row per run and budget, finite losses, and bits per byte computed from nats', () => {
    const rows = csvParse(study.read('outputs/results.csv'));
    const named = rows.map(({ run, branch_of, tokens }) => [run, branch_of, Number(tokens)]);
    expect(named).toEqual(
      RUNS.flatMap((run) => [
        [run, '', 20_480],
        [`${run}@0.25`, run, 5120],
        [`${run}@0.5`, run, 10_240],
      ]),
    );
    for (const row of rows) {
      for (const column of ['params', 'tokens', 'flops', 'train_loss', 'test_loss'])
        expect(Number(row[column]), column).toBeGreaterThan(0);
      // Smaller budgets are measured on the splits of evaluate.budget_splits, which is the test split only.
      if (row.branch_of === '') expect(Number(row.val_loss)).toBeGreaterThan(0);
      else expect([row.val_loss, row.val_bits_per_byte]).toEqual(['', '']);
      // Characters of ABC are bytes, except one <|endoftext|> per tune.
      expect(Number(row.test_bits_per_byte)).toBeCloseTo(Number(row.test_loss) / Math.LN2, 1);
      expect(Number(row.perplexity)).toBeCloseTo(Math.exp(Number(row.test_loss)), 6);
    }
  });

  test('writes the loss of each test tune, whose sums are the losses in the table', () => {
    const [row] = csvParse(study.read('outputs/results.csv'));
    const tunes = csvParse(study.read(`outputs/losses/${row.run}.csv`));
    const total = (column: string) => tunes.reduce((sum, tune) => sum + Number(tune[column]), 0);
    expect(tunes.map(({ run, tune }) => [run, tune])).toEqual(tunes.map((_, i) => [row.run, String(i + 1)]));
    // The first token of the split is not predicted.
    expect(total('tokens')).toBe(total('bytes') + tunes.length - 1);
    expect(total('bits') / total('tokens')).toBeCloseTo(Number(row.test_loss) / Math.LN2, 5);
    expect(total('bits') / total('notes')).toBeCloseTo(Number(row.test_bits_per_note), 6);
    const positions = csvParse(study.read(`outputs/positions/${row.run}.csv`));
    expect(positions.map(({ position }) => Number(position))).toEqual(positions.map((_, i) => i + 1));
    const predictions = positions.reduce((sum, { tokens }) => sum + Number(tokens), 0);
    const bits = positions.reduce((sum, each) => sum + Number(each.tokens) * Number(each.bits_per_token), 0);
    expect(bits / predictions).toBeCloseTo(Number(row.test_bits_per_byte_without_overlap), 1);
  });

  test('measures the samples of each run in the same way as real tunes of the test split', () => {
    const rows = csvParse(study.read('outputs/samples.csv'));
    const kinds = rows.map(({ run, kind, samples }) => [run, kind, samples]);
    const drawn = RUNS.flatMap((run) => ['constrained', 'free'].map((kind) => [run, kind, '1']));
    expect(kinds).toEqual([['test', 'real', rows[0].samples], ...drawn]);
    expect(rows[0]).toMatchObject({ valid_share: '1', convertible_share: '1', bars_right_share: '1' });
    expect(Number(rows[0].bars_in_train)).toBeGreaterThan(0);
    expect(rows[1]).toMatchObject({ architecture: 'gpt', bars_right_share: '1' });
    expect(Number(rows[1].params)).toBeGreaterThan(1000);
  });

  test('refuses to fit a law to a single run of an architecture', () => {
    const { fits } = json('outputs/scaling.json');
    expect(Object.keys(fits)).toEqual(['char-gpt', 'char-lstm']);
    expect(JSON.stringify(fits['char-gpt'])).toMatch(/refused/);
    expect(Object.keys(fits['char-gpt'].test_split.losses)).toEqual(['char-gpt-tiny-1']);
    const published = json('outputs/scaling_results.json');
    expect(published.transformer.concat(published.rnn).map(({ run }: { run: string }) => run)).toEqual(RUNS);
  });

  test('draws each plot as SVG, PNG, PDF and Vega-Lite', () => {
    const plots = [
      'scaling',
      'budgets',
      'compute-optimal',
      'architectures',
      'training',
      'positions',
      'split',
      'tokens',
    ];
    const files = (...extensions: string[]) =>
      plots.flatMap((plot) => extensions.map((extension) => `${plot}.${extension}`)).sort();
    expect(readdirSync(study.path('outputs/plots')).sort()).toEqual(
      ['narrow', ...files('pdf', 'png', 'svg', 'vl.json')].sort(),
    );
    expect(readdirSync(study.path('outputs/plots/narrow')).sort()).toEqual(files('svg', 'vl.json'));
    expect(json('outputs/plots/scaling.vl.json').$schema).toMatch(/vega-lite/);
  });

  test('writes samples, and a page that loads nothing from the network', () => {
    for (const run of RUNS) expect(existsSync(study.path(`outputs/samples/${run}/001.abc`))).toBe(true);
    const page = study.read('outputs/report/index.html');
    expect(page).toContain('char-gpt-tiny-1');
    // A row for each run, with its smaller budgets in columns.
    expect(page.match(/<th scope="row" data-value="char-gpt-tiny-1/g)).toHaveLength(1);
    expect(page).toContain('test bits per byte at 25 % of tokens');
    expect(page).not.toMatch(/(?:src|href)="https?:/);
    expect(page).toMatch(/The music is synthetic: a grammar with seed \d+ composed its \d+ pieces\./);
    const headline = study.read('outputs/report/headline.txt').trimEnd().split('\n');
    expect(headline[0]).toMatch(/^Test bits per byte of 2 models .* on synthetic music composed by a grammar$/);
    expect(headline[1]).toMatch(/^GPT: no scaling law; /);
    expect(headline.length).toBeLessThanOrEqual(6);
  });

  test('names each output by the hash in the lock, and the commit of the code, not the clock', () => {
    const page = study.read('outputs/report/index.html');
    const [, hash] = /outputs\/scaling\.json:\n\s+sha256: (\w+)/.exec(study.read('dvc-like.lock'))!;
    expect(page).toContain(`<code title="${hash}">`);
    expect(page).toContain('not known: no git repository, or a shallow clone');
    expect(page).not.toMatch(new RegExp(String.raw`${new Date().getUTCFullYear()}-\d\d-\d\d`));
  });

  test('makes a checkpoint with the keys of transformers', () => {
    expect(json('outputs/models/char-gpt-tiny-1/config.json')).toMatchObject({
      ...{ model_type: 'gpt_neox', num_hidden_layers: 2, init: 'fan-in' },
    });
    const file = readFileSync(study.path('outputs/models/char-gpt-tiny-1/model.safetensors'));
    const header = JSON.parse(file.subarray(8, 8 + Number(file.readBigUInt64LE(0))).toString());
    expect(Object.keys(header)).toContain('gpt_neox.layers.0.attention.query_key_value.weight');
  });
});

test('a study of studies.yaml takes its first 20 steps with its own settings', async () => {
  const params = readStudies(join(ROOT, 'params.yaml'), join(ROOT, 'studies.yaml')).get('synthetic-tiny')!;
  const run = { name: 'first', tokenizer: 'char', size: params.train.sizes[0], seed: 1 };
  const metrics = await firstSteps(study.path('data/tokens/char'), params, run, study.path('first-steps'));
  expect(metrics).toMatchObject({
    size: 'gpt-2x16h2',
    steps: 20,
    tokens: 20 * params.train.batch * params.train.block,
  });
  expect(metrics.train_loss).toBeLessThan(Math.log(64));
});

describe('how long the runs took', () => {
  const times = (...args: string[]) =>
    spawnSync(process.execPath, ['stages/start.mjs', 'stages/by-hand/times.ts', ...args], {
      cwd: study.root,
      encoding: 'utf8',
    });

  test('is a table of its own, beside the table of runs', () => {
    expect(times().stdout).toMatch(/^run .*tokens\/s.*\nchar-gpt-tiny-1 .* native fp32, .*1 thread\n/);
    expect(times().stdout).toContain('2 of 2 runs were trained here');
    expect(times('--csv', 'with-times.csv').status).toBe(0);
    const rows = csvParse(study.read('with-times.csv'));
    expect(rows.map(({ seconds }) => Number(seconds) > 0)).toEqual([true, false, false, true, false, false]);
    for (const row of rows) expect(Number(row.tokens_per_second)).toBeGreaterThan(0);
  });

  test('is not told of a run whose metrics are those of other inputs', () => {
    const file = `outputs/metrics/train/${RUNS[0]}.json`;
    const metrics = study.read(file);
    study.write(file, metrics.replace('"steps": ', '"steps": 1'));
    expect(times().stdout).toContain('1 of 2 runs were trained here');
    study.write(file, metrics);
  });
});

describe('a later call', () => {
  test('runs no stage if nothing changed', async () => {
    expect(await outcomes()).toEqual({});
  });

  test('runs the stages of an added size, and those that read all runs', async () => {
    const before = statSync(study.path('outputs/models/char-gpt-tiny-1/model.safetensors')).mtimeMs;
    const edit = ['-S', 'train.sizes=[gpt-tiny, lstm-tiny, gpt-2x16h2]'];
    const cells = ['train', 'evaluate', 'generate'].map((stage) => `${stage}@char-gpt-2x16h2-1`);
    const [{ stages }] = events((await study.repro('--dry', '--json', ...edit)).stdout);
    const forecast = stages.filter(({ state }: { state: string }) => state !== 'fresh');
    expect(forecast.map(({ stage }: { stage: string }) => stage).sort()).toEqual(
      [...cells, 'samples', 'results', 'fit', 'plot', 'report'].sort(),
    );
    // Plots and the report are only forecast here: they take longer than the others, and other tests make them.
    const ran = await outcomes(...edit, 'fit', 'samples');
    expect(Object.keys(ran).sort()).toEqual([...cells, 'samples', 'results', 'fit'].sort());
    expect(statSync(study.path('outputs/models/char-gpt-tiny-1/model.safetensors')).mtimeMs).toBe(before);
  });

  test('drops the rows of a removed size from the table, and trains no model', async () => {
    const ran = await outcomes('-S', 'train.sizes=[gpt-tiny, lstm-tiny]', 'fit', 'samples');
    expect(Object.keys(ran).sort()).toEqual(['fit', 'results', 'samples']);
    const whole = csvParse(study.read('outputs/results.csv')).filter(({ branch_of }) => branch_of === '');
    expect(whole.map(({ run }) => run)).toEqual(RUNS);
  });

  test('trains with another learning rate but does not convert again; with the first rate, it restores the first models', async () => {
    const weights = () => readFileSync(study.path('outputs/models/char-gpt-tiny-1/model.safetensors'));
    const before = weights();
    const ran = await outcomes('-S', 'train.lr=0.001', 'fit');
    expect(ran).toMatchObject({ 'train@char-gpt-tiny-1': 'ran', 'evaluate@char-lstm-tiny-1': 'ran', fit: 'ran' });
    expect(Object.keys(ran)).not.toContain('tokenize@char');
    expect(weights().equals(before)).toBe(false);
    const { lr } = parse(readFileSync(join(ROOT, 'params.yaml'), 'utf8')).train;
    const back = await outcomes('-S', `train.lr=${JSON.stringify(lr)}`);
    expect(back).toMatchObject({ 'train@char-gpt-tiny-1': 'restored' });
    expect(weights().equals(before)).toBe(true);
  });

  test('converts again after an edit to the MIDI reader, which runs in threads', async () => {
    const reader = study.read('lib/music/midi/read-midi.ts');
    study.write('lib/music/midi/read-midi.ts', `${reader}\n// read otherwise\n`);
    const { stages } = JSON.parse((await study.repro('status', '--json')).stdout);
    expect(stages.convert).toMatchObject({
      state: 'stale',
      reasons: [{ kind: 'code', path: 'lib/music/midi/read-midi.ts' }],
    });
    study.write('lib/music/midi/read-midi.ts', reader);
  });

  test('runs only the report if its title changed', async () => {
    expect(await outcomes('-S', 'report.title=Mine')).toEqual({ report: 'ran' });
    expect(study.read('outputs/report/index.html')).toContain('<title>Mine</title>');
  });

  test('changes nothing that git keeps if training is forced: times are in a file of their own', async () => {
    const run = 'char-lstm-tiny-1';
    const kept = ['dvc-like.lock', `outputs/metrics/train/${run}.json`, 'outputs/results.csv'];
    const [before, times] = [kept.map((path) => study.read(path)), study.read(`outputs/times/${run}.json`)];
    const ran = await outcomes('-f', '-s', `train@${run}`, 'results', '--no-run-cache');
    expect(ran).toEqual({ [`train@${run}`]: 'ran', results: 'ran' });
    expect(kept.map((path) => study.read(path))).toEqual(before);
    expect(study.read(`outputs/times/${run}.json`)).not.toBe(times);
    expect(await outcomes()).toEqual({});
  });
});

test('heads that do not divide the width end a run with an error that names the key and the values', async () => {
  const params = study.read('params.yaml');
  study.write('params.yaml', params.replace(/(gpt-tiny:\s*\{[^}]*heads:) 2/, '$1 3'));
  const { exit, stderr, stdout } = await study.repro('train@char-gpt-tiny-1');
  expect(stderr + stdout).toMatch(/params\.yaml: sizes\.gpt-tiny: .*heads.*3.*16/);
  expect(stderr + stdout).not.toMatch(/^\s+at /m);
  expect(exit).toBe(1);
});
