/**
 * The status of a stage: fresh, restorable, stale or frozen, once all its inputs are known.
 */
import { type Content, sameContent } from '../hashing/index.ts';
import type { Stage } from '../pipeline/index.ts';
import { type Fingerprint, fingerprintKey, type LockedStage, lockedStage } from '../storage/index.ts';
import { type Comparison, compareWithLock, isMissing, missingOutputs } from './compare-with-lock.ts';
import type { Project } from './project.ts';
import { alwaysRuns, type Reason } from './stale-reasons.ts';

/**
 * The status of a stage whose inputs are all known. `notes` say why a run in the run cache cannot be restored.
 * `missing` are the dependencies that are not in the workspace, if there are any: the stage cannot run before they are
 * brought.
 */
export type SettledStatus =
  | { state: 'fresh'; reasons: [] }
  | { state: 'frozen'; reasons: Reason[] }
  /**
   * `key`: of the run in the run cache. `isRecorded`: the block is part of the lock's own, and is not recorded again.
   */
  | { state: 'restorable'; reasons: Reason[]; block: LockedStage; key?: string; isRecorded?: true }
  | {
      state: 'stale';
      reasons: Reason[];
      inputs: Fingerprint;
      key: string;
      notes: string[];
      missing?: readonly string[];
    };

/**
 * The status of a stage with inputs that upstream stages have not made yet. `stale`: something else differs already, so
 * it will not be fresh. `maybe`: it will be fresh unless one of these inputs changes.
 */
export interface PendingStatus {
  state: 'stale' | 'maybe';
  pending: true;
  reasons: Reason[];
  /** As for a stale stage. */
  missing?: readonly string[];
}

/** The status of a stage, as far as it can be known before anything runs. */
export type StageStatus = SettledStatus | PendingStatus;

/** A stage of the plan. */
export interface PlannedStage {
  stage: Stage;
  status: StageStatus;
  /** Missing outputs that another stage of the plan needs, although this one could do without them. */
  needed?: ReadonlySet<string>;
  /**
   * Missing dependencies that nothing in the plan brings. If the stage is certain to run, the plan cannot be executed.
   */
  lacking?: readonly string[];
}

/** Options of a call that change what is planned. */
export interface PlanOptions {
  /** Run the selected stages even if they are fresh. */
  force?: boolean;
  /** Run each stage below one that runs or is restored, even if its inputs stay the same. */
  forceDownstream?: boolean;
  /** false: never restore from the run cache. */
  runCache?: boolean;
  /** Missing outputs and dependencies count as what the lock says. A stage that runs needs them all the same. */
  allowMissing?: boolean;
  /** Inputs that stages outside of the plan make are restored if they are missing. */
  pull?: boolean;
}

/**
 * Finds the status of one stage from the files as they are now.
 *
 * @param needed outputs of the stage that do not count as unchanged if they are missing
 * @throws MissingInputs if an input does not exist
 * @throws ReproError if an input cannot be read
 */
export async function evaluate(
  project: Project,
  stage: Stage,
  options: PlanOptions,
  needed: ReadonlySet<string> = new Set(),
): Promise<SettledStatus> {
  const assumed = options.allowMissing
    ? missingOutputs(project, project.graph.upstream.get(stage.name)!)
    : new Map<string, Content>();
  const comparison = await compareWithLock(project, stage, options, {
    pending: [],
    predicted: new Map(),
    assumed,
    needed,
  });
  const { inputs, reasons, missing, isComplete } = comparison;
  // It is not known whether the stage is fresh, and it cannot run.
  if (!isComplete && !stage.frozen) return { state: 'stale', reasons, inputs, key: '', notes: [], missing };
  return settle(project, stage, comparison, options);
}

/**
 * Turns a complete comparison into a status: frozen, fresh, restorable if the run cache has a run with these inputs,
 * otherwise stale.
 *
 * @param comparison of the stage with its block in the lock; complete, unless the stage is frozen
 */
export async function settle(
  project: Project,
  stage: Stage,
  { inputs, reasons, missing }: Comparison,
  options: PlanOptions,
): Promise<SettledStatus> {
  if (stage.frozen) {
    const gone = reasons.flatMap((reason) => (reason.kind === 'out-missing' ? [reason.path] : []));
    return (await restorableFromLock(project, stage, gone)) ?? { state: 'frozen', reasons };
  }
  if (reasons.length === 0) return { state: 'fresh', reasons: [] };
  const key = fingerprintKey(stage, inputs);
  const stale = { state: 'stale', reasons, inputs, key, ...(missing.length > 0 ? { missing } : {}) } as const;
  if (options.force || options.runCache === false || alwaysRuns(stage)) return { ...stale, notes: [] };
  const { block, notes } = await findRestorable(project, stage, key, inputs);
  return block ? { state: 'restorable', reasons, block, key } : { ...stale, notes };
}

/**
 * The status of a stage that does not run, but some of whose recorded outputs are missing and can be restored.
 *
 * @param paths outputs; those that exist, or that the cache does not have, are left out
 * @returns undefined if nothing is left
 */
export async function restorableFromLock(
  project: Project,
  stage: Stage,
  paths: Iterable<string>,
): Promise<Extract<SettledStatus, { state: 'restorable' }> | undefined> {
  const locked = project.lock.get(stage.name);
  const outs: { [path: string]: Content } = {};
  for (const path of paths) {
    const content = locked?.outs?.[path];
    if (content === undefined || !isMissing(project, path)) continue;
    if ((await project.cache.problems(content)).length === 0) outs[path] = content;
  }
  if (Object.keys(outs).length === 0) return undefined;
  const reasons = Object.keys(outs).map((path): Reason => ({ kind: 'out-missing', path }));
  return { state: 'restorable', reasons, block: { ...locked!, outs }, isRecorded: true };
}

/** The run cache's block for this key, if all its outputs can be restored. `notes` say why they cannot. */
async function findRestorable(
  project: Project,
  stage: Stage,
  key: string,
  inputs: Fingerprint,
): Promise<{ block?: LockedStage; notes: string[] }> {
  // A run from before packages were recorded has a key without them.
  const found =
    project.runs.get(key, stage) ?? project.runs.get(fingerprintKey(stage, { ...inputs, packages: {} }), stage);
  if (found === undefined) return { notes: [] };
  if (found === 'damaged') return { notes: ['its entry in the run cache was damaged; it is dropped'] };
  const outs: { [path: string]: Content } = {};
  for (const { path } of stage.outs) {
    const content = found.outs![path];
    outs[path] = content;
    // An output that is already in place need not be in the cache.
    if (sameContent((await project.stageInputs.output(path)).content, content)) continue;
    const problems = await project.cache.problems(content);
    if (problems.length === 0) continue;
    project.runs.drop(key);
    return { notes: [`${path} cannot be restored: ${problems[0]}; the stage runs`] };
  }
  const { parts } = found;
  return { block: { ...lockedStage(stage, inputs, outs), ...(parts ? { parts } : {}) }, notes: [] };
}
