/** Tests the data, axes and texts of the plots, and their rendering to SVG and PNG. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compile, type TopLevelSpec } from 'vega-lite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { linearTicks, logDomain, logTicks, powerLabel, spread, wrap } from '../../lib/plots/axes.ts';
import {
  architecturesPlot,
  budgetsPlot,
  computeOptimalPlot,
  interactivePlot,
  plotSvg,
  positionsPlot,
  readCurves,
  renderPlot,
  residualsPlot,
  scalingPlot,
  splitPlot,
  tokensPlot,
  trainingPlot,
} from '../../lib/plots/index.ts';
import { fitStudy, readRuns } from '../../lib/scaling/index.ts';
import { exampleCurves, exampleResults, LAWS, type Law } from '../scaling/example.ts';

function study(laws: Law[] = LAWS) {
  const rows = readRuns(exampleResults(laws, [1]));
  return { rows, study: fitStudy(rows) };
}

const curves = Object.entries(exampleCurves()).flatMap(([run, csv]) => readCurves(csv, `${run}.csv`));

/** Returns the texts of an SVG, one per line. */
function words(svg: string): string {
  return [...svg.matchAll(/<(?:text|tspan)\b[^>]*>([^<]+)/g)].map(([, text]) => text).join('\n');
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'plots-'));
});
afterAll(() => rm(folder, { recursive: true }));

