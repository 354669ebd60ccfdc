/**
 * Samples text from a model, token by token. The decoder runs several streams at once. Each stream has its own random
 * numbers, so a stream does not depend on the others. Prompts may differ in length: a stream begins to draw where its
 * own prompt ends, while longer prompts are still read.
 *
 * A GPT cannot see more tokens than its block. When the block is full, the decoder is reset and reads the last half
 * block again. So each token is chosen with at least half a block of context, at twice the cost. The resets are at the
 * same positions in every stream. A prompt longer than the block is read from the last of them.
 */
import { setImmediate } from 'node:timers/promises';
import { decoderCapacity, Random } from '../../models/index.ts';
import { checkTokens, EngineError, type Model } from '../interface/index.ts';
import { chooseToken, type TokenConstraint } from './choose-token.ts';

/** Tokens whose repetition is penalised, if there is a penalty. */
const REPETITION_WINDOW = 64;

/** The model, the prompt, and the options for choosing tokens. */
export interface SampleOptions {
  model: Model;
  /** the tokens that each stream begins with, at least one; as many streams are drawn */
  prompts: readonly ArrayLike<number>[];
  /** index of the first stream: a stream has the same random numbers, however many are drawn in one call. Default 0 */
  firstStream?: number;
  /** upper limit of tokens per stream, after the prompt */
  maxTokens: number;
  /** divides the logits; 0 always takes the most likely token. Default 1 */
  temperature?: number;
  /** samples from the k most likely tokens only; 0: no limit. Default 0 */
  topK?: number;
  /**
   * samples from the smallest set of most likely tokens that together have this probability (Holtzman et al. 2020).
   * Default 1: all tokens
   */
  topP?: number;
  /**
   * Makes tokens less likely that occur among the last `repetitionWindow` tokens of the stream and its prompt: divides
   * their logits by this number if they are above 0, and multiplies them otherwise (Keskar et al. 2019). Default 1: off
   */
  repetitionPenalty?: number;
  /** Default 64 */
  repetitionWindow?: number;
  /** a whole number of at least 0 */
  seed: number;
  /** token that ends a stream; it is not part of the stream */
  endOfText?: number;
  /**
   * Makes the constraint of a stream. Its tokens are drawn from those that the constraint allows, with the
   * probabilities of the model relative to each other. A stream also ends if no token is allowed.
   *
   * @param stream index of the stream; the prompt is already read
   */
  constrain?(stream: number): TokenConstraint;
  onProgress?(progress: { done: number; total: number; unit: string; text: string }): void;
}

/**
 * Samples a stream of tokens for each prompt.
 *
 * @returns each stream's tokens after the prompt, without endOfText. A stream shorter than maxTokens has ended.
 * @throws EngineError naming the option that is wrong, or if a logit is NaN or infinite
 */
export async function sample(options: SampleOptions): Promise<Uint32Array[]> {
  checkOptions(options);
  const { model, prompts, firstStream = 0, maxTokens, seed, onProgress } = options;
  const { vocabularySize: V } = model.config;
  const limit = decoderCapacity(model.config);
  const streams = prompts.map(
    (prompt, i) => new Stream(prompt, new Random(seed, 'sample', firstStream + i), options.constrain?.(i)),
  );
  const [shortest, longest] = [Math.min, Math.max].map((of) => of(...prompts.map(({ length }) => length)));
  const decoder = model.decoder(streams.length);
  try {
    let fed = firstRead(shortest, limit);
    for (let length = shortest; streams.some((stream) => !stream.hasEnded(maxTokens)); length++) {
      if (decoder.position + length - fed > limit) {
        decoder.reset();
        fed = length - Math.ceil(limit / 2);
      }
      let logits = new Float32Array() as Float32Array;
      for (; fed < length; fed++) logits = await decoder.step(Uint32Array.from(streams, ({ tokens }) => tokens[fed]));
      for (const [i, stream] of streams.entries())
        if (stream.tokens.length === length) stream.extend(logits.subarray(i * V, (i + 1) * V), options);
      const [done, total] = [length + 1 - shortest, longest - shortest + maxTokens];
      onProgress?.({ done, total, unit: 'tokens', text: `${streams.length} at a time` });
      await setImmediate();
    }
  } finally {
    decoder.dispose();
  }
  return streams.map((stream) => stream.drawn());
}

