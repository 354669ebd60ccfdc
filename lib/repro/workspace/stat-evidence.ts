/**
 * Distinguishes the files that an attempt wrote from those that a person changed afterwards, by stat data alone.
 *
 *   an attempt that ended       its mark holds signatures: a file with another signature now is a person's
 *   an attempt that was killed  its mark has the time of its last sign of life: a file changed later may be a person's
 */
import { createHash } from 'node:crypto';
import { type BigIntStats, lstatSync, readdirSync, statSync, utimesSync } from 'node:fs';
import { statSignature } from '../freshness/index.ts';

/** An item at a path: the file or folder itself, or something in the folder. */
interface Item {
  absolute: Buffer;
  /** Relative to the path; '' for the path itself. In a folder whose name or item's name is not UTF-8: the folder. */
  name: string;
  stat: BigIntStats | undefined;
  /** Whether it or a folder around it changed at this time or later; false if no time is given. */
  isLate: boolean;
}

/** Everything at a path, in a fixed order. Symbolic links are not followed. */
function* itemsAt(path: string, time?: bigint): Generator<Item> {
  // Names as bytes: they need not be UTF-8.
  function* walk(absolute: Buffer, name: string, isFolderLate: boolean): Generator<Item> {
    const stat = lstatSync(absolute, { bigint: true, throwIfNoEntry: false });
    const isLate = isFolderLate || (time !== undefined && stat !== undefined && stat.ctimeNs >= time);
    yield { absolute, name, stat, isLate };
    if (!stat?.isDirectory()) return;
    for (const entry of readdirSync(absolute, { encoding: 'buffer' }).sort(Buffer.compare)) {
      const text = entry.toString();
      const inside = name === '' ? text : `${name}/${text}`;
      const isText = Buffer.from(text).equals(entry);
      yield* walk(Buffer.concat([absolute, Buffer.from('/'), entry]), isText ? inside : name, isLate);
    }
  }
  yield* walk(Buffer.from(path), '', false);
}

/** A hash of the stat signatures of a file, or of everything in a folder. */
export function treeSignature(path: string): string {
  const hash = createHash('sha256');
  for (const { absolute, stat } of itemsAt(path))
    hash.update(absolute).update(`\0${stat === undefined ? '' : statSignature(stat)}\0`);
  return hash.digest('hex');
}

/** Stat signatures by name, relative to a path. */
export interface Signatures {
  [name: string]: string;
}

/**
 * The signatures of all files at a path.
 *
 * @param time only the files that changed at this time or later, or that lie in a folder that did
 */
export function fileSignatures(path: string, time?: bigint): Signatures {
  const found: Signatures = Object.create(null);
  for (const { name, stat, isLate } of itemsAt(path, time)) {
    if (stat === undefined || stat.isDirectory() || (time !== undefined && !isLate)) continue;
    found[name] = (found[name] ?? '') + statSignature(stat);
  }
  return found;
}

/** Whether anything at a path changed at this time or later. A folder changes when an entry is added or removed. */
export function hasChangedSince(path: string, time: bigint): boolean {
  for (const { isLate } of itemsAt(path, time)) if (isLate) return true;
  return false;
}

/**
 * Sets the modification time of a mark to the present time of its file system, which gives files their times of change.
 * Another program that changes the permissions of all files does not change it.
 *
 * @throws Error of node:fs if the mark is gone or is another user's
 */
export function signLife(mark: string): void {
  const now = Date.now() / 1000;
  utimesSync(mark, now, now);
  const time = Math.floor(statSync(mark).ctimeMs) / 1000;
  utimesSync(mark, time, time);
}

/** The time of the last `signLife`, in nanoseconds. A file that changed earlier was changed before it. */
export function lastSignOfLife(mark: string): bigint {
  return statSync(mark, { bigint: true }).mtimeNs;
}
