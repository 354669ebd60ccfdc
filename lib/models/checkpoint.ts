/**
 * A model on disk: a folder with config.json and model.safetensors, which transformers opens as a GPT2LMHeadModel, and,
 * where training is to go on from it, optimizer.safetensors with AdamW's moments and the trainer's progress.
 *
 * A GPT without biases is no GPT-2: transformers opens it too, says that the biases are missing, and takes zeros.
 * An LSTM's names are torch.nn.LSTM's; its config.json has a model_type of its own.
 */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { checkConfig } from './check.ts';
import type { ModelConfig, Tensor, Weights } from './config.ts';
import { ModelError } from './error.ts';
import { parameters } from './parameters.ts';
import { readSafetensors, writeSafetensors, writeWhole } from './safetensors.ts';

/** What has to be kept, beside the weights, for training to go on bit for bit: AdamW's moments and the steps taken. */
export interface OptimizerState {
  /** updates made; dropout masks and AdamW's bias correction follow from it */
  step: number;
  first: Weights;
  second: Weights;
}

export interface Checkpoint {
  config: ModelConfig;
  weights: Weights;
  /** present in a checkpoint that training can go on from */
  optimizer?: OptimizerState;
  /** of an LSTM whose state is carried: [layers, 2, sequences, width], what the next step begins with; kept with the optimizer's */
  state?: Tensor;
  /** whatever the trainer wants back, as JSON; kept with the optimizer's state */
  progress?: unknown;
}

/**
 * Each file is replaced whole or not at all. The same checkpoint gives the same bytes.
 * @throws ModelError when the weights are not those of the configuration
 */
export async function saveCheckpoint(dir: string, checkpoint: Checkpoint): Promise<void> {
  const { config, optimizer, state, progress } = checkpoint;
  checkConfig(config);
  const weights = arrange(checkpoint.weights, config, 'the weights');
  const step = String(optimizer?.step ?? '');
  await mkdir(dir, { recursive: true });
  if (optimizer) {
    const moments: Weights = new Map();
    for (const moment of ['first', 'second'] as const)
      for (const [name, tensor] of arrange(optimizer[moment], config, `the optimizer's ${moment} moments`))
        moments.set(`${moment}.${name}`, tensor);
    if (state) moments.set('state', state);
    await writeSafetensors(join(dir, 'optimizer.safetensors'), moments, {
      step,
      progress: JSON.stringify(progress ?? null),
    });
  }
  await writeSafetensors(join(dir, 'model.safetensors'), weights, { format: 'pt', ...(optimizer && { step }) });
  await writeWhole(join(dir, 'config.json'), (handle) =>
    handle.writeFile(`${JSON.stringify(toHub(config), null, 2)}\n`),
  );
}

/**
 * Reads what saveCheckpoint wrote, or a GPT-2 that transformers saved in float32.
 * @throws ModelError saying which file is missing, cut short, or of another shape
 */
export async function loadCheckpoint(dir: string): Promise<Checkpoint> {
  const config = await loadConfig(dir);
  const file = join(dir, 'model.safetensors');
  const model = await readSafetensors(file).catch((error) => rephrase(error, dir));
  const weights = arrange(withOurNames(model.tensors, config), config, file);

  const optimizerFile = join(dir, 'optimizer.safetensors');
  const kept = await readSafetensors(optimizerFile).catch((error) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (!kept) return { config, weights };
  if (kept.metadata.step !== model.metadata.step)
    throw new ModelError(
      `${dir} mixes two checkpoints: its optimizer is of step ${kept.metadata.step}, its model of step ${model.metadata.step ?? '(none)'}`,
    );
  const moments = (moment: 'first' | 'second') =>
    arrange(
      new Map(
        [...kept.tensors].flatMap(([name, t]) =>
          name.startsWith(`${moment}.`) ? [[name.slice(moment.length + 1), t]] : [],
        ),
      ),
      config,
      optimizerFile,
    );
  return {
    config,
    weights,
    optimizer: { ...stepOf(kept.metadata, optimizerFile), first: moments('first'), second: moments('second') },
    state: kept.tensors.get('state'),
    progress: progressOf(kept.metadata, optimizerFile),
  };
}

function stepOf({ step }: Record<string, string>, file: string): { step: number } {
  if (/^\d+$/.test(step)) return { step: Number(step) };
  throw new ModelError(`${file}: step is ${step ?? 'missing'}; it must be the number of updates made`, 'step');
}

function progressOf({ progress }: Record<string, string>, file: string): unknown {
  try {
    return JSON.parse(progress);
  } catch {
    throw new ModelError(`${file}: progress is ${progress === undefined ? 'missing' : 'no JSON'}`, 'progress');
  }
}

async function loadConfig(dir: string): Promise<ModelConfig> {
  const file = join(dir, 'config.json');
  const text = await readFile(file, 'utf8').catch((error) => rephrase(error, dir));
  let json: Record<string, unknown>;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new ModelError(`${file} is not JSON: ${(error as Error).message}`);
  }
  const config = fromHub(json, file);
  try {
    checkConfig(config);
  } catch (error) {
    throw error instanceof ModelError ? new ModelError(`${file}: ${error.message}`, error.key) : error;
  }
  return config;
}

