/**
 * The plot of the scaling laws. Data: the table of runs and the fitted study.
 *
 * A point is a run. A line is the fitted law of a group (tokenizer and architecture), with its confidence band, and a
 * dotted rule is the floor c of the law. The exponent α and its interval are written beside each line.
 *
 *   x   size of the model: number of parameters N, logarithmic
 *   y   loss of the fits, usually test bits per byte, logarithmic
 */
import type { TopLevelSpec } from 'vega-lite';
import {
  type AlphaInterval,
  groupName,
  isRefusal,
  lossName,
  predict,
  type RunRow,
  type Study,
} from '../scaling/index.ts';
import { countLabel, logDomain, logTicks, plainLabel, spread, ticks, wrap } from './axes.ts';
import { type Series, seriesOf, sizeName } from './series.ts';
import { CONFIG, INK, MUTED, PAPER } from './theme.ts';

const WIDTH = 650;
const HEIGHT = 440;
/** Intervals along each curve. */
const CURVE_STEPS = 80;
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

/** A point of the plot: one training run. */
interface RunPoint {
  series: string;
  run: string;
  size: string;
  params: number;
  loss: number;
}

/** A point of a fitted law, with its confidence interval. */
interface CurvePoint {
  series: string;
  params: number;
  loss: number;
  low: number;
  high: number;
}

/** Builds the specification of the plot. The title says for which groups the runs support a law. */
export function scalingPlot(rows: readonly RunRow[], study: Study): TopLevelSpec {
  const series = seriesOf(study);
  const runs = runsOf(rows, study, series);
  const curves = series.flatMap(curveOf);
  const least = Math.min(...runs.map((run) => run.loss));
  const floors = series.flatMap((one) => floorOf(one, FLOOR_NEAR * least));

  const x = logDomain(runs.map((run) => run.params));
  const most = Math.max(...runs.map((run) => run.loss));
  const bands = curves.flatMap(({ low, high }) => [
    Math.max(low, least / (1 + BAND_SHOWN)),
    Math.min(high, most * (1 + BAND_SHOWN)),
  ]);
  const y = logDomain([...[...runs, ...curves, ...floors].map((point) => point.loss), ...bands], 0.1, 0.08);
  const names = series.map(({ name }) => name);
  const encoding = {
    x: {
      field: 'params',
      type: 'quantitative',
      scale: { type: 'log', domain: x, nice: false },
      axis: { title: sizeTitle(study.size), ...ticks(logTicks(x), countLabel) },
    },
    y: {
      type: 'quantitative',
      scale: { type: 'log', domain: y, nice: false },
      axis: { title: lossTitle(study.loss), ...ticks(logTicks(y), plainLabel) },
    },
    color: {
      field: 'series',
      type: 'nominal',
      scale: { domain: names, range: series.map(({ colour }) => colour) },
      legend: null,
    },
    strokeDash: {
      field: 'series',
      type: 'nominal',
      scale: { domain: names, range: series.map(({ dash }) => dash) },
      legend: null,
    },
    shape: {
      field: 'series',
      type: 'nominal',
      scale: { domain: names, range: series.map(({ shape }) => shape) },
      legend: null,
    },
  } as const;
  const { color, strokeDash, shape } = encoding;
  const labels = seriesLabels(series, runs, curves, x, y);
  const sizes = sizeLabels(runs, y);
  const sizeText = {
    x: encoding.x,
    y: { ...encoding.y, field: 'label_at' },
    text: { field: 'size' },
  } as const;

  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    description: `${lossTitle(study.loss)} against ${sizeTitle(study.size)}. ${series.map(({ fit }) => fit.verdict).join(' ')}`,
    title: { text: title(series, study), subtitle: subtitle(series, study) },
    width: WIDTH,
    height: HEIGHT,
    config: CONFIG,
    layer: [
      {
        data: { name: 'floors', values: floors },
        mark: { type: 'rule', strokeDash: [3, 4], opacity: 0.75 },
        encoding: { y: { ...encoding.y, field: 'loss' }, color },
      },
      {
        data: { name: 'floors', values: floors },
        mark: { type: 'text', align: 'left', baseline: 'bottom', dx: 4, dy: -3, fontSize: 11 },
        encoding: { x: { value: 0 }, y: { ...encoding.y, field: 'loss' }, text: { field: 'label' }, color },
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
        data: { name: 'runs', values: runs },
        mark: { type: 'point', filled: true, size: 78, opacity: 1, stroke: PAPER, strokeWidth: 1.5 },
        encoding: {
          x: encoding.x,
          y: { ...encoding.y, field: 'loss' },
          color,
          shape,
          tooltip: ['run', 'params', 'loss'].map((field) => ({ field })),
        },
      },
      // The same text twice: first with a wide outline in the background colour, so that no curve crosses the letters.
      {
        data: { name: 'sizes', values: sizes },
        mark: { ...SIZE_TEXT, stroke: PAPER, strokeWidth: 4 },
        encoding: sizeText,
      },
      { data: { name: 'sizes', values: sizes }, mark: SIZE_TEXT, encoding: sizeText },
      {
        data: { name: 'names', values: labels },
        mark: { type: 'text', align: 'left', baseline: 'middle', dx: 14, fontSize: 14, fontWeight: 'bold' },
        encoding: { x: { value: WIDTH }, y: { ...encoding.y, field: 'label_at' }, text: { field: 'series' }, color },
      },
      {
        data: { name: 'names', values: labels },
        mark: { type: 'text', align: 'left', baseline: 'middle', dx: 14, dy: 18, fontSize: 12, color: INK },
        encoding: { x: { value: WIDTH }, y: { ...encoding.y, field: 'label_at' }, text: { field: 'law' } },
      },
      {
        data: { name: 'names', values: labels },
        mark: { type: 'text', align: 'left', baseline: 'middle', dx: 14, dy: 34, fontSize: 11, color: MUTED },
        encoding: { x: { value: WIDTH }, y: { ...encoding.y, field: 'label_at' }, text: { field: 'interval' } },
      },
    ],
  };
}

