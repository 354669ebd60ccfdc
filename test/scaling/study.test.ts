/** From results.csv to scaling.json: reading the table, fitting each group, the verdicts, comparing architectures. */
import { describe, expect, test } from 'vitest';
import { fitStudy, isRefusal, type PowerLawFit, predictDifference, readRuns } from '../../lib/scaling/index.ts';
import { exampleResults, LAWS, type Law } from './example.ts';

const [GPT, LSTM] = LAWS;

function study(laws: Law[] = LAWS, options: Parameters<typeof fitStudy>[1] = {}, seeds = [1, 2], noise = 0.006) {
  return fitStudy(readRuns(exampleResults(laws, seeds, noise)), options);
}

describe('readRuns', () => {
  test('reads results.csv, with numbers as numbers', () => {
    const rows = readRuns(exampleResults());
    expect(rows).toHaveLength(18);
    expect(rows[0]).toMatchObject({ run: 'char-gpt-tiny-1', tokenizer: 'char', params: 5632, diverged: false });
  });

  test('reads another table, with unknown columns, quotes, a byte order mark and empty cells', () => {
    const rows = readRuns('\uFEFFrun,params,test_loss,note\r\n"a, b",1e3,,"two\nlines"\r\nc,2000,1.5,7\r\n');
    expect(rows[0]).toMatchObject({ run: 'a, b', params: 1000, test_loss: null, note: 'two\nlines', architecture: '' });
    expect(rows[1]).toMatchObject({ run: 'c', params: 2000, test_loss: 1.5, note: 7 });
  });

  test.each([
    ['', 'runs.csv is empty'],
    ['run,loss\na,1\n', 'runs.csv:1: no column params; there are run, loss'],
    ['run;params;loss\na;1;2\n', 'runs.csv:1: its cells are separated by semicolons; a table needs commas'],
    ['run\tparams\na\t1\n', 'runs.csv:1: its cells are separated by tabs; a table needs commas'],
    ['run,params,params\n', 'runs.csv:1: there are two columns params'],
    ['run,params\n', 'runs.csv has a header and no runs'],
    ['run,params\na,1\nb,2,3\n', 'runs.csv:3: 3 cells, where the first line names 2 columns'],
    ['run,params,test_loss\na,1,1.5\nb,2,low\n', "runs.csv:3, column test_loss: 'low' is not a number"],
    ['run,params\n"a\nb",1\nc,many\n', "runs.csv:4, column params: 'many' is not a number above 0"],
    ['run,params\na,0\n', "runs.csv:2, column params: '0' is not a number above 0"],
    ['run,params\n,5\n', 'runs.csv:2, column run: a name is missing'],
    ['run,params,diverged\na,5,perhaps\n', "column diverged: 'perhaps' is neither true nor false"],
    ['run,params\na,1\na,2\n', 'runs.csv: there are two runs a'],
  ])('reports the line and column of an error in %j', (csv, message) => {
    expect(() => readRuns(csv, 'runs.csv')).toThrow(message);
  });
});

