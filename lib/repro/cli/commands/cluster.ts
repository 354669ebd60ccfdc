/** The options of Slurm for a run, and a description for `--dry` of how the run would use Slurm. */
import { elsewhereOf, type SlurmOptions } from '../../execution/index.ts';
import { ReproError } from '../../messages/index.ts';
import type { PlannedStage } from '../../planning/index.ts';
import { probeNodes, readOpenAttempts, readSettings, testOnly, wantsOf } from '../../slurm/index.ts';

/** Signals that end a call while it waits for probe jobs. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * How a call uses Slurm.
 *
 * @param options.on --on; without it, .repro/config.yaml decides
 * @returns undefined if it has nothing to do with Slurm
 * @throws ReproError if a setting is wrong, or --detach has no jobs to leave behind
 */
export async function slurmOptions(
  root: string,
  { on, detach = false }: { on?: 'local' | 'slurm'; detach?: boolean },
): Promise<SlurmOptions | undefined> {
  const { settings, isDefault } = await readSettings(root);
  const isOn = on === 'slurm' || (on === undefined && isDefault);
  if (detach && !isOn) throw new ReproError('--detach lets jobs of Slurm go on, so it needs --on slurm');
  if (!isOn && readOpenAttempts(root).length === 0) return undefined;
  return { settings, isOn, detach, program: [process.execPath, process.argv[1]] };
}

/** The stages of a plan that may run as jobs, by what they want. */
export function wantsOfPlan(plan: readonly PlannedStage[], slurm: SlurmOptions): Map<string, PlannedStage[]> {
  const elsewhere = elsewhereOf(slurm);
  const found = new Map<string, PlannedStage[]>();
  for (const entry of plan) {
    const mayRun = entry.status.state === 'stale' || entry.status.state === 'maybe';
    if (!mayRun || !elsewhere?.has(entry.stage)) continue;
    const wants = wantsOf(entry.stage, slurm.settings).join(' ');
    found.set(wants, [...(found.get(wants) ?? []), entry]);
  }
  return found;
}

/**
 * Asks Slurm whether some partition can hold each stage. Without the question it takes a job that no node can ever run.
 *
 * @returns sentences about those that none can hold, without the name of repro
 * @throws ReproError if there is no sbatch
 */
export async function unfitStages(plan: readonly PlannedStage[], slurm: SlurmOptions): Promise<string[]> {
  const problems: string[] = [];
  for (const [, entries] of wantsOfPlan(plan, slurm)) {
    const [{ stage }] = entries;
    const words = await testOnly(['--array=0', ...wantsOf(stage, slurm.settings), '--wrap=true']);
    const others = entries.length === 1 ? '' : ` and ${entries.length - 1} more`;
    if (words !== undefined)
      problems.push(
        `${stage.name}${others}: Slurm cannot run it: ${words} (sbatch ${wantsOf(stage, slurm.settings).join(' ')})`,
      );
  }
  return problems;
}

/** @throws ReproError if a stage of the plan can never run as a job */
export async function checkCluster(plan: readonly PlannedStage[], slurm: SlurmOptions | undefined): Promise<void> {
  if (!slurm?.isOn) return;
  const problems = await unfitStages(plan, slurm);
  if (problems.length > 0) throw new ReproError(problems.map((message) => ({ message })));
}

/**
 * Runs probe jobs, which test whether the nodes see the folder, before anything is submitted.
 *
 * @param tell receives sentences for the user
 * @returns the signal that has ended it
 * @throws ReproError if nodes do not see the folder
 */
export async function probeCluster(
  plan: readonly PlannedStage[],
  slurm: SlurmOptions | undefined,
  root: string,
  tell: (text: string) => void,
): Promise<NodeJS.Signals | undefined> {
  if (!slurm?.isOn) return undefined;
  // Stages that an earlier call has submitted are not submitted again.
  const held = new Set(readOpenAttempts(root).flatMap(({ cells }) => cells.map(({ stage }) => stage)));
  const others = plan.filter(({ stage }) => !held.has(stage.name));
  const stages = [...wantsOfPlan(others, slurm).values()].map(([{ stage }]) => stage);
  const controller = new AbortController();
  const end = (signal: NodeJS.Signals) => controller.abort(signal);
  for (const name of SIGNALS) process.on(name, end);
  try {
    await probeNodes(stages, { root, settings: slurm.settings, tell, signal: controller.signal });
  } finally {
    for (const name of SIGNALS) process.off(name, end);
  }
  return controller.signal.reason as NodeJS.Signals | undefined;
}
