/**
 * Finds the files that a stage's run or restoration would replace, and decides whether each is removed, moved or kept.
 *
 *   as the lock, the run cache, the cache or an attempt's mark records it   removed
 *   in such a folder, but ignored (hashing/ignore-rules.ts)                 removed if the run left it so, else trash
 *   as git's last commit has it                                             removed, with a note
 *   tracked by git, but not as committed                                    the stage is refused
 *   anything else                                                           moved to the trash
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { lstatOrUndefined } from '../freshness/index.ts';
import { type Content, parseManifest, sameContent } from '../hashing/index.ts';
import { listNames, type Problem, ReproError } from '../messages/index.ts';
import { placeInStage, type Stage } from '../pipeline/index.ts';
import { LOCK, type LockedStage } from '../storage/index.ts';
import { checkpointKey, isMarkedIgnored, isMarkedUnrecorded, moveToTrash, strangeFiles } from '../workspace/index.ts';
import { gitFilesOf } from './git-files-of.ts';
import type { Project } from './project.ts';
import type { PlannedStage } from './status.ts';

/** A file or folder that is about to be replaced, although repro has no record of its content. */
export interface ReplacedFile {
  path: string;
  fate: 'trash' | 'committed' | 'refused';
  /** It lies in an output, but an ignore file or a default pattern says that it does not count. */
  isIgnored?: true;
  /** For `refused`: the message, without the stage's name. */
  message?: string;
}

/** How a stage is to be brought up to date. */
export interface Replacement {
  /** The run that is to be restored; undefined if the stage is to run. */
  restored?: LockedStage;
  /** The fingerprint key of the stage; undefined if the stage is to be restored. */
  key?: string;
}

/**
 * Finds what a stage would replace although repro has no record of it.
 *
 * @throws ReproError if an output cannot be read
 */
export async function replacedFiles(
  project: Project,
  stage: Stage,
  { restored, key }: Replacement,
): Promise<ReplacedFile[]> {
  const { root } = project;
  const unknown: { path: string; content?: Content; isCheckpoint?: true; isCommittable?: boolean }[] = [];
  const found: ReplacedFile[] = [];
  for (const { path, persist, cache } of stage.outs) {
    const wanted = restored?.outs?.[path];
    if (restored === undefined ? persist : wanted === undefined) continue;
    const { content, ignored } = await project.stageInputs.output(path);
    if (content !== undefined && sameContent(content, wanted)) continue;
    if (isMarkedUnrecorded(root, stage, path) || !exists(join(root, path))) continue;
    // A folder without files holds nothing that could be lost.
    if (content?.files !== 0 && !(content !== undefined && (await isRecorded(project, path, content))))
      unknown.push({ path, content, isCommittable: !cache });
    else
      for (const inside of ignored)
        if (!isMarkedIgnored(root, stage.name, inside)) found.push({ path: inside, fate: 'trash', isIgnored: true });
  }
  const { checkpoint } = stage;
  if (restored === undefined && checkpoint !== undefined) {
    const isUnknown = checkpointKey(root, stage) === undefined && holdsSomething(join(root, checkpoint));
    for (const path of isUnknown ? [checkpoint] : strangeFiles(root, stage, key))
      unknown.push({ path, isCheckpoint: true });
  }
  if (unknown.length === 0) return found;

  const git = await gitFilesOf(project);
  for (const { path, content, isCheckpoint, isCommittable } of unknown) {
    const tracked = (await git?.tracked([path])) ?? [];
    if (tracked.length === 0) found.push({ path, fate: 'trash' });
    else if (isCheckpoint)
      found.push({
        path,
        fate: 'refused',
        message: `the checkpoint "${path}" holds files that git tracks, and repro removes checkpoints; give it a path of its own`,
      });
    else if (content !== undefined && (await git!.areCommitted(await filesOf(project, path))))
      found.push({ path, fate: 'committed' });
    else if (isCommittable) found.push({ path, fate: 'trash' });
    else if (content === undefined || !(await git!.everContained(LOCK, content.sha256)))
      found.push({
        path,
        fate: 'refused',
        message: `the output "${path}" is tracked by git, and its changes are not committed; repro would replace it. Commit it or move it away. If the stage made it, run \`repro commit ${stage.name}\``,
      });
  }
  return found;
}

/**
 * Finds the same for all stages of a plan that would run or be restored.
 *
 * @returns by stage; stages that replace nothing unknown are left out
 * @throws ReproError with the place of each stage that is refused
 */
