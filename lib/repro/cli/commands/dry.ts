/** `repro --dry`: every stage, what would become of it, and about how long all of it would take. */
import {
  AttemptLog,
  Capacity,
  checkFits,
  defaultJobs,
  type ForecastStage,
  forecast,
  thisMachine,
} from '../../execution/index.ts';
import { describeRoughDuration, describeStateCounts, plural } from '../../messages/index.ts';
import type { PlannedStage, Project, StageStatus } from '../../planning/index.ts';
import { describeReason } from '../describe-reason.ts';

const WOULD = {
  fresh: 'is up to date',
  stale: 'would run',
  restorable: 'would be restored',
  maybe: 'might run',
  frozen: 'is frozen',
} as const;

export async function showPlan(
  project: Project,
  plan: readonly PlannedStage[],
  call: { json?: boolean; jobs?: number },
): Promise<number> {
  const expected = new AttemptLog(project.root).durations();
  const price = await priceOf(project, plan, expected, call.jobs);
  if (call.json) {
    const stages = plan.map(({ stage, status: verdict }) => ({
      stage: stage.name,
      state: verdict.state,
      reasons: verdict.reasons,
      expected: expected.get(stage.name),
    }));
    process.stdout.write(`${JSON.stringify({ event: 'plan', stages, ...price })}\n`);
    return 0;
  }
  const width = Math.min(30, Math.max(0, ...plan.map(({ stage }) => stage.name.length)));
  for (const { stage, status: verdict } of plan) {
    const reasons = verdict.reasons.map(describeReason).join('; ');
    process.stdout.write(`${stage.name.padEnd(width)}  ${WOULD[verdict.state]}${reasons ? `: ${reasons}` : ''}\n`);
  }
  const states =
    plan.length > 0 ? [describeStateCounts(plan.map(({ status: verdict }) => verdict))] : ['there are no stages'];
  process.stdout.write(`${[...states, ...describePrice(price)].join(', ')}\n`);
  return 0;
}

interface Price {
  /** How many run at once. */
  jobs: number;
  /** Of what is stale; of that and what might be. Absent: nothing of it ever ran. */
  seconds?: number;
  secondsAtMost?: number;
  /** How many of these never ran, and are not in it. */
  untimed: number;
}

/** Throws ReproError when a stage wants more than this machine has. */
async function priceOf(
  project: Project,
  plan: readonly PlannedStage[],
  expected: ReadonlyMap<string, number>,
  wanted: number | undefined,
): Promise<Price> {
  const machine = await thisMachine(plan.some(({ stage }) => stage.resources.gpus > 0));
  const { limits } = project.pipeline;
  for (const { stage } of plan) checkFits(stage, machine, limits);
  const jobs = wanted ?? defaultJobs(machine);
  const seconds = (...states: StageStatus['state'][]) => {
    const stages: ForecastStage[] = [];
    /** By stage: itself if it runs, else those that run and that it waits for. */
    const behind = new Map<string, readonly string[]>();
    for (const { stage, status: verdict } of plan) {
      const { name, resources: wants } = stage;
      const needs = [...new Set(project.graph.upstream.get(name)!.flatMap((need) => behind.get(need) ?? []))];
      const runs = states.includes(verdict.state);
      behind.set(name, runs ? [name] : needs);
      if (runs) stages.push({ name, needs, seconds: expected.get(name), wants });
    }
    return forecast(stages, new Capacity(jobs, machine, limits));
  };
  const torun = plan.filter(({ status: verdict }) => verdict.state === 'stale' || verdict.state === 'maybe');
  const untimed = torun.filter(({ stage }) => !expected.has(stage.name)).length;
  if (untimed === torun.length) return { jobs, untimed };
  return { jobs, seconds: seconds('stale'), secondsAtMost: seconds('stale', 'maybe'), untimed };
}

function describePrice({ jobs, seconds, secondsAtMost, untimed }: Price): string[] {
  if (seconds === undefined) return untimed === 0 ? [] : ['how long that takes is not known yet'];
  const [least, most] = [describeRoughDuration(seconds), describeRoughDuration(secondsAtMost!)];
  return [
    `about ${least}${most === least ? '' : ` to ${most}`} on ${plural(jobs, 'worker')}`,
    ...(untimed === 0 ? [] : [`not counting ${untimed} that never ran`]),
  ];
}
