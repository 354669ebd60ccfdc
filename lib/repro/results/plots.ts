/**
 * Turns plot outputs into parts of an HTML page. Images are embedded; Vega-Lite specs and tables (CSV, TSV, JSON, YAML)
 * are drawn as SVG. The columns `x` and `y` of a table are options of its entry in pipeline.yaml. By default they are
 * the row's number and the last numeric column.
 */
import { readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { isMapping, type Json, parseSource } from '../documents/index.ts';
import { ReproError } from '../messages/index.ts';
import type { Output } from '../pipeline/index.ts';
import type { Side } from './compare.ts';

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
 * @returns undefined if no side has the plot
 * @throws ReproError if the file is not a valid table; any error of vega-lite for an invalid spec
 */
export async function plotFigure(root: string, output: Output, sides: readonly Side[]): Promise<string | undefined> {
  const kind = extname(output.path).toLowerCase();
  if (IMAGE_TYPES[kind] !== undefined) {
    // Bitmaps are usually not in git, so only the workspace's image is shown.
    try {
      const image = readFileSync(join(root, output.path)).toString('base64');
      return figure(output, `<img src="data:${IMAGE_TYPES[kind]};base64,${image}" alt="">`);
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
    return figure(output, texts.map(({ side, text }) => labelled(side, text, texts.length)).join(''));
  if (output.path.endsWith('.vl.json')) {
    const drawn = await Promise.all(
      texts.map(async ({ side, text }) => labelled(side, await renderSvg(JSON.parse(text)), texts.length)),
    );
    return figure(output, drawn.join(''));
  }
  const rows: { [column: string]: Json }[] = [];
  for (const { side, text } of texts)
    for (const [row, values] of (await readTable(text, output.path)).entries())
      rows.push({ row, ...values, revision: side });
  return figure(output, await renderSvg(tableSpec(output, rows, texts.length)));
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
  return list.map((item: Json) => (isMapping(item) ? { ...item } : { value: item }));
}

/** A Vega-Lite spec: a line plot with one colour for each side. */
function tableSpec(output: Output, rows: readonly { [column: string]: Json }[], sides: number): object {
  const columns = Object.keys(rows[0] ?? {}).filter(
    (column) => typeof rows[0][column] === 'number' && column !== 'row',
  );
  const x = String(output.options?.x ?? 'row');
  const y = String(output.options?.y ?? columns.at(-1) ?? 'value');
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    width: 480,
    height: 280,
    data: { values: rows },
    mark: { type: 'line', point: rows.length < 50 },
    encoding: {
      x: { field: x, type: typeof rows[0]?.[x] === 'string' ? 'nominal' : 'quantitative' },
      y: { field: y, type: 'quantitative', scale: { zero: false } },
      ...(sides > 1 ? { color: { field: 'revision', type: 'nominal' } } : {}),
    },
  };
}

/** Renders a Vega-Lite spec as SVG. */
async function renderSvg(spec: object): Promise<string> {
  const [{ compile }, { parse, View }] = await Promise.all([import('vega-lite'), import('vega')]);
  return new View(parse(compile(spec as Parameters<typeof compile>[0]).spec), { renderer: 'none' }).toSVG();
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
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
