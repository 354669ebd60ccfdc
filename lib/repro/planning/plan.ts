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
import { type Content, contentWithin, type ManifestEntry, parseManifest, sameContent } from '../hashing/index.ts';
import { listNames, type Problem, ReproError } from '../messages/index.ts';
import { contains, type Stage } from '../pipeline/index.ts';
import { type Fingerprint, fingerprintKey, type LockedStage, lockedStage } from '../storage/index.ts';
import { type Project, placeMissing } from './project.ts';
import { MissingInputs } from './stage-inputs.ts';
import { alwaysRuns, type PresentOutput, type Reason, staleReasons } from './stale-reasons.ts';

/** The status of a stage whose inputs are all known. `notes` say why a run in the run cache cannot be restored. */
export type SettledStatus =
  | { state: 'fresh'; reasons: [] }
  | { state: 'frozen'; reasons: Reason[] }
  | { state: 'restorable'; reasons: Reason[]; inputs: Fingerprint; key: string; block: LockedStage }
  | { state: 'stale'; reasons: Reason[]; inputs: Fingerprint; key: string; notes: string[] };

/**
 * The status of a stage with inputs that upstream stages have not made yet. `stale`: something else differs already, so
 * it will not be fresh. `maybe`: it will be fresh unless one of these inputs changes.
 */
export interface PendingStatus {
  state: 'stale' | 'maybe';
  pending: true;
  reasons: Reason[];
}

/** The status of a stage, as far as it can be known before anything runs. */
export type StageStatus = SettledStatus | PendingStatus;

/** Options of a call that change what is planned. */
export interface PlanOptions {
  /** Run the selected stages even if they are fresh. */
  force?: boolean;
  /** false: never restore from the run cache. */
  runCache?: boolean;
  /** Missing dependencies count as unchanged. */
  allowMissing?: boolean;
}

/** A stage of the plan. */
export interface PlannedStage {
  stage: Stage;
  status: StageStatus;
}

/**
 * Plans the stages `names`, which are in the graph's order. Stages outside of `names` count as they are on disk.
 *
 * @returns one entry for each name, in the same order
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
  return plan;
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

/** `statuses` contains at least the statuses of `upstream`, the selected stages that this one waits for. */
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
  const comparison = await compareWithLock(project, stage, options, { pending, predicted });
  if (comparison.isComplete || stage.frozen) {
    const status = await settle(project, stage, comparison, options);
    if (status.state !== 'fresh' || unsettled.length === 0) return status;
  } else if (comparison.reasons.length > 0) return { state: 'stale', pending: true, reasons: comparison.reasons };
  const stages = upstream.filter((name) => !['fresh', 'frozen'].includes(statuses.get(name)!.state));
  return { state: 'maybe', pending: true, reasons: [{ kind: 'upstream', stages }] };
}

/**
 * Finds the status of one stage from the files as they are now.
 *
 * @throws MissingInputs if an input does not exist
 * @throws ReproError if an input cannot be read
 */
export async function evaluate(project: Project, stage: Stage, options: PlanOptions): Promise<SettledStatus> {
  const comparison = await compareWithLock(project, stage, options, { pending: [], predicted: new Map() });
  return settle(project, stage, comparison, options);
}

/** Outputs of upstream stages that will not stay as they are on disk. */
interface UpstreamOutputs {
  /** Paths whose content is not known yet. Inputs that they touch are left out of the comparison. */
  pending: readonly string[];
  /** Outputs that will be restored, with their content. */
  predicted: ReadonlyMap<string, Content>;
}

interface Comparison {
  inputs: Fingerprint;
  /** false: `inputs` lacks those that are still to be made upstream. */
  isComplete: boolean;
  reasons: Reason[];
}

/** Compares a stage's inputs and outputs with what the lock recorded of its last run. */
async function compareWithLock(
  project: Project,
  stage: Stage,
  options: PlanOptions,
  { pending, predicted }: UpstreamOutputs,
): Promise<Comparison> {
  const touches = (path: string, outs: Iterable<string>) =>
    [...outs].some((out) => contains(out, path) || contains(path, out));
  const recorded = project.lock.get(stage.name);
  const isUnknown = (path: string) => touches(path, pending) || touches(path, predicted.keys());

  let inputs: Fingerprint;
  try {
    inputs = await project.stageInputs.fingerprint(stage, isUnknown);
  } catch (error) {
    if (!(error instanceof MissingInputs)) throw error;
    // A frozen stage is never run, so it may lack its inputs.
    if (stage.frozen) return { inputs: { deps: {}, code: {}, params: {} }, isComplete: true, reasons: [] };
    if (!options.allowMissing || recorded === undefined) throw error;
    inputs = await assumeRecorded(project, stage, recorded, error, isUnknown);
  }
  let isComplete = true;
  for (const path of [...stage.deps.map((dep) => dep.path), ...stage.code, ...stage.params.map(({ file }) => file)]) {
    if (!isUnknown(path)) continue;
    const content = touches(path, pending) ? undefined : predictedContent(project, path, predicted);
    if (content && stage.deps.some((dep) => dep.path === path)) inputs.deps[path] = content;
    else isComplete = false;
  }
  const outs = new Map<string, PresentOutput>();
  for (const { path } of stage.outs) {
    const output = await project.stageInputs.output(path);
    outs.set(path, output);
    if (!options.allowMissing || output.content !== undefined || output.problem !== undefined) continue;
    if (recorded?.outs?.[path]) outs.set(path, { content: recorded.outs[path] });
  }

  const reasons = await nameModules(project, staleReasons(stage, recorded, inputs, outs));
  if (reasons.length === 0 && options.force && !stage.frozen) reasons.push({ kind: 'always', forced: true });
  return { inputs, isComplete, reasons };
}

