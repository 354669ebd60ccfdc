/**
 * The plot of the scaling laws. Data: the table of runs and the fitted study.
 *
 * A point is a run; a bar at a size with several seeds is their mean ± one standard deviation. A line is the fitted law
 * of a group (tokenizer and architecture), with its confidence band, and a dotted rule is the floor c of the law. The
 * exponent α and its interval are written beside each line, or in the legend of a narrow plot.
 *
 *   x   size of the model: number of parameters N, logarithmic
 *   y   loss of the fits, usually test bits per byte, logarithmic
 */
import type { TopLevelSpec } from 'vega-lite';
import { isRefusal, lossName, type RunRow, type Study } from '../../scaling/index.ts';
import {
  CONFIG,
  INK,
  type Layout,
  logDomain,
  logTicks,
  MUTED,
  NARROW_WIDTH,
  PAPER,
  plainLabel,
  plotTitle,
  type Series,
  seriesOf,
  ticks,
  tooltip,
} from '../style/index.ts';
import {
  budgetCurvesOf,
  curveOf,
  heldOutPoints,
  lossTitle,
  type RunPoint,
  runsOf,
  runTooltip,
  seedSpreads,
  sizeAxis,
  sizeTitle,
  testIntervals,
} from './run-points.ts';
import { floorLabel, floorLabels, hasLaw, lawLabel, seriesLabels, sizeLabels } from './scaling-labels.ts';

const SIZE = { wide: { width: 650, height: 440 }, narrow: { width: NARROW_WIDTH, height: 320 } };
/**
 * The y axis includes bands up to this share beyond the losses of the runs. Wider bands are clipped, because the runs
 * would otherwise fill only a small part of the plot.
 */
const BAND_SHOWN = 0.15;
/**
 * A floor is drawn if it is at least this share of the lowest loss. With a lower one, the runs would fill only a small
 * part of the plot.
 */
const FLOOR_NEAR = 0.7;

