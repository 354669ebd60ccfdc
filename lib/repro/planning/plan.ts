/**
 * What would become of each stage, in the graph's order, before anything runs.
 *
 *   its own inputs and outputs as recorded, and everything above it fresh        → fresh
 *   something differs, and the run cache has just this run                       → restorable: what it makes is known
 *   something differs                                                            → stale
 *   nothing of its own differs, but a stage above may make something new         → maybe
 *   frozen: it is taken as it is                                                 → frozen
 */
import { type Content, contentWithin, type ManifestEntry, parseManifest, sameContent } from '../hashing/index.ts';
import { listNames, type Problem, ReproError } from '../messages/index.ts';
import { contains, type Stage } from '../pipeline/index.ts';
import { type Fingerprint, fingerprintKey, type LockedStage, lockedStage } from '../storage/index.ts';
import { type Project, placeMissing } from './project.ts';
import { MissingInputs } from './stage-inputs.ts';
import { alwaysRuns, type Reason, staleReasons } from './stale-reasons.ts';

export type StageStatus =
  | { state: 'fresh'; reasons: []; block: LockedStage }
  | { state: 'stale'; reasons: Reason[]; inputs?: Fingerprint; key?: string; notes?: string[] }
  | { state: 'restorable'; reasons: Reason[]; inputs: Fingerprint; key: string; block: LockedStage }
  | { state: 'maybe'; reasons: Reason[] }
  | { state: 'frozen'; reasons: Reason[] };

export interface PlanOptions {
  /** Run what is selected even if it is fresh. */
  force?: boolean;
  runCache?: boolean;
  /** Missing dependencies count as unchanged. */
  allowMissing?: boolean;
}

export interface PlannedStage {
  stage: Stage;
  status: StageStatus;
}

/** Throws ReproError for everything that is wrong before a command has started. */
export async function makePlan(
  project: Project,
  names: readonly string[],
  options: PlanOptions,
): Promise<PlannedStage[]> {
  const verdicts = new Map<string, StageStatus>();
  const selected = new Set(names);
  const faults = new Faults();
  const plan: PlannedStage[] = [];
  for (const name of names) {
    const stage = project.graph.stages.get(name)!;
    const above = project.graph.upstream.get(name)!.filter((upstream) => selected.has(upstream));
    try {
      const verdict = await planStage(project, stage, above, verdicts, options);
      verdicts.set(name, verdict);
      plan.push({ stage, status: verdict });
    } catch (error) {
      if (!(error instanceof ReproError)) throw error;
      faults.add(name, error instanceof MissingInputs ? await placeMissing(project, error) : error);
      verdicts.set(name, { state: 'stale', reasons: [] });
    }
  }
  faults.throw();
  return plan;
}