describe('the plot of the scaling laws', () => {
  const { rows, study: fitted } = study();
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
    const { rows, study: fitted } = study([LAWS[0], { ...LAWS[1], sizes: LAWS[1].sizes.slice(0, 2) }]);
    const text = words(await plotSvg(scalingPlot(rows, fitted)));
    expect(text).toContain('A scaling law for GPT only');
    expect(text).toContain('no law supported');
  });

  test('distinguishes tokenizers by name, dash and shape, and gives an architecture one colour', () => {
    const { rows, study: fitted } = study([
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
    expect(values(scalingPlot(...(Object.values(study()) as [typeof rows, typeof fitted])), 'seeds')).toEqual([]);
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
  const { rows, study: fitted } = study([{ ...LAWS[0], c: 0, alpha: 0.08, a: 3 }]);
  const text = words(await plotSvg(scalingPlot(rows, fitted)));
  expect(text).toMatch(/α = 0\.0\d+ if no floor\n95 %: 0\.0\d+ to 0\.\d+\nfloor or not: 0\.0\d+ (to|and)/);
});

describe('the plot of the residuals', () => {
  test('shows each run by its distance from the law in percent, and names the farthest', () => {
    const { rows, study: fitted } = study();
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
    const { rows, study: fitted } = study(LAWS.map((law) => ({ ...law, sizes: law.sizes.slice(0, 2) })));
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
    const { rows, study: fitted } = study();
    expect([budgetsPlot(rows, fitted), computeOptimalPlot(rows, fitted)]).toEqual([undefined, undefined]);
  });
});

test('the plot of the loss by position averages positions that lie close together', async () => {
  const positions = Array.from({ length: 128 }, (_, i) => ({
    ...{ run: 'char-gpt-tiny-1', position: i + 1, tokens: 10, bits_per_token: 1 + 1 / (i + 1) },
  }));
  const spec = positionsPlot(positions, study().rows)!;
  const [{ layer }] = (spec as unknown as { concat: { layer: { data: { values: { bits: number }[] } }[] }[] }).concat;
  const points = layer[0].data.values;
  expect(points.length).toBeGreaterThan(10);
  expect(points.length).toBeLessThan(30);
  expect(points[0].bits).toBe(2);
  expect(words(await plotSvg(spec)).split('\n')).toEqual(
    expect.arrayContaining(['GPT', 'position in the window', 'tiny']),
  );
  expect(positionsPlot([], study().rows)).toBeUndefined();
});

describe('the narrow layout', () => {
  test('is as wide as a phone, and has the exponents in its legend', async () => {
    const { rows, study: fitted } = study();
    const plots = {
      scaling: scalingPlot(rows, fitted, 'narrow'),
      residuals: residualsPlot(rows, fitted, 'narrow')!,
      architectures: architecturesPlot(rows, fitted, 'narrow'),
      training: trainingPlot(curves, rows, 'narrow'),
    };
    for (const [name, spec] of Object.entries(plots)) {
      const svg = await plotSvg(spec);
      expect(Number(/<svg [^>]*width="(\d+)/.exec(svg)![1]), name).toBeLessThan(390);
      if (name === 'scaling') expect(words(svg)).toMatch(/GPT: α = 0\.3/);
    }
  });
});

describe('the plot for a page', () => {
  test('zooms by signals, highlights a run, and draws the same as the plot itself', async () => {
    const { View, parse } = await import('vega');
    const { expressionInterpreter } = await import('vega-interpreter');
    const { rows, study: fitted } = study();
    const { spec, panels } = await interactivePlot(scalingPlot(rows, fitted));
    const view = new View(parse(spec, undefined, { ast: true } as object), {
      renderer: 'none',
      expr: expressionInterpreter,
    } as object);
    const shown = async (signal?: string, value?: unknown) => {
      if (signal) view.signal(signal, value);
      await view.runAsync();
      return view.toSVG();
    };
    const first = await shown();
    expect(words(first)).toBe(words(await plotSvg(scalingPlot(rows, fitted))));
    const [low, high] = panels[0].x!.domain;
    const zoomed = words(await shown(panels[0].x!.signal, [2 * low, high / 2]));
    expect(zoomed.split('\n')).not.toContain('5k');
    expect(zoomed.split('\n')).toEqual(expect.arrayContaining(['20k', '100k']));
    await shown(panels[0].x!.signal, null);
    const [{ run }] = rows;
    // A label that comes back is the last of its axis.
    const sorted = (svg: string) => words(svg).split('\n').sort();
    expect(sorted(await shown('hovered', run))).toEqual(sorted(first));
    expect(await view.toSVG()).not.toBe(first);
    expect(JSON.stringify(spec)).not.toMatch(/https?:|"url"|"href"/);
  });
});

describe('the plot of the architectures', () => {
  test('compares them by compute, and by difference at equal size', async () => {
    const { rows, study: fitted } = study();
    const text = words(await plotSvg(architecturesPlot(rows, fitted)));
    for (const part of ['For the same compute', 'At equal size: GPT − LSTM', 'LSTM is better', 'GPT is better', '10¹²'])
      expect(text).toContain(part);
    expect(text.replaceAll('\n', ' ')).toContain(fitted.comparisons[0].verdict);
  });

  test('compares them by compute only if one has no law', async () => {
    const { rows, study: fitted } = study([LAWS[0], { ...LAWS[1], sizes: LAWS[1].sizes.slice(0, 2) }]);
    const text = words(await plotSvg(architecturesPlot(rows, fitted)));
    expect(text).toContain('For the same compute');
    expect(text).not.toContain('At equal size');
  });
});

describe('the plot of the training curves', () => {
  test('has a panel per architecture, and names each size', async () => {
    const text = words(await plotSvg(trainingPlot(curves, study().rows))).split('\n');
    for (const word of ['GPT', 'LSTM', 'tokens seen', 'loss (nats a token)']) expect(text).toContain(word);
    expect(text.filter((word) => word === 'medium')).toHaveLength(2);
  });

  test('shows runs that are not in the table of runs', async () => {
    expect(words(await plotSvg(trainingPlot(curves)))).toContain('char-gpt-tiny-1');
  });

  test('reads curves from CSV, with errors that name line and column', () => {
    const csv =
      'run,step,tokens,learning_rate,train_loss,sampled_val_loss,gradient_norm\na,0,0,0,,3.1,\na,1,8,1e-3,3,x,1\n';
    expect(() => readCurves(csv, 'a.csv')).toThrow("a.csv:3, column sampled_val_loss: 'x' is not a number");
    expect(readCurves(csv.replace(',x,', ',,'))[0]).toMatchObject({ train_loss: null, sampled_val_loss: 3.1 });
  });
});

describe('the plot of the data set', () => {
  test('counts kept files by split and dropped ones by reason, without reasons that never applied', async () => {
    const counts = {
      files: 753,
      kept: 640,
      splits: { train: { tunes: 576 }, val: { tunes: 31 }, test: { tunes: 33 } },
      dropped: { unreadable: { count: 70 }, min_bars: { count: 0 } },
      duplicates: { content: { count: 43 } },
      lengths: [
        { from: 1024, tunes: 600 },
        { from: 1449, tunes: 40 },
      ],
    };
    const texts = words(await plotSvg(splitPlot(counts))).split('\n');
    expect(texts).toContain('Of 753 files, 640 are music to learn from');
    for (const word of ['train', '576', 'unreadable', '70', 'same content', '43', 'characters a tune'])
      expect(texts).toContain(word);
    expect(texts).not.toContain('min bars');
  });
});

describe('the plot of the tokenizers', () => {
  const counts = (tokenizer: string, bytes: number) => ({
    tokenizer,
    vocabulary_size: 1024,
    val: { bytes_per_token: bytes },
    statistics: {
      vocabulary_use: 0.75,
      frequency: [
        { rank: 1, count: 5000 },
        { rank: 100, count: 30 },
      ],
      tokens_per_tune: [
        { tokens: 64, tunes: 10 },
        { tokens: 91, tunes: 30 },
      ],
    },
  });

  test('shows frequency by rank and length of tunes, with the figures of each tokenizer', async () => {
    const texts = words(await plotSvg(tokensPlot([counts('char', 1), counts('bpe', 3.25)]))).split('\n');
    expect(texts).toContain(
      'bpe: 1,024 tokens, 75 % of them used in training; 3.25 bytes a token on the validation split.',
    );
    for (const word of ['rank of the token', 'times in training', 'tokens a tune', 'share of tunes', 'char', 'bpe'])
      expect(texts).toContain(word);
  });

  test('has no legend if there is only one tokenizer', async () => {
    const texts = words(await plotSvg(tokensPlot([counts('char', 1)]))).split('\n');
    expect(texts).not.toContain('char');
  });
});

describe('renderPlot', () => {
  test('writes a specification with its data inside, an SVG and a PNG', async () => {
    const { rows, study: fitted } = study();
    const files = await renderPlot(scalingPlot(rows, fitted), join(folder, 'made', 'scaling'));
    expect(Object.values(files).map((file) => file.slice(folder.length + 1))).toEqual([
      'made/scaling.vl.json',
      'made/scaling.svg',
      'made/scaling.png',
    ]);
    const spec = await readFile(files.spec, 'utf8');
    expect(compile(JSON.parse(spec)).spec).toBeDefined();
    expect(spec).not.toMatch(/"url":/);
    expect(await readFile(files.svg, 'utf8')).toMatch(/^<svg [\s\S]*<\/svg>$/);
    const png = await readFile(files.png);
    expect(png.subarray(1, 4).toString()).toBe('PNG');
    expect(png.readUInt32BE(16)).toBeGreaterThan(1600);
  });

  test('writes the same bytes for the same plot, and ids that begin with its name', async () => {
    const { rows, study: fitted } = study();
    const [a, b] = [
      await renderPlot(scalingPlot(rows, fitted), join(folder, 'a', 'scaling')),
      await renderPlot(scalingPlot(rows, fitted), join(folder, 'b', 'scaling')),
    ];
    const ids = [...(await readFile(a.svg, 'utf8')).matchAll(/ id="([^"]*)"/g)].map(([, id]) => id);
    expect(ids).toEqual(ids.map((_, i) => `scaling-clip${i + 1}`));
    expect(ids.length).toBeGreaterThan(0);
    expect(await readFile(a.svg)).toEqual(await readFile(b.svg));
    expect(await readFile(a.png)).toEqual(await readFile(b.png));
  });

  test('draws text into the PNG, which resvg leaves out silently without a font', async () => {
    const { Resvg } = await import('@resvg/resvg-js');
    const { rows, study: fitted } = study();
    const { svg, png } = await renderPlot(scalingPlot(rows, fitted), join(folder, 'text'));
    const drawing = await readFile(svg, 'utf8');
    const bare = new Resvg(drawing, { fitTo: { mode: 'zoom', value: 2 }, font: { loadSystemFonts: false } })
      .render()
      .asPng();
    // The title is black on white, so its part of the picture has dark pixels only if the letters are drawn.
    const titleInk = (picture: Buffer) => {
      const href = `data:image/png;base64,${picture.toString('base64')}`;
      const strip = `<svg xmlns="http://www.w3.org/2000/svg" width="600" height="44"><image href="${href}"/></svg>`;
      const { pixels } = new Resvg(strip).render();
      let dark = 0;
      for (let i = 0; i < pixels.length; i += 4) if (pixels[i + 3] > 128 && pixels[i] < 100) dark++;
      return dark;
    };
    expect(titleInk(bare)).toBe(0);
    expect(titleInk(await readFile(png))).toBeGreaterThan(1000);
  });
});

describe('axes', () => {
  test('have 3 to 10 ticks, all inside the domain', () => {
    for (const domain of [
      [4.3e3, 6.8e5],
      [0.56, 1.53],
      [2.1, 2.4],
      [1e6, 1e12],
      [30, 900],
    ] as [number, number][]) {
      const ticks = logTicks(domain);
      expect(ticks.length, `${domain}`).toBeGreaterThanOrEqual(3);
      expect(ticks.length, `${domain}`).toBeLessThanOrEqual(10);
      for (const tick of ticks) expect(tick >= domain[0] && tick <= domain[1]).toBe(true);
    }
    expect(linearTicks([-0.13, 0.07], 5)).toEqual([-0.1, -0.05, 0, 0.05]);
    expect(powerLabel(3e11)).toBe('3·10¹¹');
  });

  test('have a domain if all values are equal or there are none', () => {
    const [low, high] = logDomain([2, 2]);
    expect(low).toBeLessThan(2);
    expect(high).toBeGreaterThan(2);
    expect(logDomain([])).toEqual([1, 10]);
  });

  test('move labels apart, in order, by no more than necessary', () => {
    expect(spread([10, 200], 20, [0, 400])).toEqual([10, 200]);
    expect(spread([100, 101, 102], 20, [0, 400])).toEqual([81, 101, 121]);
    expect(spread([0, 1], 20, [0, 400])).toEqual([0, 20]);
    expect(spread([50, 40], 20, [0, 400])).toEqual([55, 35]);
  });

  test('wrap text at spaces', () => {
    expect(wrap('a law is refused', 6)).toEqual(['a law', 'is', 'refused']);
  });
});
