/** The texts of the report: the headline of a terminal, the methods of a paper, and the laws in the page. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { headlineText, methodsText, type ReportData, writeReport } from '../../lib/report/index.ts';
import { fitStudy, readRuns, wholeRuns } from '../../lib/scaling/index.ts';
import { exampleResults } from '../scaling/example.ts';
import { textOf } from './example.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'report-'));
});
afterAll(() => rm(folder, { recursive: true }));

const results = readRuns(exampleResults());
const study = fitStudy(results);
const music = { sentence: 'The music is a test.', phrase: 'music of a test' };
const constrained = { samples: 20, valid: 20, interval: [0.84, 1] as [number, number] };
const free = { samples: 80, valid: 3, interval: [0.0128, 0.1045] as [number, number] };
const data: ReportData = {
  ...{ title: 'A test', results, study, music, plots: [], samples: [], settings: {}, provenance: {} },
  validity: { constrained, free },
};

/** The methods of the example, with these sections of params.yaml. */
const methods = (settings: Parameters<typeof methodsText>[1]) =>
  methodsText(data, settings, {}, { name: 'a-study', version: '1.0.0', licence: 'MIT' }).join('\n');

test('the headline has a line each for the runs, the laws, their comparison, and the best model with its samples', () => {
  const lines = headlineText(data).split('\n');
  expect(lines).toEqual([
    expect.stringMatching(
      /^Test bits per byte of \d+ models \(GPT and LSTM\) .* parameters after 1,024,000 tokens, on music of a test$/,
    ),
    expect.stringMatching(/^GPT: L\(N\) = .*; α = 0\.\d+ \(95 %: 0\.\d+ to 0\.\d+\)/),
    expect.stringMatching(/^LSTM: L\(N\) = /),
    expect.stringMatching(/^LSTM is better at small sizes and GPT at large ones/),
    expect.stringMatching(
      /^Best: char-gpt-large-\d, 0\.\d+; valid samples: 20 of 20 \(84 to 100 %\) constrained; 3 of 80 \(1\.3 to 10 %\) free$/,
    ),
    '',
  ]);
});

test('a line of the headline that is too long ends with its last whole clause', () => {
  const verdict = `GPT is better than LSTM from 40 k to 400 k parameters; elsewhere ${'they are not distinguishable, '.repeat(5)}`;
  const [comparison] = study.comparisons;
  const long = { ...data, study: { ...study, comparisons: [{ ...comparison, verdict }] } };
  expect(headlineText(long)).toContain('\nGPT is better than LSTM from 40 k to 400 k parameters …\n');
});

test('the methods give the rule of the learning rate for each architecture, or for all', () => {
  const perArchitecture = { lr: { gpt: 0.006, lstm: 0.009 }, lr_width: 64, lr_exponent: { gpt: 0.25, lstm: 0.5 } };
  const rated = { ...data, results: results.map((row) => ({ ...row, learning_rate: 0.01 })) };
  const text = (train: Record<string, unknown>) =>
    methodsText(rated, { train }, {}, { name: 'a-study', version: '1.0.0', licence: 'MIT' }).join('\n');
  expect(text(perArchitecture)).toContain(
    'The peak learning rate was 0.01, as 0.006·(64/width)^0.25 for GPT and 0.009·(64/width)^0.5 for LSTM.',
  );
  expect(text({ lr: 0.012, lr_width: 64, lr_exponent: 0.5 })).toContain(', as 0.012·(64/width)^0.5.');
});

test('the methods give both shares of valid samples with their Wilson intervals', () => {
  const text = methods({ generate: { temperature: 0.9, top_p: 0.95 }, evaluate: { stride: 0.5 } });
  expect(text).toContain('in windows of one block, each 50 % of a block after the one before;');
  expect(text).toContain(
    'Samples were drawn at temperature 0.9 with top-p 0.95. ' +
      'Of those constrained to the rules of the notation, 20 of 20 are valid ABC (95 % Wilson interval: 84 % to 100 %). ' +
      'Of those drawn freely, 3 of 80 are valid ABC (95 % Wilson interval: 1.3 % to 10 %).',
  );
});

test('the methods say what smaller budgets of the same runs gave', () => {
  const shares = [0.25, 0.5];
  const branches = results.flatMap((row) =>
    shares.map((share) => ({
      ...{ ...row, run: `${row.run}@${share}`, branch_of: row.run, tokens: row.tokens! * share },
      test_bits_per_byte: row.test_bits_per_byte! + 0.1 * (share ** -0.5 - 1),
    })),
  );
  const budgets = { ...data, study: fitStudy([...results, ...branches]) };
  const text = methodsText(budgets, { train: { budgets: shares } }, {}, { name: 'a', version: '1', licence: 'MIT' });
  expect(text.join('\n')).toContain('Each run also gave its losses after 25 % and 50 % of the tokens, by cooldowns');
  expect(text.join('\n')).toMatch(/GPT, by size and tokens: L\(N, D\) = .* from 10 whole runs and 20 smaller budgets/);
  expect(headlineText(budgets)).toBe(headlineText(data));
});

test('the page has the law of size and tokens, and the best size for a compute, if runs have smaller budgets', async () => {
  const rows = [5e3, 2e4, 8e4, 3e5, 1e6].flatMap((params, i) =>
    [1, 0.5, 0.25].map((share, j) => {
      // Noise of half a percent, the same in each run of the test.
      const noise = 1 + 0.005 * Math.sin(7 * i + 3 * j);
      const loss = (0.6 + 20 * params ** -0.38 + 60 * (4e6 * share) ** -0.36) * noise;
      const [run, whole] = share === 1 ? [`r${i}`, ''] : [`r${i}@${share}`, `r${i}`];
      return `${run},char,gpt,gpt-s${i},1,${params},${4e6 * share},${loss},${whole}`;
    }),
  );
  const table = `run,tokenizer,architecture,size,seed,params,tokens,test_bits_per_byte,branch_of\n${rows.join('\n')}\n`;
  const study = fitStudy(readRuns(table));
  const results = wholeRuns(readRuns(table));
  const file = await writeReport(folder, { ...data, results, study });
  const shown = textOf(await readFile(file, 'utf8'));
  expect(shown).toMatch(/GPT, by size and tokens: L\(N, D\) = .*·N −0\.\d+ \+ .*·D −0\.\d+ , with α = 0\.\d+/);
  expect(shown).toMatch(/the best size is .* parameters .* it grows as C 0\.\d+ \(/);
});
