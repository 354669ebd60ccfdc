/**
 * From a Vega-Lite specification to files: .vl.json (data inside, opens in any Vega editor), .svg and .png.
 *
 *   Vega-Lite ──compile──→ Vega ──SVG renderer──→ SVG ──resvg, with the font files of dejavu-fonts-ttf──→ PNG
 *
 * resvg drops text without a word where it has no font, so the font files are named and their absence is an error.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { TopLevelSpec } from 'vega-lite';

/** PNGs are twice the size in pixels, for screens and paper. */
const SCALE = 2;

export interface PlotFiles {
  spec: string;
  svg: string;
  png: string;
}

/** Writes PATH.vl.json, PATH.svg and PATH.png; makes the folder. */
export async function renderPlot(spec: TopLevelSpec, pathWithoutExtension: string): Promise<PlotFiles> {
  const svg = await plotSvg(spec);
  const png = await svgPng(svg);
  const files = ['vl.json', 'svg', 'png'].map((extension) => `${pathWithoutExtension}.${extension}`);
  await mkdir(dirname(pathWithoutExtension), { recursive: true });
  await Promise.all([
    writeFile(files[0], `${JSON.stringify(spec, null, 2)}\n`),
    writeFile(files[1], svg),
    writeFile(files[2], png),
  ]);
  return { spec: files[0], svg: files[1], png: files[2] };
}

export async function plotSvg(spec: TopLevelSpec): Promise<string> {
  const [vega, { compile }] = await Promise.all([import('vega'), import('vega-lite')]);
  // Without a canvas Vega takes every letter for 0.8 em, and leaves gaps in legends and beside axes. Its types leave this out.
  const { textMetrics } = vega as unknown as {
    textMetrics: { width: (item: { fontSize?: number }, text: string) => number };
  };
  textMetrics.width = (item, text) =>
    (item.fontSize ?? 11) * [...String(text)].reduce((width, letter) => width + letterWidth(letter), 0);
  // Ids of clips count on from drawing to drawing; the same plot is to be the same bytes.
  vega.resetSVGDefIds();
  const view = new vega.View(vega.parse(compile(spec).spec), { renderer: 'none', logLevel: vega.Warn });
  try {
    return await view.toSVG();
  } finally {
    view.finalize();
  }
}

async function svgPng(svg: string): Promise<Buffer> {
  const { Resvg } = await import('@resvg/resvg-js');
  const fonts = dirname(createRequire(import.meta.url).resolve('dejavu-fonts-ttf/package.json'));
  const image = new Resvg(svg, {
    fitTo: { mode: 'zoom', value: SCALE },
    font: {
      loadSystemFonts: false,
      fontFiles: ['DejaVuSans.ttf', 'DejaVuSans-Bold.ttf', 'DejaVuSans-Oblique.ttf'].map((file) =>
        join(fonts, 'ttf', file),
      ),
      defaultFontFamily: 'DejaVu Sans',
    },
  });
  return image.render().asPng();
}

/** In em, of DejaVu Sans, to within a few percent of a word. */
function letterWidth(letter: string): number {
  if (/[ijlI.,:;'|!·]/.test(letter)) return 0.31;
  if (/[ frt()[\]-]/.test(letter)) return 0.39;
  if (/[mwMW%—]/.test(letter)) return 0.92;
  return /[A-Z]/.test(letter) ? 0.69 : 0.61;
}
