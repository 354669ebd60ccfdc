/**
 * Joins the metrics of train and evaluate to RUNS.csv, the table of runs: a row for each run, in the order of the grid, and
 * below it a row for each of its smaller budgets, with the run in the column branch_of. Times are not in it: times.ts.
 */
import { join } from 'node:path';
import { csvFormat } from 'd3-dsv';
import { budgetName } from './parts/budgets.ts';
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
  'diverged',
  'learning_rate',
  'branch_of',
];

await stage({
  name: 'results',
  description: 'Joins the metrics of train and evaluate of all runs to one table, RUNS.csv.',
  paths: ['TRAIN_METRICS', 'EVALUATE_METRICS', 'RUNS.csv'],
  async run({ paths: [trained, evaluated, table], params }) {
    const rows: Record<string, unknown>[] = [];
    for (const { name } of grid(params)) {
      const { budgets = {}, ...train } = await readJson(join(trained, `${name}.json`));
      const { budgets: losses = {}, ...evaluate } = await readJson(join(evaluated, `${name}.json`));
      rows.push({ ...train, ...evaluate });
      for (const share of Object.keys(budgets).sort((a, b) => Number(a) - Number(b))) {
        rows.push({ ...train, ...budgets[share], ...losses[share], run: budgetName(name, share), branch_of: name });
      }
    }
    const cells = rows.map((row) => Object.fromEntries(COLUMNS.map((column) => [column, row[column] ?? ''])));
    await writeText(table, `${csvFormat(cells, COLUMNS)}\n`);
    const runs = rows.filter(({ branch_of }) => branch_of === undefined);
    return {
      runs: runs.length,
      rows: rows.length,
      diverged: runs.filter((row) => String(row.diverged) === 'true').length,
    };
  },
});
