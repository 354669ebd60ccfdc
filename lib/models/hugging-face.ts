/**
 * The keys of config.json and the tensors of model.safetensors for each kind of model. A GPT uses those of Hugging Face
 * transformers: GPT-2 with learned positions, GPT-NeoX with rotary positions (gpt-neox.ts). transformers has no LSTM, so
 * an LSTM's config.json follows its style.
 */

import { describeSetting } from './check-config.ts';
import { ModelError } from './errors.ts';
import { fromNeoxTensors, readNeoxConfig, toNeoxTensors, writeNeoxConfig } from './gpt-neox.ts';
import type { GptConfig, LstmConfig, ModelConfig, Weights } from './model-config.ts';

type Json = Record<string, unknown>;

/** Reads and writes the files of one kind of model. */
interface FileFormat<Config> {
  /** value of `model_type` in config.json, which identifies the kind */
  modelType: string;
  /** makes config.json; keys that transformers does not know come last */
  write(config: Config): Json;
  /** reads config.json, which checkConfig checks next; throws a ModelError naming `file` for a model that is not supported */
  read(json: Json, file: string): Config;
  /** gives tensors of a file this project's names and layouts; absent if they are the same */
  importTensors?(tensors: Weights, config: Config): Weights;
  /** the inverse of importTensors; absent if nothing changes */
  exportTensors?(weights: Weights, config: Config): Weights;
}

const GPT2: FileFormat<GptConfig> = { modelType: 'gpt2', write: writeGpt, read: readGpt, importTensors: renameGpt };
const GPT_NEOX: FileFormat<GptConfig> = {
  modelType: 'gpt_neox',
  write: writeNeoxConfig,
  read: readNeoxConfig,
  importTensors: fromNeoxTensors,
  exportTensors: toNeoxTensors,
};
const LSTM: FileFormat<LstmConfig> = { modelType: 'lstm', write: writeLstm, read: readLstm };
const FORMATS = [GPT2, GPT_NEOX, LSTM];

/** A configuration as the content of config.json. */
export function toHuggingFace(config: ModelConfig): Json {
  return formatOf(config).write(config);
}

/**
 * Reads the content of config.json. The result is not yet checked by `checkConfig`.
 *
 * @param file names the file in errors
 * @throws ModelError naming the file and the key whose value is not supported
 */
export function fromHuggingFace(json: Json, file: string): ModelConfig {
  const known = FORMATS.find(({ modelType }) => modelType === json.model_type);
  if (known) return known.read(json, file);
  const types = FORMATS.map(({ modelType }) => `"${modelType}"`);
  throw new ModelError(
    `${file}: model_type is ${describeSetting(json.model_type)}; it must be ${types.join(' or ')}`,
    'model_type',
  );
}

/** The tensors of a file under the names and in the shapes of `parameters(config)`. Tensors may be without values. */
export function importTensors(tensors: Weights, config: ModelConfig): Weights {
  return formatOf(config).importTensors?.(tensors, config) ?? tensors;
}

/** The weights of a model as its file has them: the inverse of `importTensors`. */
export function exportTensors(weights: Weights, config: ModelConfig): Weights {
  return formatOf(config).exportTensors?.(weights, config) ?? weights;
}

function formatOf(config: ModelConfig): FileFormat<ModelConfig> {
  switch (config.architecture) {
    case 'gpt':
      return (config.positions === 'rotary' ? GPT_NEOX : GPT2) as FileFormat<ModelConfig>;
    case 'lstm':
      return LSTM as FileFormat<ModelConfig>;
  }
}

/** The keys of transformers' GPT2Config. `bias` and `init` are this project's. */
function writeGpt({ vocabularySize, block, layers, width, heads, dropout, bias, init }: GptConfig): Json {
  return {
    architectures: ['GPT2LMHeadModel'],
    model_type: 'gpt2',
    vocab_size: vocabularySize,
    n_positions: block,
    n_embd: width,
    n_layer: layers,
    n_head: heads,
    n_inner: null,
    activation_function: 'gelu_new',
    layer_norm_epsilon: 1e-5,
    embd_pdrop: dropout,
    attn_pdrop: dropout,
    resid_pdrop: dropout,
    initializer_range: 0.02,
    tie_word_embeddings: true,
    bos_token_id: null,
    eos_token_id: null,
    torch_dtype: 'float32',
    bias,
    ...(init === 'fan-in' && { init }),
  };
}

function readGpt(json: Json, file: string): GptConfig {
  const fixed = { activation_function: 'gelu_new', layer_norm_epsilon: 1e-5, n_inner: null, tie_word_embeddings: true };
  for (const [key, value] of Object.entries(fixed))
    if ((json[key] ?? value) !== value)
      throw new ModelError(
        `${file}: ${key} is ${describeSetting(json[key])}; only ${JSON.stringify(value)} is supported`,
        key,
      );
  return {
    architecture: 'gpt',
    ...shapeOf(json),
    width: number(json, 'n_embd'),
    heads: number(json, 'n_head'),
    dropout: number(json, 'resid_pdrop'),
    bias: (json.bias ?? true) as boolean,
    ...(json.init !== undefined && { init: json.init as GptConfig['init'] }),
  };
}

/**
 * Adds the prefix "transformer.", which published GPT-2 files omit. Drops the causal mask and the tied head, which some
 * files contain although they are not parameters.
 */
function renameGpt(tensors: Weights): Weights {
  const renamed: Weights = new Map();
  for (const [name, tensor] of tensors)
    if (name !== 'lm_head.weight' && !/\.attn\.(masked_)?bias$/.test(name))
      renamed.set(name.startsWith('transformer.') ? name : `transformer.${name}`, tensor);
  return renamed;
}

function writeLstm({ vocabularySize, block, layers, width, embedding, dropout, state }: LstmConfig): Json {
  return {
    architectures: ['LSTM'],
    model_type: 'lstm',
    vocab_size: vocabularySize,
    n_positions: block,
    n_embd: embedding,
    n_layer: layers,
    hidden_size: width,
    dropout,
    ...(state === 'carried' && { state }),
    tie_word_embeddings: embedding === width,
    torch_dtype: 'float32',
  };
}

function readLstm(json: Json): LstmConfig {
  return {
    architecture: 'lstm',
    ...shapeOf(json),
    width: number(json, 'hidden_size'),
    embedding: number(json, 'n_embd'),
    dropout: number(json, 'dropout'),
    ...(json.state !== undefined && { state: json.state as LstmConfig['state'] }),
  };
}

function shapeOf(json: Json) {
  return {
    vocabularySize: number(json, 'vocab_size'),
    block: number(json, 'n_positions'),
    layers: number(json, 'n_layer'),
  };
}

/** The value as the file has it. checkConfig checks its type later. */
function number(json: Json, key: string): number {
  return json[key] as number;
}
