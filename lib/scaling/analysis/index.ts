/**
 * Conclusions from the fits, and their uncertainty.
 *
 *   compare-architectures.ts   two architectures at equal size
 *   held-out.ts                predicts the largest size from the smaller ones
 *   influence.ts               runs on which the result depends
 *   test-split.ts              the error from the choice of test tunes
 *   advise.ts                  the interval of α to expect from a design, and the run to add
 */

export {
  type Addition,
  type Advice,
  type AdviceOptions,
  adviseDesign,
  type Design,
  designOf,
  type Expectation,
} from './advise.ts';
export {
  type ArchitectureComparison,
  type ComparedGroup,
  compareArchitectures,
  type Difference,
  predictDifference,
} from './compare-architectures.ts';
export { type HeldOut, holdOut, holdOutTokens } from './held-out.ts';
export { type Influence, influentialRuns, influentialTokenRuns, type NamedPoint } from './influence.ts';
export {
  denominatorOf,
  readTuneLosses,
  type TestSplitError,
  type TuneLoss,
  TuneResamples,
  testSplitError,
} from './test-split.ts';