const SIZE_TEXT = { type: 'text', fontSize: 11, color: MUTED, baseline: 'middle' } as const;

/** The runs that the laws were fitted to. Runs that were left out of a fit are not drawn; the study names them. */
function runsOf(rows: readonly RunRow[], study: Study, series: readonly Series[]): RunPoint[] {
  const names = new Map(series.map(({ group, name }) => [group, name]));
  return rows.flatMap((row) => {
    const group = groupName(row);
    const [params, loss] = [row[study.size], row[study.loss]];
    const fitted = names.has(group) && !study.fits[group].left_out.includes(row.run);
    return fitted && typeof params === 'number' && typeof loss === 'number'
      ? [{ series: names.get(group)!, run: row.run, size: sizeName(row), params, loss }]
      : [];
  });
}

/** The fitted law of a series at sizes between its smallest and largest run; empty if the law was refused. */
function curveOf({ name, fit: { fit } }: Series): CurvePoint[] {
  if (isRefusal(fit)) return [];
  const sizes = fit.points.map((point) => point.params);
  const [low, high] = [Math.log(Math.min(...sizes)), Math.log(Math.max(...sizes))];
  const params = Array.from({ length: CURVE_STEPS + 1 }, (_, i) => Math.exp(low + ((high - low) * i) / CURVE_STEPS));
  return predict(fit, params).map((point, i) => ({ series: name, params: params[i], ...point }));
}

/** The floor of a series; empty if its law has none or if it is below `least`. */
function floorOf({ name, fit: { fit } }: Series, least: number): { series: string; loss: number; label: string }[] {
  if (isRefusal(fit) || fit.form !== 'power-plus-constant' || fit.parameters.c < least) return [];
  const { c } = fit.parameters;
  return [{ series: name, loss: c, label: `${name}: floor c = ${digits(c)}, ${range(fit.intervals.c!)}` }];
}

/**
 * Names of the sizes, above the points of the uppermost series and below those of the lowest. There is no space for
 * them in between.
 */
