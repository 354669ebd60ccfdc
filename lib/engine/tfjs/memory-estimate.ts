/**
 * Estimates the memory of training on the tfjs engine. Automatic differentiation keeps the result of every operation,
 * forward and backward, until the gradients are complete. So it needs several times the memory of the native engine.
 *
 * The factors are numbers of live tensors at the peak, counted with tf.profile. test/engine/open.test.ts checks them.
 */
import { countParameters, type ModelConfig } from '../../models/index.ts';

/** Bytes of a float32. */
const FLOAT_BYTES = 4;

/** Bytes of six numbers per parameter: weight, two moments, gradient, accumulated gradient, and the sum of these two. */
export function parameterBytes(config: ModelConfig): number {
  return 6 * countParameters(config).total * FLOAT_BYTES;
}

/** Bytes of activations and their gradients for one microbatch of windows as long as the block. */
export function activationBytes(config: ModelConfig, sequences: number): number {
  const { vocabularySize: V, block: T, layers: L, width: C } = config;
  const dropout = config.dropout > 0 ? 5 : 0;
  switch (config.architecture) {
    case 'gpt': {
      const [rotations, once] = config.positions === 'rotary' ? [23, 57] : [0, 0];
      const perLayer = (215 + rotations + 2 * dropout) * C + (9 + dropout) * config.heads * T;
      return FLOAT_BYTES * sequences * T * (L * perLayer + 12 * V + (15 + once + dropout) * C);
    }
    case 'lstm': {
      // Each position adds a term to the gradient of the recurrent matrix, and the library keeps all of them.
      const recurrent = L * T * 2 * 4 * C * C;
      const E = config.embedding;
      return FLOAT_BYTES * (sequences * T * (L * (76 + dropout) * C + 14 * V + (5 + dropout) * E) + recurrent);
    }
  }
}
