import { expect, it } from 'vitest';
import { learningRate } from '../../lib/engine/index.ts';

const schedule = { steps: 110, warmup: 10, peak: 1, floor: 0.1 };

it('rises evenly to the peak, and falls as a cosine to the floor', () => {
  expect(learningRate(0, schedule)).toBeCloseTo(1 / 11, 12);
  expect(learningRate(9, schedule)).toBeCloseTo(10 / 11, 12);
  expect(learningRate(10, schedule)).toBe(1);
  expect(learningRate(60, schedule)).toBeCloseTo(0.55, 12);
  expect(learningRate(110, schedule)).toBeCloseTo(0.1, 12);
});

it('never rises again', () => {
  for (let step = 11; step < 110; step++)
    expect(learningRate(step, schedule)).toBeLessThan(learningRate(step - 1, schedule));
});

it('starts at the peak without a warmup, and never reaches it where the warmup is the whole run', () => {
  expect(learningRate(0, { ...schedule, warmup: 0 })).toBe(1);
  expect(learningRate(109, { ...schedule, warmup: 110 })).toBeCloseTo(110 / 111, 12);
});
