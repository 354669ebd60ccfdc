/** Tests the plots of the scaling laws: their data, axes and texts. */
import { compile, type TopLevelSpec } from 'vega-lite';
import { describe, expect, test } from 'vitest';
import {
  architecturesPlot,
  budgetsPlot,
  computeOptimalPlot,
  plotSvg,
  residualsPlot,
  scalingPlot,
} from '../../lib/plots/index.ts';
import { floorLabels } from '../../lib/plots/laws/scaling-labels.ts';
import { fitStudy, readRuns } from '../../lib/scaling/index.ts';
import { exampleResults, LAWS } from '../scaling/example.ts';
import { exampleStudy, words } from './example.ts';

describe('the plot of the scaling laws', () => {
  const { rows, study: fitted } = exampleStudy();
  const spec = scalingPlot(rows, fitted) as TopLevelSpec & { layer: { data: { name: string; values: object[] } }[] };
  const data = (name: string) => spec.layer.find((layer) => layer.data.name === name)!.data.values;

  test('shows every run, and each law inside its band', () => {
    expect(data('runs')).toHaveLength(9);
    for (const { low, loss, high } of data('laws') as { low: number; loss: number; high: number }[]) {
      expect(low).toBeLessThanOrEqual(loss);
      expect(high).toBeGreaterThanOrEqual(loss);
    }
  });

  test('has logarithmic axes with explicit domains that contain all runs', () => {
    const scales = (compile(spec).spec.scales ?? []).filter(({ name }) => name === 'x' || name === 'y');
    expect(scales).toHaveLength(2);
    for (const scale of scales) {
      expect(scale).toMatchObject({ type: 'log', nice: false });
      const [low, high] = (scale as unknown as { domain: [number, number] }).domain;
      const field = scale.name === 'x' ? 'params' : 'loss';
      for (const run of data('runs') as Record<string, number>[]) {
        expect(run[field]).toBeGreaterThan(low);
        expect(run[field]).toBeLessThan(high);
      }
    }
  });

  test('shows narrow bands completely and clips very wide ones', () => {
    const table = (losses: number[]) => {
      const rows = readRuns(
        `run,architecture,params,test_loss\n${losses.map((loss, i) => `r${i},gpt,${10 ** (4 + i / 2)},${loss}`).join('\n')}\n`,
      );
      return { rows, study: fitStudy(rows, { loss: 'test_loss' }) };
    };
    const shown = (losses: number[]) => {
      const { rows, study } = table(losses);
      const drawn = scalingPlot(rows, study) as typeof spec;
      const [scale] = (compile(drawn).spec.scales ?? []).filter(({ name }) => name === 'y');
      const bands = drawn.layer.find((layer) => layer.data.name === 'bands')!.data.values as {
        low: number;
        high: number;
      }[];
      return {
        domain: (scale as unknown as { domain: [number, number] }).domain,
        band: [Math.min(...bands.map(({ low }) => low)), Math.max(...bands.map(({ high }) => high))],
      };
    };
    const narrow = shown([1.458, 1.296, 1.269, 1.091, 1.036]);
    expect(narrow.band[1]).toBeGreaterThan(1.5);
    expect(narrow.domain[0]).toBeLessThan(narrow.band[0]);
    expect(narrow.domain[1]).toBeGreaterThan(narrow.band[1]);
    const wide = shown([4, 2.2, 1.6, 1]);
    expect(wide.band[0]).toBeLessThan(0.5);
    expect(wide.domain[0]).toBeGreaterThan(0.7);
  });

  test('names the finding, the architectures, their exponents and their sizes', async () => {
    const text = words(await plotSvg(spec));
    expect(text).toContain('Larger models predict music better');
    for (const word of ['GPT', 'LSTM', 'tiny', 'large', 'parameters (N)', 'test bits per byte', '100k'])
      expect(text.split('\n')).toContain(word);
    expect(text).toMatch(/α = 0\.3\d/);
    expect(text).toMatch(/95 %: 0\.\d+ to 0\.\d+/);
  });

  test('shows that a law was refused', async () => {
    const { rows, study: fitted } = exampleStudy([LAWS[0], { ...LAWS[1], sizes: LAWS[1].sizes.slice(0, 2) }]);
    const text = words(await plotSvg(scalingPlot(rows, fitted)));
    expect(text).toContain('A scaling law for GPT only');
    expect(text).toContain('no law supported');
  });

  test('distinguishes tokenizers by name, dash and shape, and gives an architecture one colour', () => {
    const { rows, study: fitted } = exampleStudy([
      ...LAWS,
      ...LAWS.map((law) => ({ ...law, tokenizer: 'bpe', c: law.c + 0.1 })),
    ]);
    const compiled = compile(scalingPlot(rows, fitted)).spec.scales as {
      name: string;
      domain: string[];
      range: unknown[];
    }[];
    const of = (name: string) => compiled.find((scale) => scale.name === name)!;
    expect(of('color').domain).toEqual(['GPT, char', 'LSTM, char', 'GPT, bpe', 'LSTM, bpe']);
    expect(of('color').range[0]).toBe(of('color').range[2]);
    expect(of('strokeDash').range[0]).not.toEqual(of('strokeDash').range[2]);
    expect(of('shape').range[0]).not.toBe(of('shape').range[2]);
  });
});

