/** Scaling curves: every run as a point, each law as a line in its confidence band, both axes logarithmic. */
import type { TopLevelSpec } from 'vega-lite';
import { type GroupFit, groupName, isRefusal, lossName, predict, type RunRow, type Study } from '../scaling/index.ts';
import { COUNT_LABEL, logDomain, logTicks, spread } from './axes.ts';
import { CONFIG, colours, INK, MUTED, PAPER } from './theme.ts';

const WIDTH = 620;
const HEIGHT = 430;
/** sizes along each curve */
const DRAWN = 80;

interface Series {
  name: string;
  fit: GroupFit;
  colour: string;
}

export function scalingPlot(rows: readonly RunRow[], study: Study): TopLevelSpec {
  const entries = Object.entries(study.fits);
  const palette = colours(entries.map(([name, fit]) => seriesKey(name, fit, study)));
  const series: Series[] = entries.map(([name, fit], i) => ({ name, fit, colour: palette[i] }));
  const runs = rows.flatMap((row) => {
    const fit = study.fits[groupName(row)];
    const [params, loss] = [row[study.size], row[study.loss]];
    return fit && !fit.left_out.includes(row.run) && typeof params === 'number' && typeof loss === 'number'
      ? [{ series: groupName(row), run: row.run, size: row.size, params, loss }]
      : [];
  });
  const curves = series.flatMap(({ name, fit }) => curve(name, fit));

  const x = logDomain(runs.map((run) => run.params));
  const y = logDomain([...runs.map((run) => run.loss), ...curves.map((point) => point.loss)], 0.1, 0.08);
  const scales = {
    x: {
      field: 'params',
      type: 'quantitative',
      scale: { type: 'log', domain: x, nice: false },
      axis: { title: axisTitle(study.size), values: logTicks(x), labelExpr: COUNT_LABEL },
    },
    y: {
      type: 'quantitative',
      scale: { type: 'log', domain: y, nice: false },
      axis: { title: lossTitle(study.loss), values: logTicks(y), format: '~r' },
    },
    colour: {
      field: 'series',
      type: 'nominal',
      scale: { domain: series.map(({ name }) => name), range: palette },
      legend: null,
    },
  } as const;

  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    description: `${lossTitle(study.loss)} against ${axisTitle(study.size)}. ${Object.values(study.fits)
      .map((fit) => fit.verdict)
      .join(' ')}`,
    title: { text: title(series, study), subtitle: subtitle(series, study) },
    width: WIDTH,
    height: HEIGHT,
    config: CONFIG,
    layer: [
      {
        data: { name: 'laws', values: curves },
        mark: { type: 'area', opacity: 0.16, clip: true, interpolate: 'monotone' },
        encoding: {
          x: scales.x,
          y: { ...scales.y, field: 'low' },
          y2: { field: 'high' },
          color: scales.colour,
        },
      },
      {
        data: { name: 'laws', values: curves },
        mark: { type: 'line', strokeWidth: 2.5, clip: true },
        encoding: { x: scales.x, y: { ...scales.y, field: 'loss' }, color: scales.colour },
      },
      {
        data: { name: 'runs', values: runs },
        mark: { type: 'point', filled: true, size: 78, opacity: 1, stroke: PAPER, strokeWidth: 1.5 },
        encoding: {
          x: scales.x,
          y: { ...scales.y, field: 'loss' },
          color: scales.colour,
          tooltip: ['run', 'params', 'loss'].map((field) => ({ field })),
        },
      },
      {
        data: { name: 'sizes', values: sizeLabels(runs, y) },
        mark: { type: 'text', fontSize: 11, color: MUTED, baseline: 'middle' },
        encoding: { x: scales.x, y: { ...scales.y, field: 'label_at' }, text: { field: 'size' } },
      },
      {
        data: { name: 'names', values: seriesLabels(series, runs, curves, x, y) },
        mark: { type: 'text', align: 'left', baseline: 'middle', dx: 12, fontSize: 13, fontWeight: 'bold' },
        encoding: {
          x: scales.x,
          y: { ...scales.y, field: 'label_at' },
          text: { field: 'series' },
          color: scales.colour,
        },
      },
      {
        data: { name: 'names', values: seriesLabels(series, runs, curves, x, y) },
        mark: { type: 'text', align: 'left', baseline: 'middle', dx: 12, dy: 17, fontSize: 12, color: INK },
        encoding: { x: scales.x, y: { ...scales.y, field: 'label_at' }, text: { field: 'law' } },
      },
    ],
  };
}

