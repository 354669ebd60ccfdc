/** The texts of the report that leave the page: the headline of a terminal, and the methods of a paper. */
import { expect, test } from 'vitest';
import { headlineText, methodsText, type ReportData } from '../../lib/report/index.ts';
import { fitStudy, readRuns } from '../../lib/scaling/index.ts';
import { exampleResults } from '../scaling/example.ts';

const results = readRuns(exampleResults());
const study = fitStudy(results);
const music = { sentence: 'The music is a test.', phrase: 'music of a test' };
const ruled = { samples: 20, valid: 20, interval: [0.84, 1] as [number, number] };
const free = { samples: 80, valid: 3, interval: [0.0128, 0.1045] as [number, number] };
const data: ReportData = {
  ...{ title: 'A test', results, study, music, plots: [], samples: [], settings: {}, provenance: {} },
  validity: { ruled, free },
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
      /^Best: char-gpt-large-\d, 0\.\d+; valid samples: 20 of 20 \(84 to 100 %\) by the rules; 3 of 80 \(1\.3 to 10 %\) free$/,
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
