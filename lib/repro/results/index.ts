/**
 * Results of a pipeline, now and at git revisions, for `metrics`, `params`, `plots` and `why`:
 * - revision-source.ts: files at a git revision, and the versions of a file;
 * - all-versions.ts: each version of a file that git can still reach;
 * - compare.ts: reads metrics and params on two sides and compares them key by key;
 * - metric-tables.ts: the values or differences as tables, one for each matrix;
 * - plots.ts: plots as an HTML page;
 * - plot-files.ts: which files a plot may show;
 * - plot-renderer.ts, plot-process.ts: draw Vega-Lite specs in a process with limits.
 */
export { allVersions } from './all-versions.ts';
export { diffFiles, metricsFiles, openSides, pairMetrics, paramsFiles, readLeaves, workspace } from './compare.ts';
export { changeCells, diffTables, type Table, type Tables, valueTables } from './metric-tables.ts';
export { PlotRenderer } from './plot-renderer.ts';
export { plotFigure, plotPage } from './plots.ts';
export { type History, openHistory } from './revision-source.ts';
