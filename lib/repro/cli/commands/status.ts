/** `repro status`: shows the state of each stage, the reasons, and what runs now. It runs no stage. */

import { type RunningStage, runningStages } from '../../execution/index.ts';
import { estimateRun, expectationOf } from '../../forecast/index.ts';
import { select } from '../../graph/index.ts';
import { describeDuration, describeStateCounts, describeUpToDate, ReproError } from '../../messages/index.ts';
import {
  describeLacking,
  describeLeft,
  openProject,
  type PlannedStage,
  type Project,
  planWithoutLeft,
} from '../../planning/index.ts';
import { type JobUnderWay, jobsUnderWay } from '../../slurm/index.ts';
import { describeEstimate } from '../describe-estimate.ts';
import { describeReason } from '../describe-reason.ts';
import { printJson } from '../json-output.ts';
import { printLine } from '../output.ts';
import { describeProgress } from '../progress-bar.ts';

/**
 * Prints the stages that are not fresh; without targets, of the whole pipeline.
 *
 * @param options `json`: all stages as JSON. `quiet`: print nothing. `allowMissing`: as for a run
 * @returns the exit code: 1 if `quiet` is set and a stage is neither fresh nor frozen, else 0
 */
export async function status(
  targets: readonly string[],
  options: { json?: boolean; quiet?: boolean; allowMissing?: boolean },
): Promise<number> {
  const project = await openProject(process.cwd(), { write: true, claim: false });
  try {
    const names = select(project.graph, { at: project, targets });
    const { plan, left } = await planWithoutLeft(project, names, { allowMissing: options.allowMissing });
    const running = runningStages(project.root);
    const jobs = jobsUnderWay(project.root);
    const outdated = plan.filter(({ status }) => status.state !== 'fresh' && status.state !== 'frozen');
    if (options.json) {
      const stages = Object.fromEntries(
        plan.map(({ stage, status, lacking }) => [
          stage.name,
          {
            state: status.state,
            reasons: status.reasons,
            ...(lacking === undefined ? {} : { missing: lacking }),
            ...(running.has(stage.name) ? { running: running.get(stage.name) } : {}),
            ...(jobs.has(stage.name) ? { job: jobs.get(stage.name) } : {}),
          },
        ]),
      );
      printJson({ stages, ...(left.length > 0 ? { left } : {}) }, 2);
    } else if (!options.quiet) {
      for (const { stage, text } of describeLeft(left)) printLine(`! ${stage}: ${text}`);
      for (const entry of plan) {
        const { stage, status } = entry;
        const record = running.get(stage.name);
        if (record !== undefined) {
          printLine(`${stage.name}: ${record.queued === undefined ? 'running' : 'queued'}`);
          printLine(`  ${describeRunning(record)}`);
        }
        const job = jobs.get(stage.name);
        if (record === undefined && job !== undefined) printLine(`${stage.name}: ${describeJob(job)}`);
        if (record !== undefined || status.state === 'fresh') continue;
        printLine(`${stage.name}: ${status.state}`);
        for (const reason of status.reasons) printLine(`  ${describeReason(reason)}`);
        if ('notes' in status) for (const note of status.notes) printLine(`  ${note}`);
        if (entry.lacking !== undefined) printLine(`  ${describeLacking(project, entry)}`);
      }
      if (outdated.length === 0) printLine(describeUpToDate(plan.length));
      else {
        const price = running.size > 0 ? [] : await describePrice(project, plan);
        printLine([describeStateCounts(plan.map(({ status }) => status)), ...price].join(', '));
      }
    }
    return options.quiet && outdated.length > 0 ? 1 : 0;
  } finally {
    await project.close();
  }
}

/** Text on how long the stages would take. Empty if that is unknown, or a stage does not fit on this machine. */
async function describePrice(project: Project, plan: readonly PlannedStage[]): Promise<string[]> {
  const { seconds } = await expectationOf(project, plan);
  const estimate = await estimateRun(project, plan, seconds, undefined).catch((error: unknown) => {
    if (error instanceof ReproError) return undefined;
    throw error;
  });
  return estimate?.seconds === undefined ? [] : describeEstimate(estimate);
}

/** A job that no running repro watches. @example 'running as job 4711_3 on n1 for 12 s; no repro watches it' */
function describeJob({ job, submitted, progress, hasEnded }: JobUnderWay): string {
  const name = job === undefined ? 'a job' : `job ${job}`;
  const since = (time: string) => describeDuration((Date.now() - Date.parse(time)) / 1000);
  if (hasEnded) return `${name} has ended; the next repro takes its result`;
  if (progress === undefined) return `queued as ${name} for ${since(submitted)}; no repro watches it`;
  const done = progress.progress === undefined ? '' : `, ${describeProgress(progress.progress)}`;
  return `running as ${name} on ${progress.node} for ${since(progress.started)}${done}; no repro watches it`;
}

/** @example 'for 12 s, 3/4 steps 75 %, loss 0.5 (repro 4711 on n2)' */
function describeRunning({ started, gpus = [], progress, pid, host, job, node, queued }: RunningStage): string {
  const parts = [`for ${describeDuration((Date.now() - Date.parse(started)) / 1000)}`];
  if (progress !== undefined) parts.push(describeProgress(progress));
  if (progress?.text) parts.push(progress.text);
  if (gpus.length > 0) parts.push(`on GPU ${gpus.join(', ')}`);
  if (job !== undefined) parts.push(`job ${job}${node === undefined ? '' : ` on ${node}`}`);
  if (queued?.reason !== undefined) parts.push(`Slurm says ${queued.reason}`);
  return `${parts.join(', ')} (repro ${pid}${host === undefined ? '' : ` on ${host}`})`;
}
