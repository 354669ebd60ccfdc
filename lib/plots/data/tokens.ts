/**
 * The plot of the tokenizers. Data: the metrics of the tokenize stage, one file per tokenizer.
 *
 *   left    frequency of the tokens. x: rank of the token, logarithmic; y: occurrences in the training split, logarithmic
 *   right   histogram of the tunes. x: tokens per tune, logarithmic; y: share of the tunes, in percent, linear
 */
import type { TopLevelSpec } from 'vega-lite';
import {
  CONFIG,
  colours,
  countLabel,
  type Layout,
  logDomain,
  logTicks,
  NARROW_WIDTH,
  plotTitle,
  ticks,
  tooltip,
} from '../style/index.ts';

/** The part of the tokenize stage's metrics that is plotted. */
export interface TokenCounts {
  tokenizer: string;
  vocabulary_size: number;
  val: { bytes_per_token: number };
  statistics: {
    vocabulary_use: number;
    frequency: { rank: number; count: number }[];
    tokens_per_tune: { tokens: number; tunes: number }[];
  };
}

const SIZE = { wide: { width: 320, height: 300 }, narrow: { width: NARROW_WIDTH, height: 240 } };

/** Builds the specification of the plot. */
export function tokensPlot(counts: readonly TokenCounts[], layout: Layout = 'wide'): TopLevelSpec {
  const names = counts.map(({ tokenizer }) => tokenizer);
  const colour = {
    field: 'tokenizer',
    type: 'nominal',
    scale: { domain: names, range: colours(names) },
    legend: names.length > 1 ? { title: null, orient: 'bottom', direction: 'horizontal' } : null,
  } as const;
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    description: counts.map(describeTokenizer).join(' '),
    title: plotTitle('Tokens: how often each is used, and how many make a tune', counts.map(describeTokenizer), layout),
    config: CONFIG,
    columns: layout === 'narrow' ? 1 : 2,
    spacing: 60,
    concat: [frequencyPanel(counts, colour), lengthPanel(counts, colour)].map((panel) => ({
      ...SIZE[layout],
      ...panel,
    })),
  };
}

/** One sentence per tokenizer for the subtitle. */
function describeTokenizer({ tokenizer, vocabulary_size, val, statistics }: TokenCounts): string {
  const used = Math.round(100 * statistics.vocabulary_use);
  const bytes = val.bytes_per_token.toFixed(2);
  return `${tokenizer}: ${vocabulary_size.toLocaleString('en-US')} tokens, ${used} % of them used in training; ${bytes} bytes a token on the validation split.`;
}

/** The left panel. With both axes logarithmic, a distribution by Zipf's law is a straight line. */
function frequencyPanel(counts: readonly TokenCounts[], color: object) {
  const values = counts.flatMap(({ tokenizer, statistics }) =>
    statistics.frequency.map(({ rank, count }) => ({ tokenizer, rank, count })),
  );
  const x = logDomain(
    values.map(({ rank }) => rank),
    0.02,
    0.02,
  );
  const y = logDomain(values.map(({ count }) => count));
  return {
    data: { values },
    mark: { type: 'line', strokeWidth: 2, clip: true, point: { size: 26, filled: true } } as const,
    encoding: {
      x: logAxis('rank', 'rank of the token', x),
      y: logAxis('count', 'times in training', y),
      color,
      tooltip: tooltip([
        ['tokenizer', 'tokenizer'],
        ['rank', 'rank', ','],
        ['count', 'times in training', ','],
      ]),
    },
  };
}

/** The right panel. */
function lengthPanel(counts: readonly TokenCounts[], color: object) {
  const values = counts.flatMap(({ tokenizer, statistics: { tokens_per_tune: bins } }) => {
    const tunes = bins.reduce((sum, bin) => sum + bin.tunes, 0);
    // Each bin ends where the next begins, the last at √2 of its own start.
    const last = bins.at(-1);
    const end = last ? [{ tokens: last.tokens * Math.SQRT2, tunes: last.tunes }] : [];
    return [...bins, ...end].map((bin) => ({ tokenizer, tokens: bin.tokens, share: bin.tunes / tunes }));
  });
  const x = logDomain(
    values.map(({ tokens }) => tokens),
    0.02,
    0.02,
  );
  return {
    data: { values },
    mark: { type: 'line', strokeWidth: 2, interpolate: 'step-after', clip: true } as const,
    encoding: {
      x: logAxis('tokens', 'tokens a tune', x),
      y: { field: 'share', type: 'quantitative', axis: { title: 'share of tunes', format: '%' } } as const,
      color,
    },
  };
}

/** The encoding of a logarithmic axis. */
function logAxis(field: string, title: string, domain: [number, number]) {
  const axis = { title, ...ticks(logTicks(domain, 5), countLabel) };
  return { field, type: 'quantitative', scale: { type: 'log', domain, nice: false }, axis } as const;
}