function rephrase(error: NodeJS.ErrnoException, dir: string): never {
  if (error.code === 'ENOENT')
    throw new ModelError(
      `${dir} is no checkpoint: ${error.path} is missing; a checkpoint has config.json and model.safetensors`,
    );
  throw error;
}

/** The configuration under the names that transformers' GPT2Config has; what it does not know stands last. */
function toHub(config: ModelConfig): Record<string, unknown> {
  const { vocabularySize, block, layers, width, dropout } = config;
  if (config.architecture === 'lstm')
    return {
      architectures: ['LSTM'],
      model_type: 'lstm',
      vocab_size: vocabularySize,
      n_positions: block,
      n_embd: config.embedding,
      n_layer: layers,
      hidden_size: width,
      dropout,
      ...(config.state === 'carried' && { state: config.state }),
      tie_word_embeddings: config.embedding === width,
      torch_dtype: 'float32',
    };
  return {
    architectures: ['GPT2LMHeadModel'],
    model_type: 'gpt2',
    vocab_size: vocabularySize,
    n_positions: block,
    n_embd: width,
    n_layer: layers,
    n_head: config.heads,
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
    bias: config.bias,
  };
}

function fromHub(json: Record<string, unknown>, file: string): ModelConfig {
  const number = (key: string) => json[key] as number;
  const shape = { vocabularySize: number('vocab_size'), block: number('n_positions'), layers: number('n_layer') };
  switch (json.model_type) {
    case 'gpt2': {
      const fixed = {
        activation_function: 'gelu_new',
        layer_norm_epsilon: 1e-5,
        n_inner: null,
        tie_word_embeddings: true,
      };
      for (const [key, value] of Object.entries(fixed))
        if ((json[key] ?? value) !== value)
          throw new ModelError(
            `${file}: ${key} is ${JSON.stringify(json[key])}; only ${JSON.stringify(value)} is supported`,
            key,
          );
      return {
        architecture: 'gpt',
        ...shape,
        width: number('n_embd'),
        heads: number('n_head'),
        dropout: number('resid_pdrop'),
        bias: (json.bias ?? true) as boolean,
      };
    }
    case 'lstm':
      return {
        architecture: 'lstm',
        ...shape,
        width: number('hidden_size'),
        embedding: number('n_embd'),
        dropout: number('dropout'),
        ...(json.state !== undefined && { state: json.state as 'reset' | 'carried' }),
      };
    default:
      throw new ModelError(
        `${file}: model_type is ${JSON.stringify(json.model_type)}; it must be "gpt2" or "lstm"`,
        'model_type',
      );
  }
}

/** Published GPT-2 files omit "transformer."; some hold the causal mask and the tied head as if they were parameters. */
function withOurNames(tensors: Weights, config: ModelConfig): Weights {
  if (config.architecture === 'lstm') return tensors;
  const renamed: Weights = new Map();
  for (const [name, tensor] of tensors)
    if (name !== 'lm_head.weight' && !/\.attn\.(masked_)?bias$/.test(name))
      renamed.set(name.startsWith('transformer.') ? name : `transformer.${name}`, tensor);
  return renamed;
}

/** The tensors in the order of `parameters(config)`, each of the shape it must have, and none besides. */
function arrange(tensors: Weights, config: ModelConfig, what: string): Weights {
  const arranged: Weights = new Map();
  for (const { name, shape } of parameters(config)) {
    const tensor = tensors.get(name);
    if (!tensor) throw new ModelError(`${what}: ${name} is missing, which the configuration asks for`);
    if (String(tensor.shape) !== String(shape))
      throw new ModelError(`${what}: ${name} has the shape [${tensor.shape}]; the configuration asks for [${shape}]`);
    arranged.set(name, tensor);
  }
  for (const name of tensors.keys())
    if (!arranged.has(name)) throw new ModelError(`${what}: ${name} is no parameter of this configuration`);
  return arranged;
}
