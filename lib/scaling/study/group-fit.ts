/**
 * The fit of one tokenizer and architecture. Runs of one budget are fitted as L(N). Runs of several budgets are fitted
 * as L(N, D), and as L(N) at each budget that has enough sizes.
 *
 * A run may give several budgets by cooldowns (`branch_of` in the table). Then L(N) is that of the whole runs, and
 * their smaller budgets are used for L(N, D), for compute-optimal sizes and for L(N) at each budget.
 */

import {
  type HeldOut,
  holdOut,
  holdOutTokens,
  type Influence,
  influentialRuns,
  influentialTokenRuns,
  type NamedPoint,
  type TestSplitError,
  type TuneResamples,
  testSplitError,
} from '../analysis/index.ts';
import {
  type AlphaInterval,
  countOf,
  formatAlpha,
  formatNumber,
  formatPercent,
  type Interval,
} from '../numbers/index.ts';
import { fitPowerLaw, isRefusal, type Point, type PowerLawFit, type Refusal } from '../size-law/index.ts';
import { type RunRow, wholeRuns } from '../tables/index.ts';
import {
  type Budget,
  budgetsOf,
  type ChinchillaDraws,
  type ChinchillaFit,
  type ComputeOptimal,
  computeOptimal,
  fitChinchillaDraws,
  groupByBudget,
  refuseBudgets,
  type TokenPoint,
} from '../token-law/index.ts';
import { describeTokenLaw, lossName, sentence, sizeVerdict, tokensVerdict } from './verdicts.ts';

/** Which law is fitted: `auto` chooses by the budgets of the runs. */
export type LawForm = 'auto' | 'power' | 'chinchilla';

/** The fit of one tokenizer and architecture. The names are the keys of scaling.json. */
export interface GroupFit {
  /** For display: "GPT", or "GPT, bpe" if there are several tokenizers. */
  label: string;
  tokenizer: string;
  architecture: string;
  /** Number of runs in the fit. */
  runs: number;
  /** Number of losses at smaller budgets that these runs gave, for L(N, D). */
  branches: number;
  /** Number of distinct sizes. */
  sizes: number;
  /**
   * Smallest and largest number of tokens that these runs saw in training. Null if the table has no numbers of tokens.
   */
  tokens: [number, number] | null;
  /** The run of lowest loss. */
  best: { run: string; params: number; loss: number } | null;
  /** Runs that were not fitted. The warnings of the fit give the reasons. */
  left_out: string[];
  /** The law of the verdict; null if none is supported. */
  law: 'L(N)' | 'L(N, D)' | null;
  /** L(N). Refused if the runs saw several budgets. */
  fit: PowerLawFit | Refusal;
  /** L(N) at each budget with at least three sizes, by budget; empty if all runs saw one budget. */
  by_budget: BudgetFit[];
  /** L(N, D), if the runs saw several budgets or the form `chinchilla` was asked for; otherwise null. */
  with_tokens: ChinchillaFit | { refused: string } | null;
  /** Compute-optimal sizes; null if the table has no numbers of tokens. */
  compute_optimal: ComputeOptimal | null;
  /** The law with N counted in each way that the table has, by column. */
  by_size: Record<string, SizeSummary>;
  /** The largest size, predicted from the smaller ones. */
  held_out: HeldOut | { refused: string };
  /** Runs on which the result depends. They are named in the warnings of the fit too. */
  influential: Influence[];
  /** The error of the test split; null if the losses by tune are not known. */
  test_split: TestSplitError | null;
  /**
   * A text about L(N, D) and compute-optimal sizes, which need runs with smaller budgets. Null if there are none.
   */
  branches_verdict: string | null;
  /** The claim that the runs support, in a few sentences. */
  verdict: string;
}

/** L(N) at one budget. */
export interface BudgetFit {
  /** The number of tokens. */
  tokens: number;
  runs: number;
  sizes: number;
  fit: PowerLawFit | Refusal;
  test_split: TestSplitError | null;
}

/** A law in short, for one way of counting N. */
export type SizeSummary =
  | {
      form: PowerLawFit['form'] | 'chinchilla';
      parameters: Record<string, number>;
      intervals: Record<string, Interval | AlphaInterval | null>;
    }
  | { refused: string };

/** Options of a fit. */
export interface GroupOptions {
  loss: string;
  size: string;
  confidence: number;
  form: LawForm;
  /** The losses of the runs on resampled test splits; undefined if they are not known. */
  resamples?: TuneResamples;
}

/** Columns that count N. */
const SIZE_COLUMNS = ['params', 'params_non_embedding'];
/** Least number of sizes at a budget for which L(N) is tried. */
const BUDGET_SIZES = 3;
/** Bootstrap samples of L(N, D) for another way of counting N. */
const SIDE_RESAMPLES = 100;

