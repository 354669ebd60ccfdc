/**
 * A training run in progress: the model and its optimizer, the measurements so far, and the next thing to do. train.ts
 * drives it; a checkpoint holds all of it.
 *
 * A smaller budget is a branch of the run (branches.ts). At its beginning the state of the run, the trunk, is copied.
 * The branch makes the steps of its cooldown with the same model, is evaluated, and ends. Then the trunk goes on from
 * its copy.
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
import type { Batch, Model, StepResult } from '../interface/index.ts';
import type { Branch } from './branches.ts';
import { DIVERGENCE_STEPS, divergenceReason, lossDivergenceReason } from './divergence.ts';
import { gatherBatch, lossOverWindows } from './evaluate.ts';
import { type LearningRateSchedule, learningRateAt } from './learning-rate.ts';
import { checkMemory } from './memory-estimate.ts';
import { NO_PROGRESS, type Progress } from './run-progress.ts';
import type { TrainOptions } from './train-options.ts';
import type { Outcome, TrainResult } from './train-result.ts';
import {
  deleteCheckpoints,
  type RunIdentity,
  readCheckpoint,
  type TrainingCheckpoint,
  writeCheckpoint,
} from './training-checkpoints.ts';
import { type ResolvedSettings, resolveSettings } from './training-settings.ts';

/** The copy of the trunk that a branch leaves behind. */
interface Trunk {
  weights: Weights;
  optimizer: OptimizerState;
  state: Tensor | undefined;
  lastGood: Weights | undefined;
}

/** A step that the engine makes. */
interface RunningStep {
  result: Promise<StepResult>;
  started: number;
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
  /** the step after the present one, if it was started already */
  #ahead: RunningStep | undefined;
  /** when the result of the last step came */
  #lastResult = Number.NEGATIVE_INFINITY;

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
    return this.#isEvaluatedAt(step) && curve.at(-1)?.step !== step;
  }

  /** Whether the step that is next was started already. Until its result has come, nothing but `step` may be called. */
  get stepIsUnderWay(): boolean {
    return this.#ahead !== undefined;
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
    // A step that was started before the branch diverged.
    this.#ahead = undefined;
    this.#model.dispose();
    this.#model = await openModel(this.#options, trunk);
    this.#state = trunk.state;
    this.#lastGood = trunk.lastGood;
    progress.path = progress.trunk!;
    this.#trunk = progress.trunk = undefined;
    this.#diverged = undefined;
  }

  /**
   * Makes the next step, and starts the one after it if nothing has to be done between them. So the engine always has
   * work, and the loss is read while it computes.
   */
  async step(): Promise<void> {
    const progress = this.#progress;
    const { path } = progress;
    const { batch: sequences, lastSteps, totalSteps } = this.#resolved;
    const { config, onProgress } = this.#options;
    const running = this.#ahead ?? this.#start(path.step);
    this.#ahead = this.#mayStart(path.step + 1) ? this.#start(path.step + 1) : undefined;
    const result = await running.result;
    const now = performance.now();
    path.stepSeconds += (now - Math.max(running.started, this.#lastResult)) / 1000;
    this.#lastResult = now;
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

  /** Starts the next step of a path after the given number of steps. */
  #start(step: number): RunningStep {
    const { settings, seed } = this.#options;
    const { weightDecay, betas, clip, microbatch } = settings;
    const learningRate = learningRateAt(step, this.#schedule);
    const started = performance.now();
    const result = this.#model.trainStep(this.#batchOf(step), {
      ...{ learningRate, weightDecay, betas, clip, microbatch, dropoutSeed: seed },
    });
    // If the step before it fails, nobody waits for this one.
    result.catch(() => {});
    return { result, started };
  }

  /**
   * Whether the step that follows so many steps may be started before the last of these has ended. It may not if the
   * weights between them are needed, for an evaluation, a branch, the end or a checkpoint, nor if it reads the state of
   * the last.
   */
  #mayStart(step: number): boolean {
    const { branches, streams, steps } = this.#resolved;
    const branch = this.#branch;
    const endsHere = step === (branch?.steps ?? steps);
    const branchesOff = !branch && branches[this.#progress.ended.length]?.start === step;
    const stopsHere = this.#options.signal?.aborted || this.#checkpointIsDue();
    return !endsHere && !branchesOff && !stopsHere && !this.#isEvaluatedAt(step) && !streams;
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
    if (!this.ended && !this.stepIsUnderWay && this.#checkpointIsDue()) await this.checkpoint();
  }

  /** Writes a checkpoint, if the run has a folder for checkpoints and has made a step, and no step is under way. */
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

  /** Waits for a step that was started and is not wanted any more, and frees the model. */
  async dispose(): Promise<void> {
    await this.#ahead?.result.catch(() => {});
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

  #isEvaluatedAt(step: number): boolean {
    return (this.#branch ? [this.#branch.steps] : this.#resolved.evaluateAt).includes(step);
  }

  #checkpointIsDue(): boolean {
    const { checkpointSeconds = 60, checkpointDir } = this.#options;
    return checkpointDir !== undefined && performance.now() - this.#lastCheckpoint >= checkpointSeconds * 1000;
  }

  #batchOf(step: number): Batch {
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
