/** Wilson's interval, against published values. */
import { expect, test } from 'vitest';
import { wilsonInterval } from '../../lib/scaling/index.ts';

test.each<[number, number, number, [number, number]]>([
  // Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 3
  [81, 263, 0.95, [0.2553, 0.3662]],
  [15, 148, 0.95, [0.0624, 0.1605]],
  [0, 20, 0.95, [0, 0.1611]],
  [1, 29, 0.95, [0.0061, 0.1718]],
])('%i of %i at %f', (successes, trials, confidence, [low, high]) => {
  expect(wilsonInterval(successes, trials, confidence)).toEqual([expect.closeTo(low, 4), expect.closeTo(high, 4)]);
  const [mirroredLow, mirroredHigh] = wilsonInterval(trials - successes, trials, confidence);
  expect([1 - mirroredHigh, 1 - mirroredLow]).toEqual([expect.closeTo(low, 4), expect.closeTo(high, 4)]);
});
