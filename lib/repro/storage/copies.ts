/**
 * A second one of a file: a clone, which shares its blocks until either is written to; a copy, made as the file is read and
 * hashed; or a hard link, a second name of the same file.
 */
import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  lstatSync,
  openSync,
  readdirSync,
  readSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { moveIntoPlace, temporaryPath } from '../files/index.ts';
import { type FoundFile, type Reading, readInPieces, SMALL } from '../hashing/index.ts';
import { describeError, ReproError } from '../messages/index.ts';

/** Whether the file system that `path` would be on shares blocks. Tries it: nothing is left at `path`. */
export function canClone(path: string): boolean {
  const second = temporaryPath(path);
  try {
    writeFileSync(path, 'x');
    copyFileSync(path, second, constants.COPYFILE_FICLONE_FORCE);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(path, { force: true });
    rmSync(second, { force: true });
  }
}

/**
 * Clones a file, then hashes it: the file and not the clone, of which nothing is in memory yet. They are the same unless the
 * reading says that the file has moved. Undefined when it cannot be cloned.
 */
export async function cloneOf(file: FoundFile, path: string): Promise<Reading | undefined> {
  try {
    copyFileSync(file.absolute, path, constants.COPYFILE_FICLONE_FORCE);
  } catch {
    rmSync(path, { force: true });
    return undefined; // It may lie on another disk than `path`.
  }
  chmodSync(path, 0o444);
  return readInPieces(file);
}

/** Throws ReproError where the copy cannot be written. */
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

export function writeNew(path: string, bytes: string | Buffer): void {
  try {
    writeFileSync(path, bytes, { mode: 0o444, flag: 'wx' });
  } catch (error) {
    throw cannotWrite(error);
  }
}

export function cannotWrite(error: unknown): ReproError {
  return error instanceof ReproError
    ? error
    : new ReproError(`the cache cannot be written: ${describeError(error)}`, 1);
}

const other = Buffer.allocUnsafe(SMALL + 1);

/** Whether these bytes, at most SMALL, are all that is in a file. */
export function holds(path: string, bytes: Buffer): boolean {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch {
    return false;
  }
  try {
    let length = 0;
    for (let got = -1; got !== 0 && length < other.length; length += got)
      got = readSync(descriptor, other, length, other.length - length, null);
    return other.subarray(0, length).equals(bytes);
  } catch {
    return false;
  } finally {
    closeSync(descriptor);
  }
}

/** Whether nobody else can know the file under another name: not by a hard link, and not by a symbolic one. */
export function hasOneName(path: string): boolean {
  const stat = lstatSync(path);
  return stat.isFile() && stat.nlink === 1 && realpathSync.native(path) === path;
}

/** Gives each file at `path` that is a link to one of the cache an own copy, so that it can be written to in place. */
export function unlinkFromCache(path: string): void {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat?.isDirectory()) for (const name of readdirSync(path)) unlinkFromCache(`${path}/${name}`);
  if (!stat?.isFile() || stat.nlink === 1 || (stat.mode & 0o222) !== 0) return;
  const copy = temporaryPath(path);
  copyFileSync(path, copy, constants.COPYFILE_FICLONE);
  chmodSync(copy, (stat.mode & 0o777) | 0o200);
  // No fsync: the object in the cache still has the content.
  moveIntoPlace(copy, path, { fsync: false });
}
