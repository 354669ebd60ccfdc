/**
 * The headline of a study: the law of each group of runs with its interval, or the reason why there is none. It stands
 * at the top of the page, and in a text file of five lines that a run on a terminal ends with.
 */
import { displayName, type GroupFit, isRefusal, lossName, type RunRow, type Study } from '../../scaling/index.ts';
import type { ReportData, Validity } from '../data.ts';
import { formatInteger, formatInterval, formatNumber, formatShare, plural } from './numbers.ts';

/** Laws that the text file has room for. */
const TEXT_LAWS = 3;
/** Letters of a line of the text file: as wide as most terminals. */
const LINE_LETTERS = 150;

/** A law in one line. */
export interface LawLine {
  /** the group of runs */
  label: string;
  /** "L(N) = 12.1·N^(−0.351) + 0.687", or "no scaling law" */
  law: string;
  /** the exponent with its interval, or the reason of the refusal */
  detail: string;
  refused: boolean;
}

/** The law of each group. */
export function lawLines(study: Study): LawLine[] {
  const confidence = formatShare(study.confidence);
  return Object.values(study.fits).map((group) => lawLine(group, confidence));
}

function lawLine({ label, fit, with_tokens: tokens }: GroupFit, confidence: string): LawLine {
  if (isRefusal(fit) && tokens !== null && !('refused' in tokens)) {
    const { E, A, B, alpha, beta } = tokens.parameters;
    const [inN, inD] = [tokens.intervals.alpha, tokens.intervals.beta].map(formatInterval);
    return {
      label,
      law: `L(N, D) = ${formatNumber(E)} + ${formatNumber(A)}·N^(−${formatNumber(alpha)}) + ${formatNumber(B)}·D^(−${formatNumber(beta)})`,
      detail: `α = ${formatNumber(alpha)} (${confidence}: ${inN}), β = ${formatNumber(beta)} (${inD})`,
      refused: false,
    };
  }
  if (isRefusal(fit)) return { label, law: 'no scaling law', detail: fit.refused, refused: true };
  const { alpha, a, c } = fit.parameters;
  const power = `L(N) = ${formatNumber(a)}·N^(−${formatNumber(alpha)})`;
  const either = fit.intervals.alpha === null ? '' : formatInterval(fit.intervals.alpha);
  if (fit.form === 'power-plus-constant') {
    const floor = fit.intervals.c === null ? '' : `, floor c = ${formatNumber(c)} (${formatInterval(fit.intervals.c)})`;
    const detail = `α = ${formatNumber(alpha)}${either && ` (${confidence}: ${either})`}${floor}`;
    return { label, law: `${power} + ${formatNumber(c)}`, detail, refused: false };
  }
  const alone = fit.alpha_without_floor === null ? '' : ` (${confidence}: ${formatInterval(fit.alpha_without_floor)})`;
  const detail = `α = ${formatNumber(alpha)}${alone} if there is no floor${either && `; floor or not, ${either}`}`;
  return { label, law: power, detail, refused: false };
}

/** The run of lowest loss of all groups; undefined if no run has a loss. */
export function bestRun(study: Study): NonNullable<GroupFit['best']> | undefined {
  const best = Object.values(study.fits).flatMap((group) => (group.best ? [group.best] : []));
  return best.sort((a, b) => a.loss - b.loss)[0];
}

/** "10 models (GPT and LSTM) from 6,272 to 465,312 parameters". */
export function describeModels(results: readonly RunRow[]): string {
  const architectures = [...new Set(results.map((row) => displayName(row.architecture)).filter(Boolean))];
  const sizes = results.map((row) => row.params).filter(Number.isFinite);
  const named = architectures.length > 0 ? ` (${architectures.join(' and ')})` : '';
  return `${plural(results.length, 'model')}${named} from ${formatInteger(Math.min(...sizes))} to ${formatInteger(Math.max(...sizes))} parameters`;
}

/**
 * The headline as plain text, about five lines: what was measured on which music, the laws, their comparison, the best
 * model and the share of valid samples.
 */
export function headlineText({ results, study, music, validity }: ReportData): string {
  const laws = lawLines(study);
  const shown = laws.slice(0, TEXT_LAWS).map(({ label, law, detail }) => `${label}: ${law}; ${detail}`);
  if (laws.length > TEXT_LAWS) shown[TEXT_LAWS - 1] += `; and ${laws.length - TEXT_LAWS} more`;
  const verdict = study.comparisons.map((comparison) => comparison.verdict).join(' ');
  const best = bestRun(study);
  const last = [
    best && `Best: ${best.run}, ${formatNumber(best.loss)}`,
    validity.constrained && `valid samples: ${countOf(validity.constrained)} constrained`,
    validity.free && `${validity.constrained ? '' : 'valid samples: '}${countOf(validity.free)} free`,
  ];
  return [
    `${capital(lossName(study.loss))} of ${describeModels(results)}${describeBudget(results)}${music ? `, on ${music.phrase}` : ''}`,
    ...shown,
    verdict,
    last.filter(Boolean).join('; '),
  ]
    .filter((line) => line !== '')
    .map((line) => `${cut(line)}\n`)
    .join('');
}

/** " after 1,000,448 tokens"; '' if the models read different numbers of tokens, or these are not known. */
function describeBudget(results: readonly RunRow[]): string {
  const budgets = new Set(results.map(({ tokens }) => tokens));
  const [tokens] = budgets;
  return budgets.size === 1 && typeof tokens === 'number' ? ` after ${formatInteger(tokens)} tokens` : '';
}

/** "3 of 80 (1.3 to 10 %)", with the interval of the share. */
function countOf({ valid, samples, interval }: Validity): string {
  const [low, high] = interval.map((end) => Number((100 * end).toPrecision(2)));
  return `${valid} of ${samples} (${low} to ${high} %)`;
}

/** A line that is not longer than LINE_LETTERS. A longer one ends with its last whole clause, or is cut at a blank. */
function cut(line: string): string {
  const flat = line.replace(/\s+/g, ' ');
  if (flat.length <= LINE_LETTERS) return flat;
  const clauses = flat.slice(0, LINE_LETTERS).lastIndexOf('; ');
  if (clauses > 0) return `${flat.slice(0, clauses)} …`;
  return `${flat.slice(0, flat.lastIndexOf(' ', LINE_LETTERS - 2))} …`;
}

/** A text with a capital at its beginning. */
export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