describe('fitStudy', () => {
  test('fits each tokenizer and architecture, and states the result in words', () => {
    const { fits, loss, size } = study();
    expect([loss, size]).toEqual(['test_bits_per_byte', 'params']);
    expect(Object.keys(fits)).toEqual(['char-gpt', 'char-lstm']);
    const gpt = fits['char-gpt'];
    expect(gpt).toMatchObject({ runs: 10, sizes: 5, left_out: [], with_tokens: null });
    expect((gpt.fit as PowerLawFit).intervals.alpha![0]).toBeLessThan(GPT.alpha);
    expect((gpt.fit as PowerLawFit).intervals.alpha![1]).toBeGreaterThan(GPT.alpha);
    expect(gpt.verdict).toMatch(/^GPT: test bits per byte falls towards a floor, .* from 10 runs of 5 sizes/);
    expect(gpt.best!.run).toMatch(/^char-gpt-large-/);
  });

  test('the verdict of a pure power law gives the floors that are not excluded', () => {
    const verdictOf = (losses: number[]) => {
      const rows = losses.map((loss, i) => `${i},${[6272, 18936, 56800, 161920, 465312][i]},${loss}`);
      return fitStudy(readRuns(`run,params,test_loss\n${rows.join('\n')}\n`), { loss: 'test_loss' }).fits.all.verdict;
    };
    expect(verdictOf([1.458, 1.296, 1.269, 1.091, 1.036])).toMatch(
      /if there is no floor \(then α lies in .*\), .* No floor below the lowest loss, 1\.04, is excluded either\. Whatever the floor is, α lies in 0\.\d+ (to|and)/,
    );
    expect(verdictOf([1.45, 1.33, 1.221, 1.122, 1.031])).toMatch(
      /A floor anywhere up to 0\.\d+ is not excluded either\./,
    );
  });

  test('fits other columns of loss and size', () => {
    const fitted = study(LAWS, { loss: 'test_loss', size: 'params_non_embedding' });
    const gpt = fitted.fits['char-gpt'].fit as PowerLawFit;
    expect(gpt.points[0].params).toBe(5632 - 3072);
    expect(() => study(LAWS, { loss: 'test_los' })).toThrow(
      /no run has a value in column test_los; the columns with numbers are .*test_loss/,
    );
  });

  test('leaves out only runs that diverged or have no loss, and names them', () => {
    const lines = exampleResults().split('\n');
    const spoilt = lines
      .map((line) => (line.startsWith('char-gpt-small-2') ? line.replace(/false$/, 'true') : line))
      .map((line) => (line.startsWith('char-lstm-tiny-1') ? line.replace(/^((?:[^,]*,){13})[^,]*/, '$1') : line));
    const { fits } = fitStudy(readRuns(spoilt.join('\n')));
    expect(fits['char-gpt'].left_out).toEqual(['char-gpt-small-2']);
    expect(fits['char-gpt'].fit.warnings).toContain('run char-gpt-small-2 is left out: it diverged');
    expect(fits['char-lstm'].fit.warnings).toContain('run char-lstm-tiny-1 is left out: it has no test_bits_per_byte');
    expect(fits['char-gpt'].fit.points).toHaveLength(9);
  });

  test('reports a refusal for one architecture together with the law of another', () => {
    const { fits, comparisons } = study([GPT, { ...LSTM, sizes: LSTM.sizes.slice(0, 2) }], {}, [1]);
    expect(isRefusal(fits['char-gpt'].fit)).toBe(false);
    expect(isRefusal(fits['char-lstm'].fit)).toBe(true);
    expect(fits['char-lstm'].verdict).toMatch(
      /^LSTM: no scaling law is supported\. .*2 more of further sizes are missing\.$/,
    );
    expect(comparisons[0].verdict).toMatch(/not distinguishable: LSTM has no law and so no interval/);
  });

  test('fits a table without tokenizer and architecture as one group', () => {
    const rows = GPT.sizes.map(([name, params]) => `${name},${params},${3 * params ** -0.2 + 1}`);
    const { fits } = fitStudy(readRuns(`run,params,test_loss\n${rows.join('\n')}\n`), { loss: 'test_loss' });
    expect(Object.keys(fits)).toEqual(['all']);
    expect((fits.all.fit as PowerLawFit).parameters.alpha).toBeCloseTo(0.2, 5);
  });

  test('fits size and tokens together if runs differ in both', () => {
    const rows = [1e3, 1e4, 1e5, 1e6].flatMap((params) =>
      [1e5, 1e6, 1e7].map(
        (tokens) => `${params}-${tokens},${params},${tokens},${1 + 9 * params ** -0.3 + 40 * tokens ** -0.35}`,
      ),
    );
    const { fits } = fitStudy(readRuns(`run,params,tokens,test_loss\n${rows.join('\n')}\n`), { loss: 'test_loss' });
    expect(fits.all.with_tokens).toMatchObject({ form: 'chinchilla' });
    expect((fits.all.with_tokens as { parameters: { beta: number } }).parameters.beta).toBeCloseTo(0.35, 3);
    expect(fits.all).toMatchObject({
      law: 'L(N, D)',
      fit: { refused: expect.stringMatching(/different numbers of tokens/) },
    });
    expect(fits.all.verdict).toMatch(
      /^all runs: test loss falls with size and tokens, L\(N, D\) = 1\.00 \+ 9\.\d+·N\^\(−0\.300\)/,
    );
  });

  test('gives the law of the size along a growing budget, with a warning', () => {
    const rows = [1e3, 1e4, 1e5, 1e6, 1e7].map(
      (params) => `${params},${params},${20 * params},${1 + 9 * params ** -0.3}`,
    );
    const { fits } = fitStudy(readRuns(`run,params,tokens,test_loss\n${rows.join('\n')}\n`), { loss: 'test_loss' });
    expect((fits.all.fit as PowerLawFit).parameters.alpha).toBeCloseTo(0.3, 3);
    expect(fits.all.fit.warnings.join()).toMatch(/larger models saw more tokens, from 20\sk to 200\sM/);
  });

  test('does not call two shapes of one size a rise of the loss', () => {
    const rows = [1e3, 1e4, 1e5, 1e6, 1e7].flatMap((params) => [
      `${params}-flat,flat${params},${params},${1 + 9 * params ** -0.3}`,
      `${params}-deep,deep${params},${params},${1.001 + 9 * params ** -0.3}`,
    ]);
    const { fits } = fitStudy(readRuns(`run,size,params,test_loss\n${rows.join('\n')}\n`), { loss: 'test_loss' });
    expect(fits.all.fit.warnings.join()).not.toContain('loss rises');
  });

  test('warns if all runs had the same learning rate', () => {
    const lines = exampleResults().trim().split('\n');
    const csv = lines.map((line, i) => `${line},${i === 0 ? 'learning_rate' : 0.001}`).join('\n');
    expect(fitStudy(readRuns(csv)).warnings.join()).toContain('every size was trained at one learning rate, 0.001');
  });

  test('survives a round trip through JSON', () => {
    const fitted = study();
    expect(JSON.parse(JSON.stringify(fitted))).toEqual(fitted);
  });
});

