/**
 * Compares a stage's inputs and outputs with what the lock recorded of its last run. Not everything need be in the
 * workspace: outputs of upstream stages may be restored later, and with --allow-missing they may be missing.
 *
 *   pending     an upstream stage may make it anew: not compared, and the comparison is incomplete
 *   predicted   it will be restored: compared as what will be restored
 *   assumed     it is missing: compared as what the lock says that its stage made
 */

import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { type Content, type ManifestEntry, parseManifest, sameContent } from '../hashing/index.ts';
import { contains, type Stage } from '../pipeline/index.ts';
import type { Fingerprint, LockedStage } from '../storage/index.ts';
import { outputsInside, partsHash } from './folder-parts.ts';
import { knownContent, rebuildManifest } from './known-outputs.ts';
import type { Project } from './project.ts';
import { MissingInputs } from './stage-inputs.ts';
import { type PresentOutput, type Reason, staleReasons } from './stale-reasons.ts';

/** Predicted contents of outputs that are not yet in the workspace in their final form. */
export interface KnownOutputs {
  /** Paths whose content is not known yet. Inputs that they touch are left out of the comparison. */
  pending: readonly string[];
  /** Outputs that will be restored, with their content. */
  predicted: ReadonlyMap<string, Content>;
  /** Missing outputs that are neither, with the content that the lock recorded. */
  assumed: ReadonlyMap<string, Content>;
  /** Outputs of the stage itself that do not count as unchanged if they are missing. */
  needed: ReadonlySet<string>;
}

/** The result of a comparison. */
export interface Comparison {
  inputs: Fingerprint;
  /** false: `inputs` lacks those that are still to be made upstream, and those that are not known. */
  isComplete: boolean;
  reasons: Reason[];
  /** Dependencies that are not in the workspace. They were compared by the lock, or could not be compared. */
  missing: string[];
}

/**
 * The outputs of some stages that are missing in the workspace, with the content that the lock recorded.
 *
 * @param makers names of stages
 */
export function missingOutputs(project: Project, makers: readonly string[]): Map<string, Content> {
  const found = new Map<string, Content>();
  for (const name of makers)
    for (const { path } of project.graph.stages.get(name)!.outs) {
      const content = project.lock.get(name)?.outs?.[path];
      if (content && isMissing(project, path)) found.set(path, content);
    }
  return found;
}

/** Whether there is nothing at a path. A symbolic link is something, wherever it leads. */
export function isMissing(project: Project, path: string): boolean {
  if (project.stageInputs.reported.get(path) !== undefined) return false;
  try {
    return lstatSync(join(project.root, path), { throwIfNoEntry: false }) === undefined;
  } catch {
    return false; // It cannot be looked at, so it may be there.
  }
}

/** Whether a path is, lies in, or holds one of these outputs. */
export function touches(path: string, outs: Iterable<string>): boolean {
  for (const out of outs) if (contains(out, path) || contains(path, out)) return true;
  return false;
}

/**
 * Compares a stage with its last run.
 *
 * @param options.allowMissing missing outputs, and missing dependencies that no stage makes, count as unchanged
 * @throws MissingInputs if an input is missing and does not count as unchanged
 */
