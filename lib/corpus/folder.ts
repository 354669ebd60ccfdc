/**
 * Folders of a corpus: what lies in them, in an order that is the same on every machine, and writing into them without harm.
 *
 * Paths are relative to the folder, with `/` between names. Links to files count as files; links to folders are not followed,
 * so that no walk is endless or leaves the folder.
 */
import { constants, mkdirSync, writeFileSync } from 'node:fs';
import { copyFile, mkdir, readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CorpusError, DiskError, isFatal, reasonOf } from './errors.ts';
import type { OnProgress } from './progress.ts';

/** A file that was passed over, and why. */
export interface Skipped {
  path: string;
  reason: string;
}

export interface FolderListing {
  /** sorted by code units */
  paths: string[];
  /** files of other kinds */
  others: number;
  skipped: Skipped[];
}

/** The names that MIDI files go by. */
const MIDI_NAME = /\.(mid|midi|kar|rmi)$/i;
export const ABC_NAME = /\.abc$/i;

/** "._x.mid" is not music but what macOS writes beside a file on foreign disks and in archives. */
export function isMidiName(path: string): boolean {
  return MIDI_NAME.test(path) && !path.slice(path.lastIndexOf('/') + 1).startsWith('._');
}

/**
 * All files below a folder whose path `wanted` accepts.
 *
 * @throws CorpusError where the folder itself is missing, unreadable or a file; what is unreadable below it is in `skipped`
 */
export async function listFolder(root: string, wanted: (path: string) => boolean): Promise<FolderListing> {
  const listing: FolderListing = { paths: [], others: 0, skipped: [] };
  async function walk(folder: string): Promise<void> {
    const entries = await readdir(join(root, folder), { withFileTypes: true });
    for (const entry of entries) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      try {
        if (entry.isDirectory()) await walk(path);
        else if (!wanted(path)) listing.others++;
        else if (entry.isFile()) listing.paths.push(path);
        else if (entry.isSymbolicLink() && (await stat(join(root, path))).isFile()) listing.paths.push(path);
        else listing.skipped.push({ path, reason: 'is no file' });
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

function byCodeUnits(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/**
 * Makes a folder to write into. Files that are there already may only be ones this run is about to write: anything else would be
 * mixed into the result, and is not ours to remove.
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
 * Writes a file, and the folders it lies in.
 *
 * @throws DiskError where no other file could be written either
 */
export function writeOut(path: string, content: string | Uint8Array): void {
  try {
    writeWithFolder(path, content);
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    throw OF_ONE_NAME.has(code) ? error : new DiskError(path, error);
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

/** What is wrong with one file's name; all else keeps others from being written too. */
const OF_ONE_NAME = new Set(['ENAMETOOLONG', 'ENOTDIR', 'EEXIST', 'EISDIR', 'EINVAL']);

/** Copies files, sharing blocks where the file system can. Never a hard link: what is edited here must not change there. */
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
