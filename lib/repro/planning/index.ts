export {
  evaluate,
  makePlan,
  type PlannedStage,
  type PlanOptions,
  type SettledStatus,
  type StageStatus,
} from './plan.ts';
export { openProject, type Project, placeMissing } from './project.ts';
export { MissingInputs } from './stage-inputs.ts';
export { alwaysRuns, type Reason } from './stale-reasons.ts';
