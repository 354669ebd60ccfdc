/**
 * The methods of a study as text that can be pasted into a paper, and how to cite it. The text is made from the
 * parameters and the counts of the study, so it says what was done, not what could have been.
 */
import { displayName, lossName } from '../../scaling/index.ts';
import type { ReportData, Validity } from '../data.ts';
import type { DataMetrics } from './data-facts.ts';
import { capital, describeModels, lawLines } from './headline.ts';
import { formatDuration, formatInteger, formatNumber, formatShare, plural } from './numbers.ts';

/** The sections of params.yaml that the text reads. Keys that are missing leave their words out. */
export interface StudySettings {
  convert?: { grid?: number };
  split?: { transpose?: number[] };
  train?: Record<string, unknown>;
  evaluate?: Record<string, unknown>;
  generate?: Record<string, unknown>;
  fit?: { size?: string; confidence?: number };
}

/** How the software is named and licensed. */
export interface Software {
  name: string;
  version: string;
  licence: string;
  /** full hash, and date as YYYY-MM-DD; undefined outside of git */
  commit?: { hash: string; date: string };
}

const TOKENIZERS: Record<string, string> = {
  char: 'single characters',
  bpe: 'byte-pair encoding',
  music: 'one token for each note, duration, rest, bar line or field',
};

/**
 * Writes the methods.
 *
 * @param metrics the counts of the data
 * @param engine how the models were computed, such as "native fp32, AVX2, 1 thread"
 * @returns one paragraph each for the data, training, and analysis
 */
export function methodsText(
  data: ReportData,
  settings: StudySettings,
  metrics: DataMetrics,
  { name, version, commit }: Software,
  engine?: string,
): string[] {
  const software = `${name} ${version}${commit ? `, commit ${commit.hash.slice(0, 12)} of ${commit.date}` : ''}`;
  return [
    `${dataText(data, settings, metrics)}`,
    `${trainingText(data, settings.train ?? {}, engine)}`,
    `${analysisText(data, settings)} Software: ${software}.`,
  ];
}

function dataText({ music }: ReportData, { convert, split: settings }: StudySettings, metrics: DataMetrics): string {
  const { split, tokenize = [] } = metrics;
  const counts = Object.entries(split?.splits ?? {}).map(([name, { tunes }]) => `${formatInteger(tunes)} (${name})`);
  const transposed = settings?.transpose ?? [];
  const dropped = split?.files !== undefined && split.kept !== undefined ? split.files - split.kept : undefined;
  return sentences([
    music?.sentence,
    convert?.grid !== undefined &&
      `MIDI files were quantised to ${convert.grid} steps a beat and written as ABC notation, all voices bar by bar.`,
    dropped !== undefined &&
      `Filters and the removal of duplicates kept ${formatInteger(split!.kept!)} of ${plural(split!.files!, 'file')}.`,
    counts.length > 0 && `A hash of each tune chose its split: ${counts.join(', ')} tunes.`,
    transposed.length > 0 && `The training split was augmented by transposition by ${transposed.join(', ')} semitones.`,
    ...tokenize.map(
      ({ tokenizer, vocabulary_size }) =>
        `Tokens (${tokenizer}): ${TOKENIZERS[tokenizer] ?? tokenizer}, a vocabulary of ${formatInteger(vocabulary_size)}.`,
    ),
  ]);
}

function trainingText({ results }: ReportData, train: Record<string, unknown>, engine: string | undefined): string {
  const tokens = [...new Set(results.map((row) => row.tokens).filter((value) => typeof value === 'number'))];
  const [least, most] = [Math.min(...tokens), Math.max(...tokens)];
  const seeds = new Set(results.map((row) => row.seed).filter((seed) => seed !== null)).size;
  const seconds = results.reduce((sum, row) => sum + (typeof row.seconds === 'number' ? row.seconds : 0), 0);
  const budget =
    tokens.length === 0
      ? ''
      : least === most
        ? formatInteger(least)
        : `${formatInteger(least)} to ${formatInteger(most)}`;
  const has = (key: string) => train[key] !== undefined;
  const rates = results.map((row) => row.learning_rate).filter((rate) => typeof rate === 'number');
  return sentences([
    `We trained ${describeModels(results)}${seeds > 1 ? `, with up to ${plural(seeds, 'seed')} each` : ''}.`,
    budget !== '' &&
      has('block') &&
      has('batch') &&
      `Each read ${budget} tokens, in windows of ${write(train.block)} tokens and ${write(train.batch)} windows a step.`,
    has('betas') &&
      `The optimiser was AdamW (β = ${write(train.betas)}, weight decay ${write(train.weight_decay)} on matrices, gradient norm clipped at ${write(train.clip)}, dropout ${write(train.dropout)}).`,
    rates.length > 0 &&
      `The peak learning rate was ${[...new Set([Math.min(...rates), Math.max(...rates)])].map(write).join(' to ')}${rateRule(train)}.`,
    has('warmup') && `The rate rose over the first ${formatShare(Number(train.warmup))} of the steps${decay(train)}.`,
    Array.isArray(train.budgets) &&
      train.budgets.length > 0 &&
      `Each run also gave its losses after ${train.budgets.map((share) => formatShare(Number(share))).join(' and ')} of the tokens, by cooldowns from copies of its state (Hägele et al. 2024).`,
    engine !== undefined && `Training ran on the engine ${engine}.`,
    seconds > 0 && `It took ${formatDuration(seconds)} in sum.`,
  ]);
}

