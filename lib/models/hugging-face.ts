/** How each architecture's configuration and tensors are called in files: as transformers calls them, where it has the model. */

import { ModelError } from './errors.ts';
import type { GptConfig, LstmConfig, ModelConfig, Weights } from './model-config.ts';

type Json = Record<string, unknown>;

interface Names<Config> {
  /** in config.json, what says that a model is of this architecture */
  modelType: string;
  /** config.json; what transformers does not know stands last */
  write(config: Config): Json;
  /** the configuration, to be checked by checkConfig; what this project cannot do is refused here, `file` named */
  read(json: Json, file: string): Config;
  /** the tensors of others' files under our names; absent: they have them already */
  rename?(tensors: Weights): Weights;
}

const names: { [A in ModelConfig['architecture']]: Names<Extract<ModelConfig, { architecture: A }>> } = {
  gpt: { modelType: 'gpt2', write: writeGpt, read: readGpt, rename: renameGpt },
  lstm: { modelType: 'lstm', write: writeLstm, read: readLstm },
};

/** config.json of a configuration. */
export function toHuggingFace(config: ModelConfig): Json {
  return namesOf(config).write(config);
}

/** @throws ModelError naming the file and the key that this project cannot do */
export function fromHuggingFace(json: Json, file: string): ModelConfig {
  const known = Object.values(names).find(({ modelType }) => modelType === json.model_type);
  if (known) return known.read(json, file);
  const types = Object.values(names).map(({ modelType }) => `"${modelType}"`);
  throw new ModelError(
    `${file}: model_type is ${JSON.stringify(json.model_type) ?? 'missing'}; it must be ${types.join(' or ')}`,
    'model_type',
  );
}

/** A file's tensors under the names of `parameters(config)`. */
export function withProjectNames(tensors: Weights, config: ModelConfig): Weights {
  return namesOf(config).rename?.(tensors) ?? tensors;
}

function namesOf(config: ModelConfig): Names<ModelConfig> {
  return names[config.architecture] as Names<ModelConfig>;
}

/** As GPT2Config has them. */
function writeGpt({ vocabularySize, block, layers, width, heads, dropout, bias }: GptConfig): Json {
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
  };
}

function readGpt(json: Json, file: string): GptConfig {
  const fixed = { activation_function: 'gelu_new', layer_norm_epsilon: 1e-5, n_inner: null, tie_word_embeddings: true };
  for (const [key, value] of Object.entries(fixed))
    if ((json[key] ?? value) !== value)
      throw new ModelError(
        `${file}: ${key} is ${JSON.stringify(json[key])}; only ${JSON.stringify(value)} is supported`,
        key,
      );
  return {
    architecture: 'gpt',
    ...shapeOf(json),
    width: number(json, 'n_embd'),
    heads: number(json, 'n_head'),
    dropout: number(json, 'resid_pdrop'),
    bias: (json.bias ?? true) as boolean,
  };
}

/** Published GPT-2 files omit "transformer."; some hold the causal mask and the tied head as if they were parameters. */
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

/** As the file has it, which checkConfig sees next. */
function number(json: Json, key: string): number {
  return json[key] as number;
}
