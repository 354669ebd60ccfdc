/**
 * The plots of the scaling laws, from the table of runs and a fitted study.
 *
 *   scaling.ts           scalingPlot: loss against model size, with the fitted laws
 *   scaling-labels.ts    its texts
 *   residuals.ts         residualsPlot: distance of each run from its law
 *   architectures.ts     architecturesPlot: loss against compute, and the difference at equal size
 *   budgets.ts           budgetsPlot: loss against tokens, a line a size, with L(N, D)
 *   compute-optimal.ts   computeOptimalPlot: the frontier, and the best size for a compute
 *   run-points.ts        the runs, curves and error bars of a study, which these plots share
 */
export { architecturesPlot } from './architectures.ts';
export { budgetsPlot } from './budgets.ts';
export { computeOptimalPlot } from './compute-optimal.ts';
export { residualsPlot } from './residuals.ts';
export { scalingPlot } from './scaling.ts';
