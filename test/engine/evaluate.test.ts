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

  test('slides windows by the stride, and counts each token where it has the most context', async () => {
    const { loss, tokenLosses, positions, bitsPerByteWithoutOverlap } = await evaluate({
      model: model(),
      source: countingSource(11, 17),
      split: 'test',
      stride: 2,
    });
    // 16 predictions: the windows at 0, 2, …, 10. The first counts all, the others what was not counted before.
    const counted = (offset: number, skip: number) => lossOf(offset, 6) - lossOf(offset, skip);
    const expected = [lossOf(0, 6), ...[2, 4, 6, 8, 10].map((offset) => counted(offset, 4))];
    expect(loss).toBeCloseTo(expected.reduce((sum, each) => sum + each) / 16, 5);
    expect(tokenLosses).toHaveLength(16);
    expect(tokenLosses[6] + tokenLosses[7]).toBeCloseTo(counted(2, 4), 4);
    const windows = [0, 2, 4, 6, 8, 10];
    const all = windows.reduce((sum, offset) => sum + lossOf(offset, 6), 0) / 36;
    expect(bitsPerByteWithoutOverlap).toBeCloseTo((all / Math.LN2) * (1 / 2), 5);
    expect(positions.map(({ tokens }) => tokens)).toEqual(Array(6).fill(6));
    const third = windows.reduce((sum, offset) => sum + lossOf(offset, 3) - lossOf(offset, 2), 0) / 6;
    expect(positions[2].loss).toBeCloseTo(third, 5);
  });

  test('is judged with equally many bytes of context, if the block holds them', async () => {
    const options = { model: model(), source: countingSource(11, 17), split: 'test' as const };
    const equal = async (bytes: number, ofToken: (token: number) => number) => {
      const tokenBytes = Array.from({ length: 11 }, (_, token) => ofToken(token));
      return (await evaluate({ ...options, equalContext: { bytes, tokenBytes } })).bitsPerByteEqualContext;
    };
    // With 1 byte a token, 3 to 6 bytes are windows of 6 tokens that slide by 3.
    const sliding = (await evaluate({ ...options, stride: 3 })).bitsPerByte;
    expect(await equal(3, () => 1)).toBeCloseTo(sliding, 6);
    // With 2 bytes a token, 4 to 8 bytes are windows of 4 tokens that slide by 2.
    const counted = [2, 4, 6, 8, 10, 12].map((offset) => lossOf(offset, 4) - lossOf(offset, 2));
    const expected = (lossOf(0, 4) + counted.reduce((sum, each) => sum + each)) / 16;
    expect(await equal(4, () => 2)).toBeCloseTo(expected / Math.LN2 / 2, 5);
    // 7 to 14 bytes of 1-byte tokens do not fit into a block of 6 tokens.
    expect(await equal(7, () => 1)).toBeUndefined();
    // A token longer than the context is judged too, and has its left neighbour.
    expect(await equal(2, (token) => (token === 5 ? 9 : 1))).toBeGreaterThan(0);
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

  test.each([0, 7, 2.5])('is refused for a stride of %s tokens and a block of 6', async (stride) => {
    const evaluation = evaluate({ model: model(), source: countingSource(11, 17), split: 'test', stride });
    await expect(evaluation).rejects.toThrow(
      `stride is ${stride}; it must be a whole number from 1 to the model's block of 6`,
    );
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
    const sampling = sample({ model: damaged, prompts: [[1]], maxTokens: 3, seed: 1, temperature: 0 });
    await expect(sampling).rejects.toThrow(/a logit is NaN/);
  });
});
