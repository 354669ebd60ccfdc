/**
 * A training run under way: the model and its optimizer, what was measured so far, and what is due next. train.ts drives
 * it; a checkpoint holds all of it.
 *
 * A smaller budget is a branch of the run (branches.ts). At its beginning the state of the run, the trunk, is copied. The
 * branch makes the steps of its cooldown with the same model, is evaluated, and ends. Then the trunk goes on from its copy.
 */
import {
  checkConfig,
  elementCount,
  flopsPerToken,
  initialWeights,
  type OptimizerState,
  stateShape,
  type Tensor,
  type Weights,
} from '../../models/index.ts';
import { beginsStreams, hashTokens, randomOffsets, streamOffsets } from '../data/index.ts';
import type { Batch, Model } from '../interface/index.ts';
import type { Branch } from './branches.ts';
import { DIVERGENCE_STEPS, divergenceReason, lossDivergenceReason } from './divergence.ts';
import { gatherBatch, lossOverWindows } from './evaluate.ts';
import { type LearningRateSchedule, learningRateAt } from './learning-rate.ts';
import { checkMemory } from './memory-estimate.ts';
import type { TrainOptions } from './train-options.ts';
import type { BudgetOutcome, CurveRow, Outcome, TrainResult } from './train-result.ts';
import {
  deleteCheckpoints,
  type RunIdentity,
  readCheckpoint,
  type TrainingCheckpoint,
  writeCheckpoint,
} from './training-checkpoints.ts';
import { type ResolvedSettings, resolveSettings } from './training-settings.ts';

/** What was measured on the way to the present step, along the trunk or a branch. */
interface PathProgress {
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
  /** duration of these training steps alone */
  stepSeconds: number;
}

/** The state of a run that a checkpoint holds in addition to the weights and the optimizer. */
interface Progress {
  path: PathProgress;
  /** the trunk at the beginning of the branch that is under way */
  trunk?: PathProgress;
  /** the figures of the branches that have ended */
  ended: Omit<BudgetOutcome, 'weights'>[];
  /** steps made on the trunk and on all branches */
  stepsMade: number;
  /** duration so far, of everything */
  seconds: number;
}

const NO_PROGRESS: Progress = {
  path: {
    step: 0,
    curve: [],
    first: undefined,
    lastLosses: [],
    gradientNorm: Number.NaN,
    sinceRow: { loss: 0, steps: 0 },
    goodStep: 0,
    stepSeconds: 0,
  },
  ended: [],
  stepsMade: 0,
  seconds: 0,
};

/** The copy of the trunk that a branch leaves behind. */
interface Trunk {
  weights: Weights;
  optimizer: OptimizerState;
  state: Tensor | undefined;
  lastGood: Weights | undefined;
}

/** One training run. `begin` checks everything; then the caller does what is due until the run has ended. */
export class TrainingRun {
  readonly #options: TrainOptions;
  readonly #resolved: ResolvedSettings;
  readonly #identity: RunIdentity;
  readonly #progress: Progress;
  #model: Model;
  readonly #started = performance.now();
  /** seconds of earlier attempts */
  readonly #secondsBefore: number;
  #lastCheckpoint = performance.now();
  /** weights of step `goodStep`; undefined for the initial weights. A branch begins with those of the trunk */
  #lastGood: Weights | undefined;
  /** carried state after the last step */
  #state: Tensor | undefined;
  /** the copy of the trunk while a branch is under way */
  #trunk: Trunk | undefined;
  /** weights of the branches that have ended */
  readonly #branchWeights: Weights[];
  #diverged: Outcome['diverged'];

  /** Checks all options, and reads the checkpoint if there is one. */
  static async begin(options: TrainOptions): Promise<TrainingRun> {
    const { engine, config, source, settings, seed, checkpointDir, memoryShare } = options;
    checkConfig(config);
    const resolved = resolveSettings(settings, config, source);
    checkMemory(engine, config, settings, checkpointDir !== undefined, memoryShare);
    let identity: RunIdentity = {};
    let checkpoint: TrainingCheckpoint<Progress> | undefined;
    if (checkpointDir !== undefined) {
      const { name, arithmetic } = engine;
      const data = { train: hashTokens(source, 'train'), val: hashTokens(source, 'val') };
      identity = { engine: { name, ...arithmetic }, config, settings, seed, data };
      checkpoint = await readCheckpoint<Progress>(checkpointDir, identity);
    }
    const model = await openModel(options, checkpoint ?? { seed });
    return new TrainingRun(options, resolved, identity, checkpoint, model);
  }

