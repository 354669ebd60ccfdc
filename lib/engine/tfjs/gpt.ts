/**
 * GPT-2 (Radford et al. 2019) in TensorFlow.js operations, with the mathematics of transformers and nanoGPT.
 *
 *   x = drop(wte[ids] + wpe[positions])
 *   L times:  x = x + attention(LayerNorm(x));  x = x + mlp(LayerNorm(x))
 *   logits = LayerNorm(x)·wteᵀ
 *
 * With rotary positions there is no wpe. Attention rotates queries and keys instead (Su et al. 2021).
 *
 * Shapes: B sequences, T tokens per sequence, P tokens before them (in the state), C the width, H heads of size D = C/H,
 * V tokens in the vocabulary.
 */
import type { Tensor, Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import type { GptConfig } from '../../models/index.ts';
import { type Architecture, linear, type Pass, type State } from './architecture.ts';

/**
 * ids (B,T) → logits (B·T,V). The state holds keys and values (B,H,P,D) of each layer; the returned state holds
 * (B,H,P+T,D).
 */
export const gpt: Architecture<GptConfig> = (pass, config, { ids, sequences: B, length: T }, state, P) => {
  const { tf, weight, drop } = pass;
  const C = config.width;
  const wte = weight('transformer.wte.weight') as Tensor2D;
  const rotary = config.positions === 'rotary' ? rotaryTable(pass, config, T, P) : undefined;
  const mask = causalMask(pass, T, P);
  const newState: State = [];
  let x = pass.lookup(wte, ids);
  if (!rotary) {
    const wpe = tf.slice(weight('transformer.wpe.weight') as Tensor2D, [P, 0], [T, C]);
    x = tf.reshape(tf.add(tf.reshape(x, [B, T, C]), wpe), [B * T, C]);
  }
  x = drop(x);
  for (let layer = 0; layer < config.layers; layer++) {
    const h = `transformer.h.${layer}`;
    const past = state?.slice(2 * layer, 2 * layer + 2) as Tensor4D[] | undefined;
    const normed = layerNorm(pass, x, `${h}.ln_1`);
    const { out, keys, values } = attention(pass, config, normed, `${h}.attn`, mask, rotary, [B, T], past);
    newState.push(keys, values);
    x = tf.add(x, drop(out));
    const hidden = gelu(pass, linear(pass, layerNorm(pass, x, `${h}.ln_2`), `${h}.mlp.c_fc`));
    x = tf.add(x, drop(linear(pass, hidden, `${h}.mlp.c_proj`)));
  }
  return { logits: tf.matMul(layerNorm(pass, x, 'transformer.ln_f'), wte, false, true), state: newState };
};

/**
 * Causal self-attention: x (B·T,C) → out (B·T,C), keys and values (B,H,P+T,D).
 *
 * @param mask (T,P+T), added to the scores
 * @param rotary angles of the T positions; undefined: queries and keys are not rotated
 * @param past keys and values (B,H,P,D) of earlier tokens; keys are already rotated
 */
function attention(
  pass: Pass,
  { width: C, heads: H }: GptConfig,
  x: Tensor2D,
  module: string,
  mask: Tensor,
  rotary: RotaryTable | undefined,
  [B, T]: [number, number],
  past: Tensor4D[] | undefined,
): { out: Tensor2D; keys: Tensor4D; values: Tensor4D } {
  const { tf, drop } = pass;
  const D = C / H;
  // (B·T,C) → (B,H,T,D)
  const perHead = (part: Tensor) => tf.transpose(tf.reshape(part, [B, T, H, D]), [0, 2, 1, 3]) as Tensor4D;
  const [q, k, newValues] = tf.split(linear(pass, x, `${module}.c_attn`), 3, 1).map(perHead);
  const [queries, newKeys] = rotary ? [rotate(pass, q, rotary), rotate(pass, k, rotary)] : [q, k];
  const keys = past ? tf.concat([past[0], newKeys], 2) : newKeys;
  const values = past ? tf.concat([past[1], newValues], 2) : newValues;

  // (B,H,T,P+T)
  const scores = tf.add(tf.div(tf.matMul(queries, keys, false, true), Math.sqrt(D)), mask);
  // (B,H,T,D)
  const attended = tf.matMul(drop(tf.softmax(scores)), values);
  const out = linear(
    pass,
    tf.reshape(tf.transpose(attended, [0, 2, 1, 3]), [B * T, C]) as Tensor2D,
    `${module}.c_proj`,
  );
  return { out, keys, values };
}

/** Cosines and sines (T,D/2) of the angles of rotary positions. */
type RotaryTable = { cosines: Tensor2D; sines: Tensor2D };

/** The angles of positions P … P + T − 1: position · 10000^(−2i/D) for i < D/2. */
function rotaryTable({ tf }: Pass, { width, heads }: GptConfig, T: number, P: number): RotaryTable {
  const D = width / heads;
  const angle = (at: number) => (P + Math.floor(at / (D / 2))) * 10000 ** ((-2 * (at % (D / 2))) / D);
  const table = (f: (angle: number) => number) =>
    tf.tensor2d(
      Float32Array.from({ length: (T * D) / 2 }, (_, at) => f(angle(at))),
      [T, D / 2],
    );
  return { cosines: table(Math.cos), sines: table(Math.sin) };
}

/** Rotates dimensions i and i + D/2 of each head by the angle of its position: x (B,H,T,D) → (B,H,T,D). */
function rotate({ tf }: Pass, x: Tensor4D, { cosines, sines }: RotaryTable): Tensor4D {
  const [first, second] = tf.split(x, 2, 3);
  return tf.concat(
    [tf.sub(tf.mul(first, cosines), tf.mul(second, sines)), tf.add(tf.mul(second, cosines), tf.mul(first, sines))],
    3,
  ) as Tensor4D;
}

/**
 * The causal mask (T,P+T): 0 if row t may attend to the column, that is column ≤ P + t. Otherwise −1e9, which makes the
 * attention weight 0.
 */
function causalMask({ tf }: Pass, T: number, P: number): Tensor2D {
  const mask = new Float32Array(T * (P + T));
  for (let t = 0; t < T; t++) mask.fill(-1e9, t * (P + T) + P + t + 1, (t + 1) * (P + T));
  return tf.tensor2d(mask, [T, P + T]);
}

/** LayerNorm over the last axis with ε = 1e-5: x (N,C) → (N,C). The bias is optional. */
function layerNorm({ tf, weight, optional }: Pass, x: Tensor2D, module: string): Tensor2D {
  const { mean, variance } = tf.moments(x, 1, true);
  const normed = tf.mul(tf.mul(tf.sub(x, mean), tf.rsqrt(tf.add(variance, 1e-5))), weight(`${module}.weight`));
  const bias = optional(`${module}.bias`);
  return (bias ? tf.add(normed, bias) : normed) as Tensor2D;
}

/** GELU in its tanh form, as in GPT-2: ½x·(1 + tanh(√(2/π)·(x + 0.044715x³))) (Hendrycks and Gimpel 2016). */
function gelu({ tf }: Pass, x: Tensor2D): Tensor2D {
  const inner = tf.mul(tf.add(x, tf.mul(tf.mul(tf.mul(x, x), x), 0.044715)), Math.sqrt(2 / Math.PI));
  return tf.mul(tf.mul(x, 0.5), tf.add(tf.tanh(inner), 1));
}
