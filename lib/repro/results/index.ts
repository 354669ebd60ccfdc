export { diffFiles, metricsFiles, openSides, pairMetrics, paramsFiles, readLeaves, workspace } from './compare.ts';
export { type History, openHistory } from './git.ts';
export { changeCells, diffTables, type Table, type Tables, valueTables } from './metric-tables.ts';
export { plotFigure } from './plots.ts';
