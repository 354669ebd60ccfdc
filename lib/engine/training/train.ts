/**
 * Trains one model on a budget of tokens, on any engine: evaluated along the way, stopped if it diverges, resumable.
 *
 *   plan → (windows of the step → engine: forward, backward, clip, AdamW → evaluate? → keep a checkpoint?) × steps → result
 *
 * Seed and step decide all that a step draws, so a run that was interrupted and goes on from a checkpoint ends with the
 * same bits as one that was not. Where it could not (another engine, precision, number of threads, other data or settings), the
 * checkpoint is refused.
 */
import {
  checkConfig,
  flopsPerToken,
  initialWeights,
  type ModelConfig,
  sizeOf,
  stateShape,
  type Tensor,
  type Weights,
} from '../../models/index.ts';
import { beginsStreams, hashOf, streamOffsets, type TokenSource } from '../data/index.ts';
import type { Batch, Engine, Model } from '../interface/index.ts';
import { divergenceOf, divergenceSpan, worseThanGuessing } from './divergence.ts';
import { gather, lossOverWindows } from './evaluate.ts';
import { checkMemory } from './memory.ts';
import { drawOffsets, type Plan, planTraining, type TrainSettings } from './plan.ts';
import { forgetCheckpoints, type Identity, keepCheckpoint, type Resumed, resumeFrom } from './resume.ts';
import { learningRate } from './schedule.ts';

export interface TrainOptions {
  engine: Engine;
  config: ModelConfig;
  source: TokenSource;
  settings: TrainSettings;
  /** Of the initial weights, the order of the data and the dropout masks. */
  seed: number;
  onProgress?(progress: { done: number; total: number; unit: string; text: string }): void;
  /** A folder for checkpoints: the run goes on from the one that is there, and leaves none when it is done. */
  checkpointDir?: string;
  /** Seconds between two of them. Default 60 */
  checkpointSeconds?: number;
  /**
   * Aborting it ends the run after the step (or the eight windows of an evaluation) under way, with a checkpoint; `train` then
   * throws the signal's reason.
   */
  signal?: AbortSignal;
}

/** A row of the loss curve, one an evaluation. Losses in nats a token. */
export interface CurveRow {
  /** steps made */
  step: number;
  /** tokens read */
  tokens: number;
  /** of the last step */
  learning_rate: number;
  /** mean over the steps since the row before */
  train_loss: number;
  /** over windows spread over the validation split, the same ones at every evaluation */
  sampled_val_loss: number;
  /** of the last step, before clipping */
  gradient_norm: number;
}

export interface TrainResult {
  /** Of the last step; if the run diverged, of its last evaluation before that, or the first ones. */
  weights: Weights;
  curve: CurveRow[];
  /** Mean over the last tenth of the steps. */
  trainLoss: number;
  /** Of these weights, on the windows of the validation split that all evaluations of the run read. */
  sampledValLoss: number;
  steps: number;
  /** Read in training. */
  tokens: number;
  /** Spent on them, as `flopsPerToken` counts. */
  flops: number;
  /** Of all attempts, evaluations and checkpoints included. */
  seconds: number;
  /** In training steps alone. */
  tokensPerSecond: number;
  /**
   * Where and why the run was stopped before it had read its budget, and of which step the weights are (0: the first ones);
   * undefined if it was not.
   */
  diverged: { step: number; reason: string; keptStep: number } | undefined;
}

/** @throws EngineError, before any training, when the settings, the data or the machine do not allow it */
export async function train(options: TrainOptions): Promise<TrainResult> {
  const { signal } = options;
  const run = await Run.begin(options);
  try {
    while (!run.ended) {
      signal?.throwIfAborted();
      if (run.evaluationIsDue) await run.evaluate();
      else await run.step();
      await run.keepWhenDue();
    }
    return await run.finish();
  } catch (error) {
    if (signal?.aborted && error === signal.reason) await run.keep();
    throw error;
  } finally {
    run.dispose();
  }
}