/** Builds the specification of the plot. The title says for which groups the runs support a law. */
export function scalingPlot(rows: readonly RunRow[], study: Study, layout: Layout = 'wide'): TopLevelSpec {
  const { width, height } = SIZE[layout];
  const series = seriesOf(study);
  const runs = runsOf(rows, study, series);
  const seeds = seedSpreads(runs);
  const curves = series.flatMap(curveOf);
  const budgets = series.flatMap(budgetCurvesOf);
  const tests = testIntervals(runs, series);
  const held = heldOutPoints(series);
  const least = Math.min(...runs.map((run) => run.loss));
  const floors = series.flatMap((one) => floorOf(one, FLOOR_NEAR * least));

  const x = logDomain(runs.map((run) => run.params));
  const most = Math.max(...runs.map((run) => run.loss));
  const bands = curves.flatMap(({ low, high }) => [
    Math.max(low, least / (1 + BAND_SHOWN)),
    Math.min(high, most * (1 + BAND_SHOWN)),
  ]);
  const losses = [
    ...[...runs, ...curves, ...floors, ...held].map((point) => point.loss),
    ...[...seeds, ...tests].flatMap(({ low, high }) => [low, high]),
  ];
  const y = logDomain([...losses, ...bands], 0.1, 0.08);
  const legend = layout === 'narrow' ? lawLegend(series) : null;
  const domain = series.map(({ name }) => name);
  const encoding = {
    x: sizeAxis(x, study, layout),
    y: {
      type: 'quantitative',
      scale: { type: 'log', domain: y, nice: false },
      axis: { title: lossTitle(study.loss), ...ticks(logTicks(y), plainLabel) },
    },
    color: { field: 'series', type: 'nominal', scale: { domain, range: series.map(({ colour }) => colour) }, legend },
    strokeDash: {
      field: 'series',
      type: 'nominal',
      scale: { domain, range: series.map(({ dash }) => dash) },
      legend,
    },
    shape: { field: 'series', type: 'nominal', scale: { domain, range: series.map(({ shape }) => shape) }, legend },
  } as const;
  const { color, strokeDash, shape } = encoding;
  const names = seriesLabels(series, runs, curves, { x, y }, height);
  const sizes = sizeLabels(runs, y, height);
  const sizeText = { x: encoding.x, y: { ...encoding.y, field: 'label_at' }, text: { field: 'size' } } as const;

  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    description: describePlot(runs, study, series),
    title: plotTitle(
      title(series, study),
      subtitle(series, study, {
        seeds: seeds.length > 0,
        tests: tests.length > 0,
        held: held.length > 0,
        budgets: budgets.length > 0,
        branches: series.some(({ fit }) => fit.branches > 0),
      }),
      layout,
    ),
    width,
    height,
    config: CONFIG,
    layer: [
      {
        data: { name: 'floors', values: floors },
        mark: { type: 'rule', strokeDash: [3, 4], opacity: 0.75 },
        encoding: { y: { ...encoding.y, field: 'loss' }, color },
      },
      {
        data: { name: 'floor_labels', values: floorLabels(floors, y, height) },
        mark: { type: 'text', align: 'left', baseline: 'bottom', dx: 4, dy: -3, fontSize: 11 },
        encoding: { x: { value: 0 }, y: { ...encoding.y, field: 'label_at' }, text: { field: 'label' }, color },
      },
      {
        data: { name: 'bands', values: curves },
        mark: { type: 'area', opacity: 0.16, clip: true },
        encoding: { x: encoding.x, y: { ...encoding.y, field: 'low' }, y2: { field: 'high' }, color },
      },
      {
        data: { name: 'laws', values: curves },
        mark: { type: 'line', strokeWidth: 2.5, clip: true },
        encoding: { x: encoding.x, y: { ...encoding.y, field: 'loss' }, color, strokeDash },
      },
      {
        data: { name: 'budgets', values: budgets },
        mark: { type: 'line', strokeWidth: 1.2, opacity: 0.7, clip: true },
        encoding: { x: encoding.x, y: { ...encoding.y, field: 'loss' }, color, detail: { field: 'tokens' } },
      },
      {
        data: { name: 'tests', values: tests },
        mark: { type: 'rule', strokeWidth: 1, opacity: 0.4, clip: true },
        encoding: { x: encoding.x, y: { ...encoding.y, field: 'low' }, y2: { field: 'high' }, color },
      },
      {
        data: { name: 'seeds', values: seeds },
        mark: { type: 'rule', strokeWidth: 2, clip: true },
        encoding: {
          x: encoding.x,
          y: { ...encoding.y, field: 'low' },
          y2: { field: 'high' },
          color,
          tooltip: tooltip([
            ['size', 'size'],
            ['seeds', 'seeds', 'd'],
            ['loss', 'mean', '.4f'],
            ['low', 'mean − s.d.', '.4f'],
            ['high', 'mean + s.d.', '.4f'],
          ]),
        },
      },
      {
        data: { name: 'runs', values: runs },
        mark: {
          type: 'point',
          filled: true,
          size: seeds.length > 0 ? 46 : 78,
          opacity: 1,
          stroke: PAPER,
          strokeWidth: 1.5,
          clip: true,
        },
        encoding: {
          x: encoding.x,
          y: { ...encoding.y, field: 'loss' },
          color,
          shape,
          tooltip: runTooltip(runs, study.loss),
        },
      },
      {
        data: { name: 'held out', values: held },
        mark: { type: 'point', shape: 'cross', filled: false, size: 90, strokeWidth: 1.6, opacity: 1, clip: true },
        encoding: {
          x: encoding.x,
          y: { ...encoding.y, field: 'loss' },
          color,
          tooltip: tooltip([
            ['series', 'predicted from the smaller sizes'],
            ['loss', 'predicted', '.4f'],
            ['low', 'from', '.4f'],
            ['high', 'to', '.4f'],
            ['measured', 'measured', '.4f'],
          ]),
        },
      },
      // The same text twice: first with a wide outline in the background colour, so that no curve crosses the letters.
      {
        data: { name: 'sizes', values: sizes },
        mark: { ...SIZE_TEXT, stroke: PAPER, strokeWidth: 4 },
        encoding: sizeText,
      },
      { data: { name: 'sizes', values: sizes }, mark: SIZE_TEXT, encoding: sizeText },
      ...(layout === 'wide' ? nameLayers(names, encoding, width) : []),
    ],
  };
}

const SIZE_TEXT = { type: 'text', fontSize: 11, color: MUTED, baseline: 'middle', clip: true } as const;

