/**
 * The plot of the data set. Data: the metrics of the split stage.
 *
 *   above   a bar per split and per reason for dropping files. x: number of tunes, linear
 *   below   histogram of the kept tunes. x: characters per tune, logarithmic; y: number of tunes, linear
 */
import type { TopLevelSpec } from 'vega-lite';
import {
  CONFIG,
  countLabel,
  INK,
  type Layout,
  logDomain,
  logTicks,
  MUTED,
  NARROW_WIDTH,
  plotTitle,
  ticks,
  tooltip,
} from '../style/index.ts';

/** The part of the split stage's metrics that is plotted. */
export interface SplitCounts {
  files: number;
  kept: number;
  splits: Record<string, { tunes: number }>;
  /** counts by name of the filter */
  dropped: Record<string, { count: number }>;
  duplicates: Record<string, { count: number }>;
  /** number of kept tunes of at least `from` and fewer than `from` · √2 characters */
  lengths: { from: number; tunes: number }[];
}

const KEPT = '#0072b2';
const DROPPED = '#8a97a5';
/** Names of the splits and reasons stand to the left of the bars. */
const WIDTH = { wide: 740, narrow: NARROW_WIDTH - 100 };

type Panel = Extract<TopLevelSpec, { vconcat: unknown }>['vconcat'][number];

/** Builds the specification of the plot. */
export function splitPlot(counts: SplitCounts, layout: Layout = 'wide'): TopLevelSpec {
  const { files, kept } = counts;
  const hasDropped = fatesOf(counts).some((fate) => !fate.kept);
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    description: describePlot(counts),
    title: plotTitle(
      `Of ${files.toLocaleString('en-US')} files, ${kept.toLocaleString('en-US')} are music to learn from`,
      [
        `Tunes by split${hasDropped ? ', and in grey the files that were dropped, by reason' : ''}. Below: lengths of the kept tunes.`,
      ],
      layout,
    ),
    config: CONFIG,
    spacing: 40,
    vconcat: [fatesPanel(counts, WIDTH[layout]), lengthsPanel(counts, WIDTH[layout])],
  };
}

/** The number of files of each split, and of those that were dropped for each reason. */
function fatesOf({ splits, dropped, duplicates }: SplitCounts) {
  return [
    ...Object.entries(splits).map(([name, { tunes }]) => ({ fate: name, tunes, kept: true })),
    ...Object.entries(duplicates).map(([name, { count }]) => ({ fate: `same ${name}`, tunes: count, kept: false })),
    ...Object.entries(dropped).map(([name, { count }]) => ({
      fate: name.replaceAll('_', ' '),
      tunes: count,
      kept: false,
    })),
  ].filter(({ tunes, kept }) => kept || tunes > 0);
}

/** A text alternative of the plot, for readers who do not see it. */
function describePlot(counts: SplitCounts): string {
  const fates = fatesOf(counts).map(({ fate, tunes }) => `${fate} ${tunes}`);
  return `${counts.kept} of ${counts.files} files were kept. Tunes by split, and files dropped by reason: ${fates.join(', ')}.`;
}

/** The upper panel. Reasons without any file are left out. */
function fatesPanel(counts: SplitCounts, width: number): Panel {
  const bars = fatesOf(counts);
  const most = Math.max(1, ...bars.map(({ tunes }) => tunes));
  const y = {
    field: 'fate',
    type: 'nominal',
    sort: null,
    axis: { title: null, grid: false, labelColor: INK },
  } as const;
  const x = {
    field: 'tunes',
    type: 'quantitative',
    scale: { domainMin: 0, domainMax: most, nice: false },
    axis: null,
  } as const;
  return {
    width,
    height: { step: 30 },
    data: { values: bars },
    layer: [
      {
        mark: { type: 'bar', height: 18, cornerRadiusEnd: 2 },
        encoding: {
          x,
          y,
          color: {
            field: 'kept',
            type: 'nominal',
            scale: { domain: [true, false], range: [KEPT, DROPPED] },
            legend: null,
          },
        },
      },
      {
        mark: { type: 'text', align: 'left', dx: 7, color: MUTED },
        encoding: { x, y, text: { field: 'tunes', type: 'quantitative', format: ',' } },
      },
    ],
  };
}

/** The lower panel. The bins have equal widths on the logarithmic axis. */
function lengthsPanel({ lengths }: SplitCounts, width: number): Panel {
  const values = lengths.map(({ from, tunes }) => ({ from, to: from * Math.SQRT2, tunes }));
  const domain = logDomain(
    values.flatMap(({ from, to }) => [from, to]),
    0.01,
    0.01,
  );
  const axis = { title: 'characters a tune', ...ticks(logTicks(domain, width < 300 ? 3 : 8), countLabel) };
  return {
    width,
    height: 160,
    data: { values },
    mark: { type: 'rect', color: KEPT },
    encoding: {
      x: { field: 'from', type: 'quantitative', scale: { type: 'log', domain, nice: false }, axis },
      x2: { field: 'to' },
      y: { field: 'tunes', type: 'quantitative', axis: { title: 'tunes', tickMinStep: 1 } },
      y2: { datum: 0 },
      tooltip: tooltip([
        ['from', 'characters from', ',.0f'],
        ['to', 'to', ',.0f'],
        ['tunes', 'tunes', ','],
      ]),
    },
  };
}
