/**
 * Trains one model on a budget of tokens, on any engine. The run is evaluated several times, stops if it diverges, and can
 * be resumed.
 *
 *   settings → (windows of the step → engine: forward, backward, clip, AdamW → evaluate if due → checkpoint if due) × steps → result
 *
 * Random numbers depend only on the seed and the number of the step. So a run that continues from a checkpoint ends
 * with the same bits as a run that was not interrupted. A checkpoint is refused if it was made with another engine,
 * precision or number of threads, or with other data or settings, because the bits would differ.
 */
import {
  checkConfig,
  elementCount,
  flopsPerToken,
  initialWeights,
  type ModelConfig,
  stateShape,
  type Tensor,
  type Weights,
} from '../../models/index.ts';
import { beginsStreams, hashTokens, randomOffsets, streamOffsets, type TokenSource } from '../data/index.ts';
import type { Batch, Engine, Model } from '../interface/index.ts';
import { DIVERGENCE_STEPS, divergenceReason, lossDivergenceReason } from './divergence.ts';
import { gatherBatch, lossOverWindows } from './evaluate.ts';
import { learningRateAt } from './learning-rate.ts';
import { checkMemory } from './memory-estimate.ts';
import {
  deleteCheckpoints,
  type RunIdentity,
  readCheckpoint,
  type TrainingCheckpoint,
  writeCheckpoint,
} from './training-checkpoints.ts';
import { type ResolvedSettings, resolveSettings, type TrainSettings } from './training-settings.ts';

/** One training run: the model, the data, the settings, and the folder for checkpoints. */
export interface TrainOptions {
  engine: Engine;
  config: ModelConfig;
  source: TokenSource;
  settings: TrainSettings;
  /** seed of the initial weights, the order of the data and the dropout masks */
  seed: number;
  /** called after every step; `done` and `total` are in tokens */
  onProgress?(progress: { done: number; total: number; unit: string; text: string }): void;
  /** bytes of memory that this run may use, because others run beside it. Default: the whole machine's */
  memoryShare?: number;
  /** folder for checkpoints: the run continues from a checkpoint in it, and leaves none when it is complete */
  checkpointDir?: string;
  /** seconds between two checkpoints. Default 60 */
  checkpointSeconds?: number;
  /**
   * Aborting it ends the run after the current step, or after the current batch of an evaluation. The run then writes a
   * checkpoint, and `train` throws the signal's reason.
   */
  signal?: AbortSignal;
}

/** A row of the loss curve; each evaluation adds one. Losses in nats per token. */
export interface CurveRow {
  /** completed steps */
  step: number;
  /** tokens read so far */
  tokens: number;
  /** learning rate of the last step */
  learning_rate: number;
  /** mean over the steps since the previous row */
  train_loss: number;
  /** mean over windows spread over the validation split, the same windows at every evaluation */
  sampled_val_loss: number;
  /** global norm of the last step's gradient, before clipping */
  gradient_norm: number;
}

/** The trained model and the figures of its run. */
export interface TrainResult {
  /** weights of the last step. After divergence: weights of the last evaluation before it, or the initial ones */
  weights: Weights;
  curve: CurveRow[];
  /** mean over the last tenth of the steps, in nats per token */
  trainLoss: number;
  /** loss of `weights` on the evaluation windows of the validation split, in nats per token */
  sampledValLoss: number;
  /** completed steps */
  steps: number;
  /** tokens read in training */
  tokens: number;
  /** floating-point operations of training, as `flopsPerToken` counts them */
  flops: number;
  /** duration of all attempts, with evaluations and checkpoints */
  seconds: number;
  /** tokens per second of training steps alone */
  tokensPerSecond: number;
  /**
   * If the run diverged: the step at which it stopped, the reason, and the step that `weights` come from (0: initial
   * weights). Otherwise undefined.
   */
  diverged: { step: number; reason: string; keptStep: number } | undefined;
}

/**
 * Trains a model. All checks are made before the first step.
 *
 * @throws EngineError if settings are wrong, a split is too short, the run does not fit into memory, or the checkpoint
 *   belongs to another run
 * @throws ModelError if the configuration is wrong
 * @throws the signal's reason if it is aborted
 */
export async function train(options: TrainOptions): Promise<TrainResult> {
  const { signal } = options;
  const run = await TrainingRun.begin(options);
  try {
    while (!run.ended) {
      signal?.throwIfAborted();
      if (run.evaluationIsDue) await run.evaluate();
      else await run.step();
      await run.checkpointIfDue();
    }
    return await run.finish();
  } catch (error) {
    if (signal?.aborted && error === signal.reason) await run.checkpoint();
    throw error;
  } finally {
    run.dispose();
  }
}