  private constructor(
    options: TrainOptions,
    resolved: ResolvedSettings,
    identity: RunIdentity,
    checkpoint: TrainingCheckpoint<Progress> | undefined,
    model: Model,
  ) {
    this.#options = options;
    this.#resolved = resolved;
    this.#identity = identity;
    this.#progress = checkpoint?.progress ?? structuredClone(NO_PROGRESS);
    this.#secondsBefore = this.#progress.seconds;
    this.#model = model;
    this.#state = checkpoint?.state;
    this.#branchWeights = checkpoint?.branchWeights ?? [];
    const { goodStep, step } = this.#progress.path;
    this.#lastGood = goodStep === step ? checkpoint?.weights : checkpoint?.lastGood;
    // A branch is evaluated only at its end, so until then its last good weights are those of the trunk.
    if (checkpoint?.trunk) this.#trunk = { ...checkpoint.trunk, lastGood: this.#lastGood };
  }

  get ended(): boolean {
    if (this.#branch) return false;
    const isAtEnd = this.#progress.path.step === this.#resolved.steps;
    return this.#diverged !== undefined || (isAtEnd && !this.evaluationIsDue);
  }

  get evaluationIsDue(): boolean {
    const { step, curve } = this.#progress.path;
    const evaluateAt = this.#branch ? [this.#branch.steps] : this.#resolved.evaluateAt;
    return evaluateAt.includes(step) && curve.at(-1)?.step !== step;
  }

  get branchIsDue(): boolean {
    const { path, ended } = this.#progress;
    return !this.#branch && this.#resolved.branches[ended.length]?.start === path.step;
  }

  get branchHasEnded(): boolean {
    if (!this.#branch) return false;
    const isAtEnd = this.#progress.path.step === this.#branch.steps;
    return this.#diverged !== undefined || (isAtEnd && !this.evaluationIsDue);
  }

  /** Copies the trunk. The next steps are those of the branch. */
  async beginBranch(): Promise<void> {
    this.#trunk = {
      ...{ weights: await this.#model.weights(), optimizer: await this.#model.optimizerState() },
      ...{ state: this.#state, lastGood: this.#lastGood },
    };
    this.#progress.trunk = structuredClone(this.#progress.path);
  }

  /** Keeps the outcome of the branch, and puts the copy of the trunk back. */
  async endBranch(): Promise<void> {
    const progress = this.#progress;
    const { share } = this.#branch!;
    const { weights, ...figures } = await this.#outcome();
    progress.ended.push({ share, ...figures });
    this.#branchWeights.push(weights);
    const trunk = this.#trunk!;
    this.#model.dispose();
    this.#model = await openModel(this.#options, trunk);
    this.#state = trunk.state;
    this.#lastGood = trunk.lastGood;
    progress.path = progress.trunk!;
    this.#trunk = progress.trunk = undefined;
    this.#diverged = undefined;
  }

  async step(): Promise<void> {
    const progress = this.#progress;
    const { path } = progress;
    const { batch: sequences, lastSteps, totalSteps } = this.#resolved;
    const { settings, seed, config, onProgress } = this.#options;
    const { weightDecay, betas, clip, microbatch } = settings;
    const batch = this.#nextBatch();
    const learningRate = learningRateAt(path.step, this.#schedule);
    const before = performance.now();
    const result = await this.#model.trainStep(batch, {
      ...{ learningRate, weightDecay, betas, clip, microbatch, dropoutSeed: seed },
    });
    path.stepSeconds += (performance.now() - before) / 1000;
    if (result.state) this.#state = { shape: stateShape(config, sequences)!, data: result.state };
    path.step++;
    progress.stepsMade++;
    path.sinceRow.loss += result.loss;
    path.sinceRow.steps++;
    path.lastLosses.push(result.loss);
    if (path.lastLosses.length > Math.max(lastSteps, DIVERGENCE_STEPS)) path.lastLosses.shift();
    path.gradientNorm = result.gradientNorm;
    path.first ??= result.loss;
    this.#stopIf(divergenceReason(path.lastLosses, result.gradientNorm, this.#baseline()));
    onProgress?.({
      done: this.#tokens(progress.stepsMade),
      total: this.#tokens(totalSteps),
      unit: 'tokens',
      text: `loss ${result.loss.toFixed(3)}`,
    });
  }

  async evaluate(): Promise<void> {
    const { path } = this.#progress;
    const loss = await this.#validationLoss(this.#model, this.#options.signal);
    this.#stopIf(lossDivergenceReason('the validation loss', loss, this.#baseline()));
    if (this.#diverged) return;
    this.#lastGood = await this.#model.weights();
    path.goodStep = path.step;
    path.curve.push({
      step: path.step,
      tokens: this.#tokens(path.step),
      learning_rate: learningRateAt(path.step - 1, this.#schedule),
      train_loss: path.sinceRow.loss / path.sinceRow.steps,
      sampled_val_loss: loss,
      gradient_norm: path.gradientNorm,
    });
    path.sinceRow = { loss: 0, steps: 0 };
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
    if (checkpointDir === undefined || progress.stepsMade === 0) return;
    progress.seconds = this.#seconds();
    const isGood = progress.path.goodStep === progress.path.step;
    await writeCheckpoint(checkpointDir, this.#identity, progress.stepsMade, {
      config,
      weights: isGood && this.#lastGood ? this.#lastGood : await this.#model.weights(),
      optimizer: await this.#model.optimizerState(),
      state: this.#state,
      lastGood: isGood ? undefined : this.#lastGood,
      trunk: this.#trunk,
      branchWeights: this.#branchWeights,
      progress,
    });
    this.#lastCheckpoint = performance.now();
  }

  async finish(): Promise<TrainResult> {
    const { ended, path } = this.#progress;
    const { checkpointDir } = this.#options;
    const result = {
      ...(await this.#outcome()),
      curve: path.curve,
      seconds: this.#seconds(),
      budgets: ended.map((figures, i) => ({ ...figures, weights: this.#branchWeights[i] })),
    };
    if (checkpointDir !== undefined) await deleteCheckpoints(checkpointDir);
    return result;
  }

  dispose(): void {
    this.#model.dispose();
  }

  /** The branch that is under way. */
  get #branch(): Branch | undefined {
    const { trunk, ended } = this.#progress;
    return trunk && this.#resolved.branches[ended.length];
  }

  get #schedule(): LearningRateSchedule {
    return this.#branch?.schedule ?? this.#resolved.schedule;
  }

  /** The model of the present step, or the last good one, and its figures. */
  async #outcome(): Promise<Outcome> {
    const { path } = this.#progress;
    const { config, seed } = this.#options;
    const weights = this.#lastGood ?? initialWeights(config, seed);
    const lastSteps = this.#branch?.lastSteps ?? this.#resolved.lastSteps;
    const losses = path.lastLosses.slice(-lastSteps).filter(Number.isFinite);
    const tokens = this.#tokens(path.step);
    return {
      weights,
      trainLoss: losses.reduce((sum, loss) => sum + loss, 0) / losses.length,
      sampledValLoss: this.#diverged ? await this.#validationLossOf(weights) : path.curve.at(-1)!.sampled_val_loss,
      steps: path.step,
      tokens,
      flops: flopsPerToken(config, this.#resolved.length) * tokens,
      tokensPerSecond: tokens / path.stepSeconds,
      diverged: this.#diverged,
    };
  }

  #stopIf(reason: string | undefined): void {
    const { step, goodStep } = this.#progress.path;
    if (reason !== undefined) this.#diverged = { step, reason, keptStep: goodStep };
  }

  #baseline(): { firstLoss: number; vocabularySize: number } {
    return { firstLoss: this.#progress.path.first!, vocabularySize: this.#options.config.vocabularySize };
  }

  #nextBatch(): Batch {
    const { step } = this.#progress.path;
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
  #tokens(steps: number): number {
    return steps * this.#resolved.batch * this.#resolved.length;
  }

  /** Duration of all attempts so far. */
  #seconds(): number {
    return this.#secondsBefore + (performance.now() - this.#started) / 1000;
  }
}

/** A model with these weights and this optimizer. */
async function openModel(
  { engine, config }: TrainOptions,
  from: { seed: number } | { weights: Weights; optimizer: OptimizerState },
): Promise<Model> {
  const model = engine.model(config, from);
  if ('optimizer' in from) await model.restoreOptimizer(from.optimizer);
  return model;
}
