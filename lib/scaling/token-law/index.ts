/**
 * The law of sizes and tokens, L(N, D) = E + A·N^(−α) + B·D^(−β).
 *
 *   budgets.ts                the token budgets of runs
 *   chinchilla.ts             fits the law
 *   chinchilla-objective.ts   its objective and starting points
 *   compute-optimal.ts        frontier, isoFLOP profiles, compute-optimal sizes
 */
export { type Budget, budgetsOf, groupByBudget, isSameBudget, refuseBudgets } from './budgets.ts';
export {
  type ChinchillaDraws,
  type ChinchillaFit,
  type ChinchillaOptions,
  type ChinchillaParameter,
  fitChinchilla,
  fitChinchillaDraws,
  predictTokens,
  type TokenPoint,
} from './chinchilla.ts';
export {
  type Allocation,
  type ComputeOptimal,
  computeOptimal,
  type FrontierPoint,
  type IsoFlopProfile,
} from './compute-optimal.ts';
