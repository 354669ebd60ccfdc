/**
 * Finds the status of each stage, without running anything.
 *
 *   project.ts        opens a project
 *   plan.ts           the plan: a status for each stage
 *   stale-reasons.ts  why a stage is stale
 *   replaced-files.ts  what a run would replace although repro has no record of it
 *   stage-inputs.ts   the present content of a stage's inputs and outputs
 */
export {
  evaluate,
  makePlan,
  type PlannedStage,
  type PlanOptions,
  type SettledStatus,
  type StageStatus,
} from './plan.ts';
export { openProject, type Project, placeMissing } from './project.ts';
export { checkReplacedFiles, describeReplaced, type ReplacedFile, setAside } from './replaced-files.ts';
export { describeMissing, MissingInputs } from './stage-inputs.ts';
export { alwaysRuns, type CommandLines, type Reason } from './stale-reasons.ts';
