/**
 * Turns plot outputs into an HTML page. Images are embedded; Vega-Lite specs and tables (CSV, TSV, JSON, YAML) are drawn
 * as SVG. Plots are data, which may come from anyone: an SVG is embedded as an image, so that scripts in it do not run,
 * and the page's policy forbids scripts and requests. The columns `x` and `y` of a table are options of its entry in pipeline.yaml. By default they are
 * the row's number and the last numeric column.
 */
import { createHash } from 'node:crypto';
import { extname, join } from 'node:path';
import { isMapping, type Json, parseSource, writeJson } from '../documents/index.ts';
import { readBytes } from '../freshness/index.ts';
import { escapeControls, ReproError } from '../messages/index.ts';
import type { Output } from '../pipeline/index.ts';
import type { Side } from './compare.ts';
import { checkPlotFile, dataPath } from './plot-files.ts';
import type { PlotRenderer } from './plot-renderer.ts';

/** MIME types of bitmap images by file name extension. */
const IMAGE_TYPES: Record<string, string> = {
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.gif': 'image/gif',
};

/**
 * One plot as an HTML `<figure>` that shows all sides.
 *
 * @param root the project's folder
 * @param sides the workspace, or two sides to compare
 * @param renderer draws specs and tables
 * @returns undefined if no side has the plot
 * @throws ReproError if the file lies outside of the project or is not a valid table, or a spec cannot be drawn
 */
export async function plotFigure(
  root: string,
  output: Output,
  sides: readonly Side[],
  renderer: PlotRenderer,
): Promise<string | undefined> {
  checkPlotFile(root, output.path);
  const kind = extname(output.path).toLowerCase();
  if (IMAGE_TYPES[kind] !== undefined) {
    // Bitmaps are usually not in git, so only the workspace's image is shown.
    try {
      const image = readBytes(join(root, output.path)).toString('base64');
      return figure(output, imageTag(IMAGE_TYPES[kind], image));
    } catch {
      return undefined;
    }
  }
  const texts: { side: string; text: string }[] = [];
  for (const side of sides) {
    const text = await side.read(output.path);
    if (text !== undefined) texts.push({ side: side.name, text });
  }
  if (texts.length === 0) return undefined;
  if (kind === '.svg')
    return figure(output, texts.map(({ side, text }) => labelled(side, svgTag(text), texts.length)).join(''));
  if (output.path.endsWith('.vl.json')) {
    const drawn: string[] = [];
    for (const side of sides) {
      const text = texts.find((each) => each.side === side.name)?.text;
      if (text === undefined) continue;
      const svg = await renderer.draw(text, async (url) => side.read(dataPath(root, output.path, url)));
      drawn.push(labelled(side.name, svgTag(svg), texts.length));
    }
    return figure(output, drawn.join(''));
  }
  const rows: { [column: string]: Json }[] = [];
  for (const { side, text } of texts)
    for (const [row, values] of (await readTable(text, output.path)).entries())
      rows.push({ row, ...values, revision: side });
  const spec = JSON.stringify(tableSpec(output, rows, texts.length));
  return figure(output, svgTag(await renderer.draw(spec, async () => undefined)));
}

/** The rows of a table. In JSON or YAML, they are the file's list or the first list in its mapping. */
async function readTable(text: string, path: string): Promise<{ [column: string]: Json }[]> {
  const kind = extname(path).toLowerCase();
  if (kind === '.csv' || kind === '.tsv') {
    const { autoType, dsvFormat } = await import('d3-dsv');
    return dsvFormat(kind === '.csv' ? ',' : '\t').parse(text, autoType) as unknown as { [column: string]: Json }[];
  }
  const value = (await parseSource(text, path)).value as Json;
  const list = Array.isArray(value) ? value : isMapping(value) ? Object.values(value).find(Array.isArray) : undefined;
  if (list === undefined)
    throw new ReproError({
      message: 'does not contain a list of rows, so there is nothing to plot',
      place: { file: path },
    });
  // Vega needs numbers, not their texts.
  return JSON.parse(writeJson(list)).map((item: Json) => (isMapping(item) ? { ...item } : { value: item }));
}

/** A Vega-Lite spec: a line plot with one colour for each side; of several columns, one for each, and a dash for each side. */
function tableSpec(output: Output, rows: readonly { [column: string]: Json }[], sides: number): object {
  const columns = Object.keys(rows[0] ?? {}).filter(
    (column) => typeof rows[0][column] === 'number' && column !== 'row',
  );
  const { x_label, y_label } = output.options ?? {};
  const x = String(output.options?.x ?? 'row');
  const y = output.options?.y ?? columns.at(-1) ?? 'value';
  const several = Array.isArray(y);
  const side = { field: 'revision', type: 'nominal' };
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    width: 480,
    height: 280,
    data: { values: rows },
    ...(several ? { transform: [{ fold: y.map(String), as: ['column', 'value'] }] } : {}),
    mark: { type: 'line', point: rows.length < 50 },
    encoding: {
      x: {
        field: x,
        type: typeof rows[0]?.[x] === 'string' ? 'nominal' : 'quantitative',
        ...(x_label === undefined ? {} : { title: String(x_label) }),
      },
      y: {
        field: several ? 'value' : String(y),
        type: 'quantitative',
        scale: { zero: false },
        ...(y_label === undefined ? {} : { title: String(y_label) }),
      },
      ...(several ? { color: { field: 'column', type: 'nominal' } } : sides > 1 ? { color: side } : {}),
      ...(several && sides > 1 ? { strokeDash: side } : {}),
    },
  };
}

/** An SVG as an image. Browsers run no scripts in an image and load nothing for it. */
function svgTag(svg: string): string {
  // Within HTML an SVG needs no namespace, as an image it does.
  const named = /<svg\b[^>]*\sxmlns\s*=/.test(svg)
    ? svg
    : svg.replace(/<svg\b/, `<svg xmlns="http://www.w3.org/2000/svg"`);
  return imageTag('image/svg+xml', Buffer.from(named).toString('base64'));
}

function imageTag(type: string, base64: string): string {
  return `<img src="data:${type};base64,${base64}" alt="">`;
}

/** Adds the side's name as a heading if there are two sides. */
function labelled(side: string, content: string, sides: number): string {
  return sides > 1 ? `<div><h3>${escapeHtml(side)}</h3>${content}</div>` : content;
}

function figure(output: Output, content: string): string {
  const title = String(output.options?.title ?? output.path);
  return `<figure><figcaption>${escapeHtml(title)}</figcaption>${content}</figure>`;
}

function escapeHtml(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return escapeControls(text).replace(/[&<>"']/g, (letter) => entities[letter]);
}

const STYLE =
  'body{font:14px system-ui,sans-serif;margin:2rem;display:flex;flex-wrap:wrap;gap:2rem}figure{margin:0}figcaption{font-weight:600;margin-bottom:.5rem}img{max-width:100%}';

/**
 * The page of all plots. It loads nothing: its Content-Security-Policy allows only its own style and embedded images.
 *
 * @param figures made by `plotFigure`
 * @see https://www.w3.org/TR/CSP3/
 */
export function plotPage(figures: readonly string[]): string {
  const styleHash = createHash('sha256').update(STYLE).digest('base64');
  const policy = `default-src 'none'; img-src data:; style-src 'sha256-${styleHash}'; base-uri 'none'; form-action 'none'`;
  return `<!doctype html>\n<html lang="en"><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${policy}"><title>plots</title><style>${STYLE}</style>\n${figures.join('\n')}\n</html>\n`;
}
