/**
 * Writes the specification of a plot to files and to the page.
 *
 *   render.ts        renderPlot, drawPlot, plotSvg: specification → .vl.json, .svg, .png, .pdf
 *   pdf.ts           a PDF for papers; fonts.ts: the font files
 *   interactive.ts   interactivePlot: specification → Vega for a page, with zoom and highlights
 */
export { type InteractivePlot, interactivePlot, type ZoomAxis } from './interactive.ts';
export { drawPlot, type PlotFiles, type PlotFormat, plotSvg, renderPlot } from './render.ts';