describe('the error bars and the held-out size', () => {
  const rows = readRuns(exampleResults(LAWS, [1, 2, 3]));
  const fitted = fitStudy(rows);
  const layers = (spec: TopLevelSpec) =>
    (spec as unknown as { layer: { data: { name: string; values: Record<string, number>[] } }[] }).layer;
  const values = (spec: TopLevelSpec, name: string) => layers(spec).find(({ data }) => data.name === name)!.data.values;

  test('are the mean of the seeds of a size, ± one standard deviation', () => {
    const [size] = values(scalingPlot(rows, fitted), 'seeds');
    const losses = rows.filter(({ params }) => params === size.params).map((row) => row.test_bits_per_byte as number);
    const mean = losses.reduce((sum, loss) => sum + loss, 0) / 3;
    const deviation = Math.sqrt(losses.reduce((sum, loss) => sum + (loss - mean) ** 2, 0) / 2);
    expect([size.loss, size.high - size.loss, size.loss - size.low]).toEqual(
      [mean, deviation, deviation].map((value) => expect.closeTo(value, 9)),
    );
    expect(values(scalingPlot(...(Object.values(exampleStudy()) as [typeof rows, typeof fitted])), 'seeds')).toEqual(
      [],
    );
  });

  test('come from the choice of test tunes too, where the fit has it', async () => {
    const group = fitted.fits['char-gpt'];
    const losses = Object.fromEntries(
      rows.filter(({ architecture }) => architecture === 'gpt').map(({ run }) => [run, [0.5, 1.5] as [number, number]]),
    );
    const none = { alpha: null, c: null };
    const test_split = { tunes: 33, resamples: 500, losses, tunes_only: none, intervals: none };
    const known = { ...fitted, fits: { ...fitted.fits, 'char-gpt': { ...group, test_split } } };
    const spec = scalingPlot(rows, known);
    expect(values(spec, 'tests')).toHaveLength(group.runs);
    expect(words(await plotSvg(spec)).replaceAll('\n', ' ')).toContain('thin bars: 95 % from the choice of test tunes');
  });

  test('the largest size is shown as the smaller ones predict it', () => {
    const held = values(scalingPlot(rows, fitted), 'held out');
    const predictions = Object.values(fitted.fits).flatMap(({ held_out: one }) => ('refused' in one ? [] : [one]));
    expect(held.map(({ params, loss, measured }) => [params, loss, measured])).toEqual(
      predictions.map(({ params, predicted, measured }) => [params, predicted, measured]),
    );
    expect(held.length).toBeGreaterThan(0);
  });
});

test('where no floor was found, α is given for no floor, and its interval with and without one', async () => {
  const { rows, study: fitted } = exampleStudy([{ ...LAWS[0], c: 0, alpha: 0.08, a: 3 }]);
  const text = words(await plotSvg(scalingPlot(rows, fitted)));
  expect(text).toMatch(/α = 0\.0\d+ if no floor\n95 %: 0\.0\d+ to 0\.\d+\nfloor or not: 0\.0\d+ (to|and)/);
});

