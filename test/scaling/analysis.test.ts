/**
 * What scaling.json says beside the law: several budgets, compute-optimal sizes, the held-out largest size, influential
 * runs, the choice of test tunes, and the form of published studies.
 */
import { describe, expect, test } from 'vitest';
import {
  fitStudy,
  isRefusal,
  publishedResults,
  type RunRow,
  readRuns,
  type TuneLoss,
} from '../../lib/scaling/index.ts';
import { normal } from './example.ts';

const SIZES = [6_000, 18_000, 54_000, 162_000, 486_000];
const LAW = { E: 0.6, A: 12, B: 60, alpha: 0.35, beta: 0.4 };

interface Options {
  architecture?: string;
  sizes?: readonly number[];
  budgets?: readonly number[];
  seeds?: number;
  noise?: number;
  random?: () => number;
  E?: number;
}

/** A run of each size, budget and seed. */
function runs({
  architecture = 'gpt',
  sizes = SIZES,
  budgets = [1e6],
  seeds = 1,
  noise = 0,
  random = normal(1),
  E = LAW.E,
}: Options = {}): RunRow[] {
  const lines = sizes.flatMap((params) =>
    budgets.flatMap((tokens) =>
      Array.from({ length: seeds }, (_, seed) => {
        const loss = E + LAW.A * params ** -LAW.alpha + LAW.B * tokens ** -LAW.beta;
        const name = `${architecture}-${params}-${tokens}-${seed + 1}`;
        const noisy = loss * Math.exp(noise * random());
        return `${name},char,${architecture},s${params},${seed + 1},${params},${params - 3000},${tokens},${noisy}`;
      }),
    ),
  );
  const header = 'run,tokenizer,architecture,size,seed,params,params_non_embedding,tokens,test_bits_per_byte';
  return readRuns([header, ...lines].join('\n'));
}

const fitOf = (rows: RunRow[], options = {}) => Object.values(fitStudy(rows, options).fits)[0];

describe('runs of several budgets', () => {
  const budgets = [2.5e5, 1e6, 4e6];
  const rows = [...runs({ budgets }), ...runs({ budgets, architecture: 'lstm', E: 0.65 })];
  const study = fitStudy(rows);
  const gpt = study.fits['char-gpt'];

  test('are fitted as L(N, D), and as L(N) at each budget', () => {
    expect(gpt.law).toBe('L(N, D)');
    expect(gpt.by_budget.map(({ tokens, sizes }) => [tokens, sizes])).toEqual(budgets.map((tokens) => [tokens, 5]));
    for (const { fit, tokens } of gpt.by_budget) {
      if (isRefusal(fit)) throw new Error(fit.refused);
      expect(fit.parameters.alpha).toBeCloseTo(LAW.alpha, 4);
      expect(fit.parameters.c).toBeCloseTo(LAW.E + LAW.B * tokens ** -LAW.beta, 4);
    }
    const counted = Object.entries(gpt.by_size).map(([column, law]) => [column, 'form' in law && law.form]);
    expect(counted).toEqual([
      ['params', 'chinchilla'],
      ['params_non_embedding', 'chinchilla'],
    ]);
  });

  test('compare architectures at the largest budget that both have', () => {
    const [{ tokens, verdict, at }] = study.comparisons;
    expect(tokens).toBe(4e6);
    expect(verdict).toMatch(/^at 4\sM tokens, GPT is better than LSTM at every size/);
    expect(at[1].difference).toBeCloseTo(-0.05, 6);
  });

  test('have the compute-optimal sizes of the law in closed form, and a frontier of the runs', () => {
    const { law, frontier, isoflop, verdict } = gpt.compute_optimal!;
    if ('refused' in law) throw new Error(law.refused);
    expect(law.params_exponent).toBeCloseTo(LAW.beta / (LAW.alpha + LAW.beta), 4);
    const { A, B, alpha, beta } = LAW;
    for (const { flops, params, tokens, params_interval } of law.allocations) {
      expect(6 * params * tokens).toBeCloseTo(flops, -3);
      // At the optimum, the loss gains as much from a larger size as from more tokens.
      expect((alpha * A * params ** -alpha) / (beta * B * tokens ** -beta)).toBeCloseTo(1, 2);
      expect(params_interval[0]).toBeLessThanOrEqual(params * 1.001);
    }
    expect(verdict).toMatch(/the best size is .* and it grows as C\^0\.53/);
    for (const [i, point] of frontier.entries()) if (i > 0) expect(point.loss).toBeLessThan(frontier[i - 1].loss);
    const dominated = (loss: number, flops: number) => frontier.some((p) => p.flops <= flops && p.loss < loss);
    expect(frontier.some(({ loss, flops }) => dominated(loss, flops))).toBe(false);
    for (const { optimum, flops, source } of isoflop.filter((profile) => profile.optimum !== null)) {
      expect(source).toBe('interpolated');
      const exact = ((alpha * A) / (beta * B)) ** (1 / (alpha + beta)) * (flops / 6) ** (beta / (alpha + beta));
      expect(Math.abs(Math.log(optimum!.params / exact))).toBeLessThan(0.5);
    }
    expect(isoflop.some(({ optimum }) => optimum !== null)).toBe(true);
  });

  test('form `power` does not fit L(N, D), and one budget gives no compute-optimal size but names the runs to add', () => {
    expect(fitOf(rows, { form: 'power' })).toMatchObject({ law: null, with_tokens: null });
    const { law, compute_optimal } = fitOf(runs());
    expect(law).toBe('L(N)');
    expect(compute_optimal!.verdict).toMatch(
      /^No compute-optimal size is given: all runs saw about the same number of tokens; runs of the sizes 6\sk, 54\sk, 486\sk on 250\sk and on 4\sM tokens would be a start\.$/,
    );
    expect(fitOf(runs(), { form: 'chinchilla' }).verdict).toMatch(
      /no scaling law is supported\. L\(N, D\) is not given: .* needs at least 7 runs/,
    );
  });
});

