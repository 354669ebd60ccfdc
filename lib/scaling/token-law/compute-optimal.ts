/**
 * Compute-optimal models: how a compute budget C = 6·N·D is best divided between the size N and the tokens D. Three views:
 *
 * - the frontier: the runs that no other run of at most the same compute beats (Hoffmann et al. 2022, approach 1);
 * - isoFLOP profiles: the loss against the size at equal compute, and the size at its minimum (approach 2);
 * - the law L(N, D): its optimum has a closed form, with intervals from the bootstrap of the fit (approach 3).
 *
 * The first two only show what was trained. Nothing is extrapolated in them.
 *
 * @see Hoffmann et al. 2022, "Training compute-optimal large language models" (arXiv:2203.15556)
 */
import {
  formatInterval,
  formatNumber,
  formatPercent,
  type Interval,
  linearSteps,
  mean,
  quantileInterval,
} from '../numbers/index.ts';
import { fitPolynomial } from '../size-law/index.ts';
import { type ChinchillaDraws, type ChinchillaParameters, predictTokens } from './chinchilla.ts';

/** FLOP of training for each parameter and token: 2 forward, 4 backward (Kaplan et al. 2020). */
export const FLOPS_PER_PARAMETER_TOKEN = 6;

/** A trained model with its name. */
export interface ComputePoint {
  run: string;
  params: number;
  tokens: number;
  loss: number;
}

/** A run on the frontier. */
export interface FrontierPoint extends ComputePoint {
  /** C = 6·N·D */
  flops: number;
  tokens_per_parameter: number;
}

/** The losses of several sizes at one compute budget. */
export interface IsoFlopProfile {
  flops: number;
  /** `runs`: as measured. `interpolated`: between the token budgets of each size, linearly in log D. */
  source: 'runs' | 'interpolated';
  points: { params: number; tokens: number; loss: number }[];
  /** The minimum of a parabola in log N; null if it does not lie between the sizes. */
  optimum: { params: number; tokens: number; loss: number } | null;
  /** If there is no optimum: the end of the sizes at which the loss is lowest. */
  edge: 'smallest' | 'largest' | null;
}

/** The optimum of L(N, D) at one compute budget. */
export interface Allocation {
  flops: number;
  params: number;
  params_interval: Interval;
  tokens: number;
  tokens_interval: Interval;
  tokens_per_parameter: number;
  loss: number;
  /** Whether C, N or D lies outside the runs, so that this is an extrapolation. */
  extrapolated: boolean;
}

/** The compute-optimal models of a group of runs. The names are the keys of scaling.json. */
export interface ComputeOptimal {
  /** k in C = k·N·D */
  flops_per_parameter_token: number;
  /** By compute, ascending. */
  frontier: FrontierPoint[];
  /** By compute, ascending. Empty if no three sizes meet at one compute budget. */
  isoflop: IsoFlopProfile[];
  /** From L(N, D): N_opt ∝ C^params_exponent, D_opt ∝ C^tokens_exponent; or which runs are missing. */
  law:
    | {
        params_exponent: number;
        params_exponent_interval: Interval;
        tokens_exponent: number;
        tokens_exponent_interval: Interval;
        allocations: Allocation[];
      }
    | { refused: string };
  /** The result in words. */
  verdict: string;
}

/** Runs belong to one measured profile if their compute differs by less than this factor. */
const PROFILE_TOLERANCE = 1.15;
/** Least number of sizes of a profile. A parabola has three coefficients. */
const PROFILE_SIZES = 3;
/** Most profiles that are given. */
const MAX_PROFILES = 8;
/** Compute budgets between the smallest and the largest run for which the optimum is given. */
const ALLOCATION_STEPS = 4;

/**
 * Describes the compute-optimal models.
 *
 * @param points the runs of one group
 * @param fitted L(N, D) of the same runs, or why there is none
 */