function sizeLabels(runs: readonly RunPoint[], y: [number, number]) {
  const sizes = new Map<string, RunPoint[]>();
  for (const run of runs) {
    const key = `${run.series} ${run.size} ${run.params}`;
    sizes.set(key, [...(sizes.get(key) ?? []), run]);
  }
  const offset = (Math.log(y[1] / y[0]) / HEIGHT) * 16;
  const height = (series: string) => {
    const losses = runs.filter((run) => run.series === series).map((run) => Math.log(run.loss));
    return losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
  };
  const order = [...new Set(runs.map((run) => run.series))].sort((a, b) => height(a) - height(b));
  return [...sizes.values()].flatMap((members) => {
    const { series, size, params } = members[0];
    const place = order.indexOf(series);
    if (place > 0 && place < order.length - 1) return [];
    const losses = members.map((run) => Math.log(run.loss));
    const log = place === 0 ? Math.min(...losses) - offset : Math.max(...losses) + offset;
    return [{ series, size, params, label_at: Math.exp(log) }];
  });
}

/** Name, exponent and interval at the right of each series, moved apart if they would overlap. */
function seriesLabels(
  series: readonly Series[],
  runs: readonly RunPoint[],
  curves: readonly CurvePoint[],
  x: [number, number],
  y: [number, number],
) {
  const toPixel = (loss: number) => (HEIGHT * Math.log(y[1] / loss)) / Math.log(y[1] / y[0]);
  const toLoss = (pixel: number) => y[1] * (y[0] / y[1]) ** (pixel / HEIGHT);
  const shown = series.flatMap((one) => {
    const points = [...curves, ...runs].filter((point) => point.series === one.name);
    const end = points.reduce<(typeof points)[number] | undefined>(
      (last, point) => (last && last.params > point.params ? last : point),
      undefined,
    );
    return end ? [{ one, end }] : [];
  });
  const pixels = spread(
    shown.map(({ end }) => toPixel(end.loss) - 16),
    60,
    [6, HEIGHT - 36],
  );
  return shown.map(({ one: { name, fit } }, i) => ({
    series: name,
    ...lawLabel(fit.fit),
    params: x[1],
    label_at: toLoss(pixels[i]),
  }));
}

/** The exponent of a law and its interval, as text. */
function lawLabel(fit: Series['fit']['fit']): { law: string; interval: string } {
  if (isRefusal(fit)) return { law: 'no law supported', interval: '' };
  return {
    law: `α = ${digits(fit.parameters.alpha)}${fit.form === 'power' ? ' without a floor' : ''}`,
    interval: fit.intervals.alpha === null ? '' : `${fit.confidence * 100} %: ${alphaRange(fit.intervals.alpha)}`,
  };
}

function title(series: readonly Series[], study: Study): string {
  const lawful = series.filter(({ fit }) => !isRefusal(fit.fit)).map(({ name }) => name);
  if (lawful.length === series.length) return `Larger models predict music better: ${lossName(study.loss)} by size`;
  if (lawful.length === 0) return `These runs support no scaling law: ${lossName(study.loss)} by size`;
  // More than two names would not fit into the title. The names are also written beside their curves.
  const which =
    lawful.length <= 2 ? `for ${lawful.join(' and ')} only` : `in ${lawful.length} of ${series.length} groups`;
  return `A scaling law ${which}: ${lossName(study.loss)} by size`;
}

function subtitle(series: readonly Series[], study: Study): string[] {
  const forms = new Set(series.flatMap(({ fit: { fit } }) => (isRefusal(fit) ? [] : [fit.formula])));
  const written = [...forms].join(' or ').replaceAll('N^(−α)', 'N⁻ᵅ');
  const laws =
    forms.size === 0
      ? ''
      : ` Lines are fits of L(N) = ${written}; bands, their ${study.confidence * 100} % confidence.`;
  return wrap(`Each point is a trained model.${laws}`, 105);
}

function sizeTitle(size: string): string {
  const known: Record<string, string> = {
    params: 'parameters (N)',
    params_non_embedding: 'parameters without embeddings (N)',
  };
  return known[size] ?? size.replaceAll('_', ' ');
}

function lossTitle(loss: string): string {
  return loss.endsWith('_loss') ? `${lossName(loss)} (nats a token)` : lossName(loss);
}

function digits(value: number): string {
  return value.toPrecision(2).replace('-', '−');
}

/** The interval of α, which may have no upper end. */
function alphaRange([low, high]: AlphaInterval): string {
  return high === null ? `${digits(low)} and above` : range([low, high]);
}

function range([low, high]: readonly [number, number]): string {
  return `${digits(low)} to ${digits(high)}`;
}
