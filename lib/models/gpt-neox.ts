/**
 * The files of a GPT with rotary positions: config.json and tensors of transformers' GPTNeoXForCausalLM.
 *
 * With `use_parallel_residual: false`, `rotary_pct: 1` and a tied head, GPT-NeoX is this project's GPT. It rotates
 * dimension i of a head together with dimension i + D/2, as lib/engine does. Only names and layouts differ:
 *
 *   linear layers   GPT-NeoX stores (out,in), this project (in,out)
 *   queries, keys   GPT-NeoX stores the outputs of c_attn head by head, (heads,3,D); this project (3,heads,D)
 */
import { describeSetting } from './check-config.ts';
import { ModelError } from './errors.ts';
import type { GptConfig, Tensor, Weights } from './model-config.ts';

type Json = Record<string, unknown>;

/** The keys of transformers' GPTNeoXConfig. `bias` and `init` are this project's. */
export function writeNeoxConfig(config: GptConfig): Json {
  const { vocabularySize, block, layers, width, heads, dropout, bias, init } = config;
  return {
    architectures: ['GPTNeoXForCausalLM'],
    model_type: 'gpt_neox',
    vocab_size: vocabularySize,
    max_position_embeddings: block,
    hidden_size: width,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    intermediate_size: 4 * width,
    hidden_act: 'gelu_new',
    layer_norm_eps: 1e-5,
    use_parallel_residual: false,
    rotary_pct: 1,
    rotary_emb_base: 10000,
    attention_bias: true,
    attention_dropout: dropout,
    hidden_dropout: dropout,
    initializer_range: 0.02,
    tie_word_embeddings: true,
    bos_token_id: null,
    eos_token_id: null,
    torch_dtype: 'float32',
    bias,
    ...(init === 'fan-in' && { init }),
  };
}

/** The settings that this project's GPT has, and the value that transformers assumes for a key that is missing. */
const REQUIRED: Record<string, { value: unknown; missing: unknown }> = {
  hidden_act: { value: 'gelu_new', missing: 'gelu' },
  layer_norm_eps: { value: 1e-5, missing: 1e-5 },
  use_parallel_residual: { value: false, missing: true },
  attention_bias: { value: true, missing: true },
  tie_word_embeddings: { value: true, missing: false },
};

/**
 * Reads a GPTNeoXConfig.
 *
 * @throws ModelError naming `file` and the key, if the model is another one than this project's GPT
 */
export function readNeoxConfig(json: Json, file: string): GptConfig {
  const required = (key: string, value: unknown, expected: unknown) => {
    if (value !== expected)
      throw new ModelError(
        `${file}: ${key} is ${describeSetting(value)}; only ${JSON.stringify(expected)} is supported`,
        key,
      );
  };
  for (const [key, { value, missing }] of Object.entries(REQUIRED)) required(key, json[key] ?? missing, value);
  // Without a proper width, checkConfig says so.
  if (json.intermediate_size !== undefined && Number.isSafeInteger(json.hidden_size))
    required('intermediate_size', json.intermediate_size, 4 * (json.hidden_size as number));
  // transformers 5 writes rope_parameters instead of rotary_pct and rotary_emb_base.
  const rope = (json.rope_parameters ?? {}) as Json;
  required('rope_parameters.rope_type', rope.rope_type ?? 'default', 'default');
  required('rotary_pct', json.rotary_pct ?? rope.partial_rotary_factor ?? 0.25, 1);
  required('rotary_emb_base', json.rotary_emb_base ?? rope.rope_theta ?? 10000, 10000);
  return {
    architecture: 'gpt',
    vocabularySize: json.vocab_size as number,
    block: json.max_position_embeddings as number,
    layers: json.num_hidden_layers as number,
    width: json.hidden_size as number,
    heads: json.num_attention_heads as number,
    dropout: (json.hidden_dropout ?? 0) as number,
    bias: (json.bias ?? true) as boolean,
    positions: 'rotary',
    ...(json.init !== undefined && { init: json.init as GptConfig['init'] }),
  };
}

/** Modules of a layer: this project's name, and that of GPT-NeoX. */
const LAYER_MODULES: [ours: string, theirs: string][] = [
  ['ln_1', 'input_layernorm'],
  ['attn.c_attn', 'attention.query_key_value'],
  ['attn.c_proj', 'attention.dense'],
  ['ln_2', 'post_attention_layernorm'],
  ['mlp.c_fc', 'mlp.dense_h_to_4h'],
  ['mlp.c_proj', 'mlp.dense_4h_to_h'],
];

