/** What the user asked of a call that runs stages: the options of `repro run`, as execute.ts and stage-runner.ts take them. */

import type { Expectation } from '../forecast/index.ts';
import type { LeftOutput, PlanOptions } from '../planning/index.ts';

/** Options of a call that runs stages. */
export interface RunOptions extends PlanOptions {
  /** -j: the most stages that run at once. */
  jobs?: number;
  /** -k: stages that do not depend on a failed one still run. */
  keepGoing?: boolean;
  /** false (--no-commit): neither cache nor lock are written. */
  commit?: boolean;
  /** What removed cells left in the folders of dependencies. The plan was made as if it were gone. */
  left?: readonly LeftOutput[];
  /** How long the stages will take. */
  expectation: Expectation;
}
