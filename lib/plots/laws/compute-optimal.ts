/**
 * The plot of the compute-optimal models. Data: the table of runs, and a study whose runs saw several budgets.
 *
 *   left    the runs against their compute, and the frontier: runs that no run of at most the same compute beats.
 *           x: C = 6·N·D in FLOP, logarithmic; y: loss of the fits, logarithmic
 *   right   the best size for a compute. Lines with bands are L(N, D)'s, points the minima of isoFLOP profiles.
 *           x: C as on the left; y: parameters N, logarithmic
 *
 * The right panel is left out if there is neither a law nor a minimum.
 */
import type { TopLevelSpec } from 'vega-lite';
import type { RunRow, Study } from '../../scaling/index.ts';
import {
  CONFIG,
  countLabel,
  type Layout,
  logDomain,
  logTicks,
  NARROW_WIDTH,
  PAPER,
  plainLabel,
  plotTitle,
  powerLabel,
  type Series,
  seriesOf,
  ticks,
  tooltip,
} from '../style/index.ts';
import { hasBudgets, lossTitle, runsOf, runTooltip } from './run-points.ts';

const HEIGHT = { wide: 340, narrow: 280 };
const WIDTH = { one: 650, two: 350, narrow: NARROW_WIDTH };

type Panel = Extract<TopLevelSpec, { concat: unknown }>['concat'][number];
type PanelSize = { width: number; height: number };

/**
 * Builds the specification of the plot.
 *
 * @returns undefined if all runs saw about equally many tokens, so that size and compute are one
 */
export function computeOptimalPlot(
  rows: readonly RunRow[],
  study: Study,
  layout: Layout = 'wide',
): TopLevelSpec | undefined {
  const series = seriesOf(study).filter(({ fit }) => hasBudgets(fit) && fit.compute_optimal);
  if (series.length === 0) return undefined;
  const optima = series.flatMap(optimaOf);
  const bands = series.flatMap(bandOf);
  const hasSizes = optima.length + bands.length > 0;
  const width = layout === 'narrow' ? WIDTH.narrow : hasSizes ? WIDTH.two : WIDTH.one;
  const size = { width, height: HEIGHT[layout] };
  const verdicts = series.map(({ name, fit }) => `${name}: ${fit.compute_optimal!.verdict}`);
  const panels = [frontierPanel(rows, study, series, size), hasSizes && sizePanel(optima, bands, series, size)];
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    description: `The runs against their compute, the frontier of the best ones, and the best size for a compute. ${verdicts.join(' ')}`,
    title: plotTitle(
      'Compute-optimal models',
      ['Compute C is 6·N·D. Nothing is drawn beyond what was trained, but for bands.'],
      layout,
    ),
    config: CONFIG,
    columns: layout === 'narrow' ? 1 : 2,
    spacing: 60,
    resolve: { scale: { color: 'independent', shape: 'independent' } },
    concat: panels.filter((panel) => panel !== false),
  };
}

/** The scales of the series. */
function colourOf(series: readonly Series[]) {
  const scale = { domain: series.map(({ name }) => name), range: series.map(({ colour }) => colour) };
  return { field: 'series', type: 'nominal', scale, legend: { title: null, orient: 'bottom' } } as const;
}

function computeAxis(domain: [number, number]) {
  return {
    field: 'flops',
    type: 'quantitative',
    scale: { type: 'log', domain, nice: false },
    axis: { title: 'compute C (FLOP)', ...ticks(logTicks(domain, 4), powerLabel) },
  } as const;
}

