/**
 * The plot that compares architectures. Data: the table of runs and the fitted study.
 *
 *   left    loss against training compute. A point is a run, a line joins the mean losses of runs with equal compute.
 *           x: training compute in FLOP, logarithmic; y: the loss of the fits, logarithmic
 *   right   difference of two fitted laws at equal size, with its interval, over the sizes measured in both.
 *           x: parameters, logarithmic; y: difference in the unit of the loss, linear; below 0 the first architecture is better
 *
 * The right panel is left out if no two architectures have a law.
 */
import type { TopLevelSpec } from 'vega-lite';
import {
  type Difference,
  displayName,
  groupName,
  isRefusal,
  lossName,
  predictDifference,
  type RunRow,
  type Study,
} from '../../scaling/index.ts';
import {
  CONFIG,
  countLabel,
  INK,
  type Layout,
  linearTicks,
  logDomain,
  logTicks,
  MUTED,
  NARROW_WIDTH,
  PAPER,
  plainLabel,
  plotTitle,
  powerLabel,
  seriesOf,
  signedLabel,
  ticks,
  tooltip,
} from '../style/index.ts';
import { hasBudgets, isSameBudget } from './run-points.ts';

/** Size of a panel in pixels. The width depends on the number of panels. */
const HEIGHT = { wide: 340, narrow: 280 };
const WIDTH = { one: 650, two: 350, narrow: NARROW_WIDTH };
/** Intervals along each curve. */
const CURVE_STEPS = 64;

type Panel = Extract<TopLevelSpec, { concat: unknown }>['concat'][number];
type PanelSize = { width: number; height: number };

/**
 * Builds the specification of the plot. The subtitle is the verdict of each comparison.
 *
 * @returns a plot without panels if neither has anything to show
 */
export function architecturesPlot(rows: readonly RunRow[], study: Study, layout: Layout = 'wide'): TopLevelSpec {
  const differences = differencesOf(study);
  const width = layout === 'narrow' ? WIDTH.narrow : differences.length > 0 ? WIDTH.two : WIDTH.one;
  const size = { width, height: HEIGHT[layout] };
  const panels = [computePanel(rows, study, size), differencePanel(differences, study, size)];
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    description: `${lossName(study.loss)} of each run against its training compute, and the difference of the fitted laws at equal size. ${study.comparisons.map(({ verdict }) => verdict).join(' ')}`,
    title: plotTitle(
      'Architectures compared',
      study.comparisons.map(({ verdict }) => verdict),
      layout,
    ),
    config: CONFIG,
    columns: layout === 'narrow' ? 1 : 2,
    spacing: 60,
    resolve: { scale: { color: 'independent', shape: 'independent', strokeDash: 'independent' } },
    concat: panels.filter((panel) => panel !== undefined),
  };
}

/** The left panel; undefined if no run has both a loss and a number of FLOP. */
function computePanel(rows: readonly RunRow[], study: Study, size: PanelSize): Panel | undefined {
  const series = seriesOf(study);
  const names = new Map(series.map(({ group, name }) => [group, name]));
  const runs = rows.flatMap((row) => {
    const [flops, loss, group] = [row.flops, row[study.loss], groupName(row)];
    const used = names.has(group) && !study.fits[group].left_out.includes(row.run);
    return used && typeof flops === 'number' && flops > 0 && typeof loss === 'number'
      ? [{ series: names.get(group)!, run: row.run, flops, loss }]
      : [];
  });
  if (runs.length === 0) return undefined;
  const mixed = new Set(series.flatMap(({ name, fit }) => (isRefusal(fit.fit) && hasBudgets(fit) ? [name] : [])));
  const x = logDomain(runs.map((run) => run.flops));
  const y = logDomain(
    runs.map((run) => run.loss),
    0.08,
    0.08,
  );
  const domain = series.map(({ name }) => name);
  const along = (value: number, [low, high]: readonly [number, number]) => Math.log(value / low) / Math.log(high / low);
  // Losses usually fall, which leaves the top right corner free. If they do not, the legend would cover runs there.
  const isTaken = runs.some(({ flops, loss }) => along(flops, x) > 0.65 && along(loss, y) > 0.7);
  const legend = {
    title: null,
    orient: isTaken ? 'bottom-right' : 'top-right',
    symbolSize: 90,
    symbolOpacity: 1,
  } as const;
  const encoding = {
    x: {
      field: 'flops',
      type: 'quantitative',
      scale: { type: 'log', domain: x, nice: false },
      axis: { title: 'training compute (FLOP)', ...ticks(logTicks(x, 4), powerLabel) },
    },
    y: {
      type: 'quantitative',
      scale: { type: 'log', domain: y, nice: false },
      axis: { title: lossName(study.loss), ...ticks(logTicks(y), plainLabel) },
    },
    color: {
      field: 'series',
      type: 'nominal',
      scale: { domain, range: series.map(({ colour }) => colour) },
      legend,
    },
  } as const;
  const dashes = {
    field: 'series',
    type: 'nominal',
    scale: { domain, range: series.map(({ dash }) => dash) },
  } as const;
  const shapes = {
    field: 'series',
    type: 'nominal',
    scale: { domain, range: series.map(({ shape }) => shape) },
  } as const;
  return {
    title: panelTitle('For the same compute'),
    ...size,
    data: { values: runs },
    layer: [
      {
        // With several budgets, a line through all runs would go to and fro.
        data: { values: runs.filter((run) => !mixed.has(run.series)) },
        mark: { type: 'line', strokeWidth: 1.5, opacity: 0.6, clip: true },
        encoding: {
          ...encoding,
          y: { ...encoding.y, field: 'loss', aggregate: 'mean' },
          strokeDash: { ...dashes, legend },
        },
      },
      {
        mark: { type: 'point', filled: true, size: 70, opacity: 1, stroke: PAPER, strokeWidth: 1.5, clip: true },
        encoding: {
          ...encoding,
          y: { ...encoding.y, field: 'loss' },
          shape: { ...shapes, legend },
          tooltip: tooltip([
            ['run', 'run'],
            ['loss', lossName(study.loss), '.4f'],
            ['flops', 'compute (FLOP)', '.3~e'],
          ]),
        },
      },
    ],
  };
}

