/** Removes what removed cells left in the folders of dependencies, before the first stage runs. */
import { dirname, join } from 'node:path';
import { lstatOrUndefined } from '../freshness/index.ts';
import { ReproError } from '../messages/index.ts';
import { describeLeft, type LeftOutput, neededFolders, type Project, whyDifferent } from '../planning/index.ts';
import { recordedKey } from '../storage/index.ts';
import { emptyTrash, moveToTrash, removeEmptyFolders, removeUserPath } from '../workspace/index.ts';
import type { Leases } from './leases.ts';

/**
 * Removes outputs, or moves them to the trash, together with the blocks of their cells in the lock. The run cache keeps
 * the runs, so that a cell that comes back is restored.
 *
 * @param left as `leftOutputs` found it; outputs that are kept are only described
 * @param options `commit` false: the lock stays as it is
 * @returns sentences for the user, by stage
 * @throws ReproError if an output has changed since, or if another repro runs the stage; then nothing more is removed
 */
export async function clearLeft(
  project: Project,
  left: readonly LeftOutput[],
  stageLeases: Leases,
  options: { commit: boolean },
): Promise<{ stage: string; text: string }[]> {
  const { root, lock, runs } = project;
  const cleared = left.filter(({ fate }) => fate !== 'keep');
  const cells = [...new Set(cleared.map(({ stage }) => stage))];
  const kept = neededFolders(project);
  const folders = new Map<string, string>();
  if (cleared.length === 0) return describeLeft(left, folders);
  await takeSoon(stageLeases, cells);
  try {
    await lock.refresh();
    project.stageInputs.forget();
    for (const stage of cells) {
      // Another repro may have removed them since.
      const own = cleared.filter(
        ({ stage: maker, path }) => maker === stage && lstatOrUndefined(join(root, path)) !== undefined,
      );
      for (const { path, content } of own)
        if ((await whyDifferent(project, path, content, stage)) !== undefined)
          throw new ReproError(`${path} has just changed; run repro again`, 1);
      const block = lock.get(stage);
      if (block !== undefined) runs.put(recordedKey(block), block);
      const moved = own.filter(({ fate }) => fate === 'trash').map(({ path }) => path);
      if (moved.length > 0) folders.set(stage, moveToTrash(root, stage, moved));
      for (const { path, fate } of own) {
        if (fate === 'remove') removeWhole(root, stage, path);
        removeEmptyFolders(root, path, kept);
      }
      if (options.commit && !left.some((output) => output.stage === stage && output.fate === 'keep'))
        lock.remove(stage);
    }
    lock.flush();
  } finally {
    stageLeases.release(cells);
    project.stageInputs.leaveOut([]);
    project.stageInputs.forget();
  }
  return describeLeft(left, folders);
}

/** Removes a folder in one step. If a kill left a part of it, it would not be known whether a person had changed it. */
function removeWhole(root: string, stage: string, path: string): void {
  if (lstatOrUndefined(join(root, path))?.isDirectory()) emptyTrash(root, [dirname(moveToTrash(root, stage, [path]))]);
  else removeUserPath(root, path);
}

/** Milliseconds that another repro gets for removing the same files, and between two attempts. */
const PATIENCE = 5_000;
const RETRY = 50;

/** @throws ReproError if another repro holds one of the leases for long: it runs the stage */
async function takeSoon(leases: Leases, cells: readonly string[]): Promise<void> {
  const until = performance.now() + PATIENCE;
  while (!leases.take(cells)) {
    if (performance.now() > until) throw new ReproError(`another repro runs ${cells.join(' or ')}; try again later`, 1);
    await new Promise((resolve) => setTimeout(resolve, RETRY));
  }
}