describe('runs that gave smaller budgets by cooldowns', () => {
  /** Rows of one seed and size belong to the run of the largest budget. */
  const branched = (options: Options) => {
    const largest = Math.max(...options.budgets!);
    return runs(options).map((row) => {
      const whole = row.run.replace(String(row.tokens), String(largest));
      return { ...row, branch_of: whole === row.run ? '' : whole };
    });
  };
  const budgets = [2.5e5, 5e5, 1e6];
  const options = { budgets, seeds: 2, noise: 0.005 };
  const rows = [...branched(options), ...branched({ ...options, architecture: 'lstm', E: 0.65 })];
  const whole = rows.filter(({ branch_of }) => branch_of === '');
  const study = fitStudy(rows);
  const gpt = study.fits['char-gpt'];

  test('are one model each: L(N), the largest size and the comparison are those of the whole runs', () => {
    const without = fitStudy(whole);
    const alone = without.fits['char-gpt'];
    expect(gpt).toMatchObject({ law: 'L(N)', runs: 10, branches: 20, sizes: 5, tokens: [2.5e5, 1e6] });
    expect(alone).toMatchObject({ law: 'L(N)', runs: 10, branches: 0, tokens: [1e6, 1e6], with_tokens: null });
    expect(gpt.fit).toEqual(alone.fit);
    expect([gpt.best, gpt.held_out, gpt.by_size]).toEqual([alone.best, alone.held_out, alone.by_size]);
    expect(study.comparisons).toEqual(without.comparisons);
    expect(publishedResults(rows, study).transformer).toHaveLength(10);
  });

  test('give L(N, D), compute-optimal sizes and L(N) at each budget in addition', () => {
    const law = gpt.with_tokens;
    if (law === null || 'refused' in law) throw new Error('refused');
    expect(law.points).toHaveLength(30);
    expect(gpt.compute_optimal!.law).toMatchObject({ params_exponent: law.optimal_size_exponent });
    expect(gpt.by_budget.map(({ tokens, runs }) => [tokens, runs])).toEqual(budgets.map((tokens) => [tokens, 10]));
    expect(gpt.verdict).toMatch(
      /^GPT: test bits per byte falls .* L\(N, D\) = .*, from 10 whole runs and 20 smaller budgets of them\. /,
    );
    expect(fitOf(rows, { form: 'power' })).toMatchObject({ law: 'L(N)', with_tokens: null });
  });

  test('are drawn as a whole by the bootstrap, because the budgets of a run share its beginning', () => {
    const shared = new Map<string, number>();
    const random = normal(3);
    // All budgets of a run are too high or too low by one amount.
    const together = branched({ budgets, seeds: 3 }).map((row) => {
      const run = row.branch_of || row.run;
      if (!shared.has(run)) shared.set(run, Math.exp(0.02 * random()));
      return { ...row, test_bits_per_byte: row.test_bits_per_byte! * shared.get(run)! };
    });
    const width = (table: RunRow[]) => {
      const law = fitOf(table, { form: 'chinchilla' }).with_tokens;
      if (law === null || 'refused' in law) throw new Error('refused');
      return law.intervals.alpha[1] - law.intervals.alpha[0];
    };
    expect(width(together)).toBeGreaterThan(1.2 * width(together.map((row) => ({ ...row, branch_of: '' }))));
  });

  test('need the run that they belong to', () => {
    const table = 'run,params,tokens,branch_of,test_loss\na,5000,10,,2\nb@0.5,5000,5,b,3\n';
    expect(() => readRuns(table, 'runs.csv')).toThrow(
      'runs.csv: b@0.5 is a smaller budget of b (branch_of), and there is no such run',
    );
  });
});

