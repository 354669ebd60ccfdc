/**
 * Renders a Vega-Lite specification to files: .vl.json (with its data inside; opens in any Vega editor), .svg, .png and
 * .pdf.
 *
 *   1. compile: Vega-Lite specification → Vega specification
 *   2. run the Vega dataflow, which lays out the scene
 *   3. name the clip paths of the scene after the plot
 *   4. scene → SVG
 *   5. SVG → PNG, by resvg with the font files of dejavu-fonts-ttf
 *   6. scene → PDF (pdf.ts)
 *
 * resvg leaves out text silently if it has no font. So this file names the font files, and a missing file is an error.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { LoggerInterface, View } from 'vega';
import type { TopLevelSpec } from 'vega-lite';
import { FONT_FAMILY, FONT_FILES } from './fonts.ts';
import { viewPdf } from './pdf.ts';

/** Pixels of the PNG per pixel of the SVG. With a factor of 2, plots are sharp on screens and on paper. */
const PNG_SCALE = 2;

/** Most pixels of a PNG: a square of 16,384. Drawing takes 4 bytes for each. */
const MAX_PNG_PIXELS = 2 ** 28;

/** Font size in pixels of text without one: the default of Vega. */
const DEFAULT_FONT_SIZE = 11;

/** A format that plots are drawn in. */
export type PlotFormat = 'svg' | 'png' | 'pdf';

/** Paths of the files of one plot. */
export interface PlotFiles {
  spec: string;
  svg: string;
  png: string;
  pdf: string;
}

/**
 * Writes PATH.vl.json, PATH.svg, PATH.png and PATH.pdf, and creates the folder.
 *
 * @param pathWithoutExtension its last name is the name of the plot
 */
export async function renderPlot(spec: TopLevelSpec, pathWithoutExtension: string): Promise<PlotFiles> {
  const drawn = await drawPlot(spec, basename(pathWithoutExtension), ['svg', 'png', 'pdf']);
  const file = (extension: string) => `${pathWithoutExtension}.${extension}`;
  await mkdir(dirname(pathWithoutExtension), { recursive: true });
  await writeFile(file('vl.json'), `${JSON.stringify(spec, null, 2)}\n`);
  await Promise.all([...drawn].map(([format, content]) => writeFile(file(format), content)));
  return { spec: file('vl.json'), svg: file('svg'), png: file('png'), pdf: file('pdf') };
}

/**
 * Renders a specification in some formats.
 *
 * @param name begins every id in the SVG
 * @returns the contents of the files, by format
 * @throws Error if the specification is wrong, its data cannot be loaded, or its PNG would be too large
 */
export async function drawPlot(
  spec: TopLevelSpec,
  name: string,
  formats: readonly PlotFormat[],
): Promise<Map<PlotFormat, string | Buffer>> {
  return withView(spec, async (view) => {
    const svg = await viewSvg(view, name);
    const drawn = new Map<PlotFormat, string | Buffer>();
    for (const format of formats)
      drawn.set(
        format,
        format === 'svg' ? svg : format === 'png' ? await svgPng(svg) : await viewPdf(view, sizeOf(svg)),
      );
    return drawn;
  });
}

/**
 * Renders a specification to SVG text: phases 1 to 4.
 *
 * @param name begins every id in the SVG, so that the ids of several plots on one page do not clash
 * @returns an `<svg>` element with width, height and viewBox; the same bytes for the same specification and name
 */
export function plotSvg(spec: TopLevelSpec, name = 'plot'): Promise<string> {
  return withView(spec, (view) => viewSvg(view, name));
}

