/** Rows as aligned text, or as Markdown; numbers stand right. */

/** Longer cells end in "…": one long value must not push all others apart. Names, in the first two columns, stay whole. */
const WIDEST = 44;

export function plainTable(header: readonly string[], cells: readonly (readonly string[])[]): string {
  const rows = cells.map((row) =>
    row.map((cell, i) => (i < 2 || cell.length <= WIDEST ? cell : `${cell.slice(0, WIDEST - 1)}…`)),
  );
  const widths = header.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i].length)));
  const numeric = header.map((_, i) => rows.length > 0 && rows.every((row) => isNumeric(row[i])));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => (numeric[i] ? cell.padStart(widths[i]) : cell.padEnd(widths[i])))
      .join('  ')
      .trimEnd();
  return `${[line(header), ...rows.map(line)].join('\n')}\n`;
}

export function markdownTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return `${[line(header), `|${header.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n')}\n`;
}

/** The words are those that stand in place of a difference. */
function isNumeric(text: string): boolean {
  return /^(new|removed)$/.test(text) || (/^[-+]?(\d|—|$)/.test(text) && !/[a-z]{2}/i.test(text));
}