/** What a resumed run has to know beside weights and optimizer. */
interface Progress {
  step: number;
  curve: CurveRow[];
  /** loss of the first step */
  first: number | undefined;
  /** losses of the last `plan.lastSteps` steps, oldest first */
  lastLosses: number[];
  /** of the last step */
  gradientNorm: number;
  /** of the steps since the last row of the curve */
  sinceRow: { loss: number; steps: number };
  /** of the weights to return if what follows diverges: the last evaluated; 0 for the initial ones */
  goodStep: number;
  /** so far, in all and in training steps */
  seconds: number;
  stepSeconds: number;
}

class Run {
  private readonly options: TrainOptions;
  private readonly plan: Plan;
  private readonly identity: Identity;
  private readonly progress: Progress;
  private readonly model: Model;
  private readonly started = performance.now();
  private readonly secondsBefore: number;
  private lastKept = performance.now();
  /** the weights of `progress.goodStep`; undefined for the initial ones */
  private good: Weights | undefined;
  /** what the streams of a carried state left behind at the last step */
  private state: Tensor | undefined;
  private diverged: TrainResult['diverged'];

  /** Everything that can be refused is refused here. */
  static async begin(options: TrainOptions): Promise<Run> {
    const { engine, config, source, settings, seed, checkpointDir } = options;
    checkConfig(config);
    const plan = planTraining(settings, config, source);
    checkMemory(engine, config, settings, checkpointDir !== undefined);
    if (checkpointDir === undefined) return new Run(options, plan, {}, undefined);
    const { name, arithmetic } = engine;
    const data = { train: hashOf(source, 'train'), val: hashOf(source, 'val') };
    const identity = { engine: { name, ...arithmetic }, config, settings, seed, data };
    return new Run(options, plan, identity, await resumeFrom<Progress>(checkpointDir, identity));
  }

