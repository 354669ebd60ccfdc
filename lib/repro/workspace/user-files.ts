/**
 * Removes files and folders of the workspace. The callers have decided that nothing is lost. Nothing is removed or written
 * through a symbolic link that leads outside of the pipeline's folder.
 */
import { realpathSync, rmdirSync, rmSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import { describeError, ReproError } from '../messages/index.ts';
import { isOutside } from '../pipeline/index.ts';

/**
 * Removes a file, a folder with all that is in it, or a symbolic link without what it points to. Does nothing if there
 * is none.
 *
 * @param path relative to `root`
 * @throws ReproError if the path is the root itself, lies outside of it, also through a symbolic link, or belongs to git
 */
export function removeUserPath(root: string, path: string): void {
  if (path === '.' || isOutside(path) || path.split('/').some((part) => part === '.git' || part === '..'))
    throw new ReproError(`${path} is not removed: it is not a file or folder of this pipeline`, 1);
  checkInside(root, path);
  rmSync(join(root, path), { recursive: true, force: true });
}

/**
 * Removes the folders above a path, from the inside out, up to the first that is not empty.
 *
 * @param kept folders that stay, and those above them
 */
export function removeEmptyFolders(root: string, path: string, kept: ReadonlySet<string>): void {
  for (let folder = dirname(path); folder !== '.' && !kept.has(folder); folder = dirname(folder))
    try {
      checkInside(root, folder);
      rmdirSync(join(root, folder));
    } catch {
      return; // It is not empty, or it is a link.
    }
}

/**
 * Checks that the folder of a path lies in `root`, wherever symbolic links lead. The path itself may be a link: it is
 * replaced, and not followed.
 *
 * @param path relative to `root`; it need not exist
 * @throws ReproError if a symbolic link leads outside of `root`
 */
export function checkInside(root: string, path: string): void {
  const own = realpathSync.native(root);
  for (let folder = dirname(path); folder !== '.'; folder = dirname(folder)) {
    let real: string;
    try {
      real = realpathSync.native(join(root, folder));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue;
      throw new ReproError(`${path} is not written: ${folder} cannot be followed: ${describeError(error)}`, 1);
    }
    if (real === own || real.startsWith(own.endsWith(sep) ? own : own + sep)) return;
    throw new ReproError(
      `${path} is not written or removed: ${folder} leads to ${real}, outside of the pipeline's folder; give the output a path inside of it`,
      1,
    );
  }
}

/** Whether a symbolic link in the path leads outside of `root`, see `checkInside`. */
export function leadsOutside(root: string, path: string): boolean {
  try {
    checkInside(root, path);
    return false;
  } catch {
    return true;
  }
}
