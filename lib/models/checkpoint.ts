/**
 * A model on disk: a folder with config.json and model.safetensors, which transformers opens as a GPT2LMHeadModel, and,
 * where training is to go on from it, optimizer.safetensors with AdamW's moments and the trainer's progress.
 *
 * A GPT without biases is no GPT-2: transformers opens it too, says that the biases are missing, and takes zeros.
 * An LSTM's names are torch.nn.LSTM's; its config.json has a model_type of its own.
 */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { checkConfig } from './check-config.ts';
import { ModelError } from './errors.ts';
import { fromHuggingFace, toHuggingFace, withProjectNames } from './hugging-face.ts';
import type { ModelConfig, Tensor, Weights } from './model-config.ts';
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
    handle.writeFile(`${JSON.stringify(toHuggingFace(config), null, 2)}\n`),
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
  const weights = arrange(withProjectNames(model.tensors, config), config, file);

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
  if (typeof json !== 'object' || json === null)
    throw new ModelError(
      `${file} is ${JSON.stringify(json)}; it must be a mapping of settings, with model_type among them`,
    );
  const config = fromHuggingFace(json, file);
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
