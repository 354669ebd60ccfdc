export { type PlotFiles, plotSvg, renderPlot } from './render.ts';
export { scalingPlot } from './scaling.ts';