/** The state of a run that a checkpoint holds in addition to the weights and the optimizer. */
interface Progress {
  /** completed steps */
  step: number;
  curve: CurveRow[];
  /** loss of the first step */
  first: number | undefined;
  /** losses of the last steps, oldest first: the number of steps that the training loss and the divergence test need */
  lastLosses: number[];
  /** global norm of the last step's gradient */
  gradientNorm: number;
  /** sum of losses and number of steps since the last row of the curve */
  sinceRow: { loss: number; steps: number };
  /** step of the weights to return if the run diverges: the last evaluated step, or 0 for the initial weights */
  goodStep: number;
  /** duration so far, of everything and of training steps alone */
  seconds: number;
  stepSeconds: number;
}

const NO_PROGRESS: Progress = {
  step: 0,
  curve: [],
  first: undefined,
  lastLosses: [],
  gradientNorm: Number.NaN,
  sinceRow: { loss: 0, steps: 0 },
  goodStep: 0,
  seconds: 0,
  stepSeconds: 0,
};

class TrainingRun {
  readonly #options: TrainOptions;
  readonly #resolved: ResolvedSettings;
  readonly #identity: RunIdentity;
  readonly #progress: Progress;
  readonly #model: Model;
  readonly #started = performance.now();
  /** seconds of earlier attempts */
  readonly #secondsBefore: number;
  #lastCheckpoint = performance.now();
  /** weights of step `progress.goodStep`; undefined for the initial weights */
  #lastGood: Weights | undefined;
  /** carried state after the last step */
  #state: Tensor | undefined;
  #diverged: TrainResult['diverged'];

  /** Checks all options, and reads the checkpoint if there is one. */
  static async begin(options: TrainOptions): Promise<TrainingRun> {
    const { engine, config, source, settings, seed, checkpointDir, memoryShare } = options;
    checkConfig(config);
    const resolved = resolveSettings(settings, config, source);
    checkMemory(engine, config, settings, checkpointDir !== undefined, memoryShare);
    if (checkpointDir === undefined) return new TrainingRun(options, resolved, {}, undefined);
    const { name, arithmetic } = engine;
    const data = { train: hashTokens(source, 'train'), val: hashTokens(source, 'val') };
    const identity = { engine: { name, ...arithmetic }, config, settings, seed, data };
    return new TrainingRun(options, resolved, identity, await readCheckpoint<Progress>(checkpointDir, identity));
  }

  private constructor(
    options: TrainOptions,
    resolved: ResolvedSettings,
    identity: RunIdentity,
    checkpoint: TrainingCheckpoint<Progress> | undefined,
  ) {
    this.#options = options;
    this.#resolved = resolved;
    this.#identity = identity;
    this.#progress = checkpoint?.progress ?? structuredClone(NO_PROGRESS);
    this.#secondsBefore = this.#progress.seconds;
    const { engine, config, seed } = options;
    this.#model = engine.model(config, checkpoint ? { weights: checkpoint.weights } : { seed });
    if (checkpoint) this.#model.restoreOptimizer(checkpoint.optimizer);
    this.#state = checkpoint?.state;
    const { goodStep, step } = this.#progress;
    this.#lastGood = goodStep === step ? checkpoint?.weights : checkpoint?.lastGood;
  }

  get ended(): boolean {
    return this.#diverged !== undefined || (this.#progress.step === this.#resolved.steps && !this.evaluationIsDue);
  }

  get evaluationIsDue(): boolean {
    const { step, curve } = this.#progress;
    return this.#resolved.evaluateAt.includes(step) && curve.at(-1)?.step !== step;
  }

