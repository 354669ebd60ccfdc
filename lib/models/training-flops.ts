/** How much arithmetic training takes: matrix products only, which is all but a percent or so of it. */
import type { ModelConfig } from './model-config.ts';
import { elementCount, parameters } from './parameters.ts';

/**
 * Floating-point operations to train on one token within windows of `length` tokens, forward and backward, with the output layer.
 *
 * A product with a matrix of n numbers takes 2n forward (a multiplication and an addition each) and twice that backward,
 * for the gradients of its input and of the matrix. So 6·M for the M numbers in matrices that multiply: the head counts,
 * tied or not; looking up an embedding is free. Attention adds 12·L·C·T: queries with keys and weights with values, 2·T·C
 * each, three times over, the causal mask not deducted (Chowdhery et al. 2022, PaLM, appendix B; also nanoGPT).
 */
export function flopsPerToken(config: ModelConfig, length: number): number {
  let multiplied = config.vocabularySize * config.width;
  for (const { shape, embedding } of parameters(config))
    if (!embedding && shape.length === 2) multiplied += elementCount(shape);
  return 6 * multiplied + withoutWeights(config, length);
}

/** Products of activations with each other. */
function withoutWeights(config: ModelConfig, length: number): number {
  switch (config.architecture) {
    case 'gpt':
      return 12 * config.layers * config.width * length;
    case 'lstm':
      return 0;
  }
}
