/**
 * Text from a model, token by token: several streams at once through its decoder, each with random numbers of its own, so
 * that a stream is the same whatever their number.
 *
 * A GPT sees no further than its block. When that is full, the decoder starts again from the last half of it, so that
 * each token is chosen with at least half a block before it, at twice the cost.
 */
import { setImmediate } from 'node:timers/promises';
import { Random, reachOf } from '../../models/index.ts';
import { checkTokens, EngineError, type Model } from '../interface/index.ts';
import { notFinite } from './evaluate.ts';

export interface SampleOptions {
  model: Model;
  /** Tokens that every stream begins with, at least one. */
  prompt: ArrayLike<number>;
  /** How many streams. */
  count: number;
  /** Most tokens a stream gets after the prompt. */
  maxTokens: number;
  /** Divides the logits; 0 always takes the likeliest token. Default 1 */
  temperature?: number;
  /** Only the k likeliest tokens; 0 (the default): no limit */
  topK?: number;
  /** Only the likeliest tokens that together have this probability (Holtzman et al. 2020). Default 1: all */
  topP?: number;
  seed: number;
  /** A stream ends before this token. */
  endOfText?: number;
  onProgress?(progress: { done: number; total: number; unit: string; text: string }): void;
}

/**
 * @returns each stream's tokens after the prompt, without endOfText: one that is shorter than maxTokens came to an end
 * @throws EngineError naming the option that is wrong
 */
export async function sample(options: SampleOptions): Promise<Uint32Array[]> {
  checkOptions(options);
  const { model, prompt, count, maxTokens, seed, endOfText, onProgress } = options;
  const { vocabularySize: V } = model.config;
  const limit = reachOf(model.config);
  const streams = Array.from({ length: count }, (_, i) => new Stream(prompt, new Random(seed, 'sample', i)));
  const decoder = model.decoder(count);
  try {
    let fed = 0;
    for (let made = 0; made < maxTokens && streams.some(({ end }) => end === undefined); made++) {
      const length = prompt.length + made;
      if (decoder.position + length - fed > limit) {
        decoder.reset();
        fed = length - Math.ceil(limit / 2);
      }
      let logits = new Float32Array() as Float32Array;
      for (; fed < length; fed++) logits = decoder.step(Uint32Array.from(streams, ({ tokens }) => tokens[fed]));
      for (const [i, stream] of streams.entries()) {
        // one that has ended is still fed, unheard, for the others' sake
        const token =
          stream.end === undefined ? choose(logits.subarray(i * V, (i + 1) * V), stream.random, options) : 0;
        if (token === endOfText) stream.end ??= length;
        stream.tokens.push(token);
      }
      onProgress?.({ done: made + 1, total: maxTokens, unit: 'tokens', text: `${count} at a time` });
      await setImmediate();
    }
  } finally {
    decoder.dispose();
  }
  return streams.map(({ tokens, end }) => Uint32Array.from(tokens.slice(prompt.length, end)));
}

class Stream {
  /** the prompt and what followed */
  readonly tokens: number[];
  readonly random: Random;
  /** where its text ends, once it has */
  end: number | undefined;

  constructor(prompt: ArrayLike<number>, random: Random) {
    this.tokens = Array.from(prompt);
    this.random = random;
  }
}

/** A token drawn from softmax(logits / temperature), cut to topK and topP; of equally likely ones the smaller ranks first. */
function choose(
  logits: Float32Array,
  random: Random,
  { temperature = 1, topK = 0, topP = 1 }: Pick<SampleOptions, 'temperature' | 'topK' | 'topP'>,
): number {
  let best = 0;
  for (let v = 1; v < logits.length; v++) if (logits[v] > logits[best]) best = v;
  if (!Number.isFinite(logits[best])) throw notFinite('a logit', logits[best]);
  if (temperature === 0) return best;

  const weights = Float64Array.from(logits, (logit) => Math.exp((logit - logits[best]) / temperature));
  let candidates = Array.from(logits, (_, v) => v);
  if (topK > 0 || topP < 1) {
    const ranked = candidates.sort((a, b) => logits[b] - logits[a] || a - b);
    candidates = nucleus(topK > 0 ? ranked.slice(0, topK) : ranked, weights, topP);
  }
  let total = 0;
  for (let i = 0; i < candidates.length; i++) total += weights[candidates[i]];
  let left = random.uniform() * total;
  for (let i = 0; i < candidates.length; i++) if ((left -= weights[candidates[i]]) < 0) return candidates[i];
  return candidates[candidates.length - 1];
}

/** The first of the ranked tokens that together have a share `topP` of their weight. */
function nucleus(ranked: number[], weights: Float64Array, topP: number): number[] {
  const total = ranked.reduce((sum, v) => sum + weights[v], 0);
  let sum = 0;
  const last = ranked.findIndex((v) => (sum += weights[v]) >= topP * total);
  return last < 0 ? ranked : ranked.slice(0, last + 1);
}

function checkOptions({ model, prompt, count, maxTokens, temperature = 1, topK = 0, topP = 1 }: SampleOptions): void {
  const wrong = (key: string, value: unknown, right: string) =>
    new EngineError(`${key} is ${value}; it must be ${right}`);
  const whole = (value: number, least: number) => Number.isSafeInteger(value) && value >= least;
  if (!whole(count, 1)) throw wrong('count', count, 'a whole number of at least 1');
  if (!whole(maxTokens, 0)) throw wrong('maxTokens', maxTokens, 'a whole number of at least 0');
  if (!(temperature >= 0 && temperature < Number.POSITIVE_INFINITY))
    throw wrong('temperature', temperature, 'at least 0');
  if (!whole(topK, 0)) throw wrong('topK', topK, 'a whole number, 0 for no limit');
  if (!(topP > 0 && topP <= 1)) throw wrong('topP', topP, 'above 0 and at most 1');
  if (prompt.length === 0)
    throw new EngineError('the prompt is empty; it needs a token to begin with, such as the end of text');
  checkTokens(Uint32Array.from(prompt), model.config);
}