describe('the largest size, held out', () => {
  test('is predicted from the smaller ones', () => {
    const { held_out } = fitOf(runs({ seeds: 3, noise: 0.004 }));
    expect(held_out).toMatchObject({ params: 486_000, runs: 3, sizes_fitted: 4, inside: true, tokens: null });
    if ('refused' in held_out) throw new Error(held_out.refused);
    expect(held_out.factor).toBeCloseTo(3, 6);
    expect(held_out.error).toBeCloseTo(held_out.measured - held_out.predicted, 12);
    expect(held_out.relative_error).toBeLessThan(0.03);
  });

  test('lies outside the interval if the largest models are worse than the law', () => {
    const rows = runs({ seeds: 3, noise: 0.004 });
    for (const row of rows) if (row.params === 486_000) row.test_bits_per_byte! *= 1.15;
    expect(fitOf(rows).held_out).toMatchObject({ inside: false });
  });

  test('is predicted by L(N, D) if there are several budgets', () => {
    const { held_out } = fitOf(runs({ budgets: [2.5e5, 5e5, 1e6, 4e6], noise: 0.002 }));
    expect(held_out).toMatchObject({ form: 'chinchilla', tokens: 4e6, inside: true });
  });
});

describe('influential runs', () => {
  const named = (rows: RunRow[]) => fitOf(rows).influential.map(({ run, kind }) => [run, kind]);

  test('are not named in a clean study', () => {
    expect(named(runs({ seeds: 3, noise: 0.005 }))).toEqual([]);
  });

  test('one of five runs that hides the floor is named, with the law without it', () => {
    const rows = runs({ noise: 0.001 });
    rows[2].test_bits_per_byte! *= 1.03;
    const { fit, influential } = fitOf(rows);
    expect(fit).toMatchObject({ form: 'power' });
    expect(influential).toMatchObject([{ run: rows[2].run, kind: 'form', without: { form: 'power-plus-constant' } }]);
    expect(influential[0].without!.alpha).toBeCloseTo(LAW.alpha, 1);
    expect(fit.warnings).toContain(influential[0].message);
  });

  test('a seed far from its twins is named, and an outlier among single runs', () => {
    const seeds = runs({ seeds: 3, noise: 0.004 });
    seeds[7].test_bits_per_byte! *= 2;
    expect(named(seeds)).toEqual([[seeds[7].run, 'seed']]);
    const sizes = Array.from({ length: 9 }, (_, i) => Math.round(5000 * 1.8 ** i));
    const single = runs({ sizes, noise: 0.002 });
    single[4].test_bits_per_byte! *= 1.1;
    expect(named(single).map(([run]) => run)).toEqual([single[4].run]);
  });

  test('a run far from L(N, D) is named, with the exponents without it', () => {
    const rows = runs({ budgets: [2.5e5, 1e6, 4e6], noise: 0.003 });
    rows[4].test_bits_per_byte! *= 1.3;
    const { influential, with_tokens } = fitOf(rows);
    expect(influential).toMatchObject([{ run: rows[4].run, kind: 'outlier', without: { form: 'chinchilla' } }]);
    expect((with_tokens as { warnings: string[] }).warnings.join()).toContain(rows[4].run);
  });
});

