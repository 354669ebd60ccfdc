/**
 * The plots of a study, as Vega-Lite specifications with their data inside, and their rendering to files.
 *
 *   scaling.ts         scalingPlot: loss against model size, with the fitted laws
 *   architectures.ts   architecturesPlot: loss against compute, and the difference at equal size
 *   training.ts        trainingPlot: loss against tokens seen
 *   splits.ts          splitPlot: files kept and dropped, and lengths of tunes
 *   tokens.ts          tokensPlot: use of the tokens, and tokens per tune
 *   render.ts          renderPlot: specification → .vl.json, .svg, .png
 *   curves.ts          readCurves: the CSV files of training curves
 *   series.ts          name, colour, dash and shape of each group of runs
 *   axes.ts            domains, ticks and labels of axes
 *   theme.ts           colours, fonts and the Vega-Lite config
 */
export { architecturesPlot } from './architectures.ts';
export { type CurveRow, readCurves } from './curves.ts';
export { type PlotFiles, plotSvg, renderPlot } from './render.ts';
export { scalingPlot } from './scaling.ts';
export { type SplitCounts, splitPlot } from './splits.ts';
export { GRID, INK, MUTED, PAPER } from './theme.ts';
export { type TokenCounts, tokensPlot } from './tokens.ts';
export { trainingPlot } from './training.ts';
