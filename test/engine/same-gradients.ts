/** Compares the gradients of two engines, tensor by tensor. Used by the tests of agreement. */
import { expect } from 'vitest';
import { type ModelConfig, parameters, type Weights } from '../../lib/models/index.ts';

/** Expects that every gradient differs by less than 1e-5 of the largest of its tensor. */
export function expectSameGradients(
  config: ModelConfig,
  reference: { gradients: Weights },
  tested: { gradients: Weights },
): void {
  for (const { name } of parameters(config)) {
    const expected = reference.gradients.get(name)!.data;
    const actual = tested.gradients.get(name)!.data;
    const scale = expected.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    const worst = expected.reduce((most, x, i) => Math.max(most, Math.abs(x - actual[i])), 0);
    expect(worst / scale, name).toBeLessThan(1e-5);
  }
}