describe('architectures at equal size', () => {
  const like = (law: Law, architecture: string, change: Partial<Law>): Law => ({ ...law, architecture, ...change });

  test('the comparison finds the size at which one overtakes the other', () => {
    const [comparison] = study().comparisons;
    // 16·N^(−.34) + .62 = 9·N^(−.3) + .72
    expect(comparison.crossing!.low).toBeLessThan(comparison.crossing!.params);
    const at = (law: Law, n: number) => law.a * n ** -law.alpha + law.c;
    expect(at(GPT, comparison.crossing!.low)).toBeGreaterThan(at(LSTM, comparison.crossing!.low));
    expect(at(GPT, comparison.crossing!.high)).toBeLessThan(at(LSTM, comparison.crossing!.high));
    expect(comparison.at.map(({ better }) => better)).toEqual(['lstm', 'gpt', 'gpt']);
    expect(comparison.verdict).toMatch(/LSTM is better at small sizes and GPT at large ones; the laws cross near/);
  });

  test('the verdict says by how much one is better at every size', () => {
    const [comparison] = study([GPT, like(GPT, 'lstm', { c: 0.75 })]).comparisons;
    expect(comparison.crossing).toBeNull();
    expect(comparison.verdict).toMatch(
      /^GPT is better than LSTM at every size from 5\.63\sk to 513\sk parameters, by 0\.1\d+ in test bits per byte \(0\.1/,
    );
    for (const { low, high } of comparison.at) {
      expect(low!).toBeLessThan(-0.12);
      expect(high!).toBeGreaterThan(-0.14);
    }
  });

  test('the verdict says that they are not distinguishable', () => {
    const [comparison] = study([GPT, like(GPT, 'lstm', {})], {}, [1], 0.02).comparisons;
    expect(comparison.at.every(({ better }) => better === null)).toBe(true);
    expect(comparison.verdict).toMatch(/GPT and LSTM are not distinguishable at equal size/);
  });

  test('architectures without a common range of sizes are not compared', () => {
    const larger = GPT.sizes.map(([name, params]): [string, number] => [name, params * 1000]);
    const [comparison] = study([GPT, like(GPT, 'lstm', { sizes: larger })]).comparisons;
    expect(comparison.range).toBeNull();
    expect(comparison.verdict).toContain('no range of sizes in common');
  });

  test('only architectures with the same tokenizer are compared', () => {
    const { comparisons } = study([GPT, LSTM, { ...GPT, tokenizer: 'bpe' }]);
    expect(comparisons.map(({ tokenizer, architectures }) => [tokenizer, ...architectures])).toEqual([
      ['char', 'gpt', 'lstm'],
    ]);
  });

  test('exchanging the architectures negates the interval of the difference', () => {
    const { fits } = study();
    const [gpt, lstm] = [fits['char-gpt'].fit, fits['char-lstm'].fit] as PowerLawFit[];
    const [there] = predictDifference(gpt, lstm, [50_000]);
    const [back] = predictDifference(lstm, gpt, [50_000]);
    expect(back.low).toBeCloseTo(-there.high!, 12);
    expect(back.high).toBeCloseTo(-there.low!, 12);
  });
});
