/**
 * A reference implementation of the architectures: plain loops over double-precision numbers, one sequence at a time,
 * without code of any engine. The tests compare every engine with it.
 */
import type { GptConfig, LstmConfig, ModelConfig, Weights } from '../../lib/models/index.ts';

type Vector = number[];
/** The values of a parameter, as doubles so that finite differences are exact enough. */
export type Doubles = Map<string, { shape: number[]; data: Float64Array }>;

export function inDoubles(weights: Weights): Doubles {
  return new Map([...weights].map(([name, { shape, data }]) => [name, { shape, data: Float64Array.from(data) }]));
}

/** The state of an LSTM at the start of one sequence: hidden states and cells of each layer. */
type Carried = { hidden: Vector; cell: Vector }[];

/** Computes the logits [length][V] of one sequence. */
export function referenceLogits(config: ModelConfig, weights: Doubles, ids: number[], before?: Carried): Vector[] {
  switch (config.architecture) {
    case 'gpt':
      return gptLogits(config, weights, ids);
    case 'lstm':
      return lstmLogits(config, weights, ids, before);
  }
}

/** Returns the mean of −log softmax(logits)[target] over all sequences of a batch. */
export function referenceLoss(
  config: ModelConfig,
  weights: Doubles,
  inputs: number[][],
  targets: number[][],
  before?: Carried[],
): number {
  let sum = 0;
  let count = 0;
  for (const [s, ids] of inputs.entries())
    for (const [t, logits] of referenceLogits(config, weights, ids, before?.[s]).entries()) {
      const most = Math.max(...logits);
      sum += most + Math.log(logits.reduce((z, x) => z + Math.exp(x - most), 0)) - logits[targets[s][t]];
      count++;
    }
  return sum / count;
}

const row = (weights: Doubles, name: string, i: number): Vector => {
  const { shape, data } = weights.get(name)!;
  return [...data.subarray(i * shape[1], (i + 1) * shape[1])];
};
const plus = (a: Vector, b: Vector) => a.map((x, i) => x + b[i]);
const dot = (a: Vector, b: Vector) => a.reduce((sum, x, i) => sum + x * b[i], 0);
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

function gptLogits(config: GptConfig, weights: Doubles, ids: number[]): Vector[] {
  const { layers, heads, width, vocabularySize } = config;
  const vector = (name: string) => weights.get(name)?.data;
  /** x·W + b, with W stored as (in,out) */
  const linear = (module: string, x: Vector) => {
    const { shape, data } = weights.get(`${module}.weight`)!;
    const bias = vector(`${module}.bias`);
    return Array.from({ length: shape[1] }, (_, j) =>
      x.reduce((sum, xi, i) => sum + xi * data[i * shape[1] + j], bias?.[j] ?? 0),
    );
  };
  const layerNorm = (module: string, x: Vector) => {
    const mean = x.reduce((sum, xi) => sum + xi, 0) / x.length;
    const variance = x.reduce((sum, xi) => sum + (xi - mean) ** 2, 0) / x.length;
    const [gain, bias] = [vector(`${module}.weight`)!, vector(`${module}.bias`)];
    return x.map((xi, i) => ((xi - mean) / Math.sqrt(variance + 1e-5)) * gain[i] + (bias?.[i] ?? 0));
  };
  const gelu = (x: number) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));

  const rotary = config.positions === 'rotary';
  let xs = ids.map((id, t) => {
    const token = row(weights, 'transformer.wte.weight', id);
    return rotary ? token : plus(token, row(weights, 'transformer.wpe.weight', t));
  });
  const size = width / heads;
  /** RoFormer's rotation, equation 34, as a product of complex numbers; dimension i is paired with i + size/2. */
  const rotated = (x: Vector, t: number) =>
    x.map((xi, i) => {
      const pair = i % (size / 2);
      const angle = t / 10000 ** ((2 * pair) / size);
      return i === pair
        ? xi * Math.cos(angle) - x[i + size / 2] * Math.sin(angle)
        : x[pair] * Math.sin(angle) + xi * Math.cos(angle);
    });
  for (let layer = 0; layer < layers; layer++) {
    const h = `transformer.h.${layer}`;
    const qkv = xs.map((x) => linear(`${h}.attn.c_attn`, layerNorm(`${h}.ln_1`, x)));
    const part = (t: number, which: number, head: number) => {
      const vector = qkv[t].slice(which * width + head * size, which * width + (head + 1) * size);
      return rotary && which < 2 ? rotated(vector, t) : vector;
    };
    xs = xs.map((x, t) => {
      const mixed = Array.from({ length: heads }, (_, head) => {
        const scores = Array.from({ length: t + 1 }, (_, s) =>
          Math.exp(dot(part(t, 0, head), part(s, 1, head)) / Math.sqrt(size)),
        );
        const total = scores.reduce((a, b) => a + b, 0);
        return scores.reduce(
          (sum, score, s) =>
            plus(
              sum,
              part(s, 2, head).map((v) => (v * score) / total),
            ),
          Array(size).fill(0) as Vector,
        );
      });
      return plus(x, linear(`${h}.attn.c_proj`, mixed.flat()));
    });
    xs = xs.map((x) =>
      plus(x, linear(`${h}.mlp.c_proj`, linear(`${h}.mlp.c_fc`, layerNorm(`${h}.ln_2`, x)).map(gelu))),
    );
  }
  return xs.map((x) => {
    const last = layerNorm('transformer.ln_f', x);
    return Array.from({ length: vocabularySize }, (_, v) => dot(last, row(weights, 'transformer.wte.weight', v)));
  });
}

function lstmLogits(
  { layers, width, vocabularySize }: LstmConfig,
  weights: Doubles,
  ids: number[],
  before?: Carried,
): Vector[] {
  const head = weights.has('decoder.weight') ? 'decoder.weight' : 'encoder.weight';
  let xs = ids.map((id) => row(weights, 'encoder.weight', id));
  for (let layer = 0; layer < layers; layer++) {
    const [biasIn, biasHidden] = ['ih', 'hh'].map((part) => weights.get(`rnn.bias_${part}_l${layer}`)!.data);
    let h: Vector = before?.[layer].hidden ?? Array(width).fill(0);
    let c: Vector = before?.[layer].cell ?? Array(width).fill(0);
    xs = xs.map((x) => {
      const gate = (k: number) =>
        dot(row(weights, `rnn.weight_ih_l${layer}`, k), x) +
        biasIn[k] +
        dot(row(weights, `rnn.weight_hh_l${layer}`, k), h) +
        biasHidden[k];
      const gates = Array.from({ length: 4 * width }, (_, k) => gate(k));
      const of = (which: number, j: number) => gates[which * width + j];
      c = c.map((cj, j) => sigmoid(of(1, j)) * cj + sigmoid(of(0, j)) * Math.tanh(of(2, j)));
      h = c.map((cj, j) => sigmoid(of(3, j)) * Math.tanh(cj));
      return h;
    });
  }
  const bias = weights.get('decoder.bias')!.data;
  return xs.map((x) => Array.from({ length: vocabularySize }, (_, v) => dot(x, row(weights, head, v)) + bias[v]));
}
