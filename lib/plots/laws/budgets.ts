/**
 * The plot of size and tokens together. Data: the table of runs, and a study whose runs saw several budgets.
 *
 * A panel per group (tokenizer and architecture). A point is a run or a smaller budget of it, a line the law L(N, D) of
 * one size; without a law, a line joins the runs of a size. Larger sizes are darker.
 *
 *   x   tokens D that the model saw in training, logarithmic
 *   y   loss of the fits, logarithmic, the same in all panels
 */
import type { TopLevelSpec } from 'vega-lite';
import { predictTokens, type RunRow, type Study } from '../../scaling/index.ts';
import {
  CONFIG,
  countLabel,
  endLabels,
  type Layout,
  linesPanel,
  logDomain,
  logTicks,
  NARROW_WIDTH,
  PAPER,
  type PanelSize,
  plainLabel,
  plotTitle,
  type Series,
  seriesOf,
  ticks,
} from '../style/index.ts';
import { hasBudgets, lossTitle, type RunPoint, runsOf, runTooltip } from './run-points.ts';

const SIZE = { wide: { width: 335, height: 340 }, narrow: { width: NARROW_WIDTH - 50, height: 260 } };
/** Intervals along each curve. */
const CURVE_STEPS = 32;

type Run = RunPoint & { tokens: number };
type Domains = { x: [number, number]; y: [number, number] };

/**
 * Builds the specification of the plot.
 *
 * @returns undefined if all runs saw about equally many tokens
 */
export function budgetsPlot(rows: readonly RunRow[], study: Study, layout: Layout = 'wide'): TopLevelSpec | undefined {
  const series = seriesOf(study).filter(({ fit }) => hasBudgets(fit));
  const runs = runsOf(rows, study, series).filter((run): run is Run => run.tokens !== null && run.tokens > 0);
  if (runs.length === 0) return undefined;
  const domains: Domains = {
    x: logDomain(
      runs.map(({ tokens }) => tokens),
      0.05,
      0.05,
    ),
    y: logDomain(
      runs.map(({ loss }) => loss),
      0.08,
      0.06,
    ),
  };
  const hasBranches = series.some(({ fit }) => fit.branches > 0);
  const points = hasBranches
    ? 'Each run is a point at its whole budget, and one at each smaller budget, from a cooldown.'
    : 'Each point is a run.';
  const hasLaw = series.some(({ fit }) => lawOf(fit) !== undefined);
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    description: `${lossTitle(study.loss)} of each run against the tokens that it saw, with one line per size. ${series.map(({ fit }) => fit.verdict).join(' ')}`,
    title: plotTitle(
      `Size and tokens together: ${lossTitle(study.loss)} by budget`,
      [
        hasLaw
          ? `${points} Lines are the fitted law L(N, D) = E + A·N⁻ᵅ + B·D⁻ᵝ of each size; larger sizes stand out more.`
          : `${points} Lines join the points of a size, and larger sizes stand out more. No law of both is supported.`,
      ],
      layout,
    ),
    config: CONFIG,
    columns: layout === 'narrow' ? 1 : 2,
    spacing: 60,
    concat: series.map((one) =>
      panel(
        one,
        runs.filter((run) => run.series === one.name),
        domains,
        study.loss,
        SIZE[layout],
      ),
    ),
  };
}

/** L(N, D) of a group, if there is one. */
function lawOf({ with_tokens: law }: Series['fit']) {
  return law === null || law === undefined || 'refused' in law ? undefined : law;
}

function panel(
  { name, fit, colour }: Series,
  runs: readonly Run[],
  { x: xDomain, y: yDomain }: Domains,
  loss: string,
  size: PanelSize,
) {
  const names = new Map([...runs].sort((a, b) => a.params - b.params).map(({ params, size }) => [params, size]));
  const sizes = [...names].map(([params, size]) => ({ params, size: size || countLabel(params) }));
  const curves = sizes.flatMap(({ params, size }) => curveOf(size, params, runs, fit));
  const ends = sizes.map(({ size }) => curves.filter((point) => point.size === size).at(-1)!);
  const labelled = ends.map(({ size, loss }) => ({ size, value: loss }));
  const x = {
    field: 'tokens',
    type: 'quantitative',
    scale: { type: 'log', domain: xDomain, nice: false },
    axis: { title: 'tokens (D)', ...ticks(logTicks(xDomain, size.width < 300 ? 3 : 5), countLabel) },
  } as const;
  const y = {
    type: 'quantitative',
    scale: { type: 'log', domain: yDomain, nice: false },
    axis: { title: lossTitle(loss), ...ticks(logTicks(yDomain, 6), plainLabel) },
  } as const;
  const { frame, color } = linesPanel(
    name,
    sizes.map(({ size }) => size),
    colour,
    size,
  );
  return {
    ...frame,
    layer: [
      {
        data: { values: curves },
        mark: { type: 'line', strokeWidth: 2, clip: true } as const,
        encoding: { x, y: { ...y, field: 'loss' }, color },
      },
      {
        data: { values: runs.map((run) => ({ ...run, size: run.size || countLabel(run.params) })) },
        mark: {
          type: 'point',
          filled: true,
          size: 60,
          opacity: 1,
          stroke: PAPER,
          strokeWidth: 1.2,
          clip: true,
        } as const,
        encoding: { x, y: { ...y, field: 'loss' }, color, tooltip: runTooltip(runs, loss) },
      },
      endLabels(labelled, y, color, size),
    ],
  };
}

/** The law of one size over its budgets, or the means of its runs at each budget. */
function curveOf(size: string, params: number, runs: readonly Run[], fit: Series['fit']) {
  const own = runs.filter((run) => run.params === params);
  const budgets = [...new Set(own.map(({ tokens }) => tokens))].sort((a, b) => a - b);
  const law = lawOf(fit);
  if (law === undefined)
    return budgets.map((tokens) => {
      const losses = own.filter((run) => run.tokens === tokens).map(({ loss }) => loss);
      return { size, tokens, loss: losses.reduce((sum, one) => sum + one, 0) / losses.length };
    });
  const [least, most] = [Math.log(budgets[0]), Math.log(budgets[budgets.length - 1])];
  return Array.from({ length: CURVE_STEPS + 1 }, (_, i) => {
    const tokens = Math.exp(least + ((most - least) * i) / CURVE_STEPS);
    return { size, tokens, loss: predictTokens(law, { params, tokens }) };
  });
}