/**
 * The position at which the decoder begins to read a text of this length: 0, or, for a text longer than the block, the
 * last position from which it is read again.
 */
function firstRead(length: number, limit: number): number {
  if (length <= limit) return 0;
  const between = limit - Math.ceil(limit / 2) + 1;
  return Math.ceil((length - limit) / between) * between;
}

class Stream {
  /** the prompt and the tokens sampled after it */
  readonly tokens: number[];
  /** number of tokens before the end, once it was reached */
  #end: number | undefined;
  readonly #promptLength: number;
  readonly #random: Random;
  readonly #constraint: TokenConstraint | undefined;

  constructor(prompt: ArrayLike<number>, random: Random, constraint: TokenConstraint | undefined) {
    this.tokens = Array.from(prompt);
    this.#promptLength = prompt.length;
    this.#random = random;
    this.#constraint = constraint;
  }

  hasEnded(maxTokens: number): boolean {
    return this.#end !== undefined || this.tokens.length - this.#promptLength >= maxTokens;
  }

  /** Adds the next token. The decoder steps all streams together, so a stream that has ended still gets a token. */
  extend(logits: Float32Array, options: SampleOptions): void {
    if (this.hasEnded(options.maxTokens)) {
      this.#end ??= this.tokens.length;
      this.tokens.push(0);
      return;
    }
    const token = this.#next(logits, options);
    if (token === undefined || token === options.endOfText) this.#end = this.tokens.length;
    this.tokens.push(token ?? 0);
  }

  /** The tokens after the prompt. */
  drawn(): Uint32Array {
    return Uint32Array.from(this.tokens.slice(this.#promptLength, this.#end));
  }

  /** Draws a token; undefined if the constraint allows none. */
  #next(logits: Float32Array, options: SampleOptions): number | undefined {
    const penalised = penaliseRepetition(logits, this.tokens, options);
    const token = chooseToken(penalised, this.#random, options, this.#constraint);
    if (token !== undefined && token !== options.endOfText) this.#constraint?.accept(token);
    return token;
  }
}

/** The logits with the repetition penalty; the same array if there is none. */
function penaliseRepetition(
  logits: Float32Array,
  tokens: readonly number[],
  { repetitionPenalty: penalty = 1, repetitionWindow = REPETITION_WINDOW }: SampleOptions,
): Float32Array {
  if (penalty === 1) return logits;
  const penalised = logits.slice();
  for (const token of new Set(tokens.slice(-repetitionWindow)))
    penalised[token] = logits[token] > 0 ? logits[token] / penalty : logits[token] * penalty;
  return penalised;
}

function checkOptions(options: SampleOptions): void {
  const { model, prompts, maxTokens, temperature = 1, topK = 0, topP = 1 } = options;
  const { repetitionPenalty = 1, repetitionWindow = REPETITION_WINDOW } = options;
  const wrong = (key: string, value: unknown, right: string) =>
    new EngineError(`${key} is ${value}; it must be ${right}`);
  const wholeFrom = (value: number, minimum: number) => Number.isSafeInteger(value) && value >= minimum;
  if (!wholeFrom(maxTokens, 0)) throw wrong('maxTokens', maxTokens, 'a whole number of at least 0');
  if (!(temperature >= 0 && temperature < Number.POSITIVE_INFINITY))
    throw wrong('temperature', temperature, 'at least 0');
  if (!wholeFrom(topK, 0)) throw wrong('topK', topK, 'a whole number, 0 for no limit');
  if (!(topP > 0 && topP <= 1)) throw wrong('topP', topP, 'above 0 and at most 1');
  if (!(repetitionPenalty > 0 && repetitionPenalty < Number.POSITIVE_INFINITY))
    throw wrong('repetitionPenalty', repetitionPenalty, 'above 0, 1 for none');
  if (!wholeFrom(repetitionWindow, 1))
    throw wrong('repetitionWindow', repetitionWindow, 'a whole number of at least 1');
  if (prompts.length === 0) throw new EngineError('prompts is empty; each stream needs one');
  for (const prompt of prompts) {
    if (prompt.length === 0)
      throw new EngineError('the prompt is empty; it needs a token to begin with, such as the end of text');
    checkTokens(Uint32Array.from(prompt), model.config);
  }
}
