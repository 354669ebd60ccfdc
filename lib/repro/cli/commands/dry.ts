/** `repro --dry`: shows what would happen to each stage and forecasts how long the run would take. */
import { elsewhereOf, type SlurmOptions } from '../../execution/index.ts';
import { type Cost, type Expectation, estimateRun } from '../../forecast/index.ts';
import {
  describeBytes,
  describeRoughDuration,
  describeStateCounts,
  escapeLine,
  listNames,
} from '../../messages/index.ts';
import {
  describeLacking,
  describeLeft,
  describeReplaced,
  type LeftOutput,
  type PlannedStage,
  type Project,
  type ReplacedFile,
} from '../../planning/index.ts';
import { describeEstimate } from '../describe-estimate.ts';
import { describeReasons } from '../describe-reason.ts';
import { printJson } from '../json-output.ts';
import { printLine } from '../output.ts';
import { columnsOf, padEndColumns } from '../terminal-width.ts';
import { unfitStages, wantsOfPlan } from './cluster.ts';

const PREDICTED_OUTCOMES = {
  fresh: 'is up to date',
  stale: 'would run',
  restorable: 'would be restored',
  maybe: 'might run',
  frozen: 'is frozen',
} as const;

/** At most this many columns for the names of stages. */
const MAX_NAME_WIDTH = 30;

/** Facts about a run that are known before it starts. */
export interface Foreseen {
  /** The files without a record that each stage would replace, by stage. */
  replaced: ReadonlyMap<string, readonly ReplacedFile[]>;
  /** Outputs of removed cells that lie in the folders of dependencies. */
  left: readonly LeftOutput[];
  expectation: Expectation;
  /** How the run would use Slurm, if it would. */
  slurm?: SlurmOptions;
}

/**
 * Prints the plan and the forecast.
 *
 * @param options `json`: as one line of JSON. `jobs`: how many stages may run at once
 * @returns the exit code, 0
 * @throws ReproError if a stage needs more than this machine has
 */
export async function showPlan(
  project: Project,
  plan: readonly PlannedStage[],
  { replaced, left, expectation, slurm }: Foreseen,
  options: { json?: boolean; jobs?: number },
): Promise<number> {
  const { seconds: expected, costs, problems } = expectation;
  const estimate = await estimateRun(project, plan, expected, options.jobs, elsewhereOf(slurm));
  const submissions = slurm?.isOn ? wantsOfPlan(plan, slurm) : new Map<string, PlannedStage[]>();
  const unfit = slurm?.isOn ? await unfitStages(plan, slurm) : [];
  if (options.json) {
    const jobOptions = new Map(
      [...submissions].flatMap(([wants, entries]) => entries.map(({ stage }) => [stage.name, wants] as const)),
    );
    const stages = plan.map(({ stage, status, lacking }) => ({
      stage: stage.name,
      ...(jobOptions.has(stage.name) ? { sbatch: jobOptions.get(stage.name) } : {}),
      state: status.state,
      reasons: status.reasons,
      expected: expected.get(stage.name),
      ...(costs.get(stage.name)?.memory === undefined ? {} : { memory: costs.get(stage.name)!.memory }),
      ...(replaced.has(stage.name) ? { replaced: replaced.get(stage.name) } : {}),
      ...(lacking === undefined ? {} : { missing: lacking }),
    }));
    const { hashed } = project.hasher;
    printJson({
      event: 'plan',
      stages,
      ...(left.length > 0 ? { left } : {}),
      ...(unfit.length > 0 ? { unfit } : {}),
      ...estimate,
      hashed,
    });
    return 0;
  }
  for (const { stage, text } of describeLeft(left)) printLine(`! ${stage}: ${text}`);
  const nameWidth = Math.min(
    MAX_NAME_WIDTH,
    Math.max(0, ...plan.map(({ stage }) => columnsOf(escapeLine(stage.name)))),
  );
  for (const { stage, status } of plan) {
    const reasons = describeReasons(status.reasons);
    const cost = costs.get(stage.name);
    const price = cost === undefined ? '' : describePrice(expected.get(stage.name)!, cost);
    const outcome = `${PREDICTED_OUTCOMES[status.state]}${price}`;
    printLine(`${padEndColumns(escapeLine(stage.name), nameWidth)}  ${outcome}${reasons ? `: ${reasons}` : ''}`);
    const files = replaced.get(stage.name);
    if (files !== undefined) printLine(`! ${stage.name}: ${describeReplaced(files)}`);
  }
  for (const entry of plan)
    if (entry.lacking !== undefined) printLine(`! ${entry.stage.name} ${describeLacking(project, entry)}`);
  for (const { stage, text } of problems) printLine(`! ${stage}: ${text}`);
  for (const [wants, entries] of submissions)
    printLine(`sbatch ${wants}: ${listNames(entries.map(({ stage }) => stage.name))}`);
  if (submissions.size > 0)
    printLine('a stage is submitted when those above it are done; the time that jobs wait in the queue is not counted');
  for (const sentence of unfit) printLine(`! ${sentence}`);
  const states = plan.length > 0 ? describeStateCounts(plan.map(({ status }) => status)) : 'there are no stages';
  printLine(`${[states, ...describeEstimate(estimate)].join(', ')}`);
  return 0;
}

/** @example ', about 12 min with 1.2 GiB' */
function describePrice(seconds: number, { memory }: Cost): string {
  return `, about ${describeRoughDuration(seconds)}${memory === undefined ? '' : ` with ${describeBytes(memory)}`}`;
}
