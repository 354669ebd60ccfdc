/** How long a run of a plan will take: forecast.ts with the stages of the plan and what is expected of them. */
import type { PlannedStage, Project, StageStatus } from '../planning/index.ts';
import { type Capacity, checkFits, defaultJobs } from './capacity.ts';
import { type Elsewhere, sharedCapacity, shareOf } from './elsewhere.ts';
import { type ForecastStage, forecast } from './forecast.ts';
import { thisMachine } from './machine.ts';

/** The forecast of a run. Its fields are keys of the JSON output. */
export interface RunEstimate {
  /** How many stages run at once. */
  jobs: number;
  /** Seconds if only the stale stages run. Absent if no stage of the plan has run before. */
  seconds?: number;
  /** Seconds if the stages that might run do run too. Absent if `seconds` is. */
  secondsAtMost?: number;
  /** The number of these stages that have not run before. They are not part of the seconds. */
  untimed: number;
}

/**
 * Simulates the run of a plan.
 *
 * @param expected seconds by stage
 * @param requestedJobs -j
 * @param elsewhere the stages that run on other machines; how long their jobs wait is not known, and left out
 * @throws ReproError if a stage needs more than this machine has
 */
export async function estimateRun(
  project: Project,
  plan: readonly PlannedStage[],
  expected: ReadonlyMap<string, number>,
  requestedJobs: number | undefined,
  elsewhere?: Elsewhere,
): Promise<RunEstimate> {
  const machine = await thisMachine(plan.some(({ stage }) => stage.resources.gpus > 0));
  const { limits } = project.pipeline;
  for (const { stage } of plan) checkFits(stage, machine, limits, shareOf(stage, elsewhere));
  const jobs = requestedJobs ?? defaultJobs(machine);
  const secondsOf = (...states: StageStatus['state'][]) => {
    const running = plan.filter(({ status }) => states.includes(status.state));
    return forecastOf(project, running, expected, sharedCapacity(jobs, machine, limits, elsewhere), elsewhere);
  };
  const mayRun = plan.filter(({ status }) => status.state === 'stale' || status.state === 'maybe');
  const untimed = mayRun.filter(({ stage }) => !expected.has(stage.name)).length;
  if (untimed === mayRun.length) return { jobs, untimed };
  return { jobs, seconds: secondsOf('stale'), secondsAtMost: secondsOf('stale', 'maybe'), untimed };
}

/**
 * Seconds until these stages of a plan have run.
 *
 * @param running in the order of the plan
 * @param expected seconds by stage; others count as 0
 * @param capacity has nothing running
 */
export function forecastOf(
  project: Project,
  running: readonly PlannedStage[],
  expected: ReadonlyMap<string, number>,
  capacity: Capacity,
  elsewhere?: Elsewhere,
): number {
  const runs = new Set(running.map(({ stage }) => stage.name));
  const needsOf = neededAmong(project, runs);
  const stages = running.map(
    ({ stage }): ForecastStage => ({
      name: stage.name,
      needs: needsOf(stage.name),
      seconds: expected.get(stage.name),
      wants: shareOf(stage, elsewhere),
    }),
  );
  return forecast(stages, capacity);
}

/** Of a stage: the stages among `runs` that it waits for, also by way of stages that do not run. */
function neededAmong(project: Project, runs: ReadonlySet<string>): (stage: string) => readonly string[] {
  const known = new Map<string, readonly string[]>();
  const needsOf = (stage: string): readonly string[] => {
    const before = known.get(stage);
    if (before !== undefined) return before;
    const upstream = project.graph.upstream.get(stage)!;
    const needs = [...new Set(upstream.flatMap((need) => (runs.has(need) ? [need] : needsOf(need))))];
    known.set(stage, needs);
    return needs;
  };
  return needsOf;
}
