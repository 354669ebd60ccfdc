/** The schedule of the learning rate: warmup and cosine. */
import { expect, test } from 'vitest';
import { learningRateAt } from '../../lib/engine/index.ts';

const schedule = { steps: 110, warmup: 10, learningRate: 1, learningRateFloor: 0.1 };

test('the learning rate rises linearly to the peak, and falls as a cosine to the floor', () => {
  expect(learningRateAt(0, schedule)).toBeCloseTo(1 / 11, 12);
  expect(learningRateAt(9, schedule)).toBeCloseTo(10 / 11, 12);
  expect(learningRateAt(10, schedule)).toBe(1);
  expect(learningRateAt(60, schedule)).toBeCloseTo(0.55, 12);
  expect(learningRateAt(110, schedule)).toBeCloseTo(0.1, 12);
});

test('after the warmup the learning rate only falls', () => {
  for (let step = 11; step < 110; step++)
    expect(learningRateAt(step, schedule)).toBeLessThan(learningRateAt(step - 1, schedule));
});

test('without a warmup the first step has the peak rate; a warmup of the whole run never reaches the peak', () => {
  expect(learningRateAt(0, { ...schedule, warmup: 0 })).toBe(1);
  expect(learningRateAt(109, { ...schedule, warmup: 110 })).toBeCloseTo(110 / 111, 12);
});