/** Fits the runs of one tokenizer and architecture. */
export function fitGroup(label: string, all: readonly RunRow[], options: GroupOptions): GroupFit {
  const { loss, size, confidence, form, resamples } = options;
  const isUsed = (row: RunRow) => reasonLeftOut(row, loss, size) === undefined;
  const branches = all.filter((row) => row.branch_of && isUsed(row));
  const rows = wholeRuns(all);
  const reasons = rows.map((row) => reasonLeftOut(row, loss, size));
  const used = rows.filter((_, i) => reasons[i] === undefined);
  const points = used.map((row) => toPoint(row, loss, size));
  const withBranches = [...used, ...branches];
  const tokens = withBranches.map((row) => row.tokens).filter((value): value is number => Number.isFinite(value));
  const budgets = budgetsOf(used);
  const fit = budgets === 'mixed' ? refuseBudgets(points, tokens) : fitPowerLaw(points, { confidence });
  const tests = (law: PowerLawFit | Refusal) =>
    resamples?.hasAll(law.points) ? testSplitError(law.points, law, resamples, confidence) : null;
  const byBudget =
    budgets === 'mixed' || branches.length > 0
      ? groupByBudget(withBranches).flatMap((budget) => fitBudget(budget, options, tests))
      : [];

  const hasTokens = used.length > 0 && tokens.length === withBranches.length;
  const tokenPoints = hasTokens ? withBranches.map((row) => toTokenPoint(row, loss, size)) : [];
  const wantsTokens = form === 'chinchilla' || (form === 'auto' && (budgets !== 'one' || branches.length > 0));
  const fitted: ChinchillaDraws | { refused: string } | null = !wantsTokens
    ? null
    : hasTokens
      ? fitChinchillaDraws(tokenPoints, { confidence })
      : { refused: 'L(N, D) needs the column tokens, and not every run has a number in it' };
  const withTokens = fitted && ('refused' in fitted ? fitted : fitted.fit);
  const usesTokens = withTokens !== null && (form === 'chinchilla' || budgets === 'mixed');
  const law = usesTokens ? ('refused' in withTokens ? null : 'L(N, D)') : isRefusal(fit) ? null : 'L(N)';

  const influential =
    usesTokens && !('refused' in withTokens)
      ? influentialTokenRuns(tokenPoints, withTokens, confidence)
      : budgets === 'mixed'
        ? []
        : influentialRuns(points, fit, confidence);
  if (budgets === 'growing')
    fit.warnings.push(
      `larger models saw more tokens, from ${formatNumber(Math.min(...tokens))} to ${formatNumber(Math.max(...tokens))}: α holds for budgets that grow so, not for one budget`,
    );
  (usesTokens && !('refused' in withTokens) ? withTokens : fit).warnings.push(
    ...influential.map(({ message }) => message),
  );
  fit.warnings.unshift(
    ...rows.flatMap((row, i) => (reasons[i] === undefined ? [] : [`run ${row.run} is left out: ${reasons[i]}`])),
  );
  const least = points.reduce<NamedPoint<Point> | null>(
    (best, point) => (best === null || point.loss < best.loss ? point : best),
    null,
  );
  const testSplit = tests(fit);
  const optimal = hasTokens
    ? computeOptimal(tokenPoints, fitted ?? { refused: 'all runs saw about the same number of tokens' })
    : null;
  const branchesVerdict = usesTokens ? null : branchesClaim(withTokens, used.length, branches.length, optimal);
  return {
    label,
    tokenizer: rows[0].tokenizer,
    architecture: rows[0].architecture,
    runs: used.length,
    branches: branches.length,
    sizes: fit.sizes,
    tokens: tokens.length > 0 ? [Math.min(...tokens), Math.max(...tokens)] : null,
    best: least && { run: least.run, params: least.params, loss: least.loss },
    left_out: all.filter((row) => !isUsed(row)).map((row) => row.run),
    law,
    fit,
    by_budget: byBudget,
    with_tokens: withTokens,
    compute_optimal: optimal,
    by_size: fitOtherSizes(used, options, usesTokens ? withTokens : fit, usesTokens),
    held_out: usesTokens ? holdOutTokens(tokenPoints, confidence) : holdOutSizes(points, budgets, confidence),
    influential,
    test_split: testSplit,
    branches_verdict: branchesVerdict,
    verdict: usesTokens
      ? tokensClaim(label, fit, withTokens, byBudget, optimal, options)
      : [sizeVerdict(label, fit, loss, testSplit), branchesVerdict].filter(Boolean).join(' '),
  };
}

/** L(N) of the runs of one budget; empty if there are too few sizes. */
function fitBudget(
  { tokens, rows }: Budget,
  { loss, size, confidence }: GroupOptions,
  tests: (law: PowerLawFit | Refusal) => TestSplitError | null,
): BudgetFit[] {
  if (new Set(rows.map((row) => row[size])).size < BUDGET_SIZES) return [];
  const points = rows.map((row) => toPoint(row, loss, size));
  const fit = fitPowerLaw(points, { confidence });
  return [{ tokens, runs: rows.length, sizes: fit.sizes, fit, test_split: tests(fit) }];
}

