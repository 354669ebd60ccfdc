/**
 * Reads CSV tables with named columns. Every cell is checked, and errors name the line and the column. The columns of
 * results.csv are in runs.ts.
 *
 * @see RFC 4180
 */
import { csvParseRows } from 'd3-dsv';
import { TableError } from '../errors.ts';

/**
 * The type of a column. A `name` is a text that is not empty, and a `positive` is a number above 0. A number may be NaN
 * or infinite, because diverged runs have such losses. An empty cell is '' as text, false as boolean and null as
 * number.
 */
export type ColumnKind = 'name' | 'text' | 'positive' | 'number' | 'boolean';

/** The value of a cell. */
export type Cell = string | number | boolean | null;

/** The known columns of a table. */
export interface TableSchema {
  columns: Record<string, ColumnKind>;
  /** Columns that must exist. The other known columns may be missing, and unknown ones are allowed. */
  required: string[];
}

/**
 * Reads a CSV table whose first line names the columns.
 *
 * @param text the CSV text
 * @param schema the known columns
 * @param file the path, for messages
 * @param rename gives the name under which a column is read, if it is not its own
 * @returns a record per row, by column name
 * @throws TableError if the header or a cell is wrong; the message names the file, the line and the column
 */
export function readTable(
  text: string,
  schema: TableSchema,
  file: string,
  rename: (name: string, header: readonly string[]) => string = (name) => name,
): Record<string, Cell>[] {
  const rows = csvParseRows(text.replace(/^\uFEFF/, ''));
  const names = rows[0]?.map((name) => name.trim()) ?? [];
  const header = names.map((name) => rename(name, names));
  if (header.length === 0 || header.every((name) => name === ''))
    throw new TableError(`${file} is empty: its first line must name the columns ${schema.required.join(', ')}`);
  const missing = schema.required.filter((name) => !header.includes(name));
  const separator = header.length === 1 ? /[;\t]/.exec(header[0])?.[0] : undefined;
  if (missing.length > 0 && separator !== undefined)
    throw new TableError(
      `${file}:1: its cells are separated by ${separator === ';' ? 'semicolons' : 'tabs'}; a table needs commas between cells, and points in numbers`,
    );
  if (missing.length > 0)
    throw new TableError(
      `${file}:1: no column ${missing.join(', ')}; there ${header.length === 1 ? 'is' : 'are'} ${header.join(', ')}`,
    );
  const duplicate = header.find((name, i) => name !== '' && header.indexOf(name) < i);
  if (duplicate !== undefined) throw new TableError(`${file}:1: there are two columns ${duplicate}`);

  const table: Record<string, Cell>[] = [];
  let nextLine = 1 + linesIn(rows[0]);
  for (const row of rows.slice(1)) {
    const line = nextLine;
    nextLine += linesIn(row);
    if (row.length === 1 && row[0].trim() === '') continue;
    if (row.length !== header.length)
      throw new TableError(`${file}:${line}: ${row.length} cells, where the first line names ${header.length} columns`);
    const cells = header.map((name, i): [string, Cell] => {
      const kind = schema.columns[name];
      return [name, readCell(row[i].trim(), kind, `${file}:${line}, column ${name}`)];
    });
    table.push(Object.fromEntries(cells));
  }
  return table;
}

/** Parses a cell. `where` is the start of the message of an error. */
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
      // An unknown column: a number if the text reads as one.
      return text === '' ? null : (readNumber(text) ?? text);
  }
}

/** Parses a number, NaN or ±Infinity; undefined for any other text. */
function readNumber(text: string): number | undefined {
  if (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return Number(text);
  if (/^nan$/i.test(text)) return Number.NaN;
  const infinite = /^([+-]?)inf(inity)?$/i.exec(text);
  return infinite ? Number(`${infinite[1]}Infinity`) : undefined;
}

/** Number of lines of the file that a row takes: quoted cells may contain newlines. */
function linesIn(row: readonly string[]): number {
  return 1 + row.reduce((sum, cell) => sum + (cell.match(/\n/g)?.length ?? 0), 0);
}