/** The difference of two laws along the sizes. */
interface PairDifference {
  pair: string;
  a: string;
  b: string;
  points: Difference[];
}

/** The difference of each compared pair, over the sizes measured in both. Pairs without two laws are left out. */
function differencesOf(study: Study): PairDifference[] {
  return study.comparisons.flatMap(({ tokenizer, architectures, range, tokens }) => {
    const [a, b] = architectures.map((architecture) => {
      const group = Object.values(study.fits).find(
        (fit) => fit.tokenizer === tokenizer && fit.architecture === architecture,
      );
      // With several budgets, the laws at one budget are compared.
      const budget = tokens === null ? undefined : group?.by_budget?.find((one) => isSameBudget(one.tokens, tokens));
      return budget?.fit ?? group?.fit;
    });
    if (!a || !b || range === null || isRefusal(a) || isRefusal(b)) return [];
    const [low, high] = range.map(Math.log);
    const sizes = Array.from({ length: CURVE_STEPS + 1 }, (_, i) => Math.exp(low + ((high - low) * i) / CURVE_STEPS));
    const [nameA, nameB] = architectures.map(displayName);
    const pair = `${nameA} − ${nameB}${tokenizer ? ` (${tokenizer})` : ''}`;
    return [{ pair, a: nameA, b: nameB, points: predictDifference(a, b, sizes) }];
  });
}

/**
 * Colours of several pairs. They differ from the colours of the architectures, because a pair stands for neither of its
 * two architectures.
 */
const PAIR_COLOURS = ['#5c6b7a', '#009e73', '#cc79a7', '#8c6d00'];

/** The right panel, with a rule at 0: where an interval contains 0, no difference is shown. Undefined without pairs. */
function differencePanel(pairs: readonly PairDifference[], study: Study, size: PanelSize): Panel | undefined {
  if (pairs.length === 0) return undefined;
  const points = pairs.flatMap(({ pair, points }) => points.map((point) => ({ pair, ...point })));
  const names = pairs.map(({ pair }) => pair);
  const x = logDomain(
    points.map((point) => point.params),
    0.03,
    0.03,
  );
  const ends = points.flatMap((point) => [point.low!, point.high!, 0]);
  const [least, most] = [Math.min(...ends), Math.max(...ends)];
  const margin = 0.12 * (most - least);
  const y: [number, number] = [least - margin, most + margin];
  const encoding = {
    x: {
      field: 'params',
      type: 'quantitative',
      scale: { type: 'log', domain: x, nice: false },
      axis: { title: 'parameters N', ...ticks(logTicks(x, 4), countLabel) },
    },
    y: {
      type: 'quantitative',
      scale: { domain: y, nice: false, zero: false },
      axis: { title: `difference in ${lossName(study.loss)}`, ...ticks(linearTicks(y, 6), signedLabel) },
    },
    color: {
      field: 'pair',
      type: 'nominal',
      scale: { domain: names, range: names.length === 1 ? [MUTED] : PAIR_COLOURS },
      legend: names.length === 1 ? null : { title: null, orient: 'bottom' },
    },
  } as const;
  const [{ a, b }] = pairs;
  const oneOrder = pairs.every((pair) => pair.a === a && pair.b === b);
  const hints = !oneOrder
    ? []
    : [
        { params: x[0], at: y[1], text: `${b} is better`, baseline: 'top' },
        { params: x[0], at: y[0], text: `${a} is better`, baseline: 'bottom' },
      ];
  return {
    title: panelTitle(oneOrder ? `At equal size: ${a} − ${b}` : 'At equal size'),
    ...size,
    layer: [
      {
        data: { values: points },
        mark: { type: 'area', opacity: 0.2, clip: true } as const,
        encoding: { ...encoding, y: { ...encoding.y, field: 'low' }, y2: { field: 'high' } },
      },
      {
        data: { values: points },
        mark: { type: 'line', strokeWidth: 2.5, clip: true } as const,
        encoding: { ...encoding, y: { ...encoding.y, field: 'difference' } },
      },
      // Invisible points that carry the tooltips.
      {
        data: { values: points },
        mark: { type: 'point', filled: true, size: 90, opacity: 0, clip: true } as const,
        encoding: {
          ...encoding,
          y: { ...encoding.y, field: 'difference' },
          tooltip: tooltip([
            ['pair', 'difference'],
            ['params', 'parameters', ',.0f'],
            ['difference', lossName(study.loss), '+.4f'],
            ['low', 'from', '+.4f'],
            ['high', 'to', '+.4f'],
          ]),
        },
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

/** The title above one panel. */
function panelTitle(text: string) {
  return { text, fontSize: 14, offset: 10, anchor: 'start', frame: 'group' } as const;
}