/** The status that follows from a complete comparison. */
async function settle(
  project: Project,
  stage: Stage,
  { inputs, reasons }: Comparison,
  options: PlanOptions,
): Promise<SettledStatus> {
  if (stage.frozen) return { state: 'frozen', reasons };
  if (reasons.length === 0) return { state: 'fresh', reasons: [] };
  const key = fingerprintKey(stage, inputs);
  if (options.force || options.runCache === false || alwaysRuns(stage))
    return { state: 'stale', reasons, inputs, key, notes: [] };
  const { block, notes } = await findRestorable(project, stage, key, inputs);
  if (block) return { state: 'restorable', reasons, inputs, key, block };
  return { state: 'stale', reasons, inputs, key, notes };
}

/** The content that `path` will have once these outputs are restored, if it is one of them or lies in one. */
function predictedContent(
  project: Project,
  path: string,
  predicted: ReadonlyMap<string, Content>,
): Content | undefined {
  for (const [out, content] of predicted) {
    if (out === path) return content;
    if (!path.startsWith(`${out}/`)) continue;
    const manifest = project.cache.manifest(content.sha256);
    return manifest && contentWithin(manifest, path.slice(out.length + 1));
  }
  return undefined;
}

/** The run cache's block for this key, if all its outputs can be restored. `notes` say why they cannot. */
async function findRestorable(
  project: Project,
  stage: Stage,
  key: string,
  inputs: Fingerprint,
): Promise<{ block?: LockedStage; notes: string[] }> {
  const found = project.runs.get(key, stage);
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
  return { block: lockedStage(stage, inputs, outs), notes: [] };
}

/** The fingerprint with the recorded content of dependencies that are missing. Anything else that is missing throws. */
async function assumeRecorded(
  project: Project,
  stage: Stage,
  recorded: LockedStage,
  error: MissingInputs,
  isUnknown: (path: string) => boolean,
): Promise<Fingerprint> {
  const missing = new Set(error.missing.filter(({ kind }) => kind === 'dep').map(({ path }) => path));
  if (error.missing.some(({ kind }) => kind !== 'dep')) throw error;
  const inputs = await project.stageInputs.fingerprint(stage, (path) => missing.has(path) || isUnknown(path));
  for (const path of missing) {
    if (!recorded.deps?.[path]) throw error;
    inputs.deps[path] = recorded.deps[path];
  }
  return inputs;
}

/**
 * Replaces the reason that a code entry changed by one reason for each module that differs, if the modules of the last
 * run are known. A module that is no longer used has no new content. A module that was not used then has no old
 * content.
 */
async function nameModules(project: Project, reasons: readonly Reason[]): Promise<Reason[]> {
  const named: Reason[] = [];
  for (const reason of reasons) {
    const before = reason.kind === 'code' && reason.old ? project.cache.manifest(reason.old.sha256) : undefined;
    if (reason.kind !== 'code' || before === undefined) {
      named.push(reason);
      continue;
    }
    const after = parseManifest((await project.stageInputs.closure(reason.path))?.manifest ?? '');
    const contents = (manifest: readonly ManifestEntry[]) =>
      new Map(manifest.map(({ path, sha256, size }): [string, Content] => [path, { sha256: sha256!, size: size! }]));
    const [old, now] = [contents(before), contents(after)];
    const paths = [...new Set([...old.keys(), ...now.keys()])].sort();
    const changed = paths.filter((path) => !sameContent(old.get(path), now.get(path)));
    for (const path of changed) {
      const [was, is] = [old.get(path), now.get(path)];
      named.push({ kind: 'code', path, entry: reason.path, ...(was ? { old: was } : {}), ...(is ? { new: is } : {}) });
    }
    if (changed.length === 0) named.push(reason);
  }
  return named;
}
