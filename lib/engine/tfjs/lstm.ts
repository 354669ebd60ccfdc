/**
 * A stacked LSTM language model in TensorFlow.js operations: torch.nn.LSTM between an embedding and a linear head.
 *
 *   x = drop(encoder[ids])
 *   each layer, at each position:  i f g o = x·W_ihᵀ + b_ih + h·W_hhᵀ + b_hh
 *                                  c = σ(f)·c + σ(i)·tanh(g);  h = σ(o)·tanh(c)
 *   logits = drop(h)·decoderᵀ + bias, with dropout between layers too
 *
 * Shapes: B sequences, T tokens per sequence, H the width, E the width of the embedding, V tokens in the vocabulary.
 * Without a state, hidden states and cells start at zero.
 */
import type { Tensor, Tensor2D } from '@tensorflow/tfjs-core';
import type { LstmConfig } from '../../models/index.ts';
import type { Architecture, Pass, State } from './architecture.ts';

/** ids (B,T) → logits (B·T,V). The state holds the hidden state and the cell (B,H) of each layer. */
export const lstm: Architecture<LstmConfig> = (pass, config, { ids, sequences: B, length: T }, state) => {
  const { tf, weight, drop } = pass;
  const { width: H, layers } = config;
  const encoder = weight('encoder.weight') as Tensor2D;

  const newState: State = [];
  let x = drop(pass.lookup(encoder, ids));
  for (let layer = 0; layer < layers; layer++) {
    const start = state?.slice(2 * layer, 2 * layer + 2) ?? [tf.zeros([B, H]), tf.zeros([B, H])];
    const { outputs, hidden, cell } = recur(pass, x, layer, [B, T, H], start as Tensor2D[]);
    newState.push(hidden, cell);
    x = drop(outputs);
  }
  const decoder = (pass.optional('decoder.weight') ?? encoder) as Tensor2D;
  return { logits: tf.add(tf.matMul(x, decoder, false, true), weight('decoder.bias')), state: newState };
};

/**
 * One layer over T positions: inputs (B·T,in) → outputs (B·T,H), hidden (B,H), cell (B,H). `in` is E for the first layer,
 * and H for the others.
 *
 * @param start hidden (B,H) and cell (B,H) before the first position
 */
function recur(
  { tf, weight }: Pass,
  inputs: Tensor2D,
  layer: number,
  [B, T, H]: [number, number, number],
  start: Tensor2D[],
): { outputs: Tensor2D; hidden: Tensor2D; cell: Tensor2D } {
  const bias = tf.add(weight(`rnn.bias_ih_l${layer}`), weight(`rnn.bias_hh_l${layer}`));
  const recurrent = weight(`rnn.weight_hh_l${layer}`) as Tensor2D;
  // The input part of the gates (B·T,4H), for all positions in one product.
  const fromInputs = tf.add(tf.matMul(inputs, weight(`rnn.weight_ih_l${layer}`) as Tensor2D, false, true), bias);
  // T tensors (B,4H). The library cannot differentiate an unstack into a single tensor.
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
