/**
 * Joins the metrics of train and evaluate to RUNS.csv, the table of runs: a row for each run, in the order of the grid.
 */
import { join } from 'node:path';
import { csvFormat } from 'd3-dsv';
import { grid } from './parts/grid.ts';
import { readJson, stage, writeText } from './parts/stage.ts';

/** Columns of the table, which are keys of the metrics of train and evaluate. Losses are in nats per token. */
const COLUMNS = [
  'run',
  'tokenizer',
  'architecture',
  'size',
  'seed',
  'params',
  'params_non_embedding',
  'tokens',
  'flops',
  'train_loss',
  'val_loss',
  'test_loss',
  'val_bits_per_byte',
  'test_bits_per_byte',
  'test_bits_per_byte_equal_context',
  'test_bits_per_byte_without_overlap',
  'test_bits_per_note',
  'perplexity',
  'seconds',
  'tokens_per_second',
  'peak_memory_mb',
  'diverged',
  'learning_rate',
];

await stage({
  name: 'results',
  description: 'Joins the metrics of train and evaluate of all runs to one table, RUNS.csv.',
  paths: ['TRAIN_METRICS', 'EVALUATE_METRICS', 'RUNS.csv'],
  async run({ paths: [trained, evaluated, table], params }) {
    const rows = [];
    for (const { name } of grid(params)) {
      const row: Record<string, unknown> = {
        ...(await readJson(join(trained, `${name}.json`))),
        ...(await readJson(join(evaluated, `${name}.json`))),
      };
      rows.push(Object.fromEntries(COLUMNS.map((column) => [column, row[column] ?? ''])));
    }
    await writeText(table, `${csvFormat(rows, COLUMNS)}\n`);
    return { runs: rows.length, diverged: rows.filter((row) => String(row.diverged) === 'true').length };
  },
});
