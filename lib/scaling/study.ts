/**
 * The study: turns the table of runs into the contents of scaling.json. It fits a law for each tokenizer and
 * architecture, states in plain words which claim the runs support, and compares the architectures at equal size.
 */
import { type ChinchillaFit, fitChinchilla } from './chinchilla.ts';
import { type ArchitectureComparison, compareArchitectures } from './compare-architectures.ts';
import { ScalingError } from './errors.ts';
import type { Point } from './observations.ts';
import { fitPowerLaw, isRefusal, type PowerLawFit, type Refusal } from './power-law.ts';
import type { RunRow } from './runs.ts';
import { countOf, displayName, formatAlpha, formatInterval, formatNumber, formatPercent } from './wording.ts';

/** Smallest number of distinct token counts for which size and tokens are fitted together. */
const MIN_TOKEN_COUNTS = 3;

/** Numbers of tokens count as one budget if they differ by less: whole batches differ by a few tokens. */
const BUDGET_TOLERANCE = 1.02;

/** Options of `fitStudy`. */
export interface StudyOptions {
  /** The column of the loss. Default: test_bits_per_byte, which is comparable between tokenizers. */
  loss?: string;
  /** The column of the size. Default: params. */
  size?: string;
  /** Confidence of all intervals, between 0 and 1. Default: 0.95. */
  confidence?: number;
}

