export { commitStage, missingOutputs, restoreStage } from './attempt.ts';
export { type Attempt, AttemptLog } from './attempt-log.ts';
export { Capacity, checkFits, defaultJobs } from './capacity.ts';
export type { Listener, RunEvent } from './events.ts';
export { execute, type Interrupt, type RunResult } from './execute.ts';
export { type ForecastStage, forecast } from './forecast.ts';
export { Leases } from './leases.ts';
export { thisMachine } from './machine.ts';
