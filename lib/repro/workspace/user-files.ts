/** Removes files and folders of the workspace. The callers have decided that nothing is lost. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { ReproError } from '../messages/index.ts';
import { isOutside } from '../pipeline/index.ts';

/**
 * Removes a file, a folder with all that is in it, or a symbolic link without what it points to. Does nothing if there
 * is none.
 *
 * @param path relative to `root`
 * @throws ReproError if the path is the root itself, lies outside of it, or belongs to git
 */
export function removeUserPath(root: string, path: string): void {
  if (path === '.' || isOutside(path) || path.split('/').some((part) => part === '.git' || part === '..'))
    throw new ReproError(`${path} is not removed: it is not a file or folder of this pipeline`, 1);
  rmSync(join(root, path), { recursive: true, force: true });
}
