/** The table of runs, results.csv: a row a trained model, tidy. */
import { readTable, type TableSchema } from './csv-table.ts';
import { TableError } from './errors.ts';

/** A row; names are those of the columns. What was not measured is null. Losses are in nats a token. */
export interface RunRow {
  run: string;
  tokenizer: string;
  architecture: string;
  size: string;
  seed: number | null;
  params: number;
  params_non_embedding: number | null;
  /** seen in training */
  tokens: number | null;
  flops: number | null;
  train_loss: number | null;
  val_loss: number | null;
  test_loss: number | null;
  val_bits_per_byte: number | null;
  test_bits_per_byte: number | null;
  perplexity: number | null;
  seconds: number | null;
  tokens_per_second: number | null;
  peak_memory_mb: number | null;
  diverged: boolean;
  [column: string]: string | number | boolean | null;
}

const SCHEMA: TableSchema = {
  columns: {
    run: 'name',
    tokenizer: 'text',
    architecture: 'text',
    size: 'text',
    seed: 'number',
    params: 'positive',
    params_non_embedding: 'number',
    tokens: 'number',
    flops: 'number',
    train_loss: 'number',
    val_loss: 'number',
    test_loss: 'number',
    val_bits_per_byte: 'number',
    test_bits_per_byte: 'number',
    perplexity: 'number',
    seconds: 'number',
    tokens_per_second: 'number',
    peak_memory_mb: 'number',
    diverged: 'boolean',
  },
  required: ['run', 'params'],
};

/**
 * Reads results.csv, or a table by hand that has at least the columns run, params and a loss.
 * Throws a TableError that names file, line and column.
 */
export function readRuns(csvText: string, file = 'results.csv'): RunRow[] {
  const rows = readTable(csvText, SCHEMA, file);
  if (rows.length === 0) throw new TableError(`${file} names columns and holds no run`);
  const seen = new Set<string>();
  for (const { run } of rows) {
    if (seen.has(run as string)) throw new TableError(`${file}: run ${run} is there twice`);
    seen.add(run as string);
  }
  return rows.map((row) => ({ ...ABSENT, ...row }) as RunRow);
}

/** What a table by hand may leave out. */
const ABSENT = Object.fromEntries(
  Object.entries(SCHEMA.columns).map(([name, kind]) => [
    name,
    kind === 'text' ? '' : kind === 'boolean' ? false : null,
  ]),
);
