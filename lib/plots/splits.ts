/** What became of the files of a data set: how many were kept in each split, and what the others were dropped for. */
import type { TopLevelSpec } from 'vega-lite';
import { CONFIG, INK, MUTED } from './theme.ts';

/** As the split stage's metrics have them. */
export interface SplitCounts {
  files: number;
  kept: number;
  splits: Record<string, { tunes: number }>;
  /** by reason */
  dropped: Record<string, { count: number }>;
  duplicates: Record<string, { count: number }>;
}

const KEPT = '#0072b2';
const DROPPED = '#8a97a5';

export function splitPlot({ files, kept, splits, dropped, duplicates }: SplitCounts): TopLevelSpec {
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
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    description: `${kept} of ${files} files were kept.`,
    title: {
      text: `Of ${files.toLocaleString('en-US')} files, ${kept.toLocaleString('en-US')} are music to learn from`,
      subtitle: ['Blue: the splits. Grey: what was dropped, and why.'],
    },
    width: 620,
    height: { step: 30 },
    config: CONFIG,
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
