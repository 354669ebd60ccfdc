/** The result of a training run: the trained model and its figures, and the same for each smaller budget. */
import type { Weights } from '../../models/index.ts';

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

/** The model that one budget of tokens gave, and its figures. */
export interface Outcome {
  /** weights of the last step. After divergence: weights of the last evaluation before it, or the initial ones */
  weights: Weights;
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
  /** tokens per second of training steps alone */
  tokensPerSecond: number;
  /**
   * If the run diverged: the step at which it stopped, the reason, and the step that `weights` come from (0: initial
   * weights). Otherwise undefined.
   */
  diverged: { step: number; reason: string; keptStep: number } | undefined;
}

/** The outcome of a smaller budget: that of a run which ends after its share of the tokens. */
export interface BudgetOutcome extends Outcome {
  /** share of the tokens of the whole run, as in the settings */
  share: number;
}

/** The outcome of the whole run. */
export interface TrainResult extends Outcome {
  curve: CurveRow[];
  /** duration of all attempts, with evaluations, checkpoints and the cooldowns of smaller budgets */
  seconds: number;
  /** smaller budgets in ascending order; without those that a run that diverged did not reach */
  budgets: BudgetOutcome[];
}
