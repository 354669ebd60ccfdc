/** Tables as aligned text or as Markdown. Control characters in cells are shown as escapes. */
import { escapeLine } from '../messages/index.ts';
import { columnsOf, cutToColumns, padEndColumns, padStartColumns } from './terminal-width.ts';

/**
 * Longer cells are cut, so that one long value does not push all other columns apart. The first two columns hold names
 * and are never cut. In terminal columns.
 */
const MAX_CELL_WIDTH = 44;

/**
 * A table as text with aligned columns. Columns of numbers are aligned right, all others left.
 *
 * @param header the titles of the columns
 * @param cells one array for each row, as long as `header`
 * @returns one line for the header and one for each row, without trailing spaces
 */
export function plainTable(header: readonly string[], cells: readonly (readonly string[])[]): string {
  const titles = header.map(escapeLine);
  const rows = cells.map((row) =>
    row.map(escapeLine).map((cell, i) => (i < 2 ? cell : cutToColumns(cell, MAX_CELL_WIDTH))),
  );
  const widths = titles.map((title, i) => Math.max(columnsOf(title), ...rows.map((row) => columnsOf(row[i]))));
  const numeric = titles.map((_, i) => rows.length > 0 && rows.every((row) => isNumeric(row[i])));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => (numeric[i] ? padStartColumns(cell, widths[i]) : padEndColumns(cell, widths[i])))
      .join('  ')
      .trimEnd();
  return `${[line(titles), ...rows.map(line)].join('\n')}\n`;
}

/**
 * A table in GitHub's Markdown.
 *
 * @param header the titles of the columns
 * @param rows one array for each row, as long as `header`
 */
export function markdownTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => escapeLine(cell).replaceAll('|', '\\|')).join(' | ')} |`;
  return `${[line(header), `|${header.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n')}\n`;
}

/**
 * Numbers, with or without a unit of one letter. "new" and "removed" stand in a column of differences and count too.
 */
function isNumeric(text: string): boolean {
  return /^(new|removed)$/.test(text) || (/^[-+]?(\d|—|$)/.test(text) && !/[a-z]{2}/i.test(text));
}
