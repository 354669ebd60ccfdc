/**
 * Renders a Vega-Lite specification to files: .vl.json (with its data inside; opens in any Vega editor), .svg and .png.
 *
 *   1. compile: Vega-Lite specification → Vega specification
 *   2. run the Vega dataflow, which lays out the scene
 *   3. name the clip paths of the scene after the plot
 *   4. scene → SVG
 *   5. SVG → PNG, by resvg with the font files of dejavu-fonts-ttf
 *
 * resvg leaves out text silently if it has no font. So this file names the font files, and a missing file is an error.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import type { TopLevelSpec } from 'vega-lite';

/** Pixels of the PNG per pixel of the SVG. With a factor of 2, plots are sharp on screens and on paper. */
const PNG_SCALE = 2;

/** Font size in pixels of text without one: the default of Vega. */
const DEFAULT_FONT_SIZE = 11;

/** Paths of the files of one plot. */
export interface PlotFiles {
  spec: string;
  svg: string;
  png: string;
}

/**
 * Writes PATH.vl.json, PATH.svg and PATH.png, and creates the folder.
 *
 * @param pathWithoutExtension its last name is the name of the plot
 */
export async function renderPlot(spec: TopLevelSpec, pathWithoutExtension: string): Promise<PlotFiles> {
  const svg = await plotSvg(spec, basename(pathWithoutExtension));
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

/**
 * Renders a specification to SVG text: phases 1 to 4.
 *
 * @param name begins every id in the SVG, so that the ids of several plots on one page do not clash
 * @returns an `<svg>` element with width, height and viewBox; the same bytes for the same specification and name
 */
export async function plotSvg(spec: TopLevelSpec, name = 'plot'): Promise<string> {
  const [vega, { compile }] = await Promise.all([import('vega'), import('vega-lite')]);
  // Without a canvas, Vega estimates every letter as 0.8 em, which leaves gaps in legends and beside axes. `textMetrics` is
  // exported by Vega but missing from its types.
  const { textMetrics } = vega as unknown as {
    textMetrics: { width: (item: { fontSize?: number }, text: string) => number };
  };
  textMetrics.width = (item, text) =>
    (item.fontSize ?? DEFAULT_FONT_SIZE) * [...String(text)].reduce((width, letter) => width + letterWidth(letter), 0);

  const view = new vega.View(vega.parse(compile(spec).spec), { renderer: 'none', logLevel: vega.Warn });
  try {
    await view.runAsync();
    nameClipPaths((view.scenegraph() as unknown as { root: SceneNode }).root, name.replace(/\W/g, '-'));
    return await view.toSVG();
  } finally {
    view.finalize();
  }
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
  const { Resvg } = await import('@resvg/resvg-js');
  const fonts = dirname(createRequire(import.meta.url).resolve('dejavu-fonts-ttf/package.json'));
  const image = new Resvg(svg, {
    fitTo: { mode: 'zoom', value: PNG_SCALE },
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

/** Width of a letter of DejaVu Sans in em. The widths of whole words are right to within a few percent. */
function letterWidth(letter: string): number {
  if (/[ijlI.,:;'|!·]/.test(letter)) return 0.31;
  if (/[ frt()[\]-]/.test(letter)) return 0.39;
  if (/[mwMW%—]/.test(letter)) return 0.92;
  return /[A-Z]/.test(letter) ? 0.69 : 0.61;
}