  async step(): Promise<void> {
    const progress = this.#progress;
    const { batch: sequences, lastSteps, schedule, steps } = this.#resolved;
    const { settings, seed, config, onProgress } = this.#options;
    const { weightDecay, betas, clip, microbatch } = settings;
    const batch = this.#nextBatch();
    const learningRate = learningRateAt(progress.step, schedule);
    const before = performance.now();
    const result = await this.#model.trainStep(batch, {
      ...{ learningRate, weightDecay, betas, clip, microbatch, dropoutSeed: seed },
    });
    progress.stepSeconds += (performance.now() - before) / 1000;
    if (result.state) this.#state = { shape: stateShape(config, sequences)!, data: result.state };
    progress.step++;
    progress.sinceRow.loss += result.loss;
    progress.sinceRow.steps++;
    progress.lastLosses.push(result.loss);
    if (progress.lastLosses.length > Math.max(lastSteps, DIVERGENCE_STEPS)) progress.lastLosses.shift();
    progress.gradientNorm = result.gradientNorm;
    progress.first ??= result.loss;
    this.#stopIf(divergenceReason(progress.lastLosses, result.gradientNorm, this.#baseline()));
    onProgress?.({
      done: this.#tokens(),
      total: this.#tokens(steps),
      unit: 'tokens',
      text: `loss ${result.loss.toFixed(3)}`,
    });
  }

  async evaluate(): Promise<void> {
    const progress = this.#progress;
    const loss = await this.#validationLoss(this.#model, this.#options.signal);
    this.#stopIf(lossDivergenceReason('the validation loss', loss, this.#baseline()));
    if (this.#diverged) return;
    this.#lastGood = this.#model.weights();
    progress.goodStep = progress.step;
    progress.curve.push({
      step: progress.step,
      tokens: this.#tokens(),
      learning_rate: learningRateAt(progress.step - 1, this.#resolved.schedule),
      train_loss: progress.sinceRow.loss / progress.sinceRow.steps,
      sampled_val_loss: loss,
      gradient_norm: progress.gradientNorm,
    });
    progress.sinceRow = { loss: 0, steps: 0 };
  }

  async checkpointIfDue(): Promise<void> {
    const { checkpointSeconds = 60 } = this.#options;
    if (!this.ended && performance.now() - this.#lastCheckpoint >= checkpointSeconds * 1000) await this.checkpoint();
  }

  /** Writes a checkpoint, if the run has a folder for checkpoints and has made a step. */
  async checkpoint(): Promise<void> {
    const progress = this.#progress;
    const { config, checkpointDir } = this.#options;
    this.#lastCheckpoint = performance.now();
    if (checkpointDir === undefined || progress.step === 0) return;
    progress.seconds = this.#seconds();
    const isGood = progress.goodStep === progress.step;
    await writeCheckpoint(checkpointDir, this.#identity, {
      config,
      weights: isGood && this.#lastGood ? this.#lastGood : this.#model.weights(),
      optimizer: this.#model.optimizerState(),
      state: this.#state,
      lastGood: isGood ? undefined : this.#lastGood,
      progress,
    });
    this.#lastCheckpoint = performance.now();
  }

  async finish(): Promise<TrainResult> {
    const progress = this.#progress;
    const diverged = this.#diverged;
    const { config, checkpointDir, seed } = this.#options;
    const weights = this.#lastGood ?? initialWeights(config, seed);
    const losses = progress.lastLosses.slice(-this.#resolved.lastSteps).filter(Number.isFinite);
    const result = {
      weights,
      curve: progress.curve,
      trainLoss: losses.reduce((sum, loss) => sum + loss, 0) / losses.length,
      sampledValLoss: diverged ? await this.#validationLossOf(weights) : progress.curve.at(-1)!.sampled_val_loss,
      steps: progress.step,
      tokens: this.#tokens(),
      flops: flopsPerToken(config, this.#resolved.length) * this.#tokens(),
      seconds: this.#seconds(),
      tokensPerSecond: this.#tokens() / progress.stepSeconds,
      diverged,
    };
    if (checkpointDir !== undefined) await deleteCheckpoints(checkpointDir);
    return result;
  }

  dispose(): void {
    this.#model.dispose();
  }

  #stopIf(reason: string | undefined): void {
    const { step, goodStep } = this.#progress;
    if (reason !== undefined) this.#diverged = { step, reason, keptStep: goodStep };
  }

  #baseline(): { firstLoss: number; vocabularySize: number } {
    return { firstLoss: this.#progress.first!, vocabularySize: this.#options.config.vocabularySize };
  }

  #nextBatch(): Batch {
    const { step } = this.#progress;
    const { source, seed, config } = this.#options;
    const { batch, length, streams } = this.#resolved;
    if (!streams) return gatherBatch(source, 'train', randomOffsets(source, seed, step, { batch, length }), length);
    const windows = gatherBatch(source, 'train', streamOffsets(step, streams, batch, length), length);
    const state = beginsStreams(step, streams)
      ? new Float32Array(elementCount(stateShape(config, batch)!))
      : this.#state?.data;
    // A damaged checkpoint may lack the state. The engine then refuses the empty array.
    return { ...windows, state: state ?? new Float32Array() };
  }

  async #validationLoss(model: Model, signal?: AbortSignal): Promise<number> {
    const { evaluationWindows } = this.#resolved;
    return (await lossOverWindows(model, this.#options.source, 'val', evaluationWindows, { signal })).loss;
  }

  async #validationLossOf(weights: Weights): Promise<number> {
    const model = this.#options.engine.model(this.#options.config, { weights });
    try {
      return await this.#validationLoss(model);
    } finally {
      model.dispose();
    }
  }

  /** Tokens read in this many steps. */
  #tokens(steps = this.#progress.step): number {
    return steps * this.#resolved.batch * this.#resolved.length;
  }

  /** Duration of all attempts so far. */
  #seconds(): number {
    return this.#secondsBefore + (performance.now() - this.#started) / 1000;
  }
}