  private constructor(options: TrainOptions, plan: Plan, identity: Identity, resumed: Resumed<Progress> | undefined) {
    this.options = options;
    this.plan = plan;
    this.identity = identity;
    const anew = {
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
    this.progress = resumed?.progress ?? anew;
    this.secondsBefore = this.progress.seconds;
    const { engine, config, seed } = options;
    this.model = engine.model(config, resumed ? { weights: resumed.weights } : { seed });
    if (resumed) this.model.restoreOptimizer(resumed.optimizer);
    this.state = resumed?.state;
    this.good = this.progress.goodStep === this.progress.step ? resumed?.weights : resumed?.lastGood;
  }

  get ended(): boolean {
    return this.diverged !== undefined || (this.progress.step === this.plan.steps && !this.evaluationIsDue);
  }

  get evaluationIsDue(): boolean {
    const { step, curve } = this.progress;
    return this.plan.evaluateAt.includes(step) && curve.at(-1)?.step !== step;
  }

  async step(): Promise<void> {
    const { plan, progress } = this;
    const { settings, seed, config, onProgress } = this.options;
    const { weightDecay, betas, clip, microbatch } = settings;
    const batch = this.nextBatch();
    const rate = learningRate(progress.step, plan.schedule);
    const before = performance.now();
    const result = await this.model.trainStep(batch, {
      ...{ learningRate: rate, weightDecay, betas, clip, microbatch, dropoutSeed: seed },
    });
    progress.stepSeconds += (performance.now() - before) / 1000;
    if (result.state) this.state = { shape: stateShape(config, plan.batch)!, data: result.state };
    progress.step++;
    progress.sinceRow.loss += result.loss;
    progress.sinceRow.steps++;
    progress.lastLosses.push(result.loss);
    if (progress.lastLosses.length > Math.max(plan.lastSteps, divergenceSpan)) progress.lastLosses.shift();
    progress.gradientNorm = result.gradientNorm;
    const { first = result.loss } = progress;
    progress.first = first;
    this.stopIf(divergenceOf(progress.lastLosses, result.gradientNorm, { first, ...config }));
    const { steps } = plan;
    onProgress?.({
      done: this.tokens(),
      total: this.tokens(steps),
      unit: 'tokens',
      text: `loss ${result.loss.toFixed(3)}`,
    });
  }

  async evaluate(): Promise<void> {
    const { plan, progress } = this;
    const { config, signal } = this.options;
    const loss = await this.validationLoss(this.model, signal);
    this.stopIf(worseThanGuessing('the validation loss', loss, { first: progress.first!, ...config }));
    if (this.diverged) return;
    this.good = this.model.weights();
    progress.goodStep = progress.step;
    progress.curve.push({
      step: progress.step,
      tokens: this.tokens(),
      learning_rate: learningRate(progress.step - 1, plan.schedule),
      train_loss: progress.sinceRow.loss / progress.sinceRow.steps,
      sampled_val_loss: loss,
      gradient_norm: progress.gradientNorm,
    });
    progress.sinceRow = { loss: 0, steps: 0 };
  }

  async keepWhenDue(): Promise<void> {
    const { checkpointSeconds = 60 } = this.options;
    if (!this.ended && performance.now() - this.lastKept >= checkpointSeconds * 1000) await this.keep();
  }

  async finish(): Promise<TrainResult> {
    const { progress, plan, diverged } = this;
    const { config, checkpointDir, seed } = this.options;
    const weights = this.good ?? initialWeights(config, seed);
    const losses = progress.lastLosses.slice(-plan.lastSteps).filter(Number.isFinite);
    const result = {
      weights,
      curve: progress.curve,
      trainLoss: losses.reduce((sum, loss) => sum + loss, 0) / losses.length,
      sampledValLoss: diverged ? await this.validationLossOf(weights) : progress.curve.at(-1)!.sampled_val_loss,
      steps: progress.step,
      tokens: this.tokens(),
      flops: flopsPerToken(config, plan.length) * this.tokens(),
      seconds: this.seconds(),
      tokensPerSecond: this.tokens() / progress.stepSeconds,
      diverged,
    };
    if (checkpointDir !== undefined) await forgetCheckpoints(checkpointDir);
    return result;
  }

  dispose(): void {
    this.model.dispose();
  }

  private stopIf(reason: string | undefined): void {
    const { step, goodStep } = this.progress;
    if (reason !== undefined) this.diverged = { step, reason, keptStep: goodStep };
  }

  /** A checkpoint to go on from, where there is a folder for it and anything to keep. */
  async keep(): Promise<void> {
    const { model, identity, progress, good } = this;
    const { config, checkpointDir } = this.options;
    this.lastKept = performance.now();
    if (checkpointDir === undefined || progress.step === 0) return;
    progress.seconds = this.seconds();
    const isGood = progress.goodStep === progress.step;
    await keepCheckpoint(checkpointDir, identity, {
      config,
      weights: isGood && good ? good : model.weights(),
      optimizer: model.optimizerState(),
      state: this.state,
      lastGood: isGood ? undefined : good,
      progress,
    });
    this.lastKept = performance.now();
  }

  private nextBatch(): Batch {
    const { plan, progress } = this;
    const { source, seed, config } = this.options;
    const { batch, length, streams } = plan;
    if (!streams) return gather(source, 'train', drawOffsets(seed, progress.step, plan, source), length);
    const windows = gather(source, 'train', streamOffsets(progress.step, streams, batch, length), length);
    const state = beginsStreams(progress.step, streams)
      ? new Float32Array(sizeOf(stateShape(config, batch)!))
      : this.state?.data;
    // an empty one, which the engine refuses, where a checkpoint lacks it
    return { ...windows, state: state ?? new Float32Array() };
  }

  private async validationLoss(model: Model, signal?: AbortSignal): Promise<number> {
    const { source } = this.options;
    return (await lossOverWindows(model, source, 'val', this.plan.evaluationWindows, { signal })).loss;
  }

  private async validationLossOf(weights: Weights): Promise<number> {
    const model = this.options.engine.model(this.options.config, { weights });
    try {
      return await this.validationLoss(model);
    } finally {
      model.dispose();
    }
  }

  private tokens(steps = this.progress.step): number {
    return steps * this.plan.batch * this.plan.length;
  }

  private seconds(): number {
    return this.secondsBefore + (performance.now() - this.started) / 1000;
  }
}
