/** Removes what removed cells left in the folders of dependencies, before the first stage runs. */
import { ReproError } from '../messages/index.ts';
import { describeLeft, type LeftOutput, neededFolders, type Project, whyDifferent } from '../planning/index.ts';
import { recordedKey } from '../storage/index.ts';
import { moveToTrash, removeEmptyFolders, removeUserPath } from '../workspace/index.ts';
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
  if (!stageLeases.take(cells)) throw new ReproError(`another repro runs ${cells.join(' or ')}; try again later`, 1);
  try {
    project.stageInputs.forget();
    for (const stage of cells) {
      const own = cleared.filter((output) => output.stage === stage);
      for (const { path, content } of own)
        if ((await whyDifferent(project, path, content, stage)) !== undefined)
          throw new ReproError(`${path} has just changed; run repro again`, 1);
      const block = lock.get(stage);
      if (block !== undefined) runs.put(recordedKey(block), block);
      const moved = own.filter(({ fate }) => fate === 'trash').map(({ path }) => path);
      if (moved.length > 0) folders.set(stage, moveToTrash(root, stage, moved));
      for (const { path, fate } of own) {
        if (fate === 'remove') removeUserPath(root, path);
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
