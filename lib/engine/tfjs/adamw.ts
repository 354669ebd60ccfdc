/** AdamW (Loshchilov and Hutter 2019) and gradient clipping, with the same operations as torch.optim.AdamW. */
import type { Scalar, Tensor } from '@tensorflow/tfjs-core';
import type { StepOptions } from '../interface/index.ts';
import type { TensorFlow } from './backend.ts';

/** A parameter with its optimizer state: three tensors of the parameter's shape. */
export interface TrainedParameter {
  weight: Tensor;
  /** first moment, m */
  first: Tensor;
  /** second moment, v */
  second: Tensor;
}

/**
 * One AdamW update of one parameter, with gradient g and learning rate η:
 *
 *   w = w − η·λ·w
 *   m = β₁·m + (1 − β₁)·g          v = β₂·v + (1 − β₂)·g²
 *   w = w − η/(1 − β₁ᵗ) · m / (√v/√(1 − β₂ᵗ) + ε)
 *
 * @param step t, 1 at the first update
 * @param decay whether weight decay λ applies to this parameter
 * @returns the new tensors; the old ones are not disposed of
 */
export function adamw(
  tf: TensorFlow,
  parameter: TrainedParameter,
  gradient: Tensor,
  step: number,
  decay: boolean,
  options: StepOptions,
): TrainedParameter {
  const { learningRate, betas: [beta1, beta2] = [0.9, 0.95], epsilon = 1e-8, weightDecay = 0.1 } = options;
  const decayed = decay ? tf.mul(parameter.weight, 1 - learningRate * weightDecay) : parameter.weight;
  const first = tf.add(tf.mul(parameter.first, beta1), tf.mul(gradient, 1 - beta1));
  const second = tf.add(tf.mul(parameter.second, beta2), tf.mul(tf.mul(gradient, gradient), 1 - beta2));
  const denominator = tf.add(tf.div(tf.sqrt(second), Math.sqrt(1 - beta2 ** step)), epsilon);
  const change = tf.mul(tf.div(first, denominator), learningRate / (1 - beta1 ** step));
  return { weight: tf.sub(decayed, change), first, second };
}

/** The square of each gradient's norm, in one tensor so that a GPU is read once. Returns (gradients.length). */
export function squaredNorms(tf: TensorFlow, gradients: Tensor[]): Tensor {
  return tf.stack(gradients.map((gradient) => tf.sum(tf.mul(gradient, gradient)) as Scalar));
}

/**
 * The factor that gradients are multiplied by, as in torch.nn.utils.clip_grad_norm_: 1 unless their norm is above `clip`.
 *
 * @param norm global norm of all gradients
 * @param clip 0 or undefined: never clip
 */
export function clipFactor(norm: number, clip: number | undefined): number {
  return clip ? Math.min(1, clip / (norm + 1e-6)) : 1;
}
