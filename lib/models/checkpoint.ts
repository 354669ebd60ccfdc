/**
 * A model on disk. A checkpoint is a folder with these files:
 *
 *   config.json              the configuration, in the keys of Hugging Face transformers (hugging-face.ts)
 *   model.safetensors        the weights
 *   optimizer.safetensors    only if training can continue: AdamW's moments, a carried state, the trainer's progress
 *
 * transformers opens a GPT as a GPT2LMHeadModel, or as a GPTNeoXForCausalLM if its positions are rotary. If the GPT has no
 * biases, transformers warns that they are missing and uses zeros. The optimizer's file is for this project alone, and
 * has its parameter names. An LSTM has the parameter names of torch.nn.LSTM, and a model_type that transformers does not know.
 */
import { mkdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { checkConfig, describeSetting } from './check-config.ts';
import { ModelError } from './errors.ts';
import { exportTensors, fromHuggingFace, importTensors, toHuggingFace } from './hugging-face.ts';
import type { ModelConfig, Tensor, Weights } from './model-config.ts';
import { elementCount, parameters } from './parameters.ts';
import { readSafetensors, writeAtomically, writeSafetensors } from './safetensors.ts';

/** Those of transformers have a few kB. */
const MAX_CONFIG_BYTES = 2 ** 20;

/** AdamW's state. With it and the weights, training continues with the same bits. */
export interface OptimizerState {
  /** number of updates made; dropout masks and AdamW's bias correction depend on it */
  step: number;
  /** first moments, m */
  first: Weights;
  /** second moments, v */
  second: Weights;
}

/** The content of a checkpoint. */
export interface Checkpoint {
  config: ModelConfig;
  weights: Weights;
  /** present if training can continue from the checkpoint */
  optimizer?: OptimizerState;
  /** (layers, 2, sequences, width): carried state of an LSTM at the start of the next step; saved with the optimizer */
  state?: Tensor;
  /** data of the trainer, as JSON; saved with the optimizer */
  progress?: unknown;
}

/**
 * Writes a checkpoint. Each file is replaced atomically. The same checkpoint gives the same bytes.
 *
 * @param dir the folder, made if necessary
 * @throws ModelError if the configuration is wrong, or a parameter is missing, unknown or of another shape
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
  const tensors = exportTensors(weights, config);
  await writeSafetensors(join(dir, 'model.safetensors'), tensors, { format: 'pt', ...(optimizer && { step }) });
  await writeAtomically(join(dir, 'config.json'), (handle) =>
    handle.writeFile(`${JSON.stringify(toHuggingFace(config), null, 2)}\n`),
  );
}

/**
 * Reads a checkpoint of `saveCheckpoint`, or a GPT-2 or fitting GPT-NeoX that transformers saved in float32.
 *
 * @throws ModelError naming the file that is missing or damaged, or does not fit the configuration
 */
export async function loadCheckpoint(dir: string): Promise<Checkpoint> {
  const config = await readConfig(dir);
  const file = join(dir, 'model.safetensors');
  const model = await readSafetensors(file, (shapes) => {
    arrange(importTensors(asTensors(shapes), config), config, file);
  }).catch((error) => rethrow(error, dir));
  const weights = arrange(importTensors(model.tensors, config), config, file);

  const optimizerFile = join(dir, 'optimizer.safetensors');
  const parts = parameters(config).map(({ shape }) => elementCount(shape));
  const largest = 2 * parts.reduce((sum, count) => sum + count, 0);
  const saved = await readSafetensors(optimizerFile, (shapes) => {
    const moments = [...shapes].filter(([name]) => name !== 'state');
    const numbers = moments.reduce((sum, [, shape]) => sum + elementCount(shape), 0);
    if (numbers > largest)
      throw new ModelError(`${optimizerFile}: has ${numbers} numbers; the configuration needs ${largest}`);
  }).catch((error) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (!saved) {
    // While a model is trained, its next step may still find that it has diverged.
    checkFinite(weights, file);
    return { config, weights };
  }
  if (saved.metadata.step !== model.metadata.step)
    throw new ModelError(
      `${dir} mixes two checkpoints: its optimizer is of step ${saved.metadata.step}, its model of step ${model.metadata.step ?? '(none)'}`,
    );
  const moments = (moment: 'first' | 'second') =>
    arrange(
      new Map(
        [...saved.tensors].flatMap(([name, t]) =>
          name.startsWith(`${moment}.`) ? [[name.slice(moment.length + 1), t]] : [],
        ),
      ),
      config,
      optimizerFile,
    );
  return {
    config,
    weights,
    optimizer: { ...stepOf(saved.metadata, optimizerFile), first: moments('first'), second: moments('second') },
    state: saved.tensors.get('state'),
    progress: progressOf(saved.metadata, optimizerFile),
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
    throw new ModelError(`${file}: progress is ${progress === undefined ? 'missing' : 'not JSON'}`, 'progress');
  }
}

/** Tensors without values, to compare shapes. */
function asTensors(shapes: Map<string, number[]>): Weights {
  return new Map([...shapes].map(([name, shape]) => [name, { shape, data: new Float32Array(0) }]));
}

/** @throws ModelError if a weight is NaN or infinite */
function checkFinite(weights: Weights, file: string): void {
  for (const [name, { data }] of weights) {
    const wrong = data.findIndex((value) => !Number.isFinite(value));
    if (wrong >= 0)
      throw new ModelError(`${file}: ${name} has the value ${data[wrong]}; the weights of a model are finite numbers`);
  }
}

async function readConfig(dir: string): Promise<ModelConfig> {
  const file = join(dir, 'config.json');
  const { size } = await stat(file).catch((error) => rethrow(error, dir));
  if (size > MAX_CONFIG_BYTES)
    throw new ModelError(`${file} has ${size} bytes; the configuration of a model has at most ${MAX_CONFIG_BYTES}`);
  const text = await readFile(file, 'utf8').catch((error) => rethrow(error, dir));
  let json: Record<string, unknown>;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new ModelError(`${file} is not JSON: ${(error as Error).message}`);
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw new ModelError(
      `${file} is ${describeSetting(json)}; it must be a mapping of settings, with model_type among them`,
    );
  const config = fromHuggingFace(json, file);
  try {
    checkConfig(config);
  } catch (error) {
    throw error instanceof ModelError ? new ModelError(`${file}: ${error.message}`, error.key) : error;
  }
  return config;
}

/** A missing file means that the folder is not a checkpoint. */
function rethrow(error: NodeJS.ErrnoException, dir: string): never {
  if (error.code === 'ENOENT')
    throw new ModelError(
      `${dir} is not a checkpoint: ${error.path} is missing; a checkpoint has config.json and model.safetensors`,
    );
  throw error;
}

/**
 * The tensors in the order of `parameters(config)`.
 *
 * @param origin names the tensors in errors
 * @throws ModelError if a tensor is missing, unknown or of another shape
 */
function arrange(tensors: Weights, config: ModelConfig, origin: string): Weights {
  const arranged: Weights = new Map();
  for (const { name, shape } of parameters(config)) {
    const tensor = tensors.get(name);
    if (!tensor) throw new ModelError(`${origin}: ${name} is missing, but the configuration needs it`);
    if (String(tensor.shape) !== String(shape))
      throw new ModelError(`${origin}: ${name} has the shape [${tensor.shape}]; the configuration needs [${shape}]`);
    arranged.set(name, tensor);
  }
  for (const name of tensors.keys())
    if (!arranged.has(name))
      throw new ModelError(`${origin}: ${name.slice(0, 100)} is not a parameter of this configuration`);
  return arranged;
}
