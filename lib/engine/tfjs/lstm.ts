/**
 * A stacked LSTM language model as torch.nn.LSTM between an embedding and a linear head, in TensorFlow.js ops.
 *
 *   x = drop(encoder[ids])
 *   each layer, at each position:  i f g o = x·W_ihᵀ + b_ih + h·W_hhᵀ + b_hh
 *                                  c = σ(f)·c + σ(i)·tanh(g);  h = σ(o)·tanh(c)
 *   logits = drop(h)·decoderᵀ + bias, with dropout between layers too
 *
 * B sequences, T tokens each, H the width, E the embedding's width. States begin at zero where none is given.
 */
import type { Tensor, Tensor2D } from '@tensorflow/tfjs-core';
import type { LstmConfig } from '../../models/index.ts';
import type { Architecture, Pass, State } from './architecture.ts';

export const lstm: Architecture<LstmConfig> = (pass, config, { ids, sequences: B, length: T }, state) => {
  const { tf, weight, drop } = pass;
  const { width: H, layers } = config;
  const encoder = weight('encoder.weight') as Tensor2D;

  const kept: State = [];
  let x = drop(pass.lookup(encoder, ids));
  for (let layer = 0; layer < layers; layer++) {
    const start = state?.slice(2 * layer, 2 * layer + 2) ?? [tf.zeros([B, H]), tf.zeros([B, H])];
    const { outputs, hidden, cell } = recur(pass, x, layer, [B, T, H], start as Tensor2D[]);
    kept.push(hidden, cell);
    x = drop(outputs);
  }
  const decoder = (pass.optional('decoder.weight') ?? encoder) as Tensor2D;
  return { logits: tf.add(tf.matMul(x, decoder, false, true), weight('decoder.bias')), state: kept };
};

/** One layer over T positions: inputs [B·T, in] to outputs [B·T, H], from `start` = [hidden, cell], each [B, H]. */
function recur(
  { tf, weight }: Pass,
  inputs: Tensor2D,
  layer: number,
  [B, T, H]: [number, number, number],
  start: Tensor2D[],
): { outputs: Tensor2D; hidden: Tensor2D; cell: Tensor2D } {
  const bias = tf.add(weight(`rnn.bias_ih_l${layer}`), weight(`rnn.bias_hh_l${layer}`));
  const recurrent = weight(`rnn.weight_hh_l${layer}`) as Tensor2D;
  // the inputs' share of every position's gates in one product
  const fromInputs = tf.add(tf.matMul(inputs, weight(`rnn.weight_ih_l${layer}`) as Tensor2D, false, true), bias);
  // the library cannot differentiate an unstack into one
  const positions = (T === 1 ? [fromInputs] : tf.unstack(tf.reshape(fromInputs, [B, T, 4 * H]), 1)) as Tensor2D[];

  let [hidden, cell] = start;
  const outputs = positions.map((fromInput) => {
    const gates = tf.add(fromInput, tf.matMul(hidden, recurrent, false, true));
    const [i, f, g, o] = tf.split(gates as Tensor, 4, 1) as Tensor2D[];
    cell = tf.add(tf.mul(tf.sigmoid(f), cell), tf.mul(tf.sigmoid(i), tf.tanh(g)));
    hidden = tf.mul(tf.sigmoid(o), tf.tanh(cell));
    return hidden;
  });
  return { outputs: tf.reshape(tf.stack(outputs, 1), [B * T, H]), hidden, cell };
}
