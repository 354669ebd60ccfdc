/**
 * Finds the status of each stage before anything runs. `makePlan` goes through the stages in the graph's order;
 * `evaluate` finds the status of one stage from the files as they are now.
 *
 *   its inputs and outputs are as recorded, and so are those of all upstream stages   → fresh
 *   something differs, and the run cache has a run with exactly these inputs          → restorable
 *   something differs                                                                 → stale
 *   nothing differs yet, but an upstream stage may make a new input                   → maybe
 *   the definition says `frozen`                                                      → frozen: never run
 */
import type { Content } from '../hashing/index.ts';
import { listNames, type Problem, ReproError } from '../messages/index.ts';
import type { Stage } from '../pipeline/index.ts';
import { bringInputs } from './bring-inputs.ts';
import { compareWithLock, missingOutputs } from './compare-with-lock.ts';
import { type Project, placeMissing } from './project.ts';
import { MissingInputs } from './stage-inputs.ts';
import { type PlannedStage, type PlanOptions, type StageStatus, settle } from './status.ts';

/**
 * Plans some stages. The outputs of all other stages count as they are in the workspace. With `allowMissing` or `pull`,
 * missing outputs of other stages count as the lock recorded them.
 *
 * @param names of the stages, in the graph's order
 * @returns one entry for each name, in the same order; with `allowMissing` or `pull` also entries for stages outside of
 *   `names` whose outputs must be restored
 * @throws ReproError with everything that is wrong, such as missing inputs, each with its place in pipeline.yaml
 */
export async function makePlan(
  project: Project,
  names: readonly string[],
  options: PlanOptions,
): Promise<PlannedStage[]> {
  const statuses = new Map<string, StageStatus>();
  const selected = new Set(names);
  const problems = new StageProblems();
  const plan: PlannedStage[] = [];
  for (const name of names) {
    const stage = project.graph.stages.get(name)!;
    const upstream = project.graph.upstream.get(name)!.filter((other) => selected.has(other));
    try {
      const status = await planStage(project, stage, upstream, statuses, options);
      statuses.set(name, status);
      plan.push({ stage, status });
    } catch (error) {
      if (!(error instanceof ReproError)) throw error;
      problems.add(name, error instanceof MissingInputs ? await placeMissing(project, error) : error);
      // The outputs of this stage are not known, but the stages below it may have problems of their own.
      statuses.set(name, { state: 'stale', pending: true, reasons: [] });
    }
  }
  problems.throw();
  return options.allowMissing || options.pull ? bringInputs(project, plan) : plan;
}

/**
 * Collects the problems of stages. A problem that many stages share, such as the cells of a matrix, is reported once.
 */
class StageProblems {
  readonly #found = new Map<string, { problem: Problem; stages: string[] }>();

  add(stage: string, error: ReproError): void {
    for (const problem of error.problems) {
      const message = problem.message.replace(`${stage}: `, '');
      const text = JSON.stringify({ ...problem, message });
      const known = this.#found.get(text);
      if (known) known.stages.push(stage);
      else this.#found.set(text, { problem: { ...problem, message }, stages: [stage] });
    }
  }

  throw(): void {
    if (this.#found.size === 0) return;
    throw new ReproError(
      [...this.#found.values()].map(({ problem, stages }) => ({
        ...problem,
        message: `${listNames(stages)}: ${problem.message}`,
      })),
    );
  }
}

/** `statuses` has a status for each stage in `upstream`, the selected stages that this one waits for. */
async function planStage(
  project: Project,
  stage: Stage,
  upstream: readonly string[],
  statuses: ReadonlyMap<string, StageStatus>,
  options: PlanOptions,
): Promise<StageStatus> {
  const unsettled = upstream.filter((name) => ['stale', 'maybe'].includes(statuses.get(name)!.state));
  const pending = unsettled.flatMap((name) => project.graph.stages.get(name)!.outs.map(({ path }) => path));
  const predicted = new Map<string, Content>();
  for (const name of upstream) {
    const status = statuses.get(name)!;
    if (status.state !== 'restorable') continue;
    for (const [path, content] of Object.entries(status.block.outs ?? {})) predicted.set(path, content);
  }
  const makers = project.graph.upstream.get(stage.name)!.filter((name) => {
    const state = statuses.get(name)?.state;
    return options.allowMissing
      ? state === undefined || state === 'fresh' || state === 'frozen'
      : options.pull && state === undefined;
  });
  const assumed = missingOutputs(project, makers);
  const needed = new Set<string>();
  const comparison = await compareWithLock(project, stage, options, { pending, predicted, assumed, needed });
  const missing = comparison.missing.length > 0 ? { missing: comparison.missing } : {};
  const unknown = comparison.reasons.filter(({ kind }) => kind === 'unknown');
  const changing = upstream.filter((name) => ['stale', 'restorable'].includes(statuses.get(name)!.state));
  if (options.forceDownstream && changing.length > 0 && !stage.frozen)
    return {
      state: 'stale',
      pending: true,
      reasons: [...comparison.reasons, { kind: 'upstream', stages: changing }],
      ...missing,
    };
  if (comparison.isComplete || stage.frozen) {
    const status = await settle(project, stage, comparison, options);
    if (status.state !== 'fresh' || unsettled.length === 0) return status;
  } else if (comparison.reasons.length > unknown.length)
    return { state: 'stale', pending: true, reasons: comparison.reasons, ...missing };
  const stages = upstream.filter((name) => !['fresh', 'frozen'].includes(statuses.get(name)!.state));
  const reasons = [...unknown, ...(stages.length > 0 ? [{ kind: 'upstream', stages } as const] : [])];
  return { state: 'maybe', pending: true, reasons, ...missing };
}
