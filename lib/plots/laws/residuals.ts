/**
 * The plot of the residuals. Data: the table of runs and the fitted study.
 *
 * A point is a run; a bar at a size with several seeds is their mean ± one standard deviation. Residuals without a
 * pattern speak for the law. A curve in them speaks against it, and a run far from the rule may be an accident.
 *
 *   x   size of the model: number of parameters N, logarithmic
 *   y   how far the loss is above the law, in percent of the law, linear
 */
import type { TopLevelSpec } from 'vega-lite';
import { isRefusal, lossName, predict, predictTokens, type RunRow, type Study } from '../../scaling/index.ts';
import {
  CONFIG,
  INK,
  type Layout,
  linearTicks,
  logDomain,
  NARROW_WIDTH,
  PAPER,
  plotTitle,
  type Series,
  seriesOf,
  signedLabel,
  ticks,
  tooltip,
} from '../style/index.ts';
import { type RunPoint, runsOf, seedSpreads, sizeAxis, sizeTitle } from './run-points.ts';
import { hasLaw } from './scaling-labels.ts';

const SIZE = { wide: { width: 790, height: 280 }, narrow: { width: NARROW_WIDTH, height: 240 } };

/**
 * Builds the specification of the plot.
 *
 * @returns undefined if no group of runs has a law
 */
export function residualsPlot(
  rows: readonly RunRow[],
  study: Study,
  layout: Layout = 'wide',
): TopLevelSpec | undefined {
  const series = seriesOf(study).filter(({ fit }) => hasLaw(fit));
  const runs = runsOf(rows, study, series);
  if (runs.length === 0) return undefined;
  const percent = percentAbove(series, study);
  const points = runs.map((run) => ({ ...run, law: percent.law(run), residual: percent.of(run, run.loss) }));
  const bars = seedSpreads(runs).map((seeds) => ({
    ...seeds,
    low: percent.of(seeds, seeds.low),
    high: percent.of(seeds, seeds.high),
  }));
  const x = logDomain(runs.map((run) => run.params));
  const far =
    1.15 *
    Math.max(0.5, ...points.map(({ residual }) => Math.abs(residual)), ...bars.flatMap((bar) => [bar.high, -bar.low]));
  const y: [number, number] = [-far, far];
  const domain = series.map(({ name }) => name);
  const legend =
    series.length > 1 ? ({ title: null, orient: 'bottom', symbolSize: 90, symbolOpacity: 1 } as const) : null;
  const encoding = {
    x: sizeAxis(x, study, layout),
    y: {
      type: 'quantitative',
      scale: { domain: y, nice: false, zero: false },
      axis: { title: '% above the law', ...ticks(linearTicks(y, 6), signedLabel) },
    },
    color: { field: 'series', type: 'nominal', scale: { domain, range: series.map(({ colour }) => colour) }, legend },
    shape: { field: 'series', type: 'nominal', scale: { domain, range: series.map(({ shape }) => shape) }, legend },
  } as const;
  const worst = points.reduce((a, b) => (Math.abs(b.residual) > Math.abs(a.residual) ? b : a));
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    description:
      `How far the ${lossName(study.loss)} of each run is above or below the law of its architecture, in percent, against ${sizeTitle(study.size)}. ` +
      `The farthest run is ${worst.run}, ${Math.abs(worst.residual).toFixed(1)} % ${worst.residual > 0 ? 'above' : 'below'}.`,
    title: plotTitle(
      'What the laws miss: residuals by size',
      ['0 is the fitted law. Points that bend together speak against its form; a point far away may be an accident.'],
      layout,
    ),
    ...SIZE[layout],
    config: CONFIG,
    layer: [
      {
        data: { values: [{ zero: 0 }] },
        mark: { type: 'rule', color: INK, strokeDash: [4, 4] },
        encoding: { y: { ...encoding.y, field: 'zero' } },
      },
      {
        data: { name: 'seeds', values: bars },
        mark: { type: 'rule', strokeWidth: 2, clip: true },
        encoding: { x: encoding.x, y: { ...encoding.y, field: 'low' }, y2: { field: 'high' }, color: encoding.color },
      },
      {
        data: { name: 'runs', values: points },
        mark: { type: 'point', filled: true, size: 70, opacity: 1, stroke: PAPER, strokeWidth: 1.5, clip: true },
        encoding: {
          ...encoding,
          y: { ...encoding.y, field: 'residual' },
          tooltip: tooltip([
            ['run', 'run'],
            ['residual', '% above the law', '+.2f'],
            ['loss', lossName(study.loss), '.4f'],
            ['law', 'the law', '.4f'],
            ['params', 'parameters', ','],
          ]),
        },
      },
    ],
  };
}

/** The law of a series at the size and budget of a point, and how far a loss is above it in percent. */
function percentAbove(series: readonly Series[], study: Study) {
  const groups = new Map(series.map(({ name, group }) => [name, study.fits[group]]));
  const law = ({ series: name, params, tokens }: Pick<RunPoint, 'series' | 'params' | 'tokens'>) => {
    const { fit, with_tokens: both } = groups.get(name)!;
    if (!isRefusal(fit)) return predict(fit, [params])[0].loss;
    if (!both || 'refused' in both || tokens === null) return Number.NaN;
    return predictTokens(both, { params, tokens });
  };
  return {
    law,
    of: (point: Pick<RunPoint, 'series' | 'params' | 'tokens'>, loss: number) => 100 * (loss / law(point) - 1),
  };
}
