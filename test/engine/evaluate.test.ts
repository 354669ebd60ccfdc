/** The loss over a split, compared with the reference implementation. */
import { beforeAll, describe, expect, test } from 'vitest';
import { type Engine, EngineError, evaluate, sample } from '../../lib/engine/index.ts';
import { initialWeights } from '../../lib/models/index.ts';
import { inDoubles, referenceLoss } from './reference.ts';
import { anyEngine, countingSource, perturbedWeights, tinyGpt } from './tiny.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await anyEngine();
});

describe('the loss over a split', () => {
  const weights = perturbedWeights(initialWeights(tinyGpt, 1));
  const model = () => engine.model(tinyGpt, { weights });
  const token = (i: number) => (i * 3) % 11;
  /** Returns the sum of the reference's losses over the window of `length` tokens at `offset`. */
  const lossOf = (offset: number, length: number) => {
    const tokens = (from: number) => Array.from({ length }, (_, i) => token(from + i));
    return length * referenceLoss(tinyGpt, inDoubles(weights), [tokens(offset)], [tokens(offset + 1)]);
  };

  test('predicts every token but the first once, in windows as long as the block and a shorter last window', async () => {
    const { loss, tokens, bitsPerByte } = await evaluate({
      model: model(),
      source: countingSource(11, 21),
      split: 'test',
    });
    expect(tokens).toBe(20);
    const expected = (lossOf(0, 6) + lossOf(6, 6) + lossOf(12, 6) + lossOf(18, 2)) / 20;
    expect(loss).toBeCloseTo(expected, 5);
    // In this source, 21 tokens are 42 bytes of text.
    expect(bitsPerByte).toBeCloseTo(expected / Math.LN2 / 2, 5);
  });

  test('stops at maxTokens, and reports its progress', async () => {
    const seen: [number, number][] = [];
    const onProgress = ({ done, total }: { done: number; total: number }) => seen.push([done, total]);
    const source = countingSource(11, 1000);
    const { loss, tokens } = await evaluate({ model: model(), source, split: 'val', maxTokens: 8, onProgress });
    expect(tokens).toBe(8);
    expect(loss).toBeCloseTo((lossOf(0, 6) + lossOf(6, 2)) / 8, 5);
    expect(seen.at(-1)).toEqual([8, 8]);
  });

  test('is refused for a split shorter than a window, with both lengths', async () => {
    const short = evaluate({ model: model(), source: countingSource(11, 5), split: 'test' });
    await expect(short).rejects.toThrow(EngineError);
    await expect(short).rejects.toThrow(/the test split has 5 tokens; .*window of 6 .* need 7/);
  });

  test('is refused for a model whose weights are NaN', async () => {
    const weights = initialWeights(tinyGpt, 1);
    for (const { data } of weights.values()) data.fill(Number.NaN);
    const damaged = engine.model(tinyGpt, { weights });
    const evaluation = evaluate({ model: damaged, source: countingSource(11, 1000), split: 'val', maxTokens: 8 });
    await expect(evaluation).rejects.toThrow(/the loss on val is NaN: the model's weights are damaged/);
    const sampling = sample({ model: damaged, prompt: [1], count: 1, maxTokens: 3, seed: 1, temperature: 0 });
    await expect(sampling).rejects.toThrow(/a logit is NaN/);
  });
});
