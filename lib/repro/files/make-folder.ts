/** Makes folders at paths that a user names. */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Makes a folder, and those above it. `mkdirSync` with `recursive` never returns where a file system says that a folder
 * which exists is missing, as /proc does.
 *
 * @param mode the permissions of new folders
 * @throws Error of node:fs if a folder cannot be made; if `path` is something else, that shows when it is used
 */
export function makeFolder(path: string, mode?: number): void {
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return;
    if (code !== 'ENOENT' || dirname(path) === path) throw error;
    makeFolder(dirname(path), mode);
    makeLast(path, mode);
  }
}

/** The folder above it exists now, so the error is not the end of a loop. */
function makeLast(path: string, mode?: number): void {
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}
