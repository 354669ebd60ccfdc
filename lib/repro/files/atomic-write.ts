/**
 * Replaces a file in one step: write a temporary file beside it, then rename. A reader sees the old or the new content,
 * never a part. Everything that repro writes under a fixed name goes through this file.
 *
 *   fsync: true    The file reaches the disk before the rename, and the rename before the call returns. Needed where
 *                  nothing checks the content when it is read: after a power cut the file could otherwise be empty.
 *   fsync: false   A kill does no harm, a power cut may leave the file empty or short. Right where every reader checks
 *                  the content, by its hash or by parsing it, and where it can be made again.
 *
 * An fsync takes about 1 ms on an SSD and 10 ms or more on a hard disk.
 */
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  fsyncSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { thisHost } from './host.ts';

/** How much a write has to survive: with `fsync` a power cut, without it only a kill. */
export interface WriteOptions {
  fsync: boolean;
}

/**
 * Writes a file in one step. If `path` is a symbolic link, the file that it points to is written. A file that exists
 * keeps its permissions.
 *
 * @throws Error of node:fs when the file cannot be written; the temporary file is then removed
 */
export function writeAtomically(path: string, data: string | Uint8Array, options: WriteOptions): void {
  const target = followLinks(path);
  const temporary = temporaryPath(target);
  try {
    writeFileSync(temporary, data, { flag: 'wx' });
    const stat = statSync(target, { throwIfNoEntry: false });
    if (stat !== undefined) chmodSync(temporary, stat.mode & 0o7777);
    moveIntoPlace(temporary, target, options);
  } catch (error) {
    rmSync(temporary, { force: true });
    // An error of a write lacks the path, and others have that of the temporary file, which was opened to be written.
    throw Object.assign(error as Error, { path, syscall: 'write' });
  }
}

/** Gives a complete temporary file its final name; both must be in one file system. */
export function moveIntoPlace(temporary: string, path: string, { fsync }: WriteOptions): void {
  if (fsync) syncToDisk(temporary);
  renameSync(temporary, path);
  if (fsync) syncFolder(dirname(path));
}

/** Age in milliseconds from which a temporary file of another host counts as left: nothing takes a week to write. */
const ONE_WEEK = 7 * 24 * 3600 * 1000;
/**
 * The file's name, the id of the host, the process id, and a random number. Early versions of repro left out the host.
 */
const TEMPORARY = /^(.*)\.(?:([0-9a-f]{8})-)?(\d+)-[0-9a-f]{8}\.tmp$/;

/**
 * A name beside `path` that no file has yet. It holds the host and the process id, so that a later process can
 * recognise a leftover.
 *
 * @example temporaryPath('/p/dvc-like.lock') // '/p/dvc-like.lock.1f3870be-4711-9f86d081.tmp'
 */
export function temporaryPath(path: string): string {
  return `${path}.${thisHost().id}-${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
}

/** Whether a file has a name of `temporaryPath`. */
export function isTemporary(path: string): boolean {
  return TEMPORARY.test(basename(path));
}

/**
 * Whether a temporary file will never be completed: its process has ended or, because the processes of another host are
 * not known here, it is older than a week.
 *
 * @param path absolute
 */
export function isLeftover(path: string): boolean {
  const [, , host, pid] = TEMPORARY.exec(basename(path)) ?? [];
  if (pid === undefined) return true;
  if (host !== undefined && host !== thisHost().id)
    return Date.now() - (lstatSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now()) > ONE_WEEK;
  return !isAlive(Number(pid));
}

/**
 * Removes temporary files of `writeAtomically` that belong to processes which have ended. A process that was killed
 * leaves one where a user sees it, and where a stage that depends on the folder would read it.
 *
 * @param files that may have been written, as absolute paths; they and their folders need not exist
 */
export function removeLeftovers(files: Iterable<string>): void {
  const folders = new Map<string, Set<string>>();
  for (const file of files) {
    const target = targetOf(file);
    if (target === undefined) continue;
    const folder = dirname(target);
    folders.set(folder, (folders.get(folder) ?? new Set()).add(basename(target)));
  }
  for (const [folder, names] of folders)
    for (const entry of namesIn(folder)) {
      const [, name] = TEMPORARY.exec(entry) ?? [];
      const path = join(folder, entry);
      if (name === undefined || !names.has(name) || !isLeftover(path)) continue;
      if (lstatSync(path, { throwIfNoEntry: false })?.isFile()) rmSync(path, { force: true });
    }
}

/** The file that `path` leads to. Returns undefined if it leads nowhere, as a symbolic link to itself does. */
function targetOf(path: string): string | undefined {
  try {
    return followLinks(path);
  } catch {
    return undefined;
  }
}

/** The names in a folder; none if it is missing or cannot be read. */
function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Error codes of a file system that has no fsync of folders, or of a folder that this user may not read. */
const FOLDER_CANNOT_SYNC = new Set(['EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EACCES', 'EPERM', 'EISDIR']);

/**
 * Writes the entries of a folder, such as a new name, to the disk. The file is already in place, so a file system that
 * cannot sync a folder (some network and FUSE file systems) is no reason to fail.
 */
function syncFolder(path: string): void {
  try {
    syncToDisk(path);
  } catch (error) {
    if (!FOLDER_CANNOT_SYNC.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

/** fsync of a file or folder. */
function syncToDisk(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** The file that `path` leads to; it need not exist, even if `path` is a symbolic link. */
function followLinks(path: string): string {
  try {
    return realpathSync.native(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  let next: string;
  try {
    next = readlinkSync(path);
  } catch {
    return path;
  }
  return followLinks(resolve(dirname(path), next));
}
