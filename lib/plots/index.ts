/**
 * The plots of a study, as Vega-Lite specifications with their data inside, and their rendering to files.
 *
 *   scaling.ts         scalingPlot: loss against model size, with the fitted laws
 *   residuals.ts       residualsPlot: distance of each run from its law
 *   architectures.ts   architecturesPlot: loss against compute, and the difference at equal size
 *   budgets.ts         budgetsPlot: loss against tokens, a line a size, with L(N, D)
 *   compute-optimal.ts computeOptimalPlot: the frontier, and the best size for a compute
 *   positions.ts       positionsPlot: loss against position in the window
 *   training.ts        trainingPlot: loss against tokens seen
 *   splits.ts          splitPlot: files kept and dropped, and lengths of tunes
 *   tokens.ts          tokensPlot: use of the tokens, and tokens per tune
 *   render.ts          renderPlot: specification → .vl.json, .svg, .png
 *   interactive.ts     interactivePlot: specification → Vega for a page, with zoom and highlights
 *   layout.ts          the wide and the narrow layout, titles, tooltips
 *   curves.ts          readCurves: the CSV files of training curves
 *   run-points.ts      the runs, curves and error bars of a study
 *   scaling-labels.ts  texts in the plot of the scaling laws
 *   series.ts          name, colour, dash and shape of each group of runs
 *   axes.ts            domains, ticks and labels of axes
 *   theme.ts           colours, fonts and the Vega-Lite config
 */
export { architecturesPlot } from './architectures.ts';
export { budgetsPlot } from './budgets.ts';
export { computeOptimalPlot } from './compute-optimal.ts';
export { type CurveRow, readCurves } from './curves.ts';
export { type InteractivePlot, interactivePlot, type ZoomAxis } from './interactive.ts';
export type { Layout } from './layout.ts';
export { type PositionRow, positionsPlot, readPositions } from './positions.ts';
export { type PlotFiles, plotSvg, renderPlot } from './render.ts';
export { residualsPlot } from './residuals.ts';
export { scalingPlot } from './scaling.ts';
export { type SplitCounts, splitPlot } from './splits.ts';
export { GRID, INK, MUTED, PAPER } from './theme.ts';
export { type TokenCounts, tokensPlot } from './tokens.ts';
export { trainingPlot } from './training.ts';
