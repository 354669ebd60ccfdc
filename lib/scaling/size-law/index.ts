/**
 * The law of sizes, L(N) = a·N^(−α) + c.
 *
 *   power-law.ts            fits the law and evaluates it
 *   observations.ts         the number of runs that a law needs; the choice of runs or sizes as observations
 *   choose-form.ts          decides between a·N^(−α) + c, a·N^(−α) and no law
 *   compare-forms.ts        compares four forms by AICc
 *   variable-projection.ts  the least-squares fit
 *   profile-likelihood.ts   the confidence intervals
 */

export { type Comparison, type Form, fitPolynomial } from './compare-forms.ts';
export { checkPoint, groupBySize, isEnough, observationUnit, type Point } from './observations.ts';
export {
  fitPowerLaw,
  isRefusal,
  type PowerLawFit,
  type PowerLawOptions,
  type Prediction,
  predict,
  type Refusal,
} from './power-law.ts';
export { ConfidenceRegion } from './profile-likelihood.ts';
export { ALPHA_LIMIT, type Solution, VariableProjection } from './variable-projection.ts';
