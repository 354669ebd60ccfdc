/** `repro --dry`: shows what would happen to each stage and forecasts how long the run would take. */
import {
  AttemptLog,
  Capacity,
  checkFits,
  defaultJobs,
  type ForecastStage,
  forecast,
  thisMachine,
} from '../../execution/index.ts';
import { describeRoughDuration, describeStateCounts, escapeLine, plural } from '../../messages/index.ts';
import {
  describeLacking,
  describeLeft,
  describeReplaced,
  type LeftOutput,
  type PlannedStage,
  type Project,
  type ReplacedFile,
  type StageStatus,
} from '../../planning/index.ts';
import { describeReasons } from '../describe-reason.ts';
import { printJson } from '../json-output.ts';
import { printLine } from '../output.ts';
import { columnsOf, padEndColumns } from '../terminal-width.ts';

const PREDICTED_OUTCOMES = {
  fresh: 'is up to date',
  stale: 'would run',
  restorable: 'would be restored',
  maybe: 'might run',
  frozen: 'is frozen',
} as const;

/** At most this many columns for the names of stages. */
const MAX_NAME_WIDTH = 30;

/**
 * Prints the plan and the forecast.
 *
 * @param files `replaced`, by stage: what it would replace although repro has no record of it. `left`: what removed
 *   cells left in the folders of dependencies
 * @param options `json`: as one line of JSON. `jobs`: how many stages may run at once
 * @returns the exit code, 0
 * @throws ReproError if a stage needs more than this machine has
 */
export async function showPlan(
  project: Project,
  plan: readonly PlannedStage[],
  { replaced, left }: { replaced: ReadonlyMap<string, readonly ReplacedFile[]>; left: readonly LeftOutput[] },
  options: { json?: boolean; jobs?: number },
): Promise<number> {
  const expected = new AttemptLog(project.root).durations();
  const estimate = await estimateRun(project, plan, expected, options.jobs);
  if (options.json) {
    const stages = plan.map(({ stage, status, lacking }) => ({
      stage: stage.name,
      state: status.state,
      reasons: status.reasons,
      expected: expected.get(stage.name),
      ...(replaced.has(stage.name) ? { replaced: replaced.get(stage.name) } : {}),
      ...(lacking === undefined ? {} : { missing: lacking }),
    }));
    const { hashed } = project.hasher;
    printJson({ event: 'plan', stages, ...(left.length > 0 ? { left } : {}), ...estimate, hashed });
    return 0;
  }
  for (const { stage, text } of describeLeft(left)) printLine(`! ${stage}: ${text}`);
  const nameWidth = Math.min(
    MAX_NAME_WIDTH,
    Math.max(0, ...plan.map(({ stage }) => columnsOf(escapeLine(stage.name)))),
  );
  for (const { stage, status } of plan) {
    const reasons = describeReasons(status.reasons);
    const outcome = PREDICTED_OUTCOMES[status.state];
    printLine(`${padEndColumns(escapeLine(stage.name), nameWidth)}  ${outcome}${reasons ? `: ${reasons}` : ''}`);
    const files = replaced.get(stage.name);
    if (files !== undefined) printLine(`! ${stage.name}: ${describeReplaced(files)}`);
  }
  for (const entry of plan)
    if (entry.lacking !== undefined) printLine(`! ${entry.stage.name} ${describeLacking(project, entry)}`);
  const states = plan.length > 0 ? describeStateCounts(plan.map(({ status }) => status)) : 'there are no stages';
  printLine(`${[states, ...describeEstimate(estimate)].join(', ')}`);
  return 0;
}

/** The forecast of a run. Its fields are keys of the JSON output. */
interface RunEstimate {
  /** How many stages run at once. */
  jobs: number;
  /** Seconds if only the stale stages run. Absent if no stage of the plan has run before. */
  seconds?: number;
  /** Seconds if the stages that might run do run too. Absent if `seconds` is. */
  secondsAtMost?: number;
  /** The number of these stages that have not run before. They are not part of the seconds. */
  untimed: number;
}

/** @throws ReproError if a stage needs more than this machine has */
async function estimateRun(
  project: Project,
  plan: readonly PlannedStage[],
  expected: ReadonlyMap<string, number>,
  requestedJobs: number | undefined,
): Promise<RunEstimate> {
  const machine = await thisMachine(plan.some(({ stage }) => stage.resources.gpus > 0));
  const { limits } = project.pipeline;
  for (const { stage } of plan) checkFits(stage, machine, limits);
  const jobs = requestedJobs ?? defaultJobs(machine);
  const secondsOf = (...states: StageStatus['state'][]) => {
    const stages: ForecastStage[] = [];
    /** By stage: the stage itself if it runs, else the running stages that it waits for. */
    const runningNeeds = new Map<string, readonly string[]>();
    for (const { stage, status } of plan) {
      const { name, resources: wants } = stage;
      const upstream = project.graph.upstream.get(name)!;
      const needs = [...new Set(upstream.flatMap((need) => runningNeeds.get(need) ?? []))];
      const runs = states.includes(status.state);
      runningNeeds.set(name, runs ? [name] : needs);
      if (runs) stages.push({ name, needs, seconds: expected.get(name), wants });
    }
    return forecast(stages, new Capacity(jobs, machine, limits));
  };
  const mayRun = plan.filter(({ status }) => status.state === 'stale' || status.state === 'maybe');
  const untimed = mayRun.filter(({ stage }) => !expected.has(stage.name)).length;
  if (untimed === mayRun.length) return { jobs, untimed };
  return { jobs, seconds: secondsOf('stale'), secondsAtMost: secondsOf('stale', 'maybe'), untimed };
}

function describeEstimate({ jobs, seconds, secondsAtMost, untimed }: RunEstimate): string[] {
  if (seconds === undefined) return untimed === 0 ? [] : ['how long that takes is not known yet'];
  const [least, most] = [describeRoughDuration(seconds), describeRoughDuration(secondsAtMost!)];
  return [
    `about ${least}${most === least ? '' : ` to ${most}`} on ${plural(jobs, 'worker')}`,
    ...(untimed === 0 ? [] : [`not counting ${untimed} that never ran`]),
  ];
}
