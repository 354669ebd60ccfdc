/** Training curves as the training stage writes them, a CSV file a run. */
import { readTable, type TableSchema } from '../scaling/index.ts';

/** A line of a curve; null where it was not evaluated at that step. Losses are in nats a token. */
export interface CurveRow {
  run: string;
  step: number;
  /** seen so far */
  tokens: number;
  learning_rate: number | null;
  train_loss: number | null;
  /** over the windows of the validation split that every evaluation of the run reads */
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

/** Throws a TableError that names file, line and column. */
export function readCurves(csvText: string, file = 'curves.csv'): CurveRow[] {
  return readTable(csvText, SCHEMA, file) as unknown as CurveRow[];
}
