/** Limits a data set to a number of files, chosen by a hash of their paths: the same files on every machine. */
import { createHash } from 'node:crypto';
import { readdir, rm, rmdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { listFolder } from '../folder.ts';

/**
 * Chooses paths by the smallest SHA-256 of the path. A larger limit adds paths and keeps the others. The order of paths
 * in an archive or by name does not matter, so the choice is not of one composer or letter only.
 *
 * @param limit largest number of paths; 0: all
 * @returns the chosen paths, in the order of `paths`
 */
export function choosePaths(paths: readonly string[], limit: number): string[] {
  if (limit === 0 || paths.length <= limit) return [...paths];
  const ranked = paths.map((path) => ({ path, hash: createHash('sha256').update(path).digest('hex') }));
  ranked.sort((a, b) => (a.hash < b.hash ? -1 : 1));
  const chosen = new Set(ranked.slice(0, limit).map(({ path }) => path));
  return paths.filter((path) => chosen.has(path));
}

/**
 * Removes the files of a folder that are not chosen, and folders that become empty.
 *
 * @returns the number of files that stay, their bytes, and the number of removed files
 */
export async function keepChosen(
  folder: string,
  limit: number,
): Promise<{ files: number; bytes: number; leftOut: number }> {
  const { paths } = await listFolder(folder, () => true);
  const chosen = new Set(choosePaths(paths, limit));
  const removed = paths.filter((path) => !chosen.has(path));
  let bytes = 0;
  for (const path of chosen) bytes += (await stat(join(folder, path))).size;
  for (const path of removed) {
    await rm(join(folder, path));
    for (let above = dirname(path); above !== '.'; above = dirname(above)) {
      if ((await readdir(join(folder, above))).length > 0) break;
      await rmdir(join(folder, above));
    }
  }
  return { files: chosen.size, bytes, leftOut: removed.length };
}