/** Name, exponent and interval of each series, to the right of the panel. */
function nameLayers(values: object[], { y, color }: { y: object; color: object }, width: number) {
  const data = { name: 'names', values };
  const mark = { type: 'text', align: 'left', baseline: 'middle', dx: 14 } as const;
  const at = { x: { value: width }, y: { ...y, field: 'label_at' } as const };
  const small = { ...mark, fontSize: 11, lineHeight: 15, color: MUTED };
  return [
    {
      data,
      mark: { ...mark, fontSize: 14, fontWeight: 'bold' },
      encoding: { ...at, text: { field: 'series' }, color },
    },
    { data, mark: { ...mark, dy: 18, fontSize: 12, color: INK }, encoding: { ...at, text: { field: 'law' } } },
    { data, mark: { ...small, dy: 34 }, encoding: { ...at, text: { field: 'interval' } } },
  ] as const;
}

/** A text alternative of the plot, for readers who do not see it. */
function describePlot(runs: readonly RunPoint[], study: Study, series: readonly Series[]): string {
  const verdicts = series.map(({ fit }) => fit.verdict).join(' ');
  return `${lossTitle(study.loss)} against ${sizeTitle(study.size)}, ${runs.length} runs. ${verdicts}`;
}

/** The legend of a narrow plot: the exponent of each law beside its name. */
function lawLegend(series: readonly Series[]) {
  const texts = Object.fromEntries(
    series.map(({ name, fit }) => {
      const { law, interval } = lawLabel(fit);
      return [name, [`${name}: ${law}`, interval.join('; ')].filter(Boolean)];
    }),
  );
  return {
    title: null,
    orient: 'bottom',
    direction: 'vertical',
    symbolSize: 90,
    symbolOpacity: 1,
    labelLimit: NARROW_WIDTH + 60,
    rowPadding: 10,
    labelBaseline: 'middle',
    labelExpr: `(${JSON.stringify(texts)})[datum.label]`,
  } as const;
}

/** The floor of a series; empty if its law has none or if it is below `least`. */
function floorOf({ name, fit: { fit } }: Series, least: number): { series: string; loss: number; label: string }[] {
  if (isRefusal(fit) || fit.form !== 'power-plus-constant' || fit.parameters.c < least) return [];
  const { c } = fit.parameters;
  return [{ series: name, loss: c, label: floorLabel(name, c, fit.intervals.c) }];
}

function title(series: readonly Series[], study: Study): string {
  const lawful = series.filter(({ fit }) => hasLaw(fit)).map(({ name }) => name);
  if (lawful.length === series.length) return `Larger models predict music better: ${lossName(study.loss)} by size`;
  if (lawful.length === 0) return `These runs support no scaling law: ${lossName(study.loss)} by size`;
  // More than two names would not fit into the title. The names are also written beside their curves.
  const which =
    lawful.length <= 2 ? `for ${lawful.join(' and ')} only` : `in ${lawful.length} of ${series.length} groups`;
  return `A scaling law ${which}: ${lossName(study.loss)} by size`;
}

function subtitle(
  series: readonly Series[],
  study: Study,
  has: { seeds: boolean; tests: boolean; held: boolean; budgets: boolean; branches: boolean },
): string[] {
  const forms = new Set(series.flatMap(({ fit: { fit } }) => (isRefusal(fit) ? [] : [fit.formula])));
  const written = [...forms].join(' or ').replaceAll('N^(−α)', 'N⁻ᵅ');
  const confidence = Number((study.confidence * 100).toPrecision(3));
  const marks = [
    has.branches ? 'Each point is a trained model at its whole budget of tokens' : 'Each point is a trained model',
    has.seeds && 'strong bars: mean of the seeds of a size, ± one standard deviation',
    has.tests && `thin bars: ${confidence} % from the choice of test tunes`,
    has.held && 'crosses: the largest size as the smaller ones predict it',
  ];
  const law =
    forms.size > 0 && `Lines are fits of L(N) = ${written}; bands, the ${confidence} % confidence of the laws.`;
  const budgets = has.budgets && 'Thin lines are L(N) at each token budget.';
  return [[`${marks.filter(Boolean).join('; ')}.`, law, budgets].filter(Boolean).join(' ')];
}