/** What is wrong with stages. What is wrong with many of them, as with all cells of a matrix, is said once. */
class Faults {
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

async function planStage(
  project: Project,
  stage: Stage,
  above: readonly string[],
  verdicts: ReadonlyMap<string, StageStatus>,
  options: PlanOptions,
): Promise<StageStatus> {
  const unsettled = above.filter((name) => ['stale', 'maybe'].includes(verdicts.get(name)!.state));
  const predicted = new Map<string, Content>();
  for (const name of above) {
    const verdict = verdicts.get(name)!;
    if (verdict.state === 'restorable')
      for (const [path, content] of Object.entries(verdict.block.outs ?? {})) predicted.set(path, content);
  }
  const pending = unsettled.flatMap((name) => project.graph.stages.get(name)!.outs.map(({ path }) => path));
  const verdict = await evaluate(project, stage, { ...options, pending, predicted });
  if (verdict.state === 'maybe' || (verdict.state === 'fresh' && unsettled.length > 0)) {
    const stages = above.filter((name) => !['fresh', 'frozen'].includes(verdicts.get(name)!.state));
    return { state: 'maybe', reasons: [{ kind: 'upstream', stages }] };
  }
  return verdict;
}

export interface EvaluateOptions extends PlanOptions {
  /** Outputs of stages above whose content is not known yet; what touches them is left out of the judgement. */
  pending?: readonly string[];
  /** Outputs of stages above that will be restored with this content. */
  predicted?: ReadonlyMap<string, Content>;
}

/** What is to become of one stage, going by what there is now. */
export async function evaluate(project: Project, stage: Stage, options: EvaluateOptions): Promise<StageStatus> {
  const { pending = [], predicted = new Map<string, Content>() } = options;
  const touches = (path: string, outs: Iterable<string>) =>
    [...outs].some((out) => contains(out, path) || contains(path, out));
  const recorded = project.lock.get(stage.name);
  const unknown = (path: string) => touches(path, pending) || touches(path, predicted.keys());

  let inputs: Fingerprint;
  try {
    inputs = await project.stageInputs.fingerprint(stage, unknown);
  } catch (error) {
    if (stage.frozen && error instanceof MissingInputs) return { state: 'frozen', reasons: [] };
    if (!(options.allowMissing && error instanceof MissingInputs) || recorded === undefined) throw error;
    inputs = await assumeRecorded(project, stage, recorded, error, unknown);
  }
  let complete = true;
  for (const path of [...stage.deps.map((dep) => dep.path), ...stage.code, ...stage.params.map(({ file }) => file)]) {
    if (!unknown(path)) continue;
    const content = touches(path, pending) ? undefined : predictedContent(project, path, predicted);
    if (content && stage.deps.some((dep) => dep.path === path)) inputs.deps[path] = content;
    else complete = false;
  }
  const outs = new Map<string, Content | undefined>();
  for (const [path, scanned] of await project.stageInputs.outputs(stage)) outs.set(path, scanned?.content);
  if (options.allowMissing && recorded) {
    for (const [path, content] of outs)
      if (content === undefined && recorded.outs?.[path]) outs.set(path, recorded.outs[path]);
  }

  const reasons = await nameModules(project, staleReasons(stage, recorded, inputs, outs));
  if (stage.frozen) return { state: 'frozen', reasons };
  if (reasons.length === 0 && !options.force) {
    return complete ? { state: 'fresh', reasons: [], block: recorded! } : { state: 'maybe', reasons: [] };
  }
  if (reasons.length === 0) reasons.push({ kind: 'always', forced: true });
  if (!complete) return { state: 'stale', reasons };
  const key = fingerprintKey(stage, inputs);
  if (options.force || options.runCache === false || alwaysRuns(stage)) return { state: 'stale', reasons, inputs, key };
  const { block, notes } = await restorable(project, stage, key, inputs);
  if (block) return { state: 'restorable', reasons, inputs, key, block };
  return { state: 'stale', reasons, inputs, key, notes };
}

/** What will be at `path` once these outputs are restored, where it is one of them or lies in one. */
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

/** The run cache's block for this run, if everything it made can be had; otherwise why not, where that is a fault. */
async function restorable(
  project: Project,
  stage: Stage,
  key: string,
  inputs: Fingerprint,
): Promise<{ block?: LockedStage; notes: string[] }> {
  const found = project.runs.get(key, stage);
  if (found === undefined) return { notes: [] };
  if (found === 'damaged') return { notes: [`its entry in the run cache was damaged; it is dropped`] };
  const outs: { [path: string]: Content } = {};
  for (const { path } of stage.outs) {
    const content = found.outs![path];
    outs[path] = content;
    // What is already in place need not be in the cache.
    if (sameContent((await project.stageInputs.scan(path))?.content, content)) continue;
    const problems = await project.cache.problems(content);
    if (problems.length === 0) continue;
    project.runs.drop(key);
    return { notes: [`${path} cannot be restored: ${problems[0]}; the stage runs`] };
  }
  return { block: lockedStage(stage, inputs, outs), notes: [] };
}

async function assumeRecorded(
  project: Project,
  stage: Stage,
  recorded: LockedStage,
  error: MissingInputs,
  unknown: (path: string) => boolean,
): Promise<Fingerprint> {
  const gone = new Set(error.missing.filter(({ kind }) => kind === 'dep').map(({ path }) => path));
  if (error.missing.some(({ kind }) => kind !== 'dep')) throw error;
  const inputs = await project.stageInputs.fingerprint(stage, (path) => gone.has(path) || unknown(path));
  for (const path of gone) {
    if (!recorded.deps?.[path]) throw error;
    inputs.deps[path] = recorded.deps[path];
  }
  return inputs;
}

/** Says which modules of a closure changed, where its old list of modules is still known. */
async function nameModules(project: Project, reasons: readonly Reason[]): Promise<Reason[]> {
  const named: Reason[] = [];
  for (const reason of reasons) {
    const before = reason.kind === 'code' && reason.old ? project.cache.manifest(reason.old.sha256) : undefined;
    if (reason.kind !== 'code' || before === undefined) {
      named.push(reason);
      continue;
    }
    const after = parseManifest((await project.stageInputs.closure(reason.path))?.manifest ?? '');
    const hashes = (manifest: readonly ManifestEntry[]) => new Map(manifest.map(({ path, sha256 }) => [path, sha256]));
    const [old, now] = [hashes(before), hashes(after)];
    const changed = [...new Set([...old.keys(), ...now.keys()])]
      .filter((path) => old.get(path) !== now.get(path))
      .sort();
    named.push(...changed.map((path): Reason => ({ ...reason, path })));
    if (changed.length === 0) named.push(reason);
  }
  return named;
}
