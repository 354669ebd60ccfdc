/** The parameters of a model: their names and shapes, in the order of the weights in files, and their number. */
import type { GptConfig, LstmConfig, ModelConfig, Parameter } from './model-config.ts';

/**
 * Lists the parameters of a model. A head tied to the embedding is listed once, under the name of the embedding.
 *
 * Names and shapes are those of transformers' GPT2LMHeadModel, and of torch.nn.LSTM between an `encoder` and a `decoder`.
 * A GPT with rotary positions has the same names without wpe. Its files have other names: see gpt-neox.ts.
 */
export function parameters(config: ModelConfig): Parameter[] {
  switch (config.architecture) {
    case 'gpt':
      return gptParameters(config);
    case 'lstm':
      return lstmParameters(config);
  }
}

function gptParameters({ vocabularySize: V, block: T, width: C, layers, bias, positions }: GptConfig): Parameter[] {
  const list: Parameter[] = [];
  /** Adds a weight of this shape and, if the model has biases, a bias as long as the last axis. */
  const add = (module: string, shape: number[]) => {
    list.push(parameter(`${module}.weight`, shape));
    if (bias) list.push(parameter(`${module}.bias`, shape.slice(-1)));
  };
  list.push(embedding('transformer.wte.weight', [V, C]));
  if (positions !== 'rotary') list.push(embedding('transformer.wpe.weight', [T, C]));
  for (let layer = 0; layer < layers; layer++) {
    const h = `transformer.h.${layer}`;
    add(`${h}.ln_1`, [C]);
    add(`${h}.attn.c_attn`, [C, 3 * C]);
    add(`${h}.attn.c_proj`, [C, C]);
    add(`${h}.ln_2`, [C]);
    add(`${h}.mlp.c_fc`, [C, 4 * C]);
    add(`${h}.mlp.c_proj`, [4 * C, C]);
  }
  add('transformer.ln_f', [C]);
  return list;
}

function lstmParameters({ vocabularySize: V, width: H, embedding: E, layers }: LstmConfig): Parameter[] {
  const list = [embedding('encoder.weight', [V, E])];
  for (let layer = 0; layer < layers; layer++)
    list.push(
      parameter(`rnn.weight_ih_l${layer}`, [4 * H, layer === 0 ? E : H]),
      parameter(`rnn.weight_hh_l${layer}`, [4 * H, H]),
      parameter(`rnn.bias_ih_l${layer}`, [4 * H]),
      parameter(`rnn.bias_hh_l${layer}`, [4 * H]),
    );
  if (E !== H) list.push(embedding('decoder.weight', [V, H]));
  list.push(embedding('decoder.bias', [V]));
  return list;
}

function parameter(name: string, shape: number[]): Parameter {
  return { name, shape, decay: shape.length > 1, embedding: false };
}

function embedding(name: string, shape: number[]): Parameter {
  return { ...parameter(name, shape), embedding: true };
}

/** The number of elements of a tensor of this shape. */
export function elementCount(shape: number[]): number {
  return shape.reduce((product, n) => product * n, 1);
}

/**
 * Counts the trained numbers of a model.
 *
 * @returns `total` counts all of them, a tied matrix once. `nonEmbedding` leaves out tensors with a row for each token or
 *   position (wte, wpe; encoder, decoder); it is N of Kaplan et al. (2020, §2.1).
 */
export function countParameters(config: ModelConfig): { total: number; nonEmbedding: number } {
  let total = 0;
  let nonEmbedding = 0;
  for (const { shape, embedding } of parameters(config)) {
    total += elementCount(shape);
    if (!embedding) nonEmbedding += elementCount(shape);
  }
  return { total, nonEmbedding };
}