/** The rule by which the peak learning rate depends on the width, such as ", as 0.006·(64/width)^0.25 for GPT". */
function rateRule({ lr, lr_width: width, lr_exponent: exponent }: Record<string, unknown>): string {
  if (lr === undefined || exponent === undefined) return '';
  const isPerArchitecture = (value: unknown) => value !== null && typeof value === 'object';
  const named = [lr, exponent].find(isPerArchitecture);
  const rule = (architecture?: string) => {
    const [rate, power] = [lr, exponent].map((value) =>
      isPerArchitecture(value) ? (value as Record<string, unknown>)[architecture!] : value,
    );
    return `${write(rate)}·(${write(width)}/width)^${write(power)}`;
  };
  if (named === undefined) return `, as ${rule()}`;
  return `, as ${Object.keys(named as object)
    .map((architecture) => `${rule(architecture)} for ${displayName(architecture)}`)
    .join(' and ')}`;
}

/** How the learning rate falls: by a cosine, unless the parameters name the other schedule. */
function decay(train: Record<string, unknown>): string {
  const floor = train.lr_floor === undefined ? '' : ` to ${formatShare(Number(train.lr_floor))} of its peak`;
  if (train.schedule === undefined || train.schedule === 'cosine') return ` and fell by a cosine${floor}`;
  return `, stayed at its peak, and fell by 1 − √progress over the last ${formatShare(Number(train.cooldown))}${floor}`;
}

function analysisText({ study, validity }: ReportData, { evaluate = {}, generate = {} }: StudySettings): string {
  const laws = lawLines(study).map(({ label, law, detail }) => `${label}: ${law}; ${detail}`);
  const size =
    study.size === 'params_non_embedding' ? 'all parameters but embeddings' : 'all parameters with embeddings';
  const stride =
    typeof evaluate.stride === 'number'
      ? `, in windows of one block, each ${formatShare(evaluate.stride)} of a block after the one before`
      : '';
  const { constrained, free } = validity;
  return sentences([
    `The loss is ${lossName(study.loss)}${stride}; N counts ${size}.`,
    `L(N) = a·N^(−α) + c was fitted by least squares with variable projection (Golub and Pereyra 1973); intervals are profile-likelihood intervals at ${formatShare(study.confidence)} (Venzon and Moolgavkar 1988).`,
    `${laws.join('. ')}.`,
    ...tokenLaws(study),
    ...study.comparisons.map(({ verdict }) => verdict),
    (constrained || free) &&
      `Samples were drawn at temperature ${write(generate.temperature)} with top-p ${write(generate.top_p)}.`,
    constrained && `Of those constrained to the rules of the notation, ${validText(constrained)}.`,
    free && `Of those drawn freely, ${validText(free)}.`,
  ]);
}

/** L(N, D) of each group whose runs gave smaller budgets. */
function tokenLaws({ fits }: ReportData['study']): string[] {
  return Object.values(fits).flatMap(({ label, branches_verdict: verdict }) =>
    verdict ? [`${label}, by size and tokens: ${verdict}`] : [],
  );
}

/** "3 of 80 are valid ABC (95 % Wilson interval: 1.3 % to 10 %)". */
function validText({ valid, samples, interval: [low, high] }: Validity): string {
  return `${valid} of ${samples} are valid ABC (95 % Wilson interval: ${formatShare(low)} to ${formatShare(high)})`;
}

/** Joins the sentences that there are. Each begins with a capital. */
function sentences(texts: readonly (string | false | null | undefined)[]): string {
  return texts
    .filter((text): text is string => Boolean(text))
    .map(capital)
    .join(' ');
}

/** A value of a parameter in a sentence: 0.012, "0.9, 0.95", "gpt 0.006, lstm 0.018". */
function write(value: unknown): string {
  if (typeof value === 'number')
    return value >= 1
      ? value.toLocaleString('en-US')
      : formatNumber(value)
          .replace(/(\.\d*?)0+$/, '$1')
          .replace(/\.$/, '');
  if (Array.isArray(value)) return value.map(write).join(', ');
  if (value !== null && typeof value === 'object')
    return Object.entries(value)
      .map(([key, one]) => `${key} ${write(one)}`)
      .join(', ');
  return String(value);
}

/** A citation of the software and the run of the study, as BibTeX. */
export function bibtex(title: string, { name, version, licence, commit }: Software): string {
  const fields: [string, string | undefined][] = [
    ['title', `{${title}}`],
    ['author', `{The contributors to ${name}}`],
    ['year', commit && `{${commit.date.slice(0, 4)}}`],
    ['version', `{${version}}`],
    ['note', commit && `{Commit ${commit.hash}, ${commit.date}}`],
    ['license', `{${licence}}`],
  ];
  const lines = fields.flatMap(([key, value]) => (value === undefined ? [] : [`  ${key} = ${value},\n`]));
  return `@software{${name.replaceAll('-', '_')},\n${lines.join('')}}\n`;
}