/** Tensors with this project's names → the same under the names and in the layouts of GPT-NeoX. */
export function toNeoxTensors(weights: Weights, config: GptConfig): Weights {
  const renamed: Weights = new Map();
  for (const [name, tensor] of weights) renamed.set(toNeoxName(name), toNeoxLayout(name, tensor, config));
  return renamed;
}

/**
 * Tensors of a GPT-NeoX file → the same with this project's names and layouts. A name that GPT-NeoX does not have stays.
 * Drops the tied head and the buffers that old files contain.
 */
export function fromNeoxTensors(tensors: Weights, config: GptConfig): Weights {
  const renamed: Weights = new Map();
  for (const [file, tensor] of tensors) {
    if (file === 'embed_out.weight' || /\.attention\.(masked_)?bias$|\.rotary_emb\.inv_freq$/.test(file)) continue;
    const name = fromNeoxName(file);
    renamed.set(name, fromNeoxLayout(name, tensor, config));
  }
  return renamed;
}

function toNeoxName(name: string): string {
  if (name === 'transformer.wte.weight') return 'gpt_neox.embed_in.weight';
  const [, layer, module, kind] = /^transformer\.h\.(\d+)\.(.*)\.(weight|bias)$/.exec(name) ?? [];
  const theirs = LAYER_MODULES.find(([ours]) => ours === module)?.[1];
  if (theirs) return `gpt_neox.layers.${layer}.${theirs}.${kind}`;
  return name.replace('transformer.ln_f.', 'gpt_neox.final_layer_norm.');
}

function fromNeoxName(name: string): string {
  if (name === 'gpt_neox.embed_in.weight') return 'transformer.wte.weight';
  const [, layer, module, kind] = /^gpt_neox\.layers\.(\d+)\.(.*)\.(weight|bias)$/.exec(name) ?? [];
  const ours = LAYER_MODULES.find(([, theirs]) => theirs === module)?.[0];
  if (ours) return `transformer.h.${layer}.${ours}.${kind}`;
  return name.replace('gpt_neox.final_layer_norm.', 'transformer.ln_f.');
}

/** The index in the order (heads,3,D) of output j of c_attn, whose order is (3,heads,D). */
function neoxOutput(j: number, { width: C, heads }: GptConfig): number {
  const D = C / heads;
  const [part, head, i] = [Math.floor(j / C), Math.floor((j % C) / D), j % D];
  return (head * 3 + part) * D + i;
}

/** Whether a parameter is a linear layer's matrix, which GPT-NeoX stores (out,in). */
const isLinear = (name: string) => /\.c_\w+\.weight$/.test(name);

/** For output j of this project's layer: its index in GPT-NeoX's. */
function outputOrder(name: string, config: GptConfig): (j: number) => number {
  return name.includes('.c_attn.') ? (j) => neoxOutput(j, config) : (j) => j;
}

function toNeoxLayout(name: string, { shape, data }: Tensor, config: GptConfig): Tensor {
  const output = outputOrder(name, config);
  const moved = new Float32Array(data.length);
  if (!isLinear(name)) {
    if (!name.includes('.c_attn.')) return { shape, data };
    for (let j = 0; j < data.length; j++) moved[output(j)] = data[j];
    return { shape, data: moved };
  }
  const [inputs, outputs] = shape;
  for (let j = 0; j < outputs; j++) {
    const row = output(j) * inputs;
    for (let i = 0; i < inputs; i++) moved[row + i] = data[i * outputs + j];
  }
  return { shape: [outputs, inputs], data: moved };
}

/** The inverse of toNeoxLayout. A tensor without values, of any shape, keeps none: its shape alone is converted. */
function fromNeoxLayout(name: string, { shape, data }: Tensor, config: GptConfig): Tensor {
  const output = outputOrder(name, config);
  const moved = new Float32Array(data.length);
  if (!isLinear(name)) {
    if (!name.includes('.c_attn.')) return { shape, data };
    for (let j = 0; j < data.length; j++) moved[j] = data[output(j)];
    return { shape, data: moved };
  }
  const converted = shape.toReversed();
  if (data.length === 0) return { shape: converted, data };
  const [outputs, inputs] = shape;
  for (let j = 0; j < outputs; j++) {
    const row = output(j) * inputs;
    for (let i = 0; i < inputs; i++) moved[i * outputs + j] = data[row + i];
  }
  return { shape: converted, data: moved };
}