export function computeOptimal(
  points: readonly ComputePoint[],
  fitted: ChinchillaDraws | { refused: string },
): ComputeOptimal {
  const frontier = computeFrontier(points);
  const isoflop = isoFlopProfiles(points);
  const base = { flops_per_parameter_token: FLOPS_PER_PARAMETER_TOKEN, frontier, isoflop };
  if ('refused' in fitted) {
    const refused = `${fitted.refused}; ${describeMissingRuns(points)}`;
    return { ...base, law: { refused }, verdict: `No compute-optimal size is given: ${refused}.` };
  }
  const { fit, draws } = fitted;
  const bounds = (value: (draw: ChinchillaParameters) => number) => quantileInterval(draws.map(value), fit.confidence);
  const computes = points.map(flopsOf);
  const [least, most] = [Math.min(...computes), Math.max(...computes)];
  const allocations = linearSteps(Math.log(least), Math.log(most), ALLOCATION_STEPS)
    .map(Math.exp)
    .map((flops): Allocation => {
      const { params, tokens } = optimum(fit.parameters, flops);
      return {
        flops,
        params,
        params_interval: bounds((draw) => optimum(draw, flops).params),
        tokens,
        tokens_interval: bounds((draw) => optimum(draw, flops).tokens),
        tokens_per_parameter: tokens / params,
        loss: predictTokens(fit, { params, tokens }),
        extrapolated: isOutside(points, 'params', params) || isOutside(points, 'tokens', tokens),
      };
    });
  const law = {
    params_exponent: fit.optimal_size_exponent,
    params_exponent_interval: fit.optimal_size_interval,
    tokens_exponent: 1 - fit.optimal_size_exponent,
    tokens_exponent_interval: bounds(({ alpha, beta }) => alpha / (alpha + beta)),
    allocations,
  };
  const largest = allocations.findLast((allocation) => !allocation.extrapolated) ?? allocations[allocations.length - 1];
  const beyond = largest.extrapolated ? ' This lies outside the sizes and budgets that were trained.' : '';
  const verdict = `With a compute of ${formatNumber(largest.flops)} FLOP (6·N·D), the best size is ${formatNumber(largest.params)} parameters (${formatPercent(fit.confidence)}: ${formatInterval(largest.params_interval)}) on ${formatNumber(largest.tokens)} tokens (${formatInterval(largest.tokens_interval)}), and it grows as C^${formatNumber(law.params_exponent)} (${formatInterval(law.params_exponent_interval)}).${beyond}`;
  return { ...base, law, verdict };
}

/** C = 6·N·D */
function flopsOf({ params, tokens }: { params: number; tokens: number }): number {
  return FLOPS_PER_PARAMETER_TOKEN * params * tokens;
}

/** The N and D of least loss at a compute budget: N = G·(C/6)^(β/(α+β)) with G = (α·A/(β·B))^(1/(α+β)). */
function optimum(
  { A, B, alpha, beta }: ChinchillaParameters,
  flops: number,
): {
  params: number;
  tokens: number;
} {
  const product = flops / FLOPS_PER_PARAMETER_TOKEN;
  const logG = Math.log((alpha * A) / (beta * B)) / (alpha + beta);
  const params = Math.exp(logG + (beta / (alpha + beta)) * Math.log(product));
  return { params, tokens: product / params };
}

function isOutside(points: readonly ComputePoint[], key: 'params' | 'tokens', value: number): boolean {
  const values = points.map((point) => point[key]);
  return value < Math.min(...values) || value > Math.max(...values);
}

/** The runs that no other run of at most the same compute beats, by compute. */
export function computeFrontier(points: readonly ComputePoint[]): FrontierPoint[] {
  const sorted = points
    .map((point) => ({ ...point, flops: flopsOf(point), tokens_per_parameter: point.tokens / point.params }))
    .sort((a, b) => a.flops - b.flops || a.loss - b.loss);
  let least = Number.POSITIVE_INFINITY;
  return sorted.filter(({ loss }) => {
    const isBetter = loss < least;
    if (isBetter) least = loss;
    return isBetter;
  });
}

/** Profiles of equal compute: of runs that meet there, otherwise interpolated between the budgets of each size. */
export function isoFlopProfiles(points: readonly ComputePoint[]): IsoFlopProfile[] {
  const measured = measuredProfiles(points);
  const profiles = measured.length > 0 ? measured : interpolatedProfiles(points);
  if (profiles.length <= MAX_PROFILES) return profiles;
  return linearSteps(0, profiles.length - 1, MAX_PROFILES - 1).map((at) => profiles[Math.round(at)]);
}

function measuredProfiles(points: readonly ComputePoint[]): IsoFlopProfile[] {
  const sorted = [...points].sort((a, b) => flopsOf(a) - flopsOf(b));
  const groups: ComputePoint[][] = [];
  for (const point of sorted) {
    const last = groups[groups.length - 1];
    if (last && flopsOf(point) < PROFILE_TOLERANCE * flopsOf(last[0])) last.push(point);
    else groups.push([point]);
  }
  return groups.flatMap((group) => {
    const flops = Math.exp(mean(group.map((point) => Math.log(flopsOf(point)))));
    return profile(flops, 'runs', meansBySize(group)) ?? [];
  });
}

