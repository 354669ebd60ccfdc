/** The options of a call that runs stages: those of `repro run`, as execute.ts and stage-runner.ts take them. */

import type { Elsewhere, Expectation } from '../forecast/index.ts';
import type { LeftOutput, PlanOptions } from '../planning/index.ts';
import type { SlurmSettings } from '../slurm/index.ts';

/** How a call uses Slurm. */
export interface SlurmOptions {
  settings: SlurmSettings;
  /** false: only what an earlier call has submitted is taken up or given up. */
  isOn: boolean;
  /** --detach: end when everything that can be submitted is. */
  detach: boolean;
  /** The command that runs repro on a node: Node and its arguments. */
  program: readonly string[];
}

/** The stages that run as jobs; undefined if none does. */
export function elsewhereOf(slurm: SlurmOptions | undefined): Elsewhere | undefined {
  if (!slurm?.isOn) return undefined;
  const { local, jobs } = slurm.settings;
  return { jobs, has: ({ group }) => !local.has(group) };
}

/** Options of a call that runs stages. */
export interface RunOptions extends PlanOptions {
  /** -j: the most stages that run at once. */
  jobs?: number;
  /** -k: stages that do not depend on a failed one still run. */
  keepGoing?: boolean;
  /** false (--no-commit): neither cache nor lock are written. */
  commit?: boolean;
  /** Outputs of removed cells that lie in the folders of dependencies. The plan was made as if they were gone. */
  left?: readonly LeftOutput[];
  /** Stages run as jobs of Slurm, or jobs of an earlier call may be under way. */
  slurm?: SlurmOptions;
  /** How long the stages will take. */
  expectation: Expectation;
}
