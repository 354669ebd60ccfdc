/** Smaller budgets of a run (train.budgets): where their models are, and how their rows are named. */
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** The folder of the model of a smaller budget: MODEL/budgets/0.25. */
export function budgetFolder(modelDir: string, share: number): string {
  return join(modelDir, 'budgets', String(share));
}

/** The smaller budgets whose models are in MODEL, as shares of the tokens, ascending. */
export async function budgetsOfModel(modelDir: string): Promise<number[]> {
  const folder = join(modelDir, 'budgets');
  return existsSync(folder) ? (await readdir(folder)).map(Number).sort((a, b) => a - b) : [];
}

/** The name of a smaller budget in the table of runs: char-gpt-tiny-1@0.25. */
export function budgetName(run: string, share: number | string): string {
  return `${run}@${share}`;
}

/** The share in the name of a smaller budget, such as '0.25'. */
export function shareOf(name: string): string {
  return name.slice(name.lastIndexOf('@') + 1);
}
