/** `repro trash`: lists the files that were moved to the trash; `repro trash restore PATH` puts one back. */
import { findRoot, normalise } from '../../pipeline/index.ts';
import { listTrash, restoreFromTrash } from '../../workspace/index.ts';
import { printJson } from '../json-output.ts';
import { printLine } from '../output.ts';

/**
 * Prints what is in the trash, the oldest first.
 *
 * @returns the exit code, 0
 */
export async function showTrash(options: { json?: boolean }): Promise<number> {
  const entries = listTrash(findRoot(process.cwd()));
  if (options.json) {
    const listed = entries.map(({ folder: _, ...entry }) => entry);
    printJson(listed, 2);
    return 0;
  }
  for (const { path, stage, time, location } of entries)
    printLine(`${path}  moved for ${stage} on ${time.slice(0, 19).replace('T', ' ')} UTC, is ${location}`);
  printLine(entries.length === 0 ? 'the trash is empty' : '`repro trash restore PATH` puts one back');
  return 0;
}

/**
 * Puts the last file that was moved from `path` back.
 *
 * @param path relative to the current folder
 * @returns the exit code, 0
 * @throws ReproError if there is none, or if something stands there now
 */
export async function restoreTrash(path: string): Promise<number> {
  const root = findRoot(process.cwd());
  const { stage } = restoreFromTrash(root, normalise(root, normalise(root, '.', process.cwd()), path));
  printLine(`${path} is back; it was moved for ${stage}`);
  return 0;
}
