/**
 * Trains one model of the grid on TOKENS, with the token budget of params.yaml. Writes the model to MODEL (config.json,
 * model.safetensors, and the files of parts/model-files.ts) and its loss curve to CURVE.csv. The models of smaller
 * budgets are in MODEL/budgets/SHARE.
 * The training itself runs in a thread, see parts/train-thread.ts. How long it took goes to --times, see
 * parts/times.ts.
 */
import { basename } from 'node:path';
import { csvFormat } from 'd3-dsv';
import type { Outcome } from '../lib/engine/index.ts';
import { checkConfig, countParameters, ModelError, modelConfig } from '../lib/models/index.ts';
import type { ProgressUpdate } from '../lib/repro/index.ts';
import { bundleProgram, startThread } from '../lib/threads/index.ts';
import { budgetFolder } from './parts/budgets.ts';
import { tokenizerOf, writeModelFiles } from './parts/model-files.ts';
import type { Params } from './parts/params.ts';
import { peakLearningRate } from './parts/peak-learning-rate.ts';
import { StageError, stage, writeText } from './parts/stage.ts';
import { type Times, writeTimes } from './parts/times.ts';
import type { FromThread, Trained, TrainingRequest } from './parts/train-thread.ts';

/** Columns of the curve. They are listed here so that a run without an evaluation still writes a header. */
const CURVE_COLUMNS = [
  'run',
  'step',
  'tokens',
  'learning_rate',
  'train_loss',
  'sampled_val_loss',
  'gradient_norm',
] as const;

await stage({
  name: 'train',
  description: 'Trains one model on TOKENS; writes its weights to MODEL and its loss curve to CURVE.csv.',
  paths: ['TOKENS', 'MODEL', 'CURVE.csv'],
  flags: {
    size: 'a key of sizes in params.yaml',
    seed: 'seed of the initial weights and the order of the data',
    checkpoint: 'folder for checkpoints; an interrupted run continues from it',
    times: 'where to write how long it took, as JSON',
  },
  optional: ['checkpoint', 'times'],
  async run({ paths: [tokens, modelDir, curveFile], flags, params, progress }) {
    const name = basename(modelDir);
    if (!/^\d+$/.test(flags.seed)) throw new StageError(`--seed is ${flags.seed}; it must be a whole number`);
    const settings = params.train;
    const tokenizer = tokenizerOf(tokens);
    const config = buildConfig(params, flags.size, tokenizer.vocabularySize);
    const learningRate = peakLearningRate(settings, config);
    const request = {
      tokens,
      modelDir,
      config,
      engine: {
        name: settings.engine,
        precision: settings.precision,
        products: settings.products,
        threads: settings.threads,
      },
      seed: Number(flags.seed),
      settings: {
        tokens: settings.tokens,
        batch: settings.batch,
        block: settings.block,
        learningRate,
        learningRateFloor: settings.lr_floor,
        schedule: settings.schedule,
        cooldown: settings.cooldown,
        budgets: settings.budgets,
        warmup: settings.warmup,
        weightDecay: settings.weight_decay,
        betas: settings.betas,
        clip: settings.clip,
        evaluations: settings.evaluations,
        evaluationTokens: settings.evaluation_tokens,
        microbatch: settings.microbatch || undefined,
      },
      checkpointDir: flags.checkpoint,
      memoryShare: Number(process.env.REPRO_MEMORY) || undefined,
    };
    const result = await trainInThread(request, progress.update);
    if (result.diverged) process.stderr.write(`train: warning: ${describeDivergence(result.diverged, modelDir)}\n`);
    for (const { share, diverged } of result.budgets)
      if (diverged)
        process.stderr.write(`train: warning: ${describeDivergence(diverged, budgetFolder(modelDir, share))}\n`);
    const curve = result.curve.map((row) => ({ run: name, ...row }));
    await writeText(curveFile, `${csvFormat(curve, CURVE_COLUMNS)}\n`);

    const parameters = countParameters(config);
    const metrics = {
      run: name,
      tokenizer: tokenizer.kind,
      architecture: config.architecture,
      size: flags.size,
      seed: Number(flags.seed),
      params: parameters.total,
      params_non_embedding: parameters.nonEmbedding,
      ...figuresOf(result),
      learning_rate: learningRate,
      ...(result.budgets.length > 0 && {
        budgets: Object.fromEntries(result.budgets.map(({ share, ...budget }) => [share, figuresOf(budget)])),
      }),
      engine: describeArithmetic(result.engine),
    };
    for (const folder of [modelDir, ...result.budgets.map(({ share }) => budgetFolder(modelDir, share))])
      await writeModelFiles(folder, tokenizer, config);
    if (flags.times !== undefined) await writeTimes(flags.times, timesOf(result), metrics);
    return metrics;
  },
});

