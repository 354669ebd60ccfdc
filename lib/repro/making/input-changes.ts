/** Lists the files that a stage reads and that were added, changed or removed since a recorded run. */
import { type Content, type ManifestEntry, parseManifest, sameContent } from '../hashing/index.ts';
import { isPattern, type Stage } from '../pipeline/index.ts';
import type { Project } from '../planning/index.ts';
import type { Fingerprint, LockedStage } from '../storage/index.ts';

/** Files by path, relative to the pipeline's folder, sorted. */
export interface InputChanges {
  added: string[];
  changed: string[];
  removed: string[];
}

/**
 * Compares the dependencies with those of a recorded run, file by file.
 *
 * @param recorded undefined: nothing was recorded, so every file was added
 * @returns undefined if the list of files of a folder is not known any more
 */
export async function inputChanges(
  project: Project,
  inputs: Fingerprint,
  recorded: LockedStage | undefined,
): Promise<InputChanges | undefined> {
  const before = new Map<string, string>();
  const now = new Map<string, string>();
  const paths = new Set([...Object.keys(inputs.deps), ...Object.keys(recorded?.deps ?? {})]);
  for (const path of paths) {
    const [old, present] = [recorded?.deps?.[path], inputs.deps[path]];
    // A pattern counts which files match; the files are listed too.
    if (sameContent(old, present) || isPattern(path)) continue;
    const oldEntries = old?.files === undefined ? [] : project.cache.manifest(old.sha256);
    if (oldEntries === undefined) return undefined;
    addFiles(before, path, old, oldEntries);
    const manifest = present?.files === undefined ? '' : ((await project.stageInputs.scan(path))?.manifest ?? '');
    addFiles(now, path, present, parseManifest(manifest));
  }
  const all = [...new Set([...before.keys(), ...now.keys()])].sort();
  return {
    added: all.filter((file) => !before.has(file)),
    changed: all.filter((file) => before.has(file) && now.has(file) && before.get(file) !== now.get(file)),
    removed: all.filter((file) => !now.has(file)),
  };
}

/** Adds the files of a dependency, each with a text that differs if the file does. */
function addFiles(
  files: Map<string, string>,
  path: string,
  content: Content | null | undefined,
  entries: readonly ManifestEntry[],
): void {
  if (!content) return;
  if (content.files === undefined) files.set(path, JSON.stringify([content.sha256, content.executable]));
  for (const entry of entries) {
    if (entry.sha256 === undefined && entry.link === undefined) continue; // An empty folder.
    const file = path === '.' ? entry.path : `${path}/${entry.path}`;
    files.set(file, JSON.stringify([entry.sha256, entry.executable, entry.link]));
  }
}

/**
 * Keeps the lists of the files in the folders that a stage reads, so that the changes can be listed for its next run.
 */
export async function saveInputLists(project: Project, stage: Stage): Promise<void> {
  for (const dep of stage.deps) {
    if (dep.isPattern) continue;
    const { path } = dep;
    const scanned = await project.stageInputs.scan(path);
    if (scanned?.manifest !== undefined) await project.cache.saveManifest(scanned);
  }
}