/** The fit of one tokenizer and architecture. The names are the keys of scaling.json. */
export interface GroupFit {
  /** For display: "GPT", or "GPT, bpe" if there are several tokenizers. */
  label: string;
  tokenizer: string;
  architecture: string;
  /** Number of runs in the fit. */
  runs: number;
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
  fit: PowerLawFit | Refusal;
  /** L(N, D), if the runs have at least three numbers of tokens; otherwise null. */
  with_tokens: ChinchillaFit | { refused: string } | null;
  /** The claim that the runs support, in one or two sentences. */
  verdict: string;
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

/**
 * Fits a law for each tokenizer and architecture, and compares the architectures of each tokenizer.
 *
 * @param rows the table of runs
 * @throws ScalingError if there are no runs, or a column has no values
 * @example fitStudy(readRuns(csvText)).fits['char-gpt'].verdict
 */
export function fitStudy(rows: readonly RunRow[], options: StudyOptions = {}): Study {
  const { loss = 'test_bits_per_byte', size = 'params', confidence = 0.95 } = options;
  if (rows.length === 0) throw new ScalingError('there are no runs to fit');
  for (const column of [loss, size]) checkColumn(rows, column);
  const groups = new Map<string, RunRow[]>();
  for (const row of rows) {
    const key = groupName(row);
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  const hasSeveralTokenizers = new Set(rows.map((row) => row.tokenizer)).size > 1;
  const label = ({ architecture, tokenizer }: RunRow) =>
    [displayName(architecture), hasSeveralTokenizers && tokenizer].filter(Boolean).join(', ') || 'all runs';
  const fits = Object.fromEntries(
    [...groups].map(([name, group]) => [name, fitGroup(label(group[0]), group, loss, size, confidence)] as const),
  );
  const comparisons = pairs(Object.values(fits)).map(([a, b]) =>
    compareArchitectures(a, b, lossName(loss), hasSeveralTokenizers),
  );
  return { loss, size, confidence, fits, comparisons, warnings: studyWarnings(rows) };
}

/** The key of a group: "char-gpt", or "all" if the table names neither tokenizer nor architecture. */
export function groupName(row: Pick<RunRow, 'tokenizer' | 'architecture'>): string {
  return [row.tokenizer, row.architecture].filter((part) => part !== '').join('-') || 'all';
}

/** Fits the runs of one tokenizer and architecture. */
function fitGroup(label: string, rows: readonly RunRow[], loss: string, size: string, confidence: number): GroupFit {
  const reasons = rows.map((row) => reasonLeftOut(row, loss, size));
  const used = rows.filter((_, i) => reasons[i] === undefined);
  const points: Point[] = used.map((row) => ({
    params: row[size] as number,
    loss: row[loss] as number,
    group: row.size || undefined,
  }));
  const tokens = used.map((row) => row.tokens).filter((value): value is number => Number.isFinite(value));
  const budgets = budgetsOf(used);
  const fit = budgets === 'mixed' ? refuseBudgets(points, tokens) : fitPowerLaw(points, { confidence });
  if (budgets === 'growing')
    fit.warnings.push(
      `larger models saw more tokens, from ${formatNumber(Math.min(...tokens))} to ${formatNumber(Math.max(...tokens))}: α holds for budgets that grow so, not for one budget`,
    );
  fit.warnings.unshift(
    ...rows.flatMap((row, i) => (reasons[i] === undefined ? [] : [`run ${row.run} is left out: ${reasons[i]}`])),
  );
  const least = used.reduce<RunRow | null>(
    (best, row) => (best === null || (row[loss] as number) < (best[loss] as number) ? row : best),
    null,
  );
  const withTokens =
    new Set(tokens).size >= MIN_TOKEN_COUNTS && tokens.length === used.length
      ? fitChinchilla(
          used.map((row) => ({ params: row[size] as number, tokens: row.tokens as number, loss: row[loss] as number })),
          { confidence },
        )
      : null;
  return {
    label,
    tokenizer: rows[0].tokenizer,
    architecture: rows[0].architecture,
    runs: used.length,
    sizes: fit.sizes,
    tokens: tokens.length > 0 ? [Math.min(...tokens), Math.max(...tokens)] : null,
    best: least && { run: least.run, params: least[size] as number, loss: least[loss] as number },
    left_out: rows.filter((_, i) => reasons[i] !== undefined).map((row) => row.run),
    fit,
    with_tokens: withTokens,
    verdict: verdict(label, fit, loss) + describeTokens(withTokens),
  };
}

/**
 * How the numbers of tokens differ. `one`: all runs saw about the same, or their numbers are not known. `growing`: larger
 * sizes saw more. `mixed`: any other way, so that the loss is not a function of the size.
 */
function budgetsOf(rows: readonly RunRow[]): 'one' | 'growing' | 'mixed' {
  const known = rows.filter((row) => Number.isFinite(row.tokens) && Number.isFinite(row.params));
  const runs = known.map((row) => ({ params: row.params as number, tokens: row.tokens as number }));
  const differ = (a: number, b: number) => Math.max(a, b) > BUDGET_TOLERANCE * Math.min(a, b);
  if (runs.every(({ tokens }) => !differ(tokens, runs[0].tokens))) return 'one';
  runs.sort((a, b) => a.params - b.params || a.tokens - b.tokens);
  const grow = runs.slice(1).every(({ params, tokens }, i) => {
    const before = runs[i];
    return !differ(tokens, before.tokens) || (params > before.params && tokens > before.tokens);
  });
  return grow ? 'growing' : 'mixed';
}

/** The refusal of L(N) for runs of several budgets. */
function refuseBudgets(points: readonly Point[], tokens: readonly number[]): Refusal {
  const range = `${formatNumber(Math.min(...tokens))} to ${formatNumber(Math.max(...tokens))}`;
  return {
    refused: `the runs saw different numbers of tokens, from ${range}, so the loss is not a function of the size alone: fit runs of one budget, or L(N, D) to runs of at least ${MIN_TOKEN_COUNTS} budgets`,
    points: points.map((point) => ({ ...point })),
    sizes: new Set(points.map(({ params }) => params)).size,
    comparison: [],
    warnings: [],
  };
}

/** The law of size and tokens, as a further sentence. */
function describeTokens(fit: GroupFit['with_tokens']): string {
  if (fit === null || 'refused' in fit) return '';
  const { E, A, B, alpha, beta } = fit.parameters;
  return ` Over size and tokens: L(N, D) = ${formatNumber(E)} + ${formatNumber(A)}·N^(−${formatNumber(alpha)}) + ${formatNumber(B)}·D^(−${formatNumber(beta)}).`;
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

/** Writes the claim that the fit supports, in one or two sentences. */
function verdict(label: string, fit: PowerLawFit | Refusal, loss: string): string {
  const lossInWords = lossName(loss);
  if (isRefusal(fit)) return `${label}: no scaling law is supported. ${sentence(fit.refused)}`;
  const { alpha, a, c } = fit.parameters;
  const sizes = fit.points.map((point) => point.params);
  const range = `${countOf(fit.points.length, 'run')} of ${countOf(fit.sizes, 'size')}, ${formatNumber(Math.min(...sizes))} to ${formatNumber(Math.max(...sizes))} parameters`;
  const doubling = formatPercent(Number((1 - 2 ** -alpha).toPrecision(2)));
  const level = formatPercent(fit.confidence);
  if (fit.form === 'power-plus-constant')
    return `${label}: ${lossInWords} falls towards a floor, L(N) = ${formatNumber(a)}·N^(−${formatNumber(alpha)}) + ${formatNumber(c)}, with α = ${formatNumber(alpha)} (${level}: ${formatAlpha(fit.intervals.alpha!)}) and c in ${formatInterval(fit.intervals.c!)}, from ${range}. Each doubling of N takes ${doubling} off what lies above the floor.`;
  const lowest = Math.min(...fit.points.map((point) => point.loss));
  const floor =
    fit.intervals.c === null
      ? 'Whether there is a floor cannot be asked of so few runs.'
      : fit.intervals.c[1] < lowest
        ? `A floor anywhere up to ${formatNumber(fit.intervals.c[1])} is not excluded either.`
        : `No floor below the lowest loss, ${formatNumber(lowest)}, is excluded either.`;
  const anyFloor =
    fit.intervals.alpha === null
      ? ''
      : ` Whatever the floor is, α lies in ${formatAlpha(fit.intervals.alpha)} (${level}).`;
  return `${label}: ${lossInWords} falls as a power law, L(N) = ${formatNumber(a)}·N^(−${formatNumber(alpha)}) if there is no floor (then α lies in ${formatInterval(fit.alpha_without_floor!)}), from ${range}. Each doubling of N takes ${doubling} off. ${floor}${anyFloor}`;
}

/** Warns if all runs had the same learning rate. */
function studyWarnings(rows: readonly RunRow[]): string[] {
  const rates = new Set(rows.map((row) => row.learning_rate).filter((rate) => rate !== undefined && rate !== null));
  return rates.size === 1 && rows.every((row) => row.learning_rate !== null)
    ? [`every size was trained at one learning rate, ${[...rates][0]}: part of α may be its doing`]
    : [];
}

/** Checks that a column has a value in some row. */
function checkColumn(rows: readonly RunRow[], column: string): void {
  if (rows.some((row) => row[column] !== null && row[column] !== undefined)) return;
  const filled = Object.keys(rows[0]).filter((name) => rows.some((row) => typeof row[name] === 'number'));
  throw new ScalingError(`no run has anything in column ${column}; the columns with numbers are ${filled.join(', ')}`);
}

/** All pairs of groups with the same tokenizer. */
function pairs(fits: readonly GroupFit[]): [GroupFit, GroupFit][] {
  return fits.flatMap((a, i) =>
    fits.slice(i + 1).flatMap((b): [GroupFit, GroupFit][] => (a.tokenizer === b.tokenizer ? [[a, b]] : [])),
  );
}

/** The name of a loss column in words: test_bits_per_byte → "test bits per byte". */
export function lossName(column: string): string {
  return column.replaceAll('_', ' ');
}

/** Capitalises the first letter and adds a full stop. */
function sentence(text: string): string {
  return `${text[0].toUpperCase()}${text.slice(1)}.`;
}
