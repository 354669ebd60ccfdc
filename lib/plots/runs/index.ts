/**
 * The plots of single runs, from the tables that training and evaluation write.
 *
 *   training.ts    trainingPlot: loss against tokens seen
 *   curves.ts      readCurves: the CSV files of training curves
 *   positions.ts   positionsPlot, readPositions: loss against position in the window
 */
export { type CurveRow, readCurves } from './curves.ts';
export { type PositionRow, positionsPlot, readPositions } from './positions.ts';
export { trainingPlot } from './training.ts';