export async function checkReplacedFiles(
  project: Project,
  plan: readonly PlannedStage[],
): Promise<Map<string, ReplacedFile[]>> {
  const found = new Map<string, ReplacedFile[]>();
  const problems: Problem[] = [];
  for (const { stage, status } of plan) {
    if (status.state !== 'stale' && status.state !== 'restorable') continue;
    const files = await replacedFiles(
      project,
      stage,
      status.state === 'restorable' ? { restored: status.block } : 'key' in status ? { key: status.key } : {},
    );
    if (files.length === 0) continue;
    found.set(stage.name, files);
    const refused = files.filter(({ fate }) => fate === 'refused');
    if (refused.length === 0) continue;
    const place = await placeInStage(project.files, stage);
    for (const { message } of refused) problems.push({ message: `${stage.name}: ${message}`, place });
  }
  if (problems.length > 0) throw new ReproError(problems);
  return found;
}

/**
 * Moves files that a stage would replace to the trash, right before they are replaced.
 *
 * @returns a sentence about it for the user; undefined if repro has a record of everything
 * @throws ReproError if a file is refused; then nothing was moved
 */
export async function setAside(project: Project, stage: Stage, replacement: Replacement): Promise<string | undefined> {
  const files = await replacedFiles(project, stage, replacement);
  if (files.length === 0) return undefined;
  const refused = files.find(({ fate }) => fate === 'refused');
  if (refused !== undefined) throw new ReproError(refused.message!, 1);
  const trash = files.filter(({ fate }) => fate === 'trash').map(({ path }) => path);
  const folder = trash.length > 0 ? moveToTrash(project.root, stage.name, trash) : '';
  if (trash.length > 0) project.stageInputs.forget();
  return describeReplaced(files, folder);
}

/**
 * The sentences about files that are replaced.
 *
 * @param folder where they were moved; undefined if that would only happen
 * @example describeReplaced([{ path: 'o', fate: 'trash' }])
 *   // 'would move o to .repro/trash: repro has no record of its content'
 */
export function describeReplaced(files: readonly ReplacedFile[], folder?: string): string {
  const paths = (fate: ReplacedFile['fate'], ignored?: true) =>
    files.filter((file) => file.fate === fate && file.isIgnored === ignored).map(({ path }) => path);
  const [trash, ignored, committed] = [paths('trash'), paths('trash', true), paths('committed')];
  const its = (names: string[]) => (names.length === 1 ? 'its' : 'their');
  const move = (names: string[]) =>
    `${folder === undefined ? 'would move' : 'moved'} ${listNames(names)} to ${folder ?? '.repro/trash'}`;
  const parts: string[] = [];
  if (trash.length > 0) parts.push(`${move(trash)}: repro has no record of ${its(trash)} content`);
  if (ignored.length > 0)
    parts.push(
      `${move(ignored)}: .reproignore or a default pattern leaves ${ignored.length === 1 ? 'it' : 'them'} out`,
    );
  if (committed.length > 0)
    parts.push(
      `${folder === undefined ? 'would replace' : 'replaced'} ${listNames(committed)}, as git's last commit has ${committed.length === 1 ? 'it' : 'them'}`,
    );
  return parts.join('; ');
}

/** Whether repro itself made or took in this content of an output, so that removing it loses nothing unknown. */
async function isRecorded(project: Project, path: string, content: Content): Promise<boolean> {
  const { lock, cache, runs } = project;
  // The stage may have had another name.
  if (lock.names.some((name) => sameContent(lock.get(name)?.outs?.[path], content))) return true;
  return (await cache.problems(content)).length === 0 || runs.hasMade(path, content);
}

/** Whether there is anything at a path, also a symbolic link to nothing. */
function exists(path: string): boolean {
  return lstatOrUndefined(path) !== undefined;
}

/** Whether a path is anything but an empty folder. */
function holdsSomething(path: string): boolean {
  const stat = lstatOrUndefined(path);
  return stat !== undefined && (!stat.isDirectory() || readdirSync(path).length > 0);
}

/** The files at a path, which exists, relative to the root. */
async function filesOf(project: Project, path: string): Promise<string[]> {
  const scanned = await project.stageInputs.scan(path);
  if (scanned?.manifest === undefined) return [path];
  return parseManifest(scanned.manifest).map((entry) => `${path}/${entry.path}`);
}
