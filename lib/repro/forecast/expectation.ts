/**
 * How long each stage of a plan will take, and how much memory it will need, from earlier attempts and from what `cost`
 * commands answer (costs.ts).
 *
 *   no `cost`           the seconds of the last attempt that succeeded
 *   `cost`              its seconds, times what an attempt took for each second that its cost was then: the last attempt
 *                       of the stage, else the median of its group's, else 1
 */

import { type Attempt, AttemptLog } from '../attempts/index.ts';
import type { PlannedStage, Project } from '../planning/index.ts';
import { askCosts, type Cost, type Costs } from './costs.ts';

/** Expected durations of the stages of a plan. */
export interface Expectation {
  /** Expected seconds, by stage. A stage that never ran and gives no estimate is missing. */
  seconds: ReadonlyMap<string, number>;
  /** The answer of its `cost` command, by stage. */
  costs: ReadonlyMap<string, Cost>;
  problems: Costs['problems'];
}

/** Asks the `cost` commands of the stages that may run, and reads the log of attempts. */
export async function expectationOf(project: Project, plan: readonly PlannedStage[]): Promise<Expectation> {
  const mayRun = plan.filter(({ status }) => status.state === 'stale' || status.state === 'maybe');
  const { known, problems } = await askCosts(
    project,
    mayRun.map(({ stage }) => stage),
  );
  const attempts = new AttemptLog(project.root).attempts().filter(({ outcome }) => outcome === 'ran');
  const groups = new Map(project.pipeline.stages.map(({ name, group }) => [name, group]));
  return { seconds: expectedSeconds(attempts, groups, known), costs: known, problems };
}

/**
 * @param attempts those that succeeded, oldest first
 * @param groups by stage: its group
 */
export function expectedSeconds(
  attempts: readonly Attempt[],
  groups: ReadonlyMap<string, string>,
  costs: ReadonlyMap<string, Cost>,
): Map<string, number> {
  const last = new Map(attempts.map((attempt) => [attempt.stage, attempt]));
  const seconds = new Map([...last].map(([stage, attempt]) => [stage, attempt.seconds]));
  const ratios = new Map<string, number[]>();
  for (const [stage, attempt] of last) {
    const [group, ratio] = [groups.get(stage), ratioOf(attempt)];
    if (group !== undefined && ratio !== undefined) ratios.set(group, [...(ratios.get(group) ?? []), ratio]);
  }
  for (const [stage, cost] of costs) {
    const ratio = ratioOf(last.get(stage)) ?? median(ratios.get(groups.get(stage)!) ?? []) ?? 1;
    seconds.set(stage, cost.seconds * ratio);
  }
  return seconds;
}

/** Seconds that an attempt took for each second of its cost; undefined if its cost is not known. */
function ratioOf(attempt: Attempt | undefined): number | undefined {
  return attempt?.cost ? attempt.seconds / attempt.cost : undefined;
}

function median(values: readonly number[]): number | undefined {
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}
