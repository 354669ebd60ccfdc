/** The parameters that a configuration has, in the order in which weights are kept, and how many numbers they are. */
import type { GptConfig, LstmConfig, ModelConfig, Parameter } from './model-config.ts';

/**
 * Every parameter once, a tied head under the name of its embedding.
 * Names and shapes as in transformers' GPT2LMHeadModel, and in torch.nn.LSTM between an `encoder` and a `decoder`.
 */
export function parameters(config: ModelConfig): Parameter[] {
  switch (config.architecture) {
    case 'gpt':
      return gptParameters(config);
    case 'lstm':
      return lstmParameters(config);
  }
}

function gptParameters({ vocabularySize: V, block: T, width: C, layers, bias }: GptConfig): Parameter[] {
  const list: Parameter[] = [];
  /** a weight of this shape and, where the model has biases, a bias as long as its last axis */
  const add = (module: string, shape: number[]) => {
    list.push(parameter(`${module}.weight`, shape));
    if (bias) list.push(parameter(`${module}.bias`, shape.slice(-1)));
  };
  list.push(embedding('transformer.wte.weight', [V, C]), embedding('transformer.wpe.weight', [T, C]));
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

/** How many numbers a tensor of this shape holds. */
export function elementCount(shape: number[]): number {
  return shape.reduce((product, n) => product * n, 1);
}

/**
 * `total` counts every number that is trained, a tied matrix once. `nonEmbedding` is N of Kaplan et al. (2020, §2.1):
 * without the tensors that have a row for each token of the vocabulary or each position (wte, wpe; encoder, decoder).
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