describe('the plot of the residuals', () => {
  test('shows each run by its distance from the law in percent, and names the farthest', () => {
    const { rows, study: fitted } = exampleStudy();
    const spec = residualsPlot(rows, fitted) as TopLevelSpec & {
      layer: { data: { name: string; values: object[] } }[];
    };
    const points = spec.layer.find(({ data }) => data.name === 'runs')!.data.values as Record<string, number>[];
    expect(points).toHaveLength(9);
    for (const { loss, law, residual } of points) expect(residual).toBeCloseTo(100 * (loss / law - 1), 9);
    const far = points.reduce((a, b) => (Math.abs(b.residual) > Math.abs(a.residual) ? b : a));
    expect(spec.description).toContain(`The farthest run is ${far.run}`);
  });

  test('is left out if there is no law', () => {
    const { rows, study: fitted } = exampleStudy(LAWS.map((law) => ({ ...law, sizes: law.sizes.slice(0, 2) })));
    expect(residualsPlot(rows, fitted)).toBeUndefined();
  });
});

describe('the plots of size and tokens', () => {
  const table = [5e3, 2e4, 8e4, 3e5].flatMap((params, i) =>
    [2.5e5, 1e6, 4e6].map((tokens, j) => {
      // Noise of half a percent, the same in each run of the test.
      const loss = (0.6 + 20 * params ** -0.38 + 60 * tokens ** -0.36) * (1 + 0.005 * Math.sin(7 * i + 3 * j));
      return `r${i}${j},char,gpt,gpt-s${i},1,${params},${tokens},${loss}`;
    }),
  );
  const rows = readRuns(`run,tokenizer,architecture,size,seed,params,tokens,test_bits_per_byte\n${table.join('\n')}\n`);
  const fitted = fitStudy(rows);

  test('show a line a size with the exponents of L(N, D), and the frontier', async () => {
    const budgets = words(await plotSvg(budgetsPlot(rows, fitted)!));
    for (const word of ['tokens (D)', 's0', 's3', '1M']) expect(budgets.split('\n')).toContain(word);
    expect(words(await plotSvg(scalingPlot(rows, fitted)))).toMatch(/L\(N, D\): α = 0\.\d+, β = 0\.\d+/);
    const frontier = words(await plotSvg(computeOptimalPlot(rows, fitted)!));
    for (const word of ['The frontier', 'The best size for a compute', 'compute C (FLOP)'])
      expect(frontier.split('\n')).toContain(word);
    expect(residualsPlot(rows, fitted)!.description).toMatch(/the farthest run is r\d\d, 0\.\d %/i);
  });

  test('are left out for one budget', () => {
    const { rows, study: fitted } = exampleStudy();
    expect([budgetsPlot(rows, fitted), computeOptimalPlot(rows, fitted)]).toEqual([undefined, undefined]);
  });
});

describe('the plot of the architectures', () => {
  test('compares them by compute, and by difference at equal size', async () => {
    const { rows, study: fitted } = exampleStudy();
    const text = words(await plotSvg(architecturesPlot(rows, fitted)));
    for (const part of ['For the same compute', 'At equal size: GPT − LSTM', 'LSTM is better', 'GPT is better', '10¹²'])
      expect(text).toContain(part);
    expect(text.replaceAll('\n', ' ')).toContain(fitted.comparisons[0].verdict);
  });

  test('compares them by compute only if one has no law', async () => {
    const { rows, study: fitted } = exampleStudy([LAWS[0], { ...LAWS[1], sizes: LAWS[1].sizes.slice(0, 2) }]);
    const text = words(await plotSvg(architecturesPlot(rows, fitted)));
    expect(text).toContain('For the same compute');
    expect(text).not.toContain('At equal size');
  });
});

test('labels of floors that are equal, or nearly, stand above each other; others on their rule', () => {
  const labels = floorLabels([{ loss: 0.7 }, { loss: 0.5 }, { loss: 0.501 }, { loss: 0.5 }], [0.4, 1.6], 280);
  const pixels = labels.map(({ label_at }) => Math.log(label_at / 0.5) / (Math.log(4) / 280));
  expect(pixels.map(Math.round)).toEqual([0, 14, 28, 68]);

  // The rule of the upper floor is 8 pixels above that of the lower one, and would run through its label.
  const near = floorLabels([{ loss: 0.5 }, { loss: 0.5 * 4 ** (8 / 280) }], [0.4, 1.6], 280);
  expect(near.map(({ label_at }) => Math.round(Math.log(label_at / 0.5) / (Math.log(4) / 280)))).toEqual([8, 22]);
});
