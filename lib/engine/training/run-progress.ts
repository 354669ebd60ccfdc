/** Measurements of a training run so far. A checkpoint holds them. */
import type { BudgetOutcome, CurveRow } from './train-result.ts';

/** Measurements from the first step to the current one, along the trunk or a branch. */
export interface PathProgress {
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
export interface Progress {
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

/** The progress of a run that has not begun. */
export const NO_PROGRESS: Progress = {
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
