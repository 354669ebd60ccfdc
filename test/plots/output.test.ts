/** Tests what becomes of a plot: files, a plot for a page, and the layout for phones. */
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compile } from 'vega-lite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  architecturesPlot,
  interactivePlot,
  plotSvg,
  readCurves,
  renderPlot,
  residualsPlot,
  scalingPlot,
  trainingPlot,
} from '../../lib/plots/index.ts';
import { exampleCurves } from '../scaling/example.ts';
import { exampleStudy, words } from './example.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'plots-'));
});
afterAll(() => rm(folder, { recursive: true }));

const curves = Object.entries(exampleCurves()).flatMap(([run, csv]) => readCurves(csv, `${run}.csv`));

describe('renderPlot', () => {
  test('writes a specification with its data inside, an SVG and a PNG', async () => {
    const { rows, study: fitted } = exampleStudy();
    const files = await renderPlot(scalingPlot(rows, fitted), join(folder, 'made', 'scaling'));
    expect(Object.values(files).map((file) => file.slice(folder.length + 1))).toEqual([
      'made/scaling.vl.json',
      'made/scaling.svg',
      'made/scaling.png',
      'made/scaling.pdf',
    ]);
    const spec = await readFile(files.spec, 'utf8');
    expect(compile(JSON.parse(spec)).spec).toBeDefined();
    expect(spec).not.toMatch(/"url":/);
    expect(await readFile(files.svg, 'utf8')).toMatch(/^<svg [\s\S]*<\/svg>$/);
    const png = await readFile(files.png);
    expect(png.subarray(1, 4).toString()).toBe('PNG');
    expect(png.readUInt32BE(16)).toBeGreaterThan(1600);
  });

  test.each([
    ['its data cannot be loaded', { data: { url: '/none/data.csv' } }, /^Loading failed: \/none\/data\.csv: ENOENT/],
    ['its PNG would not fit into memory', { width: 1e6, height: 1e6 }, /^its PNG would have 2\d+ × 2\d+ pixels/],
  ])('refuses a plot if %s', async (_, changed, message) => {
    const spec = { data: { values: [{ x: 1 }] }, mark: 'point' as const, ...changed };
    await expect(renderPlot(spec, join(folder, 'refused'))).rejects.toThrow(message);
    expect(existsSync(join(folder, 'refused.vl.json'))).toBe(false);
  });

  test('writes the same bytes for the same plot, and ids that begin with its name', async () => {
    const { rows, study: fitted } = exampleStudy();
    const [a, b] = [
      await renderPlot(scalingPlot(rows, fitted), join(folder, 'a', 'scaling')),
      await renderPlot(scalingPlot(rows, fitted), join(folder, 'b', 'scaling')),
    ];
    const ids = [...(await readFile(a.svg, 'utf8')).matchAll(/ id="([^"]*)"/g)].map(([, id]) => id);
    expect(ids).toEqual(ids.map((_, i) => `scaling-clip${i + 1}`));
    expect(ids.length).toBeGreaterThan(0);
    expect(await readFile(a.svg)).toEqual(await readFile(b.svg));
    expect(await readFile(a.png)).toEqual(await readFile(b.png));
    expect(await readFile(a.pdf)).toEqual(await readFile(b.pdf));
  });

  test('writes a PDF of the size of the SVG in points, with embedded fonts and without pictures', async () => {
    const { rows, study: fitted } = exampleStudy();
    const { svg, pdf } = await renderPlot(scalingPlot(rows, fitted), join(folder, 'paper'));
    const text = (await readFile(pdf)).toString('latin1');
    const [, width, height] = /width="(\d+)" height="(\d+)"/.exec(await readFile(svg, 'utf8'))!;
    const [, right, top] = /\/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]/.exec(text)!;
    expect([Number(right), Number(top)]).toEqual([width, height].map((pixels) => Math.ceil(0.75 * Number(pixels))));
    const fonts = [...text.matchAll(/\/BaseFont \/(\S+)/g)].map(([, name]) => name.replace(/^\w+\+/, ''));
    expect(new Set(fonts)).toEqual(new Set(['DejaVuSans', 'DejaVuSans-Bold']));
    expect(text.match(/\/FontFile2/g)?.length).toBe(text.match(/\/Type \/FontDescriptor/g)?.length);
    expect(text).not.toMatch(/\/Type3|\/Subtype \/Image|Date \(/);
  });

  test('draws text into the PNG, which resvg leaves out silently without a font', async () => {
    const { Resvg } = await import('@resvg/resvg-js');
    const { rows, study: fitted } = exampleStudy();
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

describe('the plot for a page', () => {
  test('zooms by signals, highlights a run, and draws the same as the plot itself', async () => {
    const { View, parse } = await import('vega');
    const { expressionInterpreter } = await import('vega-interpreter');
    const { rows, study: fitted } = exampleStudy();
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

describe('the narrow layout', () => {
  test('is as wide as a phone, and has the exponents in its legend', async () => {
    const { rows, study: fitted } = exampleStudy();
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