/** Phases 1 and 2. The view is closed after `use`. */
async function withView<T>(spec: TopLevelSpec, use: (view: View) => Promise<T>): Promise<T> {
  const [vega, { compile }] = await Promise.all([import('vega'), import('vega-lite')]);
  // Without a canvas, Vega estimates every letter as 0.8 em, which leaves gaps in legends and beside axes. `textMetrics` is
  // exported by Vega but missing from its types.
  const { textMetrics } = vega as unknown as {
    textMetrics: { width: (item: { fontSize?: number }, text: string) => number };
  };
  textMetrics.width = (item, text) =>
    (item.fontSize ?? DEFAULT_FONT_SIZE) * [...String(text)].reduce((width, letter) => width + letterWidth(letter), 0);

  const { logger, failures } = collectFailures();
  const view = new vega.View(vega.parse(compile(spec).spec), { renderer: 'none', logger });
  try {
    await view.runAsync();
    if (failures.length > 0) throw new Error(failures[0]);
    return await use(view);
  } finally {
    view.finalize();
  }
}

/** A logger of Vega that collects errors and data that cannot be loaded. Vega logs them, and draws an empty plot. */
function collectFailures(): { logger: LoggerInterface; failures: string[] } {
  const failures: string[] = [];
  const text = (values: readonly unknown[]) =>
    values.map((value) => (value instanceof Error ? value.message : String(value))).join(': ');
  const logger = {
    level: () => logger,
    error: (...values: unknown[]) => {
      failures.push(text(values));
      return logger;
    },
    warn: (...values: unknown[]) => {
      if (values.some((value) => value instanceof Error)) failures.push(text(values));
      else console.warn(text(values));
      return logger;
    },
    info: () => logger,
    debug: () => logger,
  };
  return { logger: logger as unknown as LoggerInterface, failures };
}

/** Phases 3 and 4. */
async function viewSvg(view: View, name: string): Promise<string> {
  nameClipPaths((view.scenegraph() as unknown as { root: SceneNode }).root, name.replace(/\W/g, '-'));
  return view.toSVG();
}

/** Width and height of an SVG of Vega, in pixels. */
function sizeOf(svg: string): { width: number; height: number } {
  const [, width, height] = /^<svg [^>]*width="([\d.]+)" height="([\d.]+)"/.exec(svg)!;
  return { width: Number(width), height: Number(height) };
}

/** A mark, an item or a group of Vega's scene, with the fields that clip paths need. */
interface SceneNode {
  /** whether the node is clipped */
  clip?: unknown;
  /** id of the clip path in the SVG. The SVG renderer sets it if it is missing, from a counter shared by all plots */
  clip_id?: string;
  /** the items of a mark, or the marks of a group */
  items?: SceneNode[];
}

/** Gives the clip paths of a scene the ids NAME-clip1, NAME-clip2, … in the order of the scene. */
function nameClipPaths(root: SceneNode, name: string): void {
  let clips = 0;
  const visit = (node: SceneNode): void => {
    if (node.clip) node.clip_id = `${name}-clip${++clips}`;
    for (const child of node.items ?? []) visit(child);
  };
  visit(root);
}

/** Phase 5: converts the SVG to a PNG. */
async function svgPng(svg: string): Promise<Buffer> {
  const [width, height] = Object.values(sizeOf(svg)).map((pixels) => Math.ceil(pixels * PNG_SCALE));
  if (width * height > MAX_PNG_PIXELS)
    throw new Error(`its PNG would have ${width} × ${height} pixels; make it smaller, or draw a PDF or an SVG`);
  const { Resvg } = await import('@resvg/resvg-js');
  const image = new Resvg(svg, {
    fitTo: { mode: 'zoom', value: PNG_SCALE },
    font: {
      loadSystemFonts: false,
      fontFiles: FONT_FILES,
      defaultFontFamily: FONT_FAMILY,
    },
  });
  return image.render().asPng();
}

/** Width of a letter of DejaVu Sans in em. The widths of whole words are right to within a few percent. */
function letterWidth(letter: string): number {
  if (/[ijlI.,:;'|!·]/.test(letter)) return 0.31;
  if (/[ frt()[\]-]/.test(letter)) return 0.39;
  if (/[mwMW%—]/.test(letter)) return 0.92;
  return /[A-Z]/.test(letter) ? 0.69 : 0.61;
}
