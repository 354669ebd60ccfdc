/** Metrics of train and evaluate → RUNS.csv, the table of runs: a row each, in the order of the grid, nothing computed. */
import { join } from 'node:path';
import { csvFormat } from 'd3-dsv';
import { grid } from './grid.ts';
import { readJson, stage, writeText } from './stage.ts';

/** Losses are in nats a token; train's and evaluate's metrics hold these under the same names. */
const columns = [
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
  'perplexity',
  'seconds',
  'tokens_per_second',
  'peak_memory_mb',
  'diverged',
  'learning_rate',
];

await stage({
  name: 'results',
  does: 'Joins what train and evaluate measured of each run of the grid into one table, RUNS.csv.',
  paths: ['TRAIN_METRICS', 'EVALUATE_METRICS', 'RUNS.csv'],
  async run({ paths: [trained, evaluated, table], params }) {
    const rows = [];
    for (const { name } of grid(params)) {
      const row: Record<string, unknown> = {
        ...(await readJson(join(trained, `${name}.json`))),
        ...(await readJson(join(evaluated, `${name}.json`))),
      };
      rows.push(Object.fromEntries(columns.map((column) => [column, row[column] ?? ''])));
    }
    await writeText(table, `${csvFormat(rows, columns)}\n`);
    return { runs: rows.length, diverged: rows.filter((row) => String(row.diverged) === 'true').length };
  },
});