function frontierPanel(rows: readonly RunRow[], study: Study, series: readonly Series[], size: PanelSize): Panel {
  const runs = runsOf(rows, study, series).flatMap((run) =>
    run.tokens === null ? [] : [{ ...run, flops: 6 * run.params * run.tokens }],
  );
  const frontier = series.flatMap(({ name, fit }) =>
    fit.compute_optimal!.frontier.map((point) => ({ series: name, ...point })),
  );
  const domain = logDomain(
    runs.map(({ loss }) => loss),
    0.08,
    0.08,
  );
  const x = computeAxis(logDomain(runs.map(({ flops }) => flops)));
  const y = {
    field: 'loss',
    type: 'quantitative',
    scale: { type: 'log', domain, nice: false },
    axis: { title: lossTitle(study.loss), ...ticks(logTicks(domain), plainLabel) },
  } as const;
  const color = colourOf(series);
  return {
    title: { text: 'The frontier', fontSize: 14, offset: 10, anchor: 'start', frame: 'group' },
    ...size,
    layer: [
      {
        data: { values: frontier },
        mark: { type: 'line', strokeWidth: 2, interpolate: 'step-after', clip: true },
        encoding: { x, y, color },
      },
      {
        data: { values: runs },
        mark: { type: 'point', filled: true, size: 50, opacity: 1, stroke: PAPER, strokeWidth: 1.2, clip: true },
        encoding: { x, y, color, tooltip: runTooltip(runs, study.loss) },
      },
    ],
  };
}

/** A best size for a compute. */
interface Optimum {
  series: string;
  flops: number;
  params: number;
}

/** The minima of the isoFLOP profiles of a series. */
function optimaOf({ name, fit }: Series): Optimum[] {
  return fit.compute_optimal!.isoflop.flatMap(({ flops, optimum }) =>
    optimum ? [{ series: name, flops, params: optimum.params }] : [],
  );
}

/** The best sizes by the law of a series, with their intervals. */
function bandOf({ name, fit }: Series): (Optimum & { low: number; high: number })[] {
  const { law } = fit.compute_optimal!;
  if ('refused' in law) return [];
  return law.allocations.map(({ flops, params, params_interval: [low, high] }) => ({
    series: name,
    ...{ flops, params, low, high },
  }));
}

function sizePanel(
  optima: readonly Optimum[],
  bands: readonly (Optimum & { low: number; high: number })[],
  series: readonly Series[],
  size: PanelSize,
): Panel {
  const all = [...optima, ...bands];
  const sizes = [...optima, ...bands].map(({ params }) => params);
  // A wide band would leave little room for the lines, so it is clipped at ten times their range.
  const [least, most] = [Math.min(...sizes) / 10, Math.max(...sizes) * 10];
  const domain = logDomain([
    ...sizes,
    ...bands.flatMap(({ low, high }) => [Math.max(low, least), Math.min(high, most)]),
  ]);
  const x = computeAxis(logDomain(all.map(({ flops }) => flops)));
  const y = {
    type: 'quantitative',
    scale: { type: 'log', domain, nice: false },
    axis: { title: 'best size (parameters N)', ...ticks(logTicks(domain, 6), countLabel) },
  } as const;
  const color = colourOf(series);
  const shown = tooltip([
    ['series', 'models'],
    ['flops', 'compute (FLOP)', '.3~e'],
    ['params', 'best size', ',.0f'],
  ]);
  return {
    title: { text: 'The best size for a compute', fontSize: 14, offset: 10, anchor: 'start', frame: 'group' },
    ...size,
    layer: [
      {
        data: { values: [...bands] },
        mark: { type: 'area', opacity: 0.16, clip: true },
        encoding: { x, y: { ...y, field: 'low' }, y2: { field: 'high' }, color },
      },
      {
        data: { values: [...bands] },
        mark: { type: 'line', strokeWidth: 2.5, clip: true },
        encoding: { x, y: { ...y, field: 'params' }, color },
      },
      {
        data: { values: [...optima] },
        mark: { type: 'point', filled: true, size: 70, opacity: 1, stroke: PAPER, strokeWidth: 1.5, clip: true },
        encoding: { x, y: { ...y, field: 'params' }, color, tooltip: shown },
      },
    ],
  };
}