/** For each compute of a run: the loss of each size whose budgets enclose D = C/(6·N). */
function interpolatedProfiles(points: readonly ComputePoint[]): IsoFlopProfile[] {
  const sizes = [...new Set(points.map(({ params }) => params))].map((params) => ({
    params,
    budgets: meansByTokens(points.filter((point) => point.params === params)),
  }));
  const computes = [...new Set(points.map(flopsOf))].sort((a, b) => a - b);
  return computes.flatMap((flops) => {
    const losses = sizes.flatMap(({ params, budgets }) => {
      const tokens = flops / (FLOPS_PER_PARAMETER_TOKEN * params);
      const loss = interpolate(budgets, tokens);
      return loss === undefined ? [] : [{ params, tokens, loss }];
    });
    return profile(flops, 'interpolated', losses) ?? [];
  });
}

/** A profile with the minimum of its parabola; undefined if there are too few sizes. */
function profile(
  flops: number,
  source: IsoFlopProfile['source'],
  unsorted: IsoFlopProfile['points'],
): IsoFlopProfile | undefined {
  if (unsorted.length < PROFILE_SIZES) return undefined;
  const points = [...unsorted].sort((a, b) => a.params - b.params);
  const { curvature, vertex } = fitPolynomial(points, 2);
  const [first, last] = [points[0], points[points.length - 1]];
  const isInside = curvature > 0 && vertex > first.params && vertex < last.params;
  if (!isInside) {
    const edge = first.loss < last.loss ? 'smallest' : 'largest';
    return { flops, source, points, optimum: null, edge };
  }
  const loss = parabolaAt(points, vertex);
  const tokens = flops / (FLOPS_PER_PARAMETER_TOKEN * vertex);
  return { flops, source, points, optimum: { params: vertex, tokens, loss }, edge: null };
}

/** The value of the fitted parabola at its vertex. */
function parabolaAt(points: readonly { params: number; loss: number }[], vertex: number): number {
  // With z = (ln N − ln vertex)², the parabola is the straight line L = b₀ + b₁·z.
  const z = points.map(({ params }) => (Math.log(params) - Math.log(vertex)) ** 2);
  const [meanZ, meanLoss] = [mean(z), mean(points.map(({ loss }) => loss))];
  const slope =
    z.reduce((sum, value, i) => sum + (value - meanZ) * (points[i].loss - meanLoss), 0) /
    z.reduce((sum, value) => sum + (value - meanZ) ** 2, 0);
  return meanLoss - slope * meanZ;
}

/** The mean tokens and loss of each size. */
function meansBySize(points: readonly ComputePoint[]): IsoFlopProfile['points'] {
  return [...new Set(points.map(({ params }) => params))].map((params) => {
    const same = points.filter((point) => point.params === params);
    return { params, tokens: mean(same.map(({ tokens }) => tokens)), loss: mean(same.map(({ loss }) => loss)) };
  });
}

/** The mean loss at each number of tokens, ascending. */
function meansByTokens(points: readonly ComputePoint[]): { tokens: number; loss: number }[] {
  const budgets = [...new Set(points.map(({ tokens }) => tokens))].sort((a, b) => a - b);
  return budgets.map((tokens) => ({
    tokens,
    loss: mean(points.filter((point) => point.tokens === tokens).map(({ loss }) => loss)),
  }));
}

/** The loss at a number of tokens, linear in log D; undefined outside the budgets. */
function interpolate(budgets: readonly { tokens: number; loss: number }[], tokens: number): number | undefined {
  const slack = 1e-9 * tokens;
  const above = budgets.findIndex((budget) => budget.tokens >= tokens - slack);
  if (above < 0) return undefined;
  const [left, right] = [budgets[above - 1], budgets[above]];
  if (Math.abs(right.tokens - tokens) <= slack) return right.loss;
  if (left === undefined) return undefined;
  const share = Math.log(tokens / left.tokens) / Math.log(right.tokens / left.tokens);
  return left.loss + share * (right.loss - left.loss);
}

/** Names runs that would determine L(N, D): the smallest, the middle and the largest size on further budgets. */
function describeMissingRuns(points: readonly ComputePoint[]): string {
  if (points.length === 0) return 'no run has a number of tokens';
  const sizes = [...new Set(points.map(({ params }) => params))].sort((a, b) => a - b);
  const tokens = points.map((point) => point.tokens);
  const middle = Math.exp(mean(tokens.map(Math.log)));
  const chosen = [...new Set([sizes[0], sizes[Math.floor(sizes.length / 2)], sizes[sizes.length - 1]])];
  const names = chosen.map((size) => formatNumber(size)).join(', ');
  const budgets = [middle / 4, middle * 4].map((value) => formatNumber(Number(value.toPrecision(2))));
  return `runs of the sizes ${names} on ${budgets[0]} and on ${budgets[1]} tokens would be a start`;
}
