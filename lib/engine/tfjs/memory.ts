/**
 * How many bytes training takes on the tfjs engine. Automatic differentiation keeps the result of every operation, forward
 * and backward, until the step's gradients are there, so it takes several times what the native engine takes.
 *
 * The multiples are counts of tensors alive at the peak, taken from the library's own bookkeeping; test/engine compares.
 */
import { countParameters, type ModelConfig } from '../../models/index.ts';

const bytesPerNumber = 4;

/** Weights, two moments, the gradient, the gradient accumulated so far, and the sum of these two. */
export function stateBytes(config: ModelConfig): number {
  return 6 * countParameters(config).total * bytesPerNumber;
}

/** What one microbatch of windows as long as the block needs beside that. */
export function activationBytes(config: ModelConfig, sequences: number): number {
  const { vocabularySize: V, block: T, layers: L, width: C } = config;
  const dropped = config.dropout > 0 ? 5 : 0;
  switch (config.architecture) {
    case 'gpt': {
      const perLayer = (215 + 2 * dropped) * C + (9 + dropped) * config.heads * T;
      return bytesPerNumber * sequences * T * (L * perLayer + 12 * V + (15 + dropped) * C);
    }
    case 'lstm': {
      // each position adds to the gradient of the recurrent matrix, and the library keeps these terms
      const recurrent = L * T * 2 * 4 * C * C;
      const E = config.embedding;
      return bytesPerNumber * (sequences * T * (L * (76 + dropped) * C + 14 * V + (5 + dropped) * E) + recurrent);
    }
  }
}
