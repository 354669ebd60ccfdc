/**
 * Finds the status of each stage, without running anything.
 *
 *   project.ts        opens a project; node-project.ts: for one attempt, on a node of a cluster
 *   plan.ts           the plan: a status for each stage
 *   status.ts         the status of one stage
 *   compare-with-lock.ts  its inputs and outputs against those of its last run
 *   known-outputs.ts  the content of a dependency whose upstream outputs are not in the workspace yet
 *   reported-outputs.ts  outputs that count as a node of a cluster has reported them
 *   folder-parts.ts   whether a folder above outputs is as recorded, from the lock's hashes of each output
 *   bring-inputs.ts   which missing outputs must be restored, because a stage that runs reads them
 *   stale-reasons.ts  why a stage is stale
 *   replaced-files.ts  files that a run would replace although repro has no record of them
 *   left-outputs.ts  outputs of removed cells that a stage would count
 *   paths-in-use.ts  every path that the pipeline reads or makes
 *   stage-inputs.ts   the present content of a stage's inputs and outputs
 */
export { checkInputs, describeLacking } from './bring-inputs.ts';
export { isMissing, touches } from './compare-with-lock.ts';
export { partsOfInputs } from './folder-parts.ts';
export { describeLeft, isRemovedCell, type LeftOutput, neededFolders, planWithoutLeft } from './left-outputs.ts';
export { inputsOf, openOnNode, type PlannedProject } from './node-project.ts';
export { pathsInUse } from './paths-in-use.ts';
export { makePlan } from './plan.ts';
export { openProject, type Project, placeMissing } from './project.ts';
export { checkReplacedFiles, describeReplaced, type ReplacedFile, setAside } from './replaced-files.ts';
export { describeMissing, MissingInputs, type StageInputs } from './stage-inputs.ts';
export { alwaysRuns, type CommandLines, type Reason } from './stale-reasons.ts';
export {
  evaluate,
  type PlannedStage,
  type PlanOptions,
  restorableFromLock,
  type SettledStatus,
  type StageStatus,
} from './status.ts';
export { whyDifferent } from './why-different.ts';
