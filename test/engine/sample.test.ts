/** Sampling: repeatability, probabilities, topK and topP, the end of text, and refused options. */
import { beforeAll, describe, expect, test } from 'vitest';
import { type Engine, EngineError, type SampleOptions, sample, train } from '../../lib/engine/index.ts';
import { initialWeights, type ModelConfig, type Weights } from '../../lib/models/index.ts';
import { anyEngine, countingSource, perturbedWeights, tinyGpt, tinyLstm } from './tiny.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await anyEngine();
});

/** Options of a draw: `count` streams with the same prompt, or `prompts`. */
type DrawOptions = Partial<SampleOptions> & { prompt?: number[]; count?: number };
const draw = (config: ModelConfig, weights: Weights, { prompt = [1], count = 3, ...options }: DrawOptions = {}) => {
  const model = engine.model(config, { weights });
  const prompts = Array<number[]>(count).fill(prompt);
  return sample({ model, prompts, maxTokens: 12, seed: 1, ...options }).finally(() => model.dispose());
};
const perturbed = (config: ModelConfig) => perturbedWeights(initialWeights(config, 1));
const arrays = (streams: Uint32Array[]) => streams.map((tokens) => [...tokens]);

/** An LSTM whose next token always has these probabilities: all weights are 0 except the bias of the head. */
function fixedOdds(odds: number[]): [ModelConfig, Weights] {
  const config: ModelConfig = { ...tinyLstm, vocabularySize: odds.length };
  const weights = new Map(
    [...initialWeights(config, 1)].map(([name, { shape, data }]) => [name, { shape, data: data.fill(0) }]),
  );
  weights.get('decoder.bias')!.data.set(odds.map(Math.log));
  return [config, weights];
}
async function shares(odds: number[], options: DrawOptions): Promise<number[]> {
  const streams = await draw(...fixedOdds(odds), { count: 200, maxTokens: 25, ...options });
  const all = streams.flatMap((tokens) => [...tokens]);
  return odds.map((_, v) => all.filter((token) => token === v).length / all.length);
}
const near = (expected: number[]) => expected.map((share) => expect.closeTo(share, 1));

/** Allows the given tokens, and counts how many it was asked about. */
function only(...tokens: number[]) {
  return {
    asked: 0,
    allows(token: number) {
      this.asked++;
      return tokens.includes(token);
    },
    accept(token: number) {
      expect(tokens).toContain(token);
    },
  };
}

describe('samples under a constraint', () => {
  const odds = [0.4, 0.3, 0.15, 0.1, 0.05];
  const constrain = () => only(1, 3, 4);

  test('have the probabilities of the allowed tokens relative to each other', async () => {
    const expected = near([0, 0.3 / 0.45, 0, 0.1 / 0.45, 0.05 / 0.45]);
    expect(await shares(odds, { constrain })).toEqual(expected);
    expect(await shares(odds, { constrain, temperature: 0 })).toEqual([0, 1, 0, 0, 0]);
    expect(await shares(odds, { constrain, topK: 2 })).toEqual(near([0, 0.75, 0, 0.25, 0]));
  });

  test('with topP are the same as with the logits of all other tokens at minus infinity', async () => {
    for (const topP of [0.3, 0.6, 0.7, 0.8, 0.88, 0.9, 0.99]) {
      const masked = await draw(...fixedOdds([0, 0.3, 0, 0.1, 0.05]), { topP, maxTokens: 40 });
      expect(arrays(await draw(...fixedOdds(odds), { topP, maxTokens: 40, constrain }))).toEqual(arrays(masked));
    }
  });

  test('ask about the likely tokens only', async () => {
    const constraint = only(0, 1, 2, 3, 4);
    await draw(...fixedOdds(odds), { count: 1, maxTokens: 10, topP: 0.3, constrain: () => constraint });
    expect(constraint.asked).toBe(10);
  });

  test('end if no token is allowed', async () => {
    const streams = await draw(...fixedOdds(odds), { constrain: (stream) => (stream === 1 ? only() : only(2)) });
    expect(streams.map(({ length }) => length)).toEqual([12, 0, 12]);
  });
});

