/** The learning rate: its peak for a width and an architecture, and its schedule. */
import { expect, test } from 'vitest';
import { learningRateAt } from '../../lib/engine/index.ts';
import { peakLearningRate } from '../../stages/parts/peak-learning-rate.ts';
import { StageError } from '../../stages/parts/stage.ts';

const cosine = {
  name: 'cosine',
  steps: 110,
  warmup: 10,
  cooldown: 0,
  peak: 1,
  floor: 0.1,
} as const;
const wsd = { ...cosine, name: 'wsd', cooldown: 25 } as const;

test.each([cosine, wsd])('$name: the learning rate rises linearly to the peak', (schedule) => {
  expect(learningRateAt(0, schedule)).toBeCloseTo(1 / 11, 12);
  expect(learningRateAt(9, schedule)).toBeCloseTo(10 / 11, 12);
  expect(learningRateAt(10, schedule)).toBe(1);
});

test('cosine: it then falls to the floor as a cosine, in each step', () => {
  expect(learningRateAt(60, cosine)).toBeCloseTo(0.55, 12);
  expect(learningRateAt(110, cosine)).toBeCloseTo(0.1, 12);
  for (let step = 11; step < 110; step++)
    expect(learningRateAt(step, cosine)).toBeLessThan(learningRateAt(step - 1, cosine));
});

test('wsd: it stays at the peak, and falls to the floor by 1 − √progress in the cooldown', () => {
  for (let step = 10; step <= 85; step++) expect(learningRateAt(step, wsd)).toBe(1);
  expect(learningRateAt(86, wsd)).toBeCloseTo(0.1 + 0.9 * (1 - Math.sqrt(1 / 25)), 12);
  expect(learningRateAt(101, wsd)).toBeCloseTo(0.1 + 0.9 * (1 - Math.sqrt(16 / 25)), 12);
  expect(learningRateAt(110, wsd)).toBeCloseTo(0.1, 12);
});

test('wsd: a run has the rates of a longer one until its own cooldown begins', () => {
  const longer = { ...wsd, steps: 220, cooldown: 50 };
  for (let step = 0; step <= 85; step++) expect(learningRateAt(step, wsd)).toBe(learningRateAt(step, longer));
});

test('without a warmup the first step has the peak rate; a warmup of the whole run never reaches the peak', () => {
  for (const schedule of [cosine, wsd]) {
    expect(learningRateAt(0, { ...schedule, warmup: 0 })).toBe(1);
    expect(learningRateAt(109, { ...schedule, warmup: 110 })).toBeCloseTo(110 / 111, 12);
  }
});

test('the peak is lr × (lr_width / width) ^ lr_exponent, where lr and lr_exponent may differ between architectures', () => {
  const gpt = { architecture: 'gpt', width: 16 } as const;
  const lstm = { architecture: 'lstm', width: 16 } as const;
  expect(peakLearningRate({ lr: 0.012, lr_width: 64, lr_exponent: 0.5 }, gpt)).toBeCloseTo(0.024, 12);
  const rates = { lr: { gpt: 0.006, lstm: 0.01 }, lr_width: 64, lr_exponent: { gpt: 0, lstm: 1 } };
  expect(peakLearningRate(rates, gpt)).toBeCloseTo(0.006, 12);
  expect(peakLearningRate(rates, lstm)).toBeCloseTo(0.04, 12);
  const missing = () => peakLearningRate({ ...rates, lr: { gpt: 0.006 } }, lstm);
  expect(missing).toThrow(StageError);
  expect(missing).toThrow('params.yaml: train.lr has no lstm; add train.lr.lstm, or give one number for all models');
});
