/**
 * The study: from the table of runs to what is written as scaling.json. A law for each tokenizer and architecture, what it means in
 * plain words, and architectures compared at equal size.
 */

import { type ChinchillaFit, fitChinchilla } from './chinchilla.ts';
import { type ArchitectureComparison, compareArchitectures } from './compare-architectures.ts';
import { ScalingError } from './errors.ts';
import { fitPowerLaw, isRefusal, type Point, type PowerLawFit, type Refusal } from './power-law.ts';
import type { RunRow } from './runs.ts';
import { count, displayName, interval, number, percent } from './wording.ts';

export interface StudyOptions {
  /** the column fitted; default test_bits_per_byte, which compares tokenizers too */
  loss?: string;
  /** the column it is fitted against; default params */
  size?: string;
  /** default 0.95 */
  confidence?: number;
}

export interface GroupFit {
  /** for people: GPT, or, where there are several tokenizers, "GPT, bpe" */
  label: string;
  tokenizer: string;
  architecture: string;
  /** runs that the fit rests on */
  runs: number;
  sizes: number;
  /** the least and the most tokens that these runs saw in training; null where the table does not say */
  tokens: [number, number] | null;
  best: { run: string; params: number; loss: number } | null;
  /** runs not fitted, each with its reason among the warnings */
  left_out: string[];
  fit: PowerLawFit | Refusal;
  /** L(N, D), where runs differ in tokens; null where they do not */
  with_tokens: ChinchillaFit | { refused: string } | null;
  /** what the data supports, for people */
  verdict: string;
}

export interface Study {
  loss: string;
  size: string;
  confidence: number;
  /** by "tokenizer-architecture" */
  fits: Record<string, GroupFit>;
  comparisons: ArchitectureComparison[];
  warnings: string[];
}

/** Throws a ScalingError where the columns asked for are not in the table. */
export function fitStudy(rows: readonly RunRow[], options: StudyOptions = {}): Study {
  const { loss = 'test_bits_per_byte', size = 'params', confidence = 0.95 } = options;
  if (rows.length === 0) throw new ScalingError('there are no runs to fit');
  for (const column of [loss, size]) checkColumn(rows, column);
  const groups = new Map<string, RunRow[]>();
  for (const row of rows) {
    const key = groupName(row);
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  const several = new Set(rows.map((row) => row.tokenizer)).size > 1;
  const label = ({ architecture, tokenizer }: RunRow) =>
    [displayName(architecture), several && tokenizer].filter(Boolean).join(', ') || 'all runs';
  const fits = Object.fromEntries(
    [...groups].map(([name, group]) => [name, fitGroup(label(group[0]), group, loss, size, confidence)] as const),
  );
  const comparisons = pairs(Object.values(fits)).map(([a, b]) => compareArchitectures(a, b, lossName(loss), several));
  return { loss, size, confidence, fits, comparisons, warnings: studyWarnings(rows) };
}

/** "char-gpt"; "all" in a table that names neither. */
export function groupName(row: Pick<RunRow, 'tokenizer' | 'architecture'>): string {
  return [row.tokenizer, row.architecture].filter((part) => part !== '').join('-') || 'all';
}

function fitGroup(label: string, rows: readonly RunRow[], loss: string, size: string, confidence: number): GroupFit {
  const reasons = rows.map((row) => whyLeftOut(row, loss, size));
  const used = rows.filter((_, i) => reasons[i] === undefined);
  const points: Point[] = used.map((row) => ({
    params: row[size] as number,
    loss: row[loss] as number,
    group: row.size || undefined,
  }));
  const fit = fitPowerLaw(points, { confidence });
  fit.warnings.unshift(
    ...rows.flatMap((row, i) => (reasons[i] === undefined ? [] : [`run ${row.run} is left out: ${reasons[i]}`])),
  );
  const tokens = used.map((row) => row.tokens).filter((value): value is number => Number.isFinite(value));
  const least = used.reduce<RunRow | null>(
    (best, row) => (best === null || (row[loss] as number) < (best[loss] as number) ? row : best),
    null,
  );
  const withTokens =
    new Set(tokens).size >= 3 && tokens.length === used.length
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
    verdict: verdict(label, fit, loss),
  };
}