describe('losses by test tune', () => {
  /** Tunes that are hard or easy for all runs alike, with a small part of each run's own. */
  function tunesOf(rows: RunRow[], count = 30): Map<string, TuneLoss[]> {
    const random = normal(4);
    const hardness = Array.from({ length: count }, () => Math.exp(0.3 * random()));
    const mean = hardness.reduce((sum, value) => sum + value, 0) / count;
    return new Map(
      rows.map((row) => [
        row.run,
        hardness.map((value, i) => ({
          ...{ tune: `${i}`, tokens: 1000, bytes: 1000, notes: 200 },
          bits: 1000 * row.test_bits_per_byte! * (value / mean) * Math.exp(0.01 * random()),
        })),
      ]),
    );
  }
  const rows = [...runs({ seeds: 2, noise: 0.004 }), ...runs({ seeds: 2, noise: 0.004, architecture: 'lstm', E: 0.7 })];

  test('widen the intervals of the floor much, and those of the difference of architectures little', () => {
    const [without, withTunes] = [fitStudy(rows), fitStudy(rows, { tunes: tunesOf(rows) })];
    expect(without.fits['char-gpt'].test_split).toBeNull();
    const { fit, test_split, verdict } = withTunes.fits['char-gpt'];
    if (isRefusal(fit) || test_split === null) throw new Error('no law');
    expect(fit.intervals).toEqual((without.fits['char-gpt'].fit as typeof fit).intervals);
    expect(test_split).toMatchObject({ tunes: 30, resamples: 500 });
    const width = ([low, high]: readonly number[]) => high - low;
    expect(width(test_split.intervals.c!)).toBeGreaterThan(width(fit.intervals.c!));
    const [low, high] = test_split.losses['gpt-6000-1000000-1'];
    // The standard error of the mean hardness is 0.3/√30 = 5.5 %, so the interval is about ± 11 %.
    expect((high - low) / (high + low)).toBeGreaterThan(0.06);
    expect((high - low) / (high + low)).toBeLessThan(0.17);
    expect(verdict).toMatch(/With the choice of the 30 test tunes included, α lies in/);
    const [before, after] = [without.comparisons[0], withTunes.comparisons[0]];
    expect([before.intervals_include, after.intervals_include]).toEqual(['runs', 'runs and test tunes']);
    const difference = (comparison: typeof before) => comparison.at[1].high! - comparison.at[1].low!;
    expect(difference(after)).toBeGreaterThan(difference(before));
    expect(difference(after)).toBeLessThan(difference(before) + 0.5 * (high - low));
    expect(after.at[1].better).toBe('gpt');
  });

  test('must be of the same tunes in all runs, and runs without them are named', () => {
    const tunes = tunesOf(rows);
    tunes.get(rows[3].run)!.pop();
    expect(() => fitStudy(rows, { tunes })).toThrow(`different test tunes: run ${rows[3].run} has 29, another has 30`);
    tunes.delete(rows[3].run);
    const { fits, warnings } = fitStudy(rows, { tunes });
    expect(warnings.join()).toContain(`run ${rows[3].run} has no losses by tune`);
    expect([fits['char-gpt'].test_split, fits['char-lstm'].test_split?.tunes]).toEqual([null, 30]);
  });
});

describe('publishedResults', () => {
  test('lists the models by architecture with the keys of published studies, and the fits beside them', () => {
    const rows = [...runs(), ...runs({ architecture: 'lstm', sizes: SIZES.slice(0, 2) })];
    const { transformer, rnn, fits } = publishedResults(rows, fitStudy(rows));
    expect([transformer.length, rnn.length]).toEqual([5, 2]);
    expect(transformer[0]).toMatchObject({
      ...{ model_name: 's6000', architecture: 'transformer', num_parameters: 6000, seed: 1 },
      ...{ train_loss: null, val_loss: null, training_time_seconds: null, gpu_memory_mb: null },
    });
    expect(fits.transformer).toMatchObject({ loss: 'test_bits_per_byte', formula: 'a·N^(−α) + c' });
    const { alpha, r_squared } = fits.transformer as { alpha: number; r_squared: number };
    expect([alpha, r_squared]).toEqual([expect.closeTo(LAW.alpha, 4), expect.closeTo(1, 6)]);
    expect(fits.rnn).toMatchObject({ refused: expect.stringMatching(/needs at least 4 runs/) });
  });
});