export async function compareWithLock(
  project: Project,
  stage: Stage,
  options: { allowMissing?: boolean; force?: boolean },
  known: KnownOutputs,
): Promise<Comparison> {
  const { pending, predicted, assumed, needed } = known;
  const recorded = project.lock.get(stage.name);
  const isElsewhere = (path: string) =>
    touches(path, pending) || touches(path, predicted.keys()) || touches(path, assumed.keys());
  const outs = new Map<string, PresentOutput>();
  for (const { path } of stage.outs) {
    const output = await project.stageInputs.output(path);
    const assumedContent = options.allowMissing && !needed.has(path) ? recorded?.outs?.[path] : undefined;
    const isThere = output.content !== undefined || output.problem !== undefined;
    outs.set(path, isThere || assumedContent === undefined ? output : { content: assumedContent });
  }

  const missing: string[] = [];
  let inputs: Fingerprint;
  try {
    inputs = await project.stageInputs.fingerprint(stage, isElsewhere);
  } catch (error) {
    if (!(error instanceof MissingInputs)) throw error;
    // A frozen stage is never run, so it may lack its inputs.
    if (stage.frozen) return withoutInputs(stage, recorded, outs);
    const imports = options.allowMissing ? importsOf(project, stage, recorded, error) : undefined;
    if (imports === undefined) throw error;
    inputs = await project.stageInputs.fingerprint(stage, (path) => imports.has(path) || isElsewhere(path));
    for (const [path, content] of imports) inputs.deps[path] = content;
    missing.push(...imports.keys());
  }

  let isComplete = true;
  const unknown: Reason[] = [];
  for (const path of [...stage.deps.map((dep) => dep.path), ...stage.code, ...stage.params.map(({ file }) => file)]) {
    if (!isElsewhere(path)) continue;
    const dep = stage.deps.find((each) => each.path === path);
    const content = touches(path, pending) ? undefined : dep && (await contentElsewhere(project, stage, path, known));
    if (content === 'absent') {
      if (!dep!.optional) throw new MissingInputs(stage, [{ kind: 'dep', path, index: stage.deps.indexOf(dep!) }]);
      inputs.deps[path] = null;
    } else if (typeof content === 'object') inputs.deps[path] = content;
    else {
      isComplete = false;
      if (content === 'changed') unknown.push({ kind: 'dep', path, old: recorded!.deps![path] });
      else if (content === 'unknown' || (dep === undefined && touches(path, assumed.keys())))
        unknown.push({ kind: 'unknown', path });
    }
    if (touches(path, assumed.keys()) && content !== 'absent') missing.push(path);
  }
  const reasons = await nameModules(project, [...staleReasons(stage, recorded, inputs, outs), ...unknown]);
  if (reasons.length === 0 && options.force && !stage.frozen) reasons.push({ kind: 'always', forced: true });
  return { inputs, isComplete, reasons, missing };
}

/** The comparison of a frozen stage whose inputs are missing: that of its outputs. */
function withoutInputs(
  stage: Stage,
  recorded: LockedStage | undefined,
  outs: ReadonlyMap<string, PresentOutput>,
): Comparison {
  const inputs = { deps: {}, code: {}, params: {} };
  const reasons = recorded ? staleReasons(stage, recorded, inputs, outs) : [];
  return { inputs, isComplete: true, reasons: reasons.filter(({ kind }) => kind.startsWith('out-')), missing: [] };
}

/** The missing dependencies that no stage makes, as recorded; undefined if another input is missing too. */
function importsOf(
  project: Project,
  stage: Stage,
  recorded: LockedStage | undefined,
  { missing }: MissingInputs,
): Map<string, Content> | undefined {
  const made = project.graph.upstream.get(stage.name)!.flatMap((name) => project.graph.stages.get(name)!.outs);
  const found = new Map<string, Content>();
  for (const { kind, path } of missing) {
    const content = recorded?.deps?.[path];
    if (
      kind !== 'dep' ||
      !content ||
      touches(
        path,
        made.map((out) => out.path),
      )
    )
      return undefined;
    found.set(path, content);
  }
  return found;
}

/** The content of a dependency that touches predicted or assumed outputs; undefined if it is not known yet. */
async function contentElsewhere(project: Project, stage: Stage, path: string, { predicted, assumed }: KnownOutputs) {
  const recorded = project.lock.get(stage.name);
  const manifest = (out: string, content: Content) =>
    project.cache.manifest(content.sha256) ?? rebuilt(project, out, content);
  if (!touches(path, predicted.keys())) {
    const onDisk = await project.stageInputs.scan(path);
    const content = knownContent(path, assumed, { manifest, onDisk, recorded: recorded?.deps ?? {} });
    if (content !== 'unknown' || recorded?.parts?.[path] === undefined) return content;
    const files = parseManifest(onDisk?.manifest ?? '');
    const parts = partsHash(path, files, outputsInside(project, stage, path), assumed);
    return parts === recorded.parts[path] ? (recorded.deps?.[path] ?? content) : content;
  }
  const within = [...predicted.keys()].some((out) => contains(out, path));
  return within ? knownContent(path, predicted, { manifest, onDisk: undefined, recorded: {} }) : undefined;
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

/** Lists of files that were rebuilt, by hash; undefined for those that cannot be. */
const rebuiltLists = new WeakMap<Project, Map<string, ManifestEntry[] | undefined>>();

function rebuilt(project: Project, out: string, content: Content): ManifestEntry[] | undefined {
  const known = rebuiltLists.get(project) ?? new Map<string, ManifestEntry[] | undefined>();
  rebuiltLists.set(project, known);
  if (!known.has(content.sha256)) {
    const readers = project.lock.names.map((name) => project.lock.get(name)?.deps ?? {});
    known.set(content.sha256, rebuildManifest(out, content, readers));
  }
  return known.get(content.sha256);
}