/** Never for being far from the others: only for not being a measurement. */
function whyLeftOut(row: RunRow, loss: string, size: string): string | undefined {
  if (row.diverged) return 'it diverged';
  const [value, params] = [row[loss], row[size]];
  if (value === null || value === '') return `it has no ${loss}`;
  if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0) return `its ${loss} is ${value}`;
  if (typeof params !== 'number' || !Number.isFinite(params) || params <= 0)
    return `its ${size} is ${params ?? 'empty'}`;
  return undefined;
}

/** What the data supports, in one or two sentences. */
function verdict(label: string, fit: PowerLawFit | Refusal, loss: string): string {
  const what = lossName(loss);
  if (isRefusal(fit)) return `${label}: no scaling law is supported. ${sentence(fit.refused)}`;
  const { alpha, a, c } = fit.parameters;
  const sizes = fit.points.map((point) => point.params);
  const range = `${count(fit.points.length, 'run')} of ${count(fit.sizes, 'size')}, ${number(Math.min(...sizes))} to ${number(Math.max(...sizes))} parameters`;
  const doubling = percent(Number((1 - 2 ** -alpha).toPrecision(2)));
  const bounds = `α = ${number(alpha)} (${percent(fit.confidence)}: ${interval(fit.intervals.alpha)})`;
  if (fit.form === 'power-plus-constant')
    return `${label}: ${what} falls towards a floor, L(N) = ${number(a)}·N^(−${number(alpha)}) + ${number(c)}, with ${bounds} and c in ${interval(fit.intervals.c!)}, from ${range}. Each doubling of N takes ${doubling} off what lies above the floor.`;
  const lowest = Math.min(...fit.points.map((point) => point.loss));
  const floor =
    fit.intervals.c === null
      ? 'Whether there is a floor cannot be asked of so few runs.'
      : fit.intervals.c[1] < lowest
        ? `A floor anywhere up to ${number(fit.intervals.c[1])} is not excluded either.`
        : `No floor below the lowest loss, ${number(lowest)}, is excluded either.`;
  return `${label}: ${what} falls as a power law, L(N) = ${number(a)}·N^(−${number(alpha)}), with ${bounds} if there is no floor, from ${range}. Each doubling of N takes ${doubling} off. ${floor}`;
}

function studyWarnings(rows: readonly RunRow[]): string[] {
  const rates = new Set(rows.map((row) => row.learning_rate).filter((rate) => rate !== undefined && rate !== null));
  return rates.size === 1 && rows.every((row) => row.learning_rate !== null)
    ? [`every size was trained at one learning rate, ${[...rates][0]}: part of α may be its doing`]
    : [];
}

function checkColumn(rows: readonly RunRow[], column: string): void {
  if (rows.some((row) => row[column] !== null && row[column] !== undefined)) return;
  const filled = Object.keys(rows[0]).filter((name) => rows.some((row) => typeof row[name] === 'number'));
  throw new ScalingError(`no run has anything in column ${column}; the columns with numbers are ${filled.join(', ')}`);
}

/** Groups of the same tokenizer, two and two. */
function pairs(fits: readonly GroupFit[]): [GroupFit, GroupFit][] {
  return fits.flatMap((a, i) =>
    fits.slice(i + 1).flatMap((b): [GroupFit, GroupFit][] => (a.tokenizer === b.tokenizer ? [[a, b]] : [])),
  );
}

/** test_bits_per_byte → "test bits per byte" */
export function lossName(column: string): string {
  return column.replaceAll('_', ' ');
}

function sentence(text: string): string {
  return `${text[0].toUpperCase()}${text.slice(1)}.`;
}
