/**
 * The study: turns the table of runs into the contents of scaling.json. It fits a law for each tokenizer and
 * architecture (group-fit.ts), states in plain words which claim the runs support (verdicts.ts), and compares the
 * architectures at equal size (compare-architectures.ts).
 */

import {
  type ArchitectureComparison,
  type ComparedGroup,
  compareArchitectures,
  denominatorOf,
  type TuneLoss,
  TuneResamples,
} from '../analysis/index.ts';
import { ScalingError } from '../errors.ts';
import { displayName } from '../numbers/index.ts';
import { isRefusal } from '../size-law/index.ts';
import { type RunRow, wholeRuns } from '../tables/index.ts';
import { isSameBudget } from '../token-law/index.ts';
import { fitGroup, type GroupFit, type LawForm } from './group-fit.ts';
import { lossName } from './verdicts.ts';

/** Options of `fitStudy`. */
export interface StudyOptions {
  /**
   * The column of the loss. Default: test_bits_per_byte, which is comparable between tokenizers. If the table has no
   * values there and only one column whose name is that of a loss, that column is fitted, with a warning.
   */
  loss?: string;
  /** The column of the size. Default: params. */
  size?: string;
  /** Confidence of all intervals, between 0 and 1. Default: 0.95. */
  confidence?: number;
  /** Which law: `power` is L(N), `chinchilla` is L(N, D). Default: `auto`, by the budgets of the runs. */
  form?: LawForm;
  /** The losses of each run on each tune of the test split, by run. */
  tunes?: ReadonlyMap<string, readonly TuneLoss[]>;
}

/** The contents of scaling.json. */
export interface Study {
  /** The column of the loss. */
  loss: string;
  /** The column of the size. */
  size: string;
  confidence: number;
  /** By "tokenizer-architecture", for example "char-gpt". */
  fits: Record<string, GroupFit>;
  comparisons: ArchitectureComparison[];
  warnings: string[];
}

/** Names of loss columns in tables of others. */
const LOSS_NAMES = /(^|_)(loss|nll|cross_entropy|bpb|bpc|bits_per_(byte|char|token|note)|perplexity)$/i;

/**
 * Fits a law for each tokenizer and architecture, and compares the architectures of each tokenizer.
 *
 * @param rows the table of runs
 * @throws ScalingError if there are no runs, or a column has no values
 * @example fitStudy(readRuns(csvText)).fits['char-gpt'].verdict
 */
