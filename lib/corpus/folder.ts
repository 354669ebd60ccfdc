/**
 * Lists the folders of a corpus and writes into them.
 *
 * Paths are relative to the folder, with `/` between names, and sorted in the same order on every machine. Links to files count
 * as files. Links to folders are not followed, so a walk always ends and never leaves the folder.
 */
import { constants, lstatSync, mkdirSync, writeFileSync } from 'node:fs';
import { copyFile, mkdir, readdir, rm, rmdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CorpusError, DiskError, isFatal, reasonOf } from './errors.ts';
import { countPassedOver, type PassedOver } from './formats.ts';
import type { OnProgress } from './progress.ts';

/** A file that was skipped, and why. */
export interface Skipped {
  path: string;
  reason: string;
}

/** The files below a folder. */
export interface FolderListing {
  /** files of the wanted kind, sorted by UTF-16 code units */
  paths: string[];
  /** number of files of other kinds, by ending */
  passedOver: PassedOver;
  /** files of the wanted kind that cannot be used */
  skipped: Skipped[];
}

/** File names of ABC notation. */
export const ABC_NAME = /\.abc$/i;

/**
 * Lists the files below a folder.
 *
 * @param wanted whether a relative path is of the wanted kind
 * @returns the wanted files; those that cannot be read are in `skipped`
 * @throws CorpusError if the folder itself is missing, unreadable or a file
 */
export async function listFolder(root: string, wanted: (path: string) => boolean): Promise<FolderListing> {
  const listing: FolderListing = { paths: [], passedOver: {}, skipped: [] };
  async function walk(folder: string): Promise<void> {
    const entries = await readdir(join(root, folder), { withFileTypes: true });
    for (const entry of entries) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      try {
        if (!entry.isDirectory() && !wanted(path)) countPassedOver(listing.passedOver, path);
        else if (isMisread(join(root, path)))
          listing.skipped.push({ path, reason: 'has a name that is not UTF-8; rename it' });
        else if (entry.isDirectory()) await walk(path);
        else if (entry.isFile()) listing.paths.push(path);
        else if (entry.isSymbolicLink() && (await stat(join(root, path))).isFile()) listing.paths.push(path);
        else listing.skipped.push({ path, reason: 'is not a file' });
      } catch (error) {
        if (isFatal(error)) throw error;
        listing.skipped.push({ path, reason: reasonOf(error) });
      }
    }
  }
  try {
    await walk('');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw new CorpusError(`${root}: there is no such folder`);
    if (code === 'ENOTDIR') throw new CorpusError(`${root}: is a file, not a folder`);
    throw new CorpusError(`${root}: cannot be read: ${reasonOf(error)}`);
  }
  listing.paths.sort(byCodeUnits);
  listing.skipped.sort((a, b) => byCodeUnits(a.path, b.path));
  return listing;
}

/** Whether a path is the text that Node returned for a name that is not UTF-8: no file has that text as its name. */
function isMisread(path: string): boolean {
  return path.includes('\ufffd') && lstatSync(path, { throwIfNoEntry: false }) === undefined;
}

function byCodeUnits(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/**
 * Creates a folder to write into. It may already hold files that this run is going to overwrite, and no others: they would mix
 * with the result, and they may be the user's own.
 *
 * @param planned relative paths that this run is going to write
 * @throws CorpusError if the folder cannot be created or holds any other file
 */
export async function prepareFolder(root: string, planned: ReadonlySet<string> = new Set()): Promise<void> {
  try {
    await mkdir(root, { recursive: true });
  } catch (error) {
    throw new CorpusError(`${root}: cannot be made: ${reasonOf(error)}`);
  }
  const { paths } = await listFolder(root, () => true);
  const foreign = paths.find((path) => !planned.has(path));
  if (foreign)
    throw new CorpusError(`${root}: holds ${foreign} already; name an empty folder, or empty this one first`);
}

/**
 * Removes files, and the folders that become empty. A missing file is no error.
 *
 * @param paths relative to the root
 */
export async function removeFiles(root: string, paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    await rm(join(root, path), { force: true });
    for (let folder = dirname(path); folder !== '.'; folder = dirname(folder)) {
      try {
        await rmdir(join(root, folder));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') break; // It holds other files.
      }
    }
  }
}

/**
 * Writes a file and creates the folders above it.
 *
 * @throws DiskError if other files could not be written either (disk full, permission denied, …)
 * @throws Error the error of node:fs if only this path is wrong, such as a name that is too long
 */
export function writeFileWithFolders(path: string, content: string | Uint8Array): void {
  try {
    writeWithFolder(path, content);
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    throw NAME_ERRORS.has(code) ? error : new DiskError(path, error);
  }
}

function writeWithFolder(path: string, content: string | Uint8Array): void {
  try {
    writeFileSync(path, content);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  }
}

/** Error codes that concern the path of one file. With any other code, other files cannot be written either. */
const NAME_ERRORS = new Set(['ENAMETOOLONG', 'ENOTDIR', 'EEXIST', 'EISDIR', 'EINVAL']);

/**
 * Copies files. Blocks are shared if the file system supports it (reflink). Hard links are not used, because editing a
 * copy must not change the original.
 *
 * @param from folder of the originals
 * @param to folder of the copies
 * @param paths relative to both folders
 * @returns files and bytes copied, and the files that could not be copied
 * @throws DiskError if no other file could be written either
 */
export async function copyFiles(
  from: string,
  to: string,
  paths: readonly string[],
  onProgress: OnProgress,
): Promise<{ files: number; bytes: number; skipped: Skipped[] }> {
  const result = { files: 0, bytes: 0, skipped: [] as Skipped[] };
  for (const [done, path] of paths.entries()) {
    onProgress({ done, total: paths.length, unit: 'files' });
    const target = join(to, path);
    try {
      const { size } = await stat(join(from, path));
      await mkdir(dirname(target), { recursive: true });
      await copyFile(join(from, path), target, constants.COPYFILE_FICLONE);
      result.files++;
      result.bytes += size;
    } catch (error) {
      if (isFatal(error)) throw new DiskError(target, error);
      result.skipped.push({ path, reason: reasonOf(error) });
    }
  }
  onProgress({ done: paths.length, total: paths.length, unit: 'files' });
  return result;
}
