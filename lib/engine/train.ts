/**
 * Trains one model on a budget of tokens, on any engine: evaluated along the way, stopped if it diverges, resumable.
 *
 *   plan → (windows of the step → engine: forward, backward, clip, AdamW → evaluate? → keep a checkpoint?) × steps → result
 *
 * Seed and step decide all that a step draws, so a run that was interrupted and goes on from a checkpoint ends with the
 * same bits as one that was not, where the engine repeats itself: the same one, with the same threads, on the same machine.
 */
import { checkConfig, flopsPerToken, type ModelConfig, type Weights } from '../models/index.ts';
import { divergenceOf, divergenceSpan } from './divergence.ts';
import type { Engine, Model, StepResult } from './engine.ts';
import { gather, lossOverWindows } from './evaluate.ts';
import { checkMemory } from './memory.ts';
import { drawOffsets, type Plan, planTraining, type TrainSettings } from './plan.ts';
import { forgetCheckpoints, type Identity, keepCheckpoint, type Resumed, resumeFrom } from './resume.ts';
import { learningRate } from './schedule.ts';
import type { TokenSource } from './token-source.ts';

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
  /** Aborting it ends the run after the step under way, with a checkpoint; `train` then throws the signal's reason. */
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
  val_loss: number;
  /** of the last step, before clipping */
  gradient_norm: number;
}

export interface TrainResult {
  /** Of the last step; if the run diverged, of its last evaluation, or the first ones. */
  weights: Weights;
  curve: CurveRow[];
  /** Mean over the last tenth of the steps. */
  trainLoss: number;
  /** Of these weights, on the windows that all evaluations of the run read. */
  valLoss: number;
  steps: number;
  /** Read in training. */
  tokens: number;
  /** Spent on them, as `flopsPerToken` counts. */
  flops: number;
  /** Of all attempts, evaluations and checkpoints included. */
  seconds: number;
  /** In training steps alone. */
  tokensPerSecond: number;
  /** Where and why the run was stopped before it had read its budget; undefined if it was not. */
  diverged: { step: number; reason: string } | undefined;
}

/** @throws EngineError, before any training, when the settings, the data or the machine do not allow it */
export async function train(options: TrainOptions): Promise<TrainResult> {
  const run = await Run.begin(options);
  try {
    while (!run.ended) {
      await run.stopIfAborted();
      await run.step();
      await run.evaluateWhenDue();
      await run.keepWhenDue();
    }
    return await run.finish();
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
  /** of the steps since the last row of the curve */
  sinceRow: { loss: number; steps: number };
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
  private lastResult: StepResult = { loss: Number.NaN, gradientNorm: Number.NaN };
  /** the weights to return if what follows diverges */
  private good: Weights;
  private diverged: TrainResult['diverged'];

  /** Everything that can be refused is refused here. */
  static async begin(options: TrainOptions): Promise<Run> {
    const { engine, config, source, settings, seed, checkpointDir } = options;
    checkConfig(config);
    const plan = planTraining(settings, config, source);
    checkMemory(engine, config, Math.min(settings.microbatch ?? 1, settings.batch));
    const identity = { engine: engine.name, config, settings, seed, tokens: source.totals('train').tokens };
    const resumed = checkpointDir === undefined ? undefined : await resumeFrom<Progress>(checkpointDir, identity);
    return new Run(options, plan, identity, resumed);
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
      sinceRow: { loss: 0, steps: 0 },
      seconds: 0,
      stepSeconds: 0,
    };
    this.progress = resumed?.progress ?? anew;
    this.secondsBefore = this.progress.seconds;
    const { engine, config, seed } = options;
    this.model = engine.model(config, resumed ? { weights: resumed.weights } : { seed });
    if (resumed) this.model.restoreOptimizer(resumed.optimizer);
    this.good = this.model.weights();
  }

  get ended(): boolean {
    return this.diverged !== undefined || this.progress.step === this.plan.steps;
  }

  async step(): Promise<void> {
    const { plan, progress } = this;
    const { source, settings, seed, config, onProgress } = this.options;
    const { weightDecay, betas, clip, microbatch } = settings;
    const batch = gather(source, 'train', drawOffsets(seed, progress.step, plan, source), plan.length);
    const rate = learningRate(progress.step, plan.schedule);
    const before = performance.now();
    const result = await this.model.trainStep(batch, {
      ...{ learningRate: rate, weightDecay, betas, clip, microbatch, dropoutSeed: seed },
    });
    progress.stepSeconds += (performance.now() - before) / 1000;
    progress.step++;
    progress.sinceRow.loss += result.loss;
    progress.sinceRow.steps++;
    progress.lastLosses.push(result.loss);
    if (progress.lastLosses.length > Math.max(plan.lastSteps, divergenceSpan)) progress.lastLosses.shift();
    this.lastResult = result;
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

  async evaluateWhenDue(): Promise<void> {
    const { plan, progress } = this;
    if (this.diverged || !plan.evaluateAt.includes(progress.step)) return;
    const valLoss = await this.validationLoss(this.model);
    if (!Number.isFinite(valLoss)) return this.stopIf(`the validation loss is ${valLoss}`);
    this.good = this.model.weights();
    progress.curve.push({
      step: progress.step,
      tokens: this.tokens(),
      learning_rate: learningRate(progress.step - 1, plan.schedule),
      train_loss: progress.sinceRow.loss / progress.sinceRow.steps,
      val_loss: valLoss,
      gradient_norm: this.lastResult.gradientNorm,
    });
    progress.sinceRow = { loss: 0, steps: 0 };
  }

  async keepWhenDue(): Promise<void> {
    const { checkpointSeconds = 60 } = this.options;
    if (!this.ended && performance.now() - this.lastKept >= checkpointSeconds * 1000) await this.keep();
  }

  /** @throws the signal's reason, once there is a checkpoint to go on from */
  async stopIfAborted(): Promise<void> {
    if (!this.options.signal?.aborted) return;
    if (this.progress.step > 0) await this.keep();
    this.options.signal.throwIfAborted();
  }

  async finish(): Promise<TrainResult> {
    const { progress, plan, good, diverged } = this;
    const { config, checkpointDir } = this.options;
    const losses = progress.lastLosses.slice(-plan.lastSteps).filter(Number.isFinite);
    const result = {
      weights: good,
      curve: progress.curve,
      trainLoss: losses.reduce((sum, loss) => sum + loss, 0) / losses.length,
      valLoss: diverged ? await this.validationLossOf(good) : progress.curve.at(-1)!.val_loss,
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
    if (reason !== undefined) this.diverged = { step: this.progress.step, reason };
  }

  private async keep(): Promise<void> {
    const { model, identity, progress } = this;
    const { config, checkpointDir } = this.options;
    this.lastKept = performance.now();
    if (checkpointDir === undefined) return;
    progress.seconds = this.seconds();
    const state = { config, weights: model.weights(), optimizer: model.optimizerState(), progress };
    await keepCheckpoint(checkpointDir, identity, state);
    this.lastKept = performance.now();
  }

  private async validationLoss(model: Model): Promise<number> {
    return (await lossOverWindows(model, this.options.source, 'val', this.plan.evaluationWindows)).loss;
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
