/**
 * What an architecture of the tfjs engine is: one function from tokens to logits, in public TensorFlow.js ops, from which
 * training (by automatic differentiation), evaluation and decoding all follow. Beside it, the three steps that all share.
 */
import type { Tensor, Tensor2D } from '@tensorflow/tfjs-core';
import type { ModelConfig } from '../../models/index.ts';
import type { TensorFlow } from './backend.ts';

/** Everything that a forward pass may use. */
export interface Pass {
  tf: TensorFlow;
  /** A parameter by its name. */
  weight(name: string): Tensor;
  /** A parameter that some configurations lack. */
  optional(name: string): Tensor | undefined;
  /** Rows of a table [N, C] by index: [indices.length, C]. */
  lookup(table: Tensor2D, indices: Int32Array): Tensor2D;
  /** Inverted dropout while training, the identity otherwise. */
  drop<T extends Tensor>(x: T): T;
}

export interface Tokens {
  /** B × T */
  ids: Int32Array;
  sequences: number;
  length: number;
}

/** What earlier tokens left behind: keys and values of a GPT, hidden and cell states of an LSTM. */
export type State = Tensor[];

export interface Forward {
  /** [B·T, V] */
  logits: Tensor2D;
  /** as after the last token */
  state: State;
}

/**
 * @param state as an earlier call returned it, to go on from there; absent at the beginning of a sequence
 * @param position tokens that came before these
 */
export type Architecture<Config extends ModelConfig> = (
  pass: Pass,
  config: Config,
  tokens: Tokens,
  state: State | undefined,
  position: number,
) => Forward;

/** x·W + b over the last axis of x [N, in]; W is [in, out]. */
export function linear({ tf, weight, optional }: Pass, x: Tensor2D, module: string): Tensor2D {
  const product: Tensor2D = tf.matMul(x, weight(`${module}.weight`) as Tensor2D);
  const bias = optional(`${module}.bias`);
  return bias ? tf.add(product, bias) : product;
}

/** [indices.length, depth], 1 at each row's index. wasm's own one-hot gives wrong numbers in float32. */
export function oneHot(tf: TensorFlow, indices: Int32Array, depth: number): Tensor2D {
  if (tf.getBackend() !== 'wasm') return tf.oneHot(tf.tensor1d(indices, 'int32'), depth, 1, 0, 'float32') as Tensor2D;
  const rows = new Float32Array(indices.length * depth);
  for (let i = 0; i < indices.length; i++) rows[i * depth + indices[i]] = 1;
  return tf.tensor2d(rows, [indices.length, depth]);
}

/** wasm cannot differentiate a gather (it has no UnsortedSegmentSum), so there a lookup is a product with one-hot rows. */
export function lookup(tf: TensorFlow, table: Tensor2D, indices: Int32Array): Tensor2D {
  if (tf.getBackend() !== 'wasm') return tf.gather(table, tf.tensor1d(indices, 'int32')) as Tensor2D;
  return tf.matMul(oneHot(tf, indices, table.shape[0]), table);
}

/** Mean of −log softmax(logits)[target] over the rows, in nats: a scalar. */
export function crossEntropy(tf: TensorFlow, logits: Tensor2D, targets: Int32Array): Tensor {
  return tf.losses.softmaxCrossEntropy(oneHot(tf, targets, logits.shape[1]), logits);
}
