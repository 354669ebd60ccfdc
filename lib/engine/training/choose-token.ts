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
    const ranking = new Ranking(logits, Number.NEGATIVE_INFINITY);
    for (let i = 0; i < logits.length; i++) if (constraint.allows(ranking.at(i))) return ranking.at(i);
    return undefined;
  }
  const weights = new Float64Array(logits.length);
  for (let v = 0; v < logits.length; v++) weights[v] = Math.exp((logits[v] - logits[best]) / temperature);
  if (topK === 0 && topP === 1)
    return constraint === undefined
      ? draw(allTokens(logits.length), weights, random)
      : drawAllowed(weights, random, constraint);
  const ranking = new Ranking(logits, logits[best] - LIKELY * temperature);
  const most = topK === 0 ? logits.length : Math.min(topK, logits.length);
  return constraint === undefined
    ? draw(nucleus(ranking, weights, most, topP), weights, random)
    : drawAllowedNucleus(ranking, weights, { most, topP, constraint, share: random.uniform() });
}

/** Tokens within this many nats of the likeliest one, at temperature 1, are ranked first. Others are rarely needed. */
const LIKELY = 7;
/**
 * The first tokens, up to this number, are found one by one as the largest logit that is left. Then all others are
 * sorted.
 */
const SELECTED = 8;

/** The tokens in order, most likely first. They are ranked when they are needed. */
class Ranking {
  readonly #logits: Float32Array;
  readonly #ranked: number[] = [];
  #likely: number[] = [];
  #unlikely: number[] = [];

  /** @param bound the logit that divides the tokens into likely and unlikely ones */
  constructor(logits: Float32Array, bound: number) {
    this.#logits = logits;
    for (let v = 0; v < logits.length; v++) (logits[v] >= bound ? this.#likely : this.#unlikely).push(v);
  }

  /** The token at an index, 0 being the likeliest. Call it for the indices in ascending order. */
  at(index: number): number {
    if (index >= this.#ranked.length) this.#rankMore();
    return this.#ranked[index];
  }

  #rankMore(): void {
    if (this.#likely.length === 0) {
      this.#likely = this.#unlikely;
      this.#unlikely = [];
    }
    const [logits, rest] = [this.#logits, this.#likely];
    if (this.#ranked.length >= SELECTED) {
      this.#ranked.push(...rest.sort((a, b) => logits[b] - logits[a] || a - b));
      this.#likely = [];
      return;
    }
    let best = 0;
    for (let i = 1; i < rest.length; i++) {
      const ahead = logits[rest[i]] - logits[rest[best]];
      if (ahead > 0 || (ahead === 0 && rest[i] < rest[best])) best = i;
    }
    this.#ranked.push(rest[best]);
    rest[best] = rest[rest.length - 1];
    rest.pop();
  }
}

function allTokens(size: number): number[] {
  return Array.from({ length: size }, (_, v) => v);
}

/** Draws one of the candidates with probabilities in proportion to their weights. */
function draw(candidates: readonly number[], weights: Float64Array, random: Random): number {
  let total = 0;
  for (let i = 0; i < candidates.length; i++) total += weights[candidates[i]];
  let left = random.uniform() * total;
  for (let i = 0; i < candidates.length; i++) if ((left -= weights[candidates[i]]) < 0) return candidates[i];
  return candidates[candidates.length - 1];
}

/**
 * The nucleus (Holtzman et al. 2020): the fewest of the likeliest tokens whose weights sum to at least the share
 * `topP`. The share is one of the weights of the `most` likeliest tokens.
 */
function nucleus(ranking: Ranking, weights: Float64Array, most: number, topP: number): number[] {
  let total = 0;
  if (most === weights.length) for (let v = 0; v < weights.length; v++) total += weights[v];
  else for (let i = 0; i < most; i++) total += weights[ranking.at(i)];
  const kept: number[] = [];
  for (let sum = 0; kept.length < most && (kept.length === 0 || sum < topP * total); ) {
    const token = ranking.at(kept.length);
    kept.push(token);
    sum += weights[token];
  }
  return kept;
}

/**
 * Draws an allowed token by rejection: draws among all tokens, and again without each one that is not allowed. The
 * result is distributed by weight among the allowed tokens, and few tokens are checked.
 */
function drawAllowed(weights: Float64Array, random: Random, constraint: TokenConstraint): number | undefined {
  let candidates = allTokens(weights.length);
  while (candidates.length > 0) {
    const token = draw(candidates, weights, random);
    if (constraint.allows(token)) return token;
    candidates = candidates.filter((v) => v !== token);
  }
  return undefined;
}

/**
 * Draws from the nucleus of the allowed tokens, at most the `most` likeliest ones.
 *
 * This inverts the cumulative distribution: the token is the first one at which the sum of weights exceeds `share` of
 * the nucleus' weight. The nucleus depends on the weight of all allowed tokens, and to know it, all tokens must be
 * checked. That weight is at least the sum of the allowed tokens found so far, and at most this sum plus the weights
 * of all unchecked tokens. The search ends when both bounds give the same token, which is usually after one or two.
 *
 * @param share a random number from 0 to 1
 */
function drawAllowedNucleus(
  ranking: Ranking,
  weights: Float64Array,
  { most, topP, constraint, share }: { most: number; topP: number; constraint: TokenConstraint; share: number },
): number | undefined {
  const allowed: number[] = [];
  /** sums[i]: the weight of the first i + 1 allowed tokens */
  const sums: number[] = [];
  let unknown = 0;
  for (let v = 0; v < weights.length; v++) unknown += weights[v];
  let found = 0;
  /** index of the last token of the nucleus, if no other token is allowed */
  let last = 0;
  for (let i = 0; i < weights.length && allowed.length < most; i++) {
    const token = ranking.at(i);
    const weight = weights[token];
    unknown = Math.max(0, unknown - weight);
    if (!constraint.allows(token)) continue;
    allowed.push(token);
    sums.push((found += weight));
    if (allowed.length === most) unknown = 0;
    while (sums[last] < topP * found) last++;
    const drawn = indexAbove(sums, share * sums[last]);
    // If all others are allowed: the nucleus ends with a token found already, or with one that is not more likely.
    const all = found + unknown;
    let end = last;
    while (end < sums.length && sums[end] < topP * all) end++;
    const largest = end < sums.length ? sums[end] : Math.min(all, topP * all + weight);
    if (share * largest < sums[drawn]) return allowed[drawn];
  }
  return allowed[indexAbove(sums, share * sums[last])];
}

/** The first index at which the sum is above a value; the last one if there is none. */
function indexAbove(sums: readonly number[], value: number): number {
  for (let i = 0; i < sums.length; i++) if (sums[i] > value) return i;
  return sums.length - 1;
}
