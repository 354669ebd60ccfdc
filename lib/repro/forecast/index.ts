/**
 * Estimates of what stages need and how long they take, before they run. The pool of execution uses the same capacity.
 *
 *   machine.ts       the resources of this machine; capacity.ts: whether a stage fits next to the running ones
 *   elsewhere.ts     stages that run on other machines
 *   costs.ts         the answers of the stages' `cost` commands
 *   expectation.ts   how long each stage will take, from these and from earlier attempts
 *   forecast.ts      how long they take together; run-estimate.ts: for the stages of a plan
 */
export { Capacity, checkFits, defaultJobs, memoryShare } from './capacity.ts';
export type { Cost } from './costs.ts';
export { type Elsewhere, sharedCapacity, shareOf } from './elsewhere.ts';
export { type Expectation, expectationOf } from './expectation.ts';
export { type Machine, thisMachine } from './machine.ts';
export { estimateRun, forecastOf, type RunEstimate } from './run-estimate.ts';
