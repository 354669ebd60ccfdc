/**
 * The style that all plots share, so that they look alike and one group of runs looks the same in all of them.
 *
 *   theme.ts    colours, fonts and the Vega-Lite config
 *   layout.ts   the wide and the narrow layout, titles, tooltips
 *   axes.ts     domains, ticks and labels of axes
 *   panel.ts    panels with a line for each model size
 *   series.ts   name, colour, dash and shape of each group of runs
 */
export {
  countLabel,
  linearTicks,
  logDomain,
  logTicks,
  plainLabel,
  powerLabel,
  signedLabel,
  spread,
  ticks,
  wrap,
} from './axes.ts';
export { type Layout, NARROW_WIDTH, plotTitle, tooltip } from './layout.ts';
export { endLabels, linesPanel, type PanelSize } from './panel.ts';
export { type Series, seriesOf, sizeName } from './series.ts';
export { CONFIG, colours, GRID, INK, MUTED, PAPER, ramp } from './theme.ts';
