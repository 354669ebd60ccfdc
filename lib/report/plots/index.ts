/**
 * Prepares the plots of lib/plots for the page.
 *
 *   check-plot.ts    refuses plots with scripts, links or addresses
 *   dark-plots.ts    their colours on light and dark screens
 *   vega-script.ts   Vega's runtime and interpreter as one script
 */
export { checkPlotSpec, checkPlotSvg } from './check-plot.ts';
export { plotStyles } from './dark-plots.ts';
export { vegaScript } from './vega-script.ts';
