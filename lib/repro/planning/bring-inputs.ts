/**
 * Adds to a plan what its stages need although it is missing. With --allow-missing a stage counts as fresh by the lock
 * alone, but a stage that runs must have its inputs. So the outputs that it reads are restored first:
 *
 *   p fresh, its output foo is missing   →   p restorable: foo, from the cache
 *   q stale, reads foo                       q stale
 *
 * An input that the cache does not have either is noted as `lacking`.
 */
import { listNames, type Problem, ReproError } from '../messages/index.ts';
import { contains, placeInStage, type Stage } from '../pipeline/index.ts';
import { isMissing, touches } from './compare-with-lock.ts';
import type { Project } from './project.ts';
import { type PlannedStage, restorableFromLock } from './status.ts';

/** Returns the plan with the restorations that it needs. */
export async function bringInputs(project: Project, plan: readonly PlannedStage[]): Promise<PlannedStage[]> {
  const planned = new Map(plan.map((entry) => [entry.stage.name, entry]));
  const needed = new Map<string, Set<string>>();
  const result = new Map<string, PlannedStage>();
  // Backwards, because a stage that must run for another one needs its own inputs.
  for (const { stage, status } of [...plan].reverse()) {
    const lacking: string[] = [];
    const runs = status.state === 'stale' || status.state === 'maybe';
    for (const path of (runs && status.missing) || [])
      lacking.push(...(await requestInput(project, stage, path, planned, needed)));
    result.set(stage.name, { stage, status, ...(lacking.length > 0 ? { lacking } : {}) });
  }
  const outside: PlannedStage[] = [];
  for (const [name, paths] of needed) {
    const entry = result.get(name);
    if (entry !== undefined && 'pending' in entry.status) {
      result.set(name, { ...entry, needed: paths });
      continue;
    }
    const stage = project.graph.stages.get(name)!;
    const status = await restorableFromLock(project, stage, paths);
    if (status === undefined) continue;
    if (entry === undefined) outside.push({ stage, status, needed: paths });
    else result.set(name, { ...entry, status, needed: paths });
  }
  return [...outside, ...plan.map(({ stage }) => result.get(stage.name)!)];
}

/**
 * Notes which outputs must be restored, so that a missing dependency is there.
 *
 * @returns what cannot be brought: the dependency, or outputs in it
 */
async function requestInput(
  project: Project,
  stage: Stage,
  path: string,
  planned: ReadonlyMap<string, PlannedStage>,
  needed: Map<string, Set<string>>,
): Promise<string[]> {
  let isMade = false;
  const lacking: string[] = [];
  for (const name of project.graph.upstream.get(stage.name)!)
    for (const out of project.graph.stages.get(name)!.outs) {
      if (!touches(path, [out.path]) || !isMissing(project, out.path)) continue;
      isMade = true;
      const status = planned.get(name)?.status;
      // Such a stage makes or restores all its outputs.
      if (status?.state === 'stale' || status?.state === 'restorable') continue;
      const isPending = status !== undefined && 'pending' in status;
      const content = project.lock.get(name)?.outs?.[out.path];
      const isCached = content !== undefined && (await project.cache.problems(content)).length === 0;
      if (isCached || isPending) needed.set(name, (needed.get(name) ?? new Set()).add(out.path));
      else lacking.push(contains(path, out.path) ? out.path : path);
    }
  return isMade ? lacking : [path];
}

/**
 * Refuses a plan in which a stage is certain to run without its inputs.
 *
 * @param options.pull the remote was looked into already
 * @throws ReproError that names the inputs, with their places in pipeline.yaml
 */
export async function checkInputs(
  project: Project,
  plan: readonly PlannedStage[],
  options: { pull?: boolean },
): Promise<void> {
  const stuck = plan.filter(cannotRun);
  if (stuck.length === 0) return;
  const stages = new Map<string, { names: string[]; problem: Problem }>();
  for (const entry of stuck) {
    const { stage, lacking = [] } = entry;
    const message = describeLacking(project, entry, options);
    const known = stages.get(message);
    const index = stage.deps.findIndex(({ path }) => touches(path, lacking));
    if (known) known.names.push(stage.name);
    else
      stages.set(message, {
        names: [stage.name],
        problem: { message, place: await placeInStage(project.files, stage, ['deps', index]) },
      });
  }
  throw new ReproError(
    [...stages.values()].map(({ names, problem }) => ({
      ...problem,
      message: `${listNames(names)} ${problem.message}`,
    })),
  );
}

/** Whether a stage lacks inputs and is certain to run, or cannot be compared without them. */
function cannotRun({ status, lacking }: PlannedStage): boolean {
  if (lacking === undefined) return false;
  return status.state === 'stale' || status.reasons.some(({ kind }) => kind === 'unknown');
}

/**
 * The end of a sentence about the inputs that a stage lacks.
 *
 * @example 'must run and needs foo, which is missing: repro pull'
 */
export function describeLacking(
  project: Project,
  { stage, status, lacking = [] }: PlannedStage,
  { pull }: { pull?: boolean } = {},
): string {
  const outs = project.graph.upstream
    .get(stage.name)!
    .flatMap((name) => project.graph.stages.get(name)!.outs)
    .filter(({ path }) => touches(path, lacking));
  const which = lacking.length === 1 ? 'which is missing' : 'which are missing';
  const it = lacking.length === 1 ? 'it' : 'them';
  const remedy =
    outs.length === 0
      ? `, and no stage makes ${it}`
      : outs.every(({ cache }) => !cache)
        ? `; git keeps ${it}`
        : pull
          ? `; neither the cache nor the remote has ${it}`
          : ': repro pull';
  const isUnknown = status.reasons.every(({ kind }) => kind === 'unknown' || kind === 'upstream');
  const must = isUnknown ? 'may have to run and needs' : 'must run and needs';
  return `${must} ${listNames(lacking)}, ${which}${remedy}`;
}
