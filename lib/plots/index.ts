/**
 * The plots of a study, as Vega-Lite specifications with their data inside, and their rendering to files.
 *
 *   output/   renderPlot, interactivePlot: a specification → files, or a plot for a page
 *   laws/     scalingPlot, residualsPlot, architecturesPlot, budgetsPlot, computeOptimalPlot
 *   runs/     trainingPlot, positionsPlot, and the tables that they show
 *   data/     splitPlot, tokensPlot
 *   style/    colours, layouts, axes, panels and series, which all plots share
 */
export { type SplitCounts, splitPlot, type TokenCounts, tokensPlot } from './data/index.ts';
export { architecturesPlot, budgetsPlot, computeOptimalPlot, residualsPlot, scalingPlot } from './laws/index.ts';
export {
  drawPlot,
  type InteractivePlot,
  interactivePlot,
  type PlotFiles,
  type PlotFormat,
  plotSvg,
  renderPlot,
  type ZoomAxis,
} from './output/index.ts';
export {
  type CurveRow,
  type PositionRow,
  positionsPlot,
  readCurves,
  readPositions,
  trainingPlot,
} from './runs/index.ts';
export { GRID, INK, type Layout, MUTED, PAPER } from './style/index.ts';