export function fitStudy(rows: readonly RunRow[], options: StudyOptions = {}): Study {
  const { size = 'params', confidence = 0.95, form = 'auto' } = options;
  if (rows.length === 0) throw new ScalingError('there are no runs to fit');
  const warnings: string[] = [];
  const loss = chooseLoss(rows, options.loss ?? 'test_bits_per_byte', warnings);
  if (!hasValues(rows, size)) throw new ScalingError(describeEmpty(rows, size));
  const groups = new Map<string, RunRow[]>();
  for (const row of rows) {
    const key = groupName(row);
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  const hasSeveralTokenizers = new Set(rows.map((row) => row.tokenizer)).size > 1;
  const label = ({ architecture, tokenizer }: RunRow) =>
    [displayName(architecture), hasSeveralTokenizers && tokenizer].filter(Boolean).join(', ') || 'all runs';
  const resamples = resamplesOf(rows, loss, options.tunes, warnings);
  const fits = Object.fromEntries(
    [...groups].map(([name, group]) => {
      const fit = fitGroup(label(group[0]), group, { loss, size, confidence, form, resamples });
      return [name, fit] as const;
    }),
  );
  const comparisons = pairs(Object.values(fits)).map(([a, b]) => {
    const { laws, tokens } = lawsToCompare(a, b);
    return compareArchitectures(...laws, lossName(loss), { named: hasSeveralTokenizers, tokens, resamples });
  });
  return { loss, size, confidence, fits, comparisons, warnings: [...warnings, ...studyWarnings(rows, loss)] };
}

/** The key of a group: "char-gpt", or "all" if the table names neither tokenizer nor architecture. */
export function groupName(row: Pick<RunRow, 'tokenizer' | 'architecture'>): string {
  return [row.tokenizer, row.architecture].filter((part) => part !== '').join('-') || 'all';
}

/** The laws to compare: of all whole runs, or at the largest budget at which both groups have a law. */
function lawsToCompare(a: GroupFit, b: GroupFit): { laws: [ComparedGroup, ComparedGroup]; tokens: number | null } {
  if (!isRefusal(a.fit) && !isRefusal(b.fit)) return { laws: [a, b], tokens: null };
  const shared = a.by_budget.flatMap((one) => {
    const other = b.by_budget.find(({ tokens }) => isSameBudget(tokens, one.tokens));
    return other && !isRefusal(one.fit) && !isRefusal(other.fit) ? [[one, other] as const] : [];
  });
  const largest = shared[shared.length - 1];
  if (largest === undefined) return { laws: [a, b], tokens: null };
  const [one, other] = largest;
  return {
    laws: [
      { ...a, fit: one.fit },
      { ...b, fit: other.fit },
    ],
    tokens: one.tokens,
  };
}

/** The losses on resampled test splits; undefined if they are not known for the loss that is fitted. */
function resamplesOf(
  rows: readonly RunRow[],
  loss: string,
  tunes: StudyOptions['tunes'],
  warnings: string[],
): TuneResamples | undefined {
  if (tunes === undefined || tunes.size === 0 || denominatorOf(loss) === undefined) return undefined;
  const measured = new Map(
    rows.flatMap(({ run }) => (tunes.get(run)?.length ? [[run, tunes.get(run)!] as const] : [])),
  );
  if (measured.size === 0) return undefined;
  const lacking = wholeRuns(rows).filter(({ run, diverged }) => !diverged && !measured.has(run));
  if (lacking.length > 0)
    warnings.push(
      `${lacking.length === 1 ? 'run' : 'runs'} ${lacking.map(({ run }) => run).join(', ')} ${lacking.length === 1 ? 'has' : 'have'} no losses by tune, so the intervals of their laws do not include the choice of test tunes`,
    );
  return new TuneResamples(measured, loss);
}

/** The column of the loss: the one that was asked for, or the only loss of a table that lacks it. */
function chooseLoss(rows: readonly RunRow[], column: string, warnings: string[]): string {
  if (hasValues(rows, column)) return column;
  const others = numericColumns(rows).filter((name) => LOSS_NAMES.test(name));
  if (others.length !== 1) throw new ScalingError(describeEmpty(rows, column));
  warnings.push(`the table has no ${column}; its only loss, ${others[0]}, is fitted`);
  return others[0];
}

/** Warnings about the whole table. */
function studyWarnings(rows: readonly RunRow[], loss: string): string[] {
  const warnings: string[] = [];
  if (/perplexity$/i.test(loss))
    warnings.push(
      'perplexity is fitted: it is the exponential of a loss, so if one follows a power law, the other does not',
    );
  const rates = new Set(rows.map((row) => row.learning_rate).filter((rate) => rate !== undefined && rate !== null));
  if (rates.size === 1 && rows.every((row) => row.learning_rate !== null))
    warnings.push(`every size was trained at one learning rate, ${[...rates][0]}: this may change α`);
  return warnings;
}

function hasValues(rows: readonly RunRow[], column: string): boolean {
  return rows.some((row) => row[column] !== null && row[column] !== undefined);
}

function numericColumns(rows: readonly RunRow[]): string[] {
  return Object.keys(rows[0]).filter((name) => rows.some((row) => typeof row[name] === 'number'));
}

function describeEmpty(rows: readonly RunRow[], column: string): string {
  return `no run has a value in column ${column}; the columns with numbers are ${numericColumns(rows).join(', ')}`;
}

/** All pairs of groups with the same tokenizer. */
function pairs(fits: readonly GroupFit[]): [GroupFit, GroupFit][] {
  return fits.flatMap((a, i) =>
    fits.slice(i + 1).flatMap((b): [GroupFit, GroupFit][] => (a.tokenizer === b.tokenizer ? [[a, b]] : [])),
  );
}
