/**
 * The token budgets of runs. L(N) is a function of the size only if all runs saw equally many tokens. Runs of several
 * budgets are fitted as L(N, D), and as L(N) at each budget that has enough sizes.
 */

import { formatNumber } from '../numbers/index.ts';
import type { Point, Refusal } from '../size-law/index.ts';
import type { RunRow } from '../tables/index.ts';

/** Numbers of tokens count as one budget if they differ by less: whole batches differ by a few tokens. */
const BUDGET_TOLERANCE = 1.02;

/** The runs of one budget. */
export interface Budget {
  /** The mean number of tokens. */
  tokens: number;
  rows: RunRow[];
}

/**
 * How the numbers of tokens differ. `one`: all runs saw about the same, or their numbers are not known. `growing`: larger
 * sizes saw more. `mixed`: any other way, so that the loss is not a function of the size.
 */
export function budgetsOf(rows: readonly RunRow[]): 'one' | 'growing' | 'mixed' {
  const known = rows.filter((row) => Number.isFinite(row.tokens) && Number.isFinite(row.params));
  const runs = known.map((row) => ({ params: row.params as number, tokens: row.tokens as number }));
  const differ = (a: number, b: number) => !isSameBudget(a, b);
  if (runs.every(({ tokens }) => !differ(tokens, runs[0].tokens))) return 'one';
  runs.sort((a, b) => a.params - b.params || a.tokens - b.tokens);
  const grow = runs.slice(1).every(({ params, tokens }, i) => {
    const before = runs[i];
    return !differ(tokens, before.tokens) || (params > before.params && tokens > before.tokens);
  });
  return grow ? 'growing' : 'mixed';
}

/** Whether two numbers of tokens count as one budget. */
export function isSameBudget(a: number, b: number): boolean {
  return Math.max(a, b) <= BUDGET_TOLERANCE * Math.min(a, b);
}

/** Groups runs by budget, ordered by the number of tokens. Runs without a number of tokens are in none. */
export function groupByBudget(rows: readonly RunRow[]): Budget[] {
  const known = rows.filter((row) => Number.isFinite(row.tokens));
  known.sort((a, b) => (a.tokens as number) - (b.tokens as number));
  const groups: RunRow[][] = [];
  for (const row of known) {
    const last = groups[groups.length - 1];
    if (last && isSameBudget(row.tokens as number, last[0].tokens as number)) last.push(row);
    else groups.push([row]);
  }
  return groups.map((group) => ({
    tokens: group.reduce((sum, row) => sum + (row.tokens as number), 0) / group.length,
    rows: group,
  }));
}

/** The refusal of L(N) for runs of several budgets. */
export function refuseBudgets(points: readonly Point[], tokens: readonly number[]): Refusal {
  const range = `${formatNumber(Math.min(...tokens))} to ${formatNumber(Math.max(...tokens))}`;
  return {
    refused: `the runs saw different numbers of tokens, from ${range}, so the loss is not a function of the size alone: fit runs of one budget, or L(N, D) to all of them`,
    points: points.map((point) => ({ ...point })),
    sizes: new Set(points.map(({ params }) => params)).size,
    comparison: [],
    warnings: [],
  };
}