describe('samples', () => {
  test.each([tinyGpt, tinyLstm])(
    'are the same for the same seed, and differ for another: $architecture',
    async (config) => {
      const first = await draw(config, perturbed(config));
      expect(await draw(config, perturbed(config))).toEqual(first);
      expect(await draw(config, perturbed(config), { seed: 2 })).not.toEqual(first);
      expect(arrays(first)[0]).not.toEqual(arrays(first)[1]);
      expect(first.every(({ length }) => length === 12)).toBe(true);
    },
  );

  test('are the same in each stream, for every number of streams', async () => {
    const three = await draw(tinyGpt, perturbed(tinyGpt));
    const one = await draw(tinyGpt, perturbed(tinyGpt), { count: 1 });
    expect(one[0]).toEqual(three[0]);
  });

  test.each([tinyGpt, tinyLstm])(
    'with prompts of different lengths are the same as each drawn alone: $architecture',
    async (config) => {
      const prompts = [[1], [2, 3, 4], [5, 6, 7, 8, 9, 10, 1, 2, 3, 4, 5]];
      const together = await draw(config, perturbed(config), { prompts, endOfText: 7 });
      for (const [firstStream, prompt] of prompts.entries()) {
        const options = { prompts: [prompt], firstStream, endOfText: 7 };
        const [alone] = await draw(config, perturbed(config), options);
        expect([...together[firstStream]]).toEqual([...alone]);
      }
    },
  );

  test('have the probabilities of the model', async () => {
    expect(await shares([0.5, 0.3, 0.2], {})).toEqual(near([0.5, 0.3, 0.2]));
  });

  test('at a temperature T have the probabilities to the power of 1/T', async () => {
    const total = 0.5 ** 2 + 0.3 ** 2 + 0.2 ** 2;
    expect(await shares([0.5, 0.3, 0.2], { temperature: 0.5 })).toEqual(
      near([0.25 / total, 0.09 / total, 0.04 / total]),
    );
    expect(await shares([0.3, 0.5, 0.2], { temperature: 0 })).toEqual([0, 1, 0]);
  });

  test('with topK are among the k most likely tokens', async () => {
    const [rare, half, third] = await shares([0.2, 0.5, 0.3], { topK: 2 });
    expect([rare, half, third]).toEqual([0, expect.closeTo(0.625, 1), expect.closeTo(0.375, 1)]);
  });

  test('with a repetition penalty avoid the tokens of the window, those of the prompt too', async () => {
    const options = { temperature: 0, count: 1, maxTokens: 6 };
    const [plain] = arrays(await draw(...fixedOdds([0.5, 0.3, 0.2]), options));
    expect(plain).toEqual([0, 0, 0, 0, 0, 0]);
    const penalty = { repetitionPenalty: 3, repetitionWindow: 2 };
    // The prompt is token 1. Two tokens are penalised at a time, so the third is chosen.
    expect(arrays(await draw(...fixedOdds([0.5, 0.3, 0.2]), { ...options, ...penalty }))).toEqual([[0, 2, 1, 0, 2, 1]]);
    await expect(draw(...fixedOdds([0.5, 0.5]), { repetitionPenalty: 0 })).rejects.toThrow(
      'repetitionPenalty is 0; it must be above 0, 1 for none',
    );
  });

  test('with topP are among the most likely tokens whose probabilities together reach topP', async () => {
    expect(await shares([0.2, 0.5, 0.3], { topP: 0.79 })).toEqual([
      0,
      expect.closeTo(0.625, 1),
      expect.closeTo(0.375, 1),
    ]);
    expect(await shares([0.2, 0.5, 0.3], { topP: 0.4 })).toEqual([0, 1, 0]);
    expect((await shares([0.2, 0.5, 0.3], { topP: 0.81 }))[0]).toBeGreaterThan(0.1);
  });

  test('end before the end of text, each stream independently', async () => {
    const odds: [ModelConfig, Weights] = fixedOdds([0.2, 0.8]);
    const streams = await draw(...odds, { count: 50, maxTokens: 20, endOfText: 0 });
    expect(streams.every((tokens) => tokens.every((token) => token === 1))).toBe(true);
    expect(new Set(streams.map(({ length }) => length)).size).toBeGreaterThan(3);
    const unended = await draw(...odds, { count: 50, maxTokens: 20 });
    for (const [i, tokens] of streams.entries())
      expect([...unended[i].subarray(0, tokens.length)]).toEqual([...tokens]);
  });

  test('continue beyond the block of a GPT, from its last half, and follow the learned pattern', async () => {
    const settings = { tokens: 2400, batch: 4, learningRate: 0.02, warmup: 0.1, clip: 1, evaluationTokens: 60 };
    const config = { ...tinyGpt, layers: 1 };
    const { weights } = await train({ engine, config, source: countingSource(11, 600), settings, seed: 1 });
    const [tokens] = await draw(config, weights, { count: 1, maxTokens: 40, temperature: 0, prompt: [0, 3] });
    expect([...tokens]).toEqual(Array.from({ length: 40 }, (_, i) => (3 * (i + 2)) % 11));
  });

  test('accept a prompt longer than the block', async () => {
    const prompt = Array.from({ length: 20 }, (_, i) => i % 11);
    const long = await draw(tinyGpt, perturbed(tinyGpt), { prompt, maxTokens: 3 });
    // The block has 6 tokens. Texts of any length are read again from the tokens 4, 8, 12 and 16.
    const end = await draw(tinyGpt, perturbed(tinyGpt), { prompt: prompt.slice(16), maxTokens: 3 });
    expect(long).toEqual(end);
  });

  test.each([
    [{ prompt: [] }, /prompt is empty/],
    [{ prompt: [11] }, /token 11 .* outside the vocabulary/],
    [{ temperature: -1 }, /temperature is -1; it must be at least 0/],
    [{ topP: 0 }, /topP is 0; it must be above 0 and at most 1/],
    [{ topK: 0.5 }, /topK is 0.5/],
    [{ prompts: [] }, /prompts is empty/],
    [{ maxTokens: -1 }, /maxTokens is -1/],
  ])('refuse %o', async (wrong, message) => {
    await expect(draw(tinyGpt, perturbed(tinyGpt), wrong)).rejects.toThrow(EngineError);
    await expect(draw(tinyGpt, perturbed(tinyGpt), wrong)).rejects.toThrow(message);
  });
});
