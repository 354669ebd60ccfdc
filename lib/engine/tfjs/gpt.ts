/**
 * GPT-2 (Radford et al. 2019) as transformers and nanoGPT have it, in TensorFlow.js ops.
 *
 *   x = drop(wte[ids] + wpe[positions])
 *   L times:  x = x + attention(LayerNorm(x));  x = x + mlp(LayerNorm(x))
 *   logits = LayerNorm(x)·wteᵀ
 *
 * B sequences, T tokens each, P tokens before them (in the state), C the width, H heads of D = C/H.
 */
import type { Tensor, Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import type { GptConfig } from '../../models/index.ts';
import { type Architecture, linear, type Pass, type State } from './architecture.ts';

export const gpt: Architecture<GptConfig> = (pass, config, { ids, sequences: B, length: T }, state, P) => {
  const { tf, weight, drop } = pass;
  const C = config.width;
  const wte = weight('transformer.wte.weight') as Tensor2D;
  const wpe = tf.slice(weight('transformer.wpe.weight') as Tensor2D, [P, 0], [T, C]);

  const mask = causalMask(pass, T, P);
  const kept: State = [];
  let x: Tensor2D = tf.reshape(tf.add(tf.reshape(pass.lookup(wte, ids), [B, T, C]), wpe), [B * T, C]);
  x = drop(x);
  for (let layer = 0; layer < config.layers; layer++) {
    const h = `transformer.h.${layer}`;
    const past = state?.slice(2 * layer, 2 * layer + 2) as Tensor4D[] | undefined;
    const normed = layerNorm(pass, x, `${h}.ln_1`);
    const { out, keys, values } = attention(pass, config, normed, `${h}.attn`, mask, [B, T], past);
    kept.push(keys, values);
    x = tf.add(x, drop(out));
    const hidden = gelu(pass, linear(pass, layerNorm(pass, x, `${h}.ln_2`), `${h}.mlp.c_fc`));
    x = tf.add(x, drop(linear(pass, hidden, `${h}.mlp.c_proj`)));
  }
  return { logits: tf.matMul(layerNorm(pass, x, 'transformer.ln_f'), wte, false, true), state: kept };
};

/** Each position sees itself and those before it. `past` has the keys and values [B, H, P, D] of earlier tokens. */
function attention(
  pass: Pass,
  { width: C, heads: H }: GptConfig,
  x: Tensor2D,
  module: string,
  mask: Tensor,
  [B, T]: [number, number],
  past: Tensor4D[] | undefined,
): { out: Tensor2D; keys: Tensor4D; values: Tensor4D } {
  const { tf, drop } = pass;
  const D = C / H;
  const perHead = (part: Tensor) => tf.transpose(tf.reshape(part, [B, T, H, D]), [0, 2, 1, 3]) as Tensor4D;
  const [queries, newKeys, newValues] = tf.split(linear(pass, x, `${module}.c_attn`), 3, 1).map(perHead);
  const keys = past ? tf.concat([past[0], newKeys], 2) : newKeys;
  const values = past ? tf.concat([past[1], newValues], 2) : newValues;

  const scores = tf.add(tf.div(tf.matMul(queries, keys, false, true), Math.sqrt(D)), mask);
  const mixed = tf.matMul(drop(tf.softmax(scores)), values);
  const out = linear(pass, tf.reshape(tf.transpose(mixed, [0, 2, 1, 3]), [B * T, C]) as Tensor2D, `${module}.c_proj`);
  return { out, keys, values };
}

/** [T, P + T]: 0 where position P + row may look, and where not, so much less than any score that its weight is 0. */
function causalMask({ tf }: Pass, T: number, P: number): Tensor2D {
  const mask = new Float32Array(T * (P + T));
  for (let t = 0; t < T; t++) mask.fill(-1e9, t * (P + T) + P + t + 1, (t + 1) * (P + T));
  return tf.tensor2d(mask, [T, P + T]);
}

/** Over the last axis, with ε = 1e-5. */
function layerNorm({ tf, weight, optional }: Pass, x: Tensor2D, module: string): Tensor2D {
  const { mean, variance } = tf.moments(x, 1, true);
  const normed = tf.mul(tf.mul(tf.sub(x, mean), tf.rsqrt(tf.add(variance, 1e-5))), weight(`${module}.weight`));
  const bias = optional(`${module}.bias`);
  return (bias ? tf.add(normed, bias) : normed) as Tensor2D;
}

/** ½x·(1 + tanh(√(2/π)·(x + 0.044715x³))), the form that GPT-2 was trained with (Hendrycks and Gimpel 2016). */
function gelu({ tf }: Pass, x: Tensor2D): Tensor2D {
  const inner = tf.mul(tf.add(x, tf.mul(tf.mul(tf.mul(x, x), x), 0.044715)), Math.sqrt(2 / Math.PI));
  return tf.mul(tf.mul(x, 0.5), tf.add(tf.tanh(inner), 1));
}
