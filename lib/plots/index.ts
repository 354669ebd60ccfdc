export { architecturesPlot } from './architectures.ts';
export { type CurveRow, readCurves } from './curves.ts';
export { type PlotFiles, plotSvg, renderPlot } from './render.ts';
export { scalingPlot } from './scaling.ts';
export { type SplitCounts, splitPlot } from './splits.ts';
export { GRID, INK, MUTED, PAPER } from './theme.ts';
export { type TokenCounts, tokensPlot } from './tokens.ts';
export { trainingPlot } from './training.ts';
