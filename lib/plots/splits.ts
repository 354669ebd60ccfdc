/** What became of the files of a data set: how many were kept in each split, what the others were dropped for, and how long tunes are. */
import type { TopLevelSpec } from 'vega-lite';
import { countLabel, logDomain, logTicks, ticks } from './axes.ts';
import { CONFIG, INK, MUTED } from './theme.ts';

/** As the split stage's metrics have them. */
export interface SplitCounts {
  files: number;
  kept: number;
  splits: Record<string, { tunes: number }>;
  /** by reason */
  dropped: Record<string, { count: number }>;
  duplicates: Record<string, { count: number }>;
  /** tunes that were kept, of at least `from` characters and fewer than `from` · √2 */
  lengths: { from: number; tunes: number }[];
}

const KEPT = '#0072b2';
const DROPPED = '#8a97a5';
const WIDTH = 620;

type Panel = Extract<TopLevelSpec, { vconcat: unknown }>['vconcat'][number];

export function splitPlot(counts: SplitCounts): TopLevelSpec {
  const { files, kept } = counts;
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    description: `${kept} of ${files} files were kept.`,
    title: {
      text: `Of ${files.toLocaleString('en-US')} files, ${kept.toLocaleString('en-US')} are music to learn from`,
      subtitle: ['Blue: the splits. Grey: what was dropped, and why. Below: how long the tunes are that were kept.'],
    },
    config: CONFIG,
    spacing: 40,
    vconcat: [fatesPanel(counts), lengthsPanel(counts)],
  };
}

function fatesPanel({ splits, dropped, duplicates }: SplitCounts): Panel {
  const bars = [
    ...Object.entries(splits).map(([name, { tunes }]) => ({ fate: name, tunes, kept: true })),
    ...Object.entries(duplicates).map(([name, { count }]) => ({ fate: `same ${name}`, tunes: count, kept: false })),
    ...Object.entries(dropped).map(([name, { count }]) => ({
      fate: name.replaceAll('_', ' '),
      tunes: count,
      kept: false,
    })),
  ].filter(({ tunes, kept }) => kept || tunes > 0);
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
    width: WIDTH,
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

/** Bins are as wide as each other on the logarithmic axis. */
function lengthsPanel({ lengths }: SplitCounts): Panel {
  const values = lengths.map(({ from, tunes }) => ({ from, to: from * Math.SQRT2, tunes }));
  const domain = logDomain(
    values.flatMap(({ from, to }) => [from, to]),
    0.01,
    0.01,
  );
  const axis = { title: 'characters a tune', ...ticks(logTicks(domain, 8), countLabel) };
  return {
    width: WIDTH,
    height: 160,
    data: { values },
    mark: { type: 'rect', color: KEPT },
    encoding: {
      x: { field: 'from', type: 'quantitative', scale: { type: 'log', domain, nice: false }, axis },
      x2: { field: 'to' },
      y: { field: 'tunes', type: 'quantitative', axis: { title: 'tunes', tickMinStep: 1 } },
      y2: { datum: 0 },
    },
  };
}