/** One architecture keeps its colour; with several tokenizers a colour is a pair. */
function seriesKey(name: string, fit: GroupFit, study: Study): string {
  const tokenizers = new Set(Object.values(study.fits).map((group) => group.tokenizer));
  return tokenizers.size === 1 ? fit.architecture : name;
}

function curve(series: string, { fit }: GroupFit) {
  if (isRefusal(fit)) return [];
  const sizes = fit.points.map((point) => point.params);
  const [low, high] = [Math.log(Math.min(...sizes)), Math.log(Math.max(...sizes))];
  const params = Array.from({ length: DRAWN + 1 }, (_, i) => Math.exp(low + ((high - low) * i) / DRAWN));
  return predict(fit, params).map((point, i) => ({ series, params: params[i], ...point }));
}

/** Each size's name once a series, above the runs of the upper series and below those of the lower. */
function sizeLabels(
  runs: readonly { series: string; size: string; params: number; loss: number }[],
  y: [number, number],
) {
  const groups = new Map<string, typeof runs>();
  for (const run of runs) {
    const key = `${run.series} ${run.size} ${run.params}`;
    groups.set(key, [...(groups.get(key) ?? []), run]);
  }
  const offset = (Math.log(y[1] / y[0]) / HEIGHT) * 17;
  const average = (series: string) => {
    const losses = runs.filter((run) => run.series === series).map((run) => Math.log(run.loss));
    return losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
  };
  const lowest = [...new Set(runs.map((run) => run.series))].sort((a, b) => average(a) - average(b))[0];
  return [...groups.values()].map((members) => {
    const { series, size, params } = members[0];
    const losses = members.map((run) => Math.log(run.loss));
    const log = series === lowest ? Math.min(...losses) - offset : Math.max(...losses) + offset;
    return { series, size, params, label_at: Math.exp(log) };
  });
}

/** Names at the right end of each series, moved apart where they would overlap. */
function seriesLabels(
  series: readonly Series[],
  runs: readonly { series: string; params: number; loss: number }[],
  curves: readonly { series: string; params: number; loss: number }[],
  x: [number, number],
  y: [number, number],
) {
  const toPixel = (loss: number) => (HEIGHT * Math.log(y[1] / loss)) / Math.log(y[1] / y[0]);
  const toLoss = (pixel: number) => y[1] * (y[0] / y[1]) ** (pixel / HEIGHT);
  const ends = series.map(({ name }) => {
    const last = [...curves, ...runs].filter((point) => point.series === name);
    return last.reduce((best, point) => (point.params >= best.params ? point : best), last[0]);
  });
  const shown = series.map((s, i) => ({ ...s, end: ends[i] })).filter(({ end }) => end !== undefined);
  const pixels = spread(
    shown.map(({ end }) => toPixel(end.loss) - 8),
    42,
    [0, HEIGHT - 20],
  );
  return shown.map(({ name, fit: { fit } }, i) => ({
    series: name,
    law: isRefusal(fit) ? 'no law supported' : `α = ${digits(fit.parameters.alpha)}  (${range(fit.intervals.alpha)})`,
    params: x[1],
    label_at: toLoss(pixels[i]),
  }));
}

function title(series: readonly Series[], study: Study): string {
  const lawful = series.filter(({ fit }) => !isRefusal(fit.fit));
  if (lawful.length === series.length)
    return `Larger models predict music better: ${lossName(study.loss)} against size`;
  if (lawful.length === 0) return `No scaling law yet: ${lossName(study.loss)} against size`;
  return `${lawful.map(({ name }) => name).join(', ')}: a scaling law; the rest: none yet`;
}

function subtitle(series: readonly Series[], study: Study): string[] {
  const forms = new Set(series.flatMap(({ fit: { fit } }) => (isRefusal(fit) ? [] : [fit.formula])));
  const laws = forms.size === 0 ? 'no law is drawn' : `lines: L(N) = ${[...forms].join(' or ')}`;
  return [`Points: runs. ${laws[0].toUpperCase()}${laws.slice(1)}; bands: ${study.confidence * 100} % confidence.`];
}

function axisTitle(size: string): string {
  return (
    { params: 'parameters N', params_non_embedding: 'parameters without embeddings N' }[size] ??
    size.replaceAll('_', ' ')
  );
}

function lossTitle(loss: string): string {
  return /loss$/.test(loss) ? `${lossName(loss)} (nats a token)` : lossName(loss);
}

function digits(value: number): string {
  return value.toPrecision(2);
}

function range([low, high]: readonly [number, number]): string {
  return `${digits(low)}–${digits(high)}`;
}
