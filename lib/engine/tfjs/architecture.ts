/**
 * The type of an architecture in the tfjs engine, and the operations that all architectures share.
 *
 * An architecture is one function from tokens to logits in public TensorFlow.js operations. Training differentiates it
 * automatically; evaluation and decoding call it directly.
 *
 * Shapes: B sequences, T tokens per sequence, V tokens in the vocabulary.
 */
import type { Tensor, Tensor2D } from '@tensorflow/tfjs-core';
import type { ModelConfig } from '../../models/index.ts';
import type { TensorFlow } from './backend.ts';

/** The operations and parameters that a forward pass may use. */
export interface Pass {
  tf: TensorFlow;
  /** A parameter by its name. @throws EngineError if the model does not have it */
  weight(name: string): Tensor;
  /** A parameter by its name, or undefined if this configuration does not have it. */
  optional(name: string): Tensor | undefined;
  /** Rows of a table by index: table (N,C), indices (n) → (n,C). */
  lookup(table: Tensor2D, indices: Int32Array): Tensor2D;
  /** Inverted dropout in training, the identity otherwise. */
  drop<T extends Tensor>(x: T): T;
}

/** Tokens of a forward pass. */
export interface Tokens {
  /** (B,T) */
  ids: Int32Array;
  /** B */
  sequences: number;
  /** T */
  length: number;
}

/** State after earlier tokens, two tensors per layer: keys and values of a GPT, hidden and cell state of an LSTM. */
export type State = Tensor[];

/** The result of a forward pass. */
export interface Forward {
  /** (B·T,V) */
  logits: Tensor2D;
  /** state after the last token */
  state: State;
}

/**
 * The forward pass of an architecture: tokens (B,T) → logits (B·T,V).
 *
 * @param state result of an earlier call, to continue its sequences; undefined at the start of a sequence
 * @param position number of tokens before these
 */
export type Architecture<Config extends ModelConfig> = (
  pass: Pass,
  config: Config,
  tokens: Tokens,
  state: State | undefined,
  position: number,
) => Forward;

/** Linear layer: x (N,in), weight (in,out), bias (out) → x·W + b (N,out). The bias is optional. */
export function linear({ tf, weight, optional }: Pass, x: Tensor2D, module: string): Tensor2D {
  const product: Tensor2D = tf.matMul(x, weight(`${module}.weight`) as Tensor2D);
  const bias = optional(`${module}.bias`);
  return bias ? tf.add(product, bias) : product;
}

/**
 * One-hot rows: indices (n) → (n,depth).
 * The wasm backend's own operation gives wrong numbers in float32, so there the rows are made in JavaScript.
 */
export function oneHot(tf: TensorFlow, indices: Int32Array, depth: number): Tensor2D {
  if (tf.getBackend() !== 'wasm') return tf.oneHot(tf.tensor1d(indices, 'int32'), depth, 1, 0, 'float32') as Tensor2D;
  const rows = new Float32Array(indices.length * depth);
  for (let i = 0; i < indices.length; i++) rows[i * depth + indices[i]] = 1;
  return tf.tensor2d(rows, [indices.length, depth]);
}

/**
 * Rows of a table by index: table (N,C), indices (n) → (n,C).
 * The wasm backend cannot differentiate a gather, because it has no UnsortedSegmentSum. There a lookup is a product with
 * one-hot rows.
 */
export function lookup(tf: TensorFlow, table: Tensor2D, indices: Int32Array): Tensor2D {
  if (tf.getBackend() !== 'wasm') return tf.gather(table, tf.tensor1d(indices, 'int32')) as Tensor2D;
  return tf.matMul(oneHot(tf, indices, table.shape[0]), table);
}

/** Mean of −log softmax(logits)[target] over the rows, in nats: logits (N,V), targets (N) → scalar. */
export function crossEntropy(tf: TensorFlow, logits: Tensor2D, targets: Int32Array): Tensor {
  return tf.losses.softmaxCrossEntropy(oneHot(tf, targets, logits.shape[1]), logits);
}

/** −log softmax(logits)[target] of each row, in nats: logits (N,V), targets (N) → (N). */
export function tokenLosses(tf: TensorFlow, logits: Tensor2D, targets: Int32Array): Tensor {
  return tf.neg(tf.sum(tf.mul(oneHot(tf, targets, logits.shape[1]), tf.logSoftmax(logits)), 1));
}
