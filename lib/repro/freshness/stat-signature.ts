/**
 * Stat signatures: inode, size, times and executable bit of a file. If the signature is unchanged, the remembered
 * content still holds. A changed signature does not mean changed content; the file is then read again.
 */
import { type BigIntStats, lstatSync, statSync } from 'node:fs';

/** Nanoseconds. A file that changed more recently may change again and keep the same times. */
const RACY = 30_000_000n;
/** The same period for file systems that store times in whole seconds. */
const RACY_COARSE = 2_100_000_000n;

/** Milliseconds until a file is settled after its last write, on most file systems. */
export const SETTLING = 40;

/**
 * The stat signature of a file. While it stays the same, the content of the file is taken to be the same.
 *
 * @returns inode, size in bytes, mtime and ctime in nanoseconds, and x or - for executable: one line, without tabs
 */
export function statSignature(stat: BigIntStats): string {
  return `${stat.ino} ${stat.size} ${stat.mtimeNs} ${stat.ctimeNs} ${isExecutable(stat) ? 'x' : '-'}`;
}

/** Whether the owner may execute the file. */
export function isExecutable(stat: BigIntStats): boolean {
  return (stat.mode & 0o100n) !== 0n;
}

/**
 * Whether any change after this stat is certain to change the times.
 *
 * @see git's Documentation/technical/racy-git.txt, the rule for racily clean files
 */
export function isSettled(stat: BigIntStats, nowNs = now()): boolean {
  const coarse = stat.mtimeNs % 1_000_000_000n === 0n && stat.ctimeNs % 1_000_000_000n === 0n;
  const limit = nowNs - (coarse ? RACY_COARSE : RACY);
  return stat.mtimeNs < limit && stat.ctimeNs < limit;
}

/** Nanoseconds since 1970, in steps of a millisecond. */
export function now(): bigint {
  return BigInt(Date.now()) * 1_000_000n;
}

/** Stat that follows symbolic links; undefined if there is nothing at `path`. */
export function statOrUndefined(path: string | Buffer): BigIntStats | undefined {
  return unlessMissing(() => statSync(path, { bigint: true, throwIfNoEntry: false }));
}

/** Stat of the path itself, also if it is a symbolic link; undefined if there is nothing at `path`. */
export function lstatOrUndefined(path: string | Buffer): BigIntStats | undefined {
  return unlessMissing(() => lstatSync(path, { bigint: true, throwIfNoEntry: false }));
}

function unlessMissing(stat: () => BigIntStats | undefined): BigIntStats | undefined {
  try {
    return stat();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOTDIR' || code === 'ELOOP') return undefined;
    throw error;
  }
}
