/**
 * What becomes of the specification of a plot.
 *
 *   render.ts        renderPlot, plotSvg: specification → .vl.json, .svg, .png
 *   interactive.ts   interactivePlot: specification → Vega for a page, with zoom and highlights
 */
export { type InteractivePlot, interactivePlot, type ZoomAxis } from './interactive.ts';
export { type PlotFiles, plotSvg, renderPlot } from './render.ts';
