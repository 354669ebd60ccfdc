/**
 * Draws the next token of a stream from the logits of a model, freely or among the tokens that a constraint allows.
 *
 * A constraint is asked about few tokens: the likely ones first, and only until the draw is certain. The result is the
 * same as if it had been asked about all tokens and the logits of the others were set to minus infinity.
 */
import type { Random } from '../../models/index.ts';
import { notFinite } from './evaluate.ts';

/** Says which tokens may come next in one stream. */
export interface TokenConstraint {
  /** Whether this token may come next. */
  allows(token: number): boolean;
  /** Adds a token, which must be allowed, to the stream. */
  accept(token: number): void;
}

/** The options of a draw; see SampleOptions. */
export interface DrawOptions {
  temperature?: number;
  topK?: number;
  topP?: number;
}

/**
 * Draws a token from softmax(logits / temperature), limited by the constraint, then by topK and topP. Of equally likely
 * tokens, the smaller id ranks first.
 *
 * @param logits (V)
 * @returns undefined if the constraint allows no token
 * @throws EngineError if the largest logit is NaN or infinite
 */
export function chooseToken(
  logits: Float32Array,
  random: Random,
  { temperature = 1, topK = 0, topP = 1 }: DrawOptions,
  constraint?: TokenConstraint,
): number | undefined {
  let best = 0;
  for (let v = 1; v < logits.length; v++) if (logits[v] > logits[best]) best = v;
  if (!Number.isFinite(logits[best])) throw notFinite('a logit', logits[best]);
  if (temperature === 0) {
    if (constraint === undefined || constraint.allows(best)) return best;
    return rank(logits).find((v) => constraint.allows(v));
  }
  const weights = Float64Array.from(logits, (logit) => Math.exp((logit - logits[best]) / temperature));
  if (constraint !== undefined) {
    if (topK === 0 && topP === 1) return drawAllowed(weights, random, constraint);
    const candidates = allowedNucleus(rank(logits), weights, topK === 0 ? logits.length : topK, topP, constraint);
    return candidates.length === 0 ? undefined : draw(candidates, weights, random);
  }
  if (topK === 0 && topP === 1)
    return draw(
      Array.from(logits, (_, v) => v),
      weights,
      random,
    );
  const ranked = rank(logits);
  return draw(nucleus(topK > 0 ? ranked.slice(0, topK) : ranked, weights, topP), weights, random);
}

/** All tokens, most likely first. */
function rank(logits: Float32Array): number[] {
  return Array.from(logits, (_, v) => v).sort((a, b) => logits[b] - logits[a] || a - b);
}

/** Draws one of the candidates with probabilities in proportion to their weights. */
function draw(candidates: readonly number[], weights: Float64Array, random: Random): number {
  let total = 0;
  for (let i = 0; i < candidates.length; i++) total += weights[candidates[i]];
  let left = random.uniform() * total;
  for (let i = 0; i < candidates.length; i++) if ((left -= weights[candidates[i]]) < 0) return candidates[i];
  return candidates[candidates.length - 1];
}

/** Returns the first ranked tokens: as many as needed for their weights to sum to the share `topP` of all weights. */
function nucleus(ranked: number[], weights: Float64Array, topP: number): number[] {
  const total = ranked.reduce((sum, v) => sum + weights[v], 0);
  let sum = 0;
  const last = ranked.findIndex((v) => (sum += weights[v]) >= topP * total);
  return last < 0 ? ranked : ranked.slice(0, last + 1);
}

/**
 * Draws an allowed token: draws among all, and again without those that proved not to be allowed. An allowed token is
 * then drawn in proportion to its weight among the allowed ones.
 */
function drawAllowed(weights: Float64Array, random: Random, constraint: TokenConstraint): number | undefined {
  let candidates = Array.from(weights, (_, v) => v);
  while (candidates.length > 0) {
    const token = draw(candidates, weights, random);
    if (constraint.allows(token)) return token;
    candidates = candidates.filter((v) => v !== token);
  }
  return undefined;
}

/**
 * The nucleus of the allowed tokens, at most the topK most likely ones.
 *
 * The weight of all allowed tokens lies between the sum of those found so far and that sum plus the weights of the
 * tokens that were not looked at. The search ends when both bounds give the same nucleus.
 */
function allowedNucleus(
  ranked: number[],
  weights: Float64Array,
  topK: number,
  topP: number,
  constraint: TokenConstraint,
): number[] {
  const allowed: number[] = [];
  /** sums[i]: the weight of the first i + 1 allowed tokens */
  const sums: number[] = [];
  let unknown = ranked.reduce((sum, v) => sum + weights[v], 0);
  let size = 0;
  for (const token of ranked) {
    unknown = Math.max(0, unknown - weights[token]);
    if (!constraint.allows(token)) continue;
    allowed.push(token);
    sums.push((sums.at(-1) ?? 0) + weights[token]);
    const found = sums[sums.length - 1];
    if (allowed.length === topK) unknown = 0;
    while (size < sums.length && sums[size] < topP * found) size++;
    if (sums[size] >= topP * (found + unknown)) return allowed.slice(0, size + 1);
    if (allowed.length === topK) break;
  }
  return allowed.slice(0, size + 1);
}
