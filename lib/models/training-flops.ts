/** Floating-point operations of training. Only matrix products are counted; they are about 99 % of the arithmetic. */
import type { ModelConfig } from './model-config.ts';
import { elementCount, parameters } from './parameters.ts';

/**
 * Floating-point operations to train on one token, forward and backward, with the output layer.
 *
 * A product with a matrix of n numbers takes 2n operations forward: n multiplications and n additions. It takes twice
 * as many backward, for the gradients of its input and of the matrix. So matrices with M numbers in total take 6·M
 * operations. The head is counted, whether tied or not. An embedding lookup counts as 0.
 *
 * Attention adds 12·L·C·T: queries times keys and weights times values take 2·T·C each, forward once and backward twice.
 * The causal mask is not deducted.
 *
 * @param length T, tokens per window
 * @see Chowdhery et al. 2022, PaLM, appendix B; nanoGPT counts the same way
 */
export function flopsPerToken(config: ModelConfig, length: number): number {
  let multiplied = config.vocabularySize * config.width;
  for (const { shape, embedding } of parameters(config))
    if (!embedding && shape.length === 2) multiplied += elementCount(shape);
  return 6 * multiplied + attentionFlops(config, length);
}

/** Products of activations with each other, per token. */
function attentionFlops(config: ModelConfig, length: number): number {
  switch (config.architecture) {
    case 'gpt':
      return 12 * config.layers * config.width * length;
    case 'lstm':
      return 0;
  }
}
