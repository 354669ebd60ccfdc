/**
 * Three ways to duplicate a file: a clone shares blocks until one of the two is written to; a copy is made while the
 * file is read and hashed; a hard link is a second name of the same file.
 */
import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  lstatSync,
  readdirSync,
  readSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { cloneOnApfs, isOnApfs, moveIntoPlace, temporaryPath } from '../files/index.ts';
import { openFile } from '../freshness/index.ts';
import { type FoundFile, type Reading, readInPieces, SMALL } from '../hashing/index.ts';
import { describeError, ReproError } from '../messages/index.ts';

/** Tries whether the file system of `path` can share blocks. Removes its trial files. */
export function canClone(path: string): boolean {
  const second = temporaryPath(path);
  try {
    writeFileSync(path, 'x');
    cloneFile(path, second);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(path, { force: true });
    rmSync(second, { force: true });
  }
}

/**
 * Makes a file that shares its blocks with `from`.
 *
 * @param to a path where nothing is; after an error, part of a file may be there
 * @throws Error if the file system cannot do that
 */
export function cloneFile(from: string, to: string): void {
  if (isOnApfs(dirname(to))) cloneOnApfs(from, to);
  else copyFileSync(from, to, constants.COPYFILE_FICLONE_FORCE);
}

/**
 * Clones a file to `path`, then hashes the original, as the clone is not in the page cache yet. Both have the same
 * content unless the reading says `moved`.
 *
 * @returns undefined if the file cannot be cloned
 */
export async function cloneOf(file: FoundFile, path: string): Promise<Reading | undefined> {
  try {
    cloneFile(file.absolute, path);
  } catch {
    rmSync(path, { force: true });
    return undefined; // The file may be on another disk than `path`.
  }
  chmodSync(path, 0o444);
  return readInPieces(file);
}

/**
 * Copies a file to `path`, which must not exist, and hashes it on the way.
 *
 * @throws ReproError if the copy cannot be written
 */
export async function copyOf(file: FoundFile, path: string): Promise<Reading> {
  const copy = await open(path, 'wx', 0o444).catch((error) => {
    throw cannotWrite(error);
  });
  try {
    return await readInPieces(file, async (piece) => {
      try {
        for (let at = 0; at < piece.length; ) at += (await copy.write(piece, at)).bytesWritten;
      } catch (error) {
        throw cannotWrite(error);
      }
    });
  } finally {
    await copy.close();
  }
}

/**
 * Writes a read-only file that must not exist yet.
 *
 * @throws ReproError if it cannot be written
 */
export function writeNew(path: string, bytes: string | Buffer): void {
  try {
    writeFileSync(path, bytes, { mode: 0o444, flag: 'wx' });
  } catch (error) {
    throw cannotWrite(error);
  }
}

/**
 * The error to throw after a failed write to the cache; a ReproError is kept as it is.
 *
 * @param path the object or folder that is in the way, as messages show it
 */
export function cannotWrite(error: unknown, path?: string): ReproError {
  if (error instanceof ReproError) return error;
  const where = path === undefined ? '' : `${path}: `;
  return new ReproError(`the cache cannot be written: ${where}${describeError(error)}`, 1);
}

/** For `holds`, which compares without awaiting. */
const COMPARED = Buffer.allocUnsafe(SMALL + 1);

/** Whether a file exists and contains exactly these bytes, at most SMALL of them. */
export function holds(path: string, bytes: Buffer): boolean {
  let descriptor: number;
  try {
    descriptor = openFile(path);
  } catch {
    return false;
  }
  try {
    let length = 0;
    for (let got = -1; got !== 0 && length < COMPARED.length; length += got)
      got = readSync(descriptor, COMPARED, length, COMPARED.length - length, null);
    return COMPARED.subarray(0, length).equals(bytes);
  } catch {
    return false;
  } finally {
    closeSync(descriptor);
  }
}

/** Whether the file has no other name: it has one hard link, and no symbolic link leads to it in `path`. */
export function hasOneName(path: string): boolean {
  const stat = lstatSync(path);
  return stat.isFile() && stat.nlink === 1 && realpathSync.native(path) === path;
}

/**
 * Replaces each file at `path` that is a hard link into the cache by a copy, so that it can be written in place. The
 * copy is made in .repro: if repro is killed, an incomplete copy there is not part of an output.
 *
 * @param root the folder of pipeline.yaml, absolute
 * @param path a file or folder, absolute; it may be missing
 * @throws Error of node:fs if a copy cannot be written
 */
export function unlinkFromCache(root: string, path: string): void {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat?.isDirectory()) for (const name of readdirSync(path)) unlinkFromCache(root, `${path}/${name}`);
  if (!stat?.isFile() || stat.nlink === 1 || (stat.mode & 0o222) !== 0) return;
  try {
    replaceByCopy(path, temporaryPath(join(root, '.repro/unlinked')), stat.mode);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
    replaceByCopy(path, temporaryPath(path), stat.mode); // The output is on another disk than .repro.
  }
}

function replaceByCopy(path: string, copy: string, mode: number): void {
  try {
    copyFileSync(path, copy, constants.COPYFILE_FICLONE);
    chmodSync(copy, (mode & 0o777) | 0o200);
    // No fsync: the object in the cache still has the content.
    moveIntoPlace(copy, path, { fsync: false });
  } finally {
    rmSync(copy, { force: true });
  }
}