function holdOutSizes(
  points: readonly NamedPoint<Point>[],
  budgets: ReturnType<typeof budgetsOf>,
  confidence: number,
): HeldOut | { refused: string } {
  return budgets === 'mixed'
    ? { refused: 'the runs saw different numbers of tokens, and no L(N, D) is fitted' }
    : holdOut(points, confidence);
}

/** The claim of runs of several budgets: L(N, D), or why there is none, and what holds at the largest budget. */
function tokensClaim(
  label: string,
  fit: PowerLawFit | Refusal,
  withTokens: ChinchillaFit | { refused: string },
  byBudget: readonly BudgetFit[],
  optimal: ComputeOptimal | null,
  { loss }: GroupOptions,
): string {
  if (!('refused' in withTokens))
    return `${tokensVerdict(label, withTokens, loss)}${optimal === null ? '' : ` ${optimal.verdict}`}`;
  const ofSize = isRefusal(fit) ? ` ${sentence(fit.refused)}` : '';
  const largest = byBudget.findLast((budget) => !isRefusal(budget.fit));
  const { fit: law } = largest ?? {};
  const atBudget =
    largest && law && !isRefusal(law)
      ? ` At the budget of ${formatNumber(largest.tokens)} tokens alone, ${lossName(loss)} follows ${law.formula} over ${law.sizes} sizes${law.intervals.alpha === null ? '' : `, and α lies in ${formatAlpha(law.intervals.alpha)} (${formatPercent(law.confidence)})`}.`
      : '';
  return `${label}: no scaling law is supported.${ofSize} L(N, D) is not given: ${withTokens.refused}.${atBudget}`;
}

/** The sentences about smaller budgets that follow the claim about whole runs. */
function branchesClaim(
  withTokens: ChinchillaFit | { refused: string } | null,
  runs: number,
  branches: number,
  optimal: ComputeOptimal | null,
): string | null {
  if (branches === 0 || withTokens === null) return null;
  const from = `${countOf(runs, 'whole run')} and ${countOf(branches, 'smaller budget')} of them`;
  if ('refused' in withTokens) return `From ${from}, L(N, D) is not given: ${withTokens.refused}.`;
  return [`${describeTokenLaw(withTokens)}, from ${from}.`, optimal?.verdict].filter(Boolean).join(' ');
}

/** The law with N counted in each way that the table has. */
function fitOtherSizes(
  rows: readonly RunRow[],
  options: GroupOptions,
  law: PowerLawFit | Refusal | ChinchillaFit | { refused: string },
  usesTokens: boolean,
): Record<string, SizeSummary> {
  const { loss, size, confidence } = options;
  const columns = SIZE_COLUMNS.filter(
    (column) =>
      column !== size && rows.length > 0 && rows.every((row) => reasonLeftOut(row, loss, column) === undefined),
  );
  const others = columns.map((column): [string, SizeSummary] => {
    const points = rows.map((row) => toPoint(row, loss, column));
    if (!usesTokens)
      return [
        column,
        isRefusal(law) && budgetsOf(rows) === 'mixed' ? summarise(law) : summarise(fitPowerLaw(points, { confidence })),
      ];
    const withTokens = points.map((point, i) => ({ ...point, tokens: rows[i].tokens as number }));
    const fitted = fitChinchillaDraws(withTokens, { confidence, resamples: SIDE_RESAMPLES });
    return [column, 'refused' in fitted ? fitted : summarise(fitted.fit)];
  });
  const all = new Map([[size, summarise(law)] as [string, SizeSummary], ...others]);
  return Object.fromEntries(
    [...SIZE_COLUMNS, size].flatMap((column) => (all.has(column) ? [[column, all.get(column)!]] : [])),
  );
}

function summarise(law: PowerLawFit | Refusal | ChinchillaFit | { refused: string }): SizeSummary {
  if ('refused' in law) return { refused: law.refused };
  return { form: law.form, parameters: law.parameters, intervals: law.intervals };
}

function toPoint(row: RunRow, loss: string, size: string): NamedPoint<Point> {
  return { params: row[size] as number, loss: row[loss] as number, group: row.size || undefined, run: row.run };
}

function toTokenPoint(row: RunRow, loss: string, size: string): NamedPoint<Point> & TokenPoint {
  return { ...toPoint(row, loss, size), tokens: row.tokens as number, branch_of: row.branch_of || row.run };
}

/**
 * Describes why a run is not fitted; undefined if it is fitted. A run is left out only if it has no valid measurement,
 * never because it is far from the others.
 */
function reasonLeftOut(row: RunRow, loss: string, size: string): string | undefined {
  if (row.diverged) return 'it diverged';
  const [value, params] = [row[loss], row[size]];
  if (value === null || value === '') return `it has no ${loss}`;
  if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0) return `its ${loss} is ${value}`;
  if (typeof params !== 'number' || !Number.isFinite(params) || params <= 0)
    return `its ${size} is ${params ?? 'empty'}`;
  return undefined;
}
