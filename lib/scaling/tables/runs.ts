/** The table of runs, results.csv: one row per trained model. */

import { TableError } from '../errors.ts';
import { readTable, type TableSchema } from './csv-table.ts';

/** One trained model: a row of the table. Values that were not measured are null. Losses are in nats per token. */
export interface RunRow {
  run: string;
  tokenizer: string;
  architecture: string;
  size: string;
  seed: number | null;
  params: number;
  params_non_embedding: number | null;
  /** Tokens seen in training. */
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
  /**
   * The run of which this row is a smaller budget, given by a cooldown: it shares its beginning with that run, so it is
   * not a model of its own. '' for a whole run.
   */
  branch_of: string;
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
    branch_of: 'text',
  },
  required: ['params'],
};

/** Names of columns in tables of others, in lower case with underscores for blanks. */
const ALIASES: Record<string, string> = {
  model: 'run',
  model_name: 'run',
  n: 'params',
  n_params: 'params',
  num_params: 'params',
  num_parameters: 'params',
  parameters: 'params',
  model_size: 'params',
  d: 'tokens',
  num_tokens: 'tokens',
  train_tokens: 'tokens',
  training_tokens: 'tokens',
  training_flop: 'flops',
  training_flops: 'flops',
  bpb: 'test_bits_per_byte',
};

/**
 * Reads results.csv, or any other table with the columns `params` and a loss. Usual other names of columns are taken,
 * such as "Model Size" and "Training Tokens". Without a column `run`, the runs are named by their lines.
 *
 * @param csvText the contents of the file
 * @param file the path, for messages
 * @throws TableError if the table is empty or wrong; the message names the file, the line and the column
 * @example readRuns('run,params,test_loss\na,5632,1.47\n')
 */
export function readRuns(csvText: string, file = 'results.csv'): RunRow[] {
  const rows = readTable(csvText, SCHEMA, file, canonicalName);
  rows.forEach((row, i) => {
    row.run ??= `row ${i + 1}`;
  });
  if (rows.length === 0) throw new TableError(`${file} has a header and no runs`);
  const seen = new Set<string>();
  for (const { run } of rows) {
    if (seen.has(run as string)) throw new TableError(`${file}: there are two runs ${run}`);
    seen.add(run as string);
  }
  const runs = rows.map((row) => ({ ...DEFAULTS, ...row }) as RunRow);
  for (const { run, branch_of: whole } of runs)
    if (whole !== '' && !seen.has(whole))
      throw new TableError(`${file}: ${run} is a smaller budget of ${whole} (branch_of), and there is no such run`);
  return runs;
}

/** The rows of whole runs: those that are not smaller budgets of another row. */
export function wholeRuns(rows: readonly RunRow[]): RunRow[] {
  return rows.filter(({ branch_of }) => !branch_of);
}

/** The usual name of a column, unless the table has a column of that name too. */
function canonicalName(name: string, header: readonly string[]): string {
  const plain = name.toLowerCase().replace(/[\s-]+/g, '_');
  const usual = ALIASES[plain] ?? (plain in SCHEMA.columns ? plain : name);
  return header.includes(usual) ? name : usual;
}

/** The values of columns that the table lacks. */
const DEFAULTS = Object.fromEntries(
  Object.entries(SCHEMA.columns).map(([name, kind]) => [
    name,
    kind === 'text' ? '' : kind === 'boolean' ? false : null,
  ]),
);
