/** Training curves. The train stage writes one CSV file per run. */
import { readTable, type TableSchema } from '../../scaling/index.ts';

/**
 * A row of a training curve: one step. Values that were not measured at this step are null. Losses are in nats per
 * token.
 */
export interface CurveRow {
  run: string;
  step: number;
  /** tokens seen so far */
  tokens: number;
  learning_rate: number | null;
  train_loss: number | null;
  /** mean over a fixed sample of windows of the validation split, the same at every evaluation of the run */
  sampled_val_loss: number | null;
  gradient_norm: number | null;
}

const SCHEMA: TableSchema = {
  columns: {
    run: 'name',
    step: 'number',
    tokens: 'number',
    learning_rate: 'number',
    train_loss: 'number',
    sampled_val_loss: 'number',
    gradient_norm: 'number',
  },
  required: ['run', 'step', 'tokens', 'learning_rate', 'train_loss', 'sampled_val_loss', 'gradient_norm'],
};

/**
 * Parses a CSV file of training curves.
 *
 * @param file names the file in messages
 * @throws TableError with file, line and column
 */
export function readCurves(csvText: string, file = 'curves.csv'): CurveRow[] {
  return readTable(csvText, SCHEMA, file) as unknown as CurveRow[];
}
