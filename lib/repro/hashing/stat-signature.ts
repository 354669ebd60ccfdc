/**
 * What tells one state of a file from another without reading it: inode, size and times. It never says that two contents
 * differ, only that a content already known need not be read again.
 */
import { type BigIntStats, statSync } from 'node:fs';

/** Nanoseconds: what changed later than this before now may change again and keep its times. */
const RACY = 30_000_000n;
/** The same for file systems that keep whole seconds. */
const RACY_COARSE = 2_100_000_000n;

/** Milliseconds after which a file that nobody writes to is settled, on most file systems. */
export const SETTLING = 40;

export function statSignature(stat: BigIntStats): string {
  return `${stat.ino} ${stat.size} ${stat.mtimeNs} ${stat.ctimeNs} ${isExecutable(stat) ? 'x' : '-'}`;
}

export function isExecutable(stat: BigIntStats): boolean {
  return (stat.mode & 0o100n) !== 0n;
}

/** Whether a change made after this stat would surely show in the next one: git's rule for racily clean files. */
export function isSettled(stat: BigIntStats, nowNs = now()): boolean {
  const coarse = stat.mtimeNs % 1_000_000_000n === 0n && stat.ctimeNs % 1_000_000_000n === 0n;
  const limit = nowNs - (coarse ? RACY_COARSE : RACY);
  return stat.mtimeNs < limit && stat.ctimeNs < limit;
}

/** Nanoseconds since 1970 */
export function now(): bigint {
  return BigInt(Date.now()) * 1_000_000n;
}

/** Follows symbolic links; undefined when there is nothing. */
export function statOrUndefined(path: string): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOTDIR' || code === 'ELOOP') return undefined;
    throw error;
  }
}
