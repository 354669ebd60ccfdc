/** Architectures compared: what each gets for its training compute, and how far they are apart at equal size. */
import type { TopLevelSpec } from 'vega-lite';
import { groupName, isRefusal, lossName, predictDifference, type RunRow, type Study } from '../scaling/index.ts';
import { COUNT_LABEL, linearTicks, logDomain, logTicks } from './axes.ts';
import { CONFIG, colours, INK, MUTED, PAPER } from './theme.ts';

const WIDTH = 350;
const HEIGHT = 340;
const DRAWN = 64;

type Panel = Extract<TopLevelSpec, { concat: unknown }>['concat'][number];

export function architecturesPlot(rows: readonly RunRow[], study: Study): TopLevelSpec {
  const panels = [computePanel(rows, study), differencePanel(study)].filter((panel) => panel !== undefined);
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    description: study.comparisons.map(({ verdict }) => verdict).join(' '),
    title: { text: 'Architectures compared', subtitle: study.comparisons.map(({ verdict }) => verdict) },
    config: CONFIG,
    columns: 2,
    spacing: 60,
    resolve: { scale: { color: 'independent' } },
    concat: panels,
  };
}

/** Loss against training compute, so that what is cheap to train is seen as cheap. */
function computePanel(rows: readonly RunRow[], study: Study): Panel | undefined {
  const fits = Object.entries(study.fits);
  const runs = rows.flatMap((row) => {
    const [flops, loss, series] = [row.flops, row[study.loss], groupName(row)];
    const used = study.fits[series] && !study.fits[series].left_out.includes(row.run);
    return used && typeof flops === 'number' && flops > 0 && typeof loss === 'number'
      ? [{ series, size: row.size, flops, loss }]
      : [];
  });
  if (runs.length === 0) return undefined;
  const x = logDomain(runs.map((run) => run.flops));
  const y = logDomain(
    runs.map((run) => run.loss),
    0.08,
    0.08,
  );
  const encoding = {
    x: {
      field: 'flops',
      type: 'quantitative',
      scale: { type: 'log', domain: x, nice: false },
      axis: { title: 'training compute (FLOP)', values: logTicks(x, 4), format: '.0e' },
    },
    y: {
      type: 'quantitative',
      scale: { type: 'log', domain: y, nice: false },
      axis: { title: lossName(study.loss), values: logTicks(y), format: '~r' },
    },
    color: {
      field: 'series',
      type: 'nominal',
      scale: {
        domain: fits.map(([name]) => name),
        range: colours(fits.map(([name, fit]) => (oneTokenizer(study) ? fit.architecture : name))),
      },
      legend: { title: null, orient: 'top-right', symbolType: 'circle', symbolSize: 90, symbolOpacity: 1 },
    },
  } as const;
  return {
    title: panelTitle('For the same compute'),
    width: WIDTH,
    height: HEIGHT,
    data: { values: runs },
    layer: [
      {
        mark: { type: 'line', strokeWidth: 1.5, opacity: 0.6 } as const,
        encoding: { ...encoding, y: { ...encoding.y, field: 'loss', aggregate: 'mean' } as const },
      },
      {
        mark: { type: 'point', filled: true, size: 70, opacity: 1, stroke: PAPER, strokeWidth: 1.5 } as const,
        encoding: { ...encoding, y: { ...encoding.y, field: 'loss' } },
      },
    ],
  };
}

/** The laws' difference, with the line of no difference that an interval has to clear. */
function differencePanel(study: Study): Panel | undefined {
  const pairs = study.comparisons.flatMap((comparison) => {
    const [a, b] = comparison.architectures.map((architecture) =>
      Object.values(study.fits).find(
        (fit) => fit.tokenizer === comparison.tokenizer && fit.architecture === architecture,
      ),
    );
    if (!a || !b || comparison.range === null || isRefusal(a.fit) || isRefusal(b.fit)) return [];
    const [low, high] = comparison.range.map(Math.log);
    const sizes = Array.from({ length: DRAWN + 1 }, (_, i) => Math.exp(low + ((high - low) * i) / DRAWN));
    const pair = `${comparison.tokenizer ? `${comparison.tokenizer}: ` : ''}${a.architecture} − ${b.architecture}`;
    return [predictDifference(a.fit, b.fit, sizes).map((point) => ({ pair, ...point }))];
  });
  if (pairs.length === 0) return undefined;
  const points = pairs.flat();
  const names = pairs.map(([point]) => point.pair);
  const x = logDomain(
    points.map((point) => point.params),
    0.03,
    0.03,
  );
  const ends = points.flatMap((point) => [point.low!, point.high!, 0]);
  const [least, most] = [Math.min(...ends), Math.max(...ends)];
  const margin = 0.12 * (most - least);
  const y: [number, number] = [least - margin, most + margin];
  const comparison = study.comparisons[0];
  const encoding = {
    x: {
      field: 'params',
      type: 'quantitative',
      scale: { type: 'log', domain: x, nice: false },
      axis: { title: 'parameters N', values: logTicks(x, 4), labelExpr: COUNT_LABEL },
    },
    y: {
      type: 'quantitative',
      scale: { domain: y, nice: false, zero: false },
      axis: { title: `difference in ${lossName(study.loss)}`, values: linearTicks(y, 6), format: '+~r' },
    },
    color: {
      field: 'pair',
      type: 'nominal',
      scale: { domain: names, range: names.length === 1 ? [MUTED] : colours(names) },
      legend: names.length === 1 ? null : { title: null, orient: 'bottom' },
    },
  } as const;
  const [a, b] = comparison.architectures;
  const hints = [
    { params: x[0], at: y[1], text: `${b} is better`, baseline: 'top' },
    { params: x[0], at: y[0], text: `${a} is better`, baseline: 'bottom' },
  ];
  return {
    title: panelTitle(names.length === 1 ? `At equal size: ${a} − ${b}` : 'At equal size'),
    width: WIDTH,
    height: HEIGHT,
    layer: [
      {
        data: { values: points },
        mark: { type: 'area', opacity: 0.2 } as const,
        encoding: { ...encoding, y: { ...encoding.y, field: 'low' }, y2: { field: 'high' } },
      },
      {
        data: { values: points },
        mark: { type: 'line', strokeWidth: 2.5 } as const,
        encoding: { ...encoding, y: { ...encoding.y, field: 'difference' } },
      },
      {
        data: { values: [{ zero: 0 }] },
        mark: { type: 'rule', color: INK, strokeDash: [4, 4] } as const,
        encoding: { y: { ...encoding.y, field: 'zero' } },
      },
      ...hints.map(({ baseline, ...hint }) => ({
        data: { values: [hint] },
        mark: {
          type: 'text',
          align: 'left',
          baseline: baseline as 'top' | 'bottom',
          dx: 8,
          dy: baseline === 'top' ? 6 : -6,
          color: MUTED,
          fontStyle: 'italic',
        } as const,
        encoding: { x: encoding.x, y: { ...encoding.y, field: 'at' }, text: { field: 'text' } } as const,
      })),
    ],
  };
}

function oneTokenizer(study: Study): boolean {
  return new Set(Object.values(study.fits).map((fit) => fit.tokenizer)).size === 1;
}

function panelTitle(text: string) {
  return { text, fontSize: 14, offset: 10, anchor: 'start', frame: 'group' } as const;
}
