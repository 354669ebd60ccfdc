/** What a person wrote by hand in outputs. No call may lose it. This does not use the rules of the reference. */
import { keptTexts, workspace } from './disk.ts';
import type { ProjectState } from './project-state.ts';
import { within } from './tree.ts';

/** Files that a person made by hand before a call. */
export interface Handmade {
  files: [path: string, text: string][];
  /** Outputs that are as the lock records them. */
  recorded: Set<string>;
  /** Whether the call may free the trash and the cache. */
  isTrashFreed: boolean;
}

/** The files of the workspace that a person made by hand in outputs, if they may not be lost. */
export function handmadeFiles({ tree, stages, lock, checkpoints }: ProjectState, isTrashFreed: boolean): Handmade {
  const persisted = stages.flatMap(({ outs }) => outs.filter(({ persist }) => persist).map(({ path }) => path));
  // So it may a checkpoint of an attempt that was killed, for the next one goes on from it.
  for (const { path, isBegun } of checkpoints.values()) if (isBegun) persisted.push(path);
  const files = tree.filePaths
    .map((path): [string, string] => [path, tree.text(path)])
    .filter(([, text]) => text.includes('by hand'))
    // A command may overwrite what it finds in an output that it keeps.
    .filter(([path]) => !persisted.some((out) => within(out, path)));
  // The manual: what the lock records is not kept for its own sake.
  const recorded = new Set(
    [...lock.values()].flatMap((block) =>
      Object.keys(block.outs ?? {}).filter(
        (path) => tree.has(path) && block.outs![path].sha256 === tree.content(path)!.sha256,
      ),
    ),
  );
  return { files, recorded, isTrashFreed };
}

/** The handmade files that are neither in place, nor in the trash or the cache; one line for each. */
export function lostFiles(root: string, { files, recorded, isTrashFreed }: Handmade): string[] {
  const now = workspace(root);
  let kept: Set<string> | undefined;
  return files
    .filter(([path, text]) => {
      if (now.text(path) === text || [...recorded].some((out) => within(out, path))) return false;
      kept ??= isTrashFreed ? new Set() : keptTexts(root);
      return !kept.has(text);
    })
    .map(([path, text]) => `${path} with ${JSON.stringify(text)}`);
}
