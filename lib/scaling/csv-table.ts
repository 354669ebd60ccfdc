/**
 * A table in CSV with columns known by name: checked cell by cell, so that what is wrong is named by line and column.
 * What the columns are is the caller's business: runs.ts has those of results.csv.
 */
import { csvParseRows } from 'd3-dsv';
import { TableError } from './errors.ts';

/**
 * What a column holds. An empty cell is '' as text, false as boolean, null as number. A number may be NaN or infinite, for diverged
 * runs write that; a name is a text that is not empty, and a positive a number above 0.
 */
export type ColumnKind = 'name' | 'text' | 'positive' | 'number' | 'boolean';

export type Cell = string | number | boolean | null;

export interface TableSchema {
  columns: Record<string, ColumnKind>;
  /** columns that must be there; the others may be missing, and columns beyond these may follow */
  required: string[];
}

/** Throws a TableError that names the file, and the line and column or what columns there are. */
export function readTable(text: string, schema: TableSchema, file: string): Record<string, Cell>[] {
  const rows = csvParseRows(text.replace(/^\uFEFF/, ''));
  const header = rows[0]?.map((name) => name.trim()) ?? [];
  if (header.length === 0 || header.every((name) => name === ''))
    throw new TableError(`${file} is empty: its first line must name the columns ${schema.required.join(', ')}`);
  const missing = schema.required.filter((name) => !header.includes(name));
  if (missing.length > 0)
    throw new TableError(
      `${file}:1: no column ${missing.join(', ')}; there ${header.length === 1 ? 'is' : 'are'} ${header.join(', ')}`,
    );
  const twice = header.find((name, i) => name !== '' && header.indexOf(name) < i);
  if (twice !== undefined) throw new TableError(`${file}:1: there are two columns ${twice}`);

  const table: Record<string, Cell>[] = [];
  let line = 1 + linesIn(rows[0]);
  for (const row of rows.slice(1)) {
    const here = line;
    line += linesIn(row);
    if (row.length === 1 && row[0].trim() === '') continue;
    if (row.length !== header.length)
      throw new TableError(`${file}:${here}: ${row.length} cells, where the first line names ${header.length} columns`);
    const cells = header.map((name, i): [string, Cell] => {
      const kind = schema.columns[name];
      return [name, readCell(row[i].trim(), kind, `${file}:${here}, column ${name}`)];
    });
    table.push(Object.fromEntries(cells));
  }
  return table;
}

function readCell(text: string, kind: ColumnKind | undefined, where: string): Cell {
  switch (kind) {
    case 'name':
      if (text === '') throw new TableError(`${where}: a name is missing`);
      return text;
    case 'text':
      return text;
    case 'positive': {
      const value = readNumber(text);
      if (!(value !== undefined && value > 0)) throw new TableError(`${where}: '${text}' is not a number above 0`);
      return value;
    }
    case 'number': {
      if (text === '') return null;
      const value = readNumber(text);
      if (value === undefined) throw new TableError(`${where}: '${text}' is not a number`);
      return value;
    }
    case 'boolean':
      if (/^(true|yes|1)$/i.test(text)) return true;
      if (/^(false|no|0|)$/i.test(text)) return false;
      throw new TableError(`${where}: '${text}' is neither true nor false`);
    default:
      // A column of somebody else's: a number where it reads as one.
      return text === '' ? null : (readNumber(text) ?? text);
  }
}

function readNumber(text: string): number | undefined {
  if (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return Number(text);
  if (/^nan$/i.test(text)) return Number.NaN;
  const infinite = /^([+-]?)inf(inity)?$/i.exec(text);
  return infinite ? Number(`${infinite[1]}Infinity`) : undefined;
}

/** Lines of the file that a row takes up: cells in quotes may hold line ends. */
function linesIn(row: readonly string[]): number {
  return 1 + row.reduce((sum, cell) => sum + (cell.match(/\n/g)?.length ?? 0), 0);
}
