/**
 * The tables of runs.
 *
 *   csv-table.ts   reads and checks CSV tables
 *   runs.ts        the columns of results.csv
 */
export { type Cell, type ColumnKind, readTable, type TableSchema } from './csv-table.ts';
export { type RunRow, readRuns, wholeRuns } from './runs.ts';