/**
 * Builds the configuration of the model from params.yaml and checks it.
 *
 * @throws StageError naming the key of params.yaml that is wrong
 */
function buildConfig(params: Params, size: string, vocabularySize: number) {
  if (!Object.hasOwn(params.sizes, size)) throw new StageError(`params.yaml: sizes has no key ${size}`);
  const shape = params.sizes[size];
  try {
    const config = modelConfig(shape, { vocabularySize, block: params.train.block, dropout: params.train.dropout });
    checkConfig(config);
    return config;
  } catch (error) {
    if (!(error instanceof ModelError)) throw error;
    const section = error.key === 'block' || error.key === 'dropout' ? 'train' : `sizes.${size}`;
    throw new StageError(`params.yaml: ${section}: ${error.message}`);
  }
}

/** Words the warning for a run that diverged. */
function describeDivergence({ step, reason, keptStep }: NonNullable<Trained['diverged']>, modelDir: string): string {
  const weights = keptStep === 0 ? 'the initial weights' : `the weights of step ${keptStep}, the last good ones`;
  return `stopped at step ${step}, because ${reason}; ${modelDir} has ${weights}. A smaller train.lr or a longer train.warmup may help`;
}

/** The figures of a budget, with the keys of the metrics file. They hold no time, so another run gives the same. */
function figuresOf({ diverged, ...result }: Omit<Outcome, 'weights'>) {
  return {
    steps: result.steps,
    tokens: result.tokens,
    flops: result.flops,
    train_loss: result.trainLoss,
    sampled_val_loss: result.sampledValLoss,
    diverged: diverged !== undefined,
    ...(diverged && {
      diverged_at: { step: diverged.step, reason: diverged.reason, kept_step: diverged.keptStep },
    }),
  };
}

/**
 * The engine without the kernels of the CPU: "native fp32, 1 thread". With the GPU, its kernels and the version of
 * cuBLASLt, because other ones give other bits: "gpu bf16, NVIDIA H200, kernels 1a2b3c4d, cuBLASLt 12.8.4".
 */
function describeArithmetic({ name, arithmetic: { precision, threads, kernels } }: Trained['engine']): string {
  if (name === 'gpu') return `gpu ${precision}, ${kernels}`;
  return `${name} ${precision}, ${threads} ${threads === 1 ? 'thread' : 'threads'}`;
}

/** The time and memory of this run on this machine. */
function timesOf(result: Trained): Times {
  return {
    seconds: result.seconds,
    tokens_per_second: result.tokensPerSecond,
    peak_memory_mb: process.resourceUsage().maxRSS / 1024,
    engine: result.engine.description,
    budgets: Object.fromEntries(
      result.budgets.map(({ share, tokensPerSecond }) => [share, { tokens_per_second: tokensPerSecond }]),
    ),
  };
}

/**
 * Trains in a second thread, so that the main thread stays free to pass on progress and signals. After SIGINT or
 * SIGTERM the training thread finishes its step and keeps a checkpoint.
 */
async function trainInThread(
  request: TrainingRequest,
  onProgress: (progress: ProgressUpdate) => void,
): Promise<Trained> {
  const program = `import { runTrainingThread } from './parts/train-thread.ts'; runTrainingThread();`;
  const bundle = await bundleProgram(program, import.meta.url);
  const thread = startThread(bundle, { workerData: request });
  const hint = request.checkpointDir === undefined ? '' : '; the next attempt continues from here';
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => thread.postMessage(`interrupted (${signal})${hint}`));
  return new Promise((resolve, reject) => {
    thread.on('message', (message: FromThread) =>
      'progress' in message ? onProgress(message.progress) : resolve(message.trained),
    );
    thread.on('error', reject);
    thread.on('exit', (code) => reject(new StageError(`training ended without a result (exit code ${code})`)));
  });
}
