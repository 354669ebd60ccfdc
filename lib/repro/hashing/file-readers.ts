/**
 * Reads a file once and hashes it, and passes the bytes on to a caller that copies them. Memory does not grow with the
 * size of the file. If the file changes while it is read, the reading is marked `moved`, and its hash is useless.
 */
import { createHash } from 'node:crypto';
import { type BigIntStats, closeSync, constants, fstatSync, readSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { isExecutable, isSettled, now, openFile, SETTLING, statSignature } from '../freshness/index.ts';
import { sha256 } from './content.ts';

/** A file with its stat data, as found in its folder. */
export interface FoundFile {
  absolute: string;
  signature: string;
  size: number;
  executable: boolean;
}

/** The result of reading a file. */
export interface Reading {
  sha256: string;
  size: number;
  executable: boolean;
  /** Stat signature to remember the hash by; absent if a later change might leave the signature the same. */
  signature?: string;
  /** The file changed after it was found. */
  moved: boolean;
  /** Bytes that were read; absent if the hash was remembered. */
  read?: number;
}

/**
 * Bytes. Smaller files are read in one piece. Larger ones are read in pieces of this size, and the event loop runs
 * between.
 */
export const SMALL = 1 << 20;
/** Holds a small file; one byte longer, to notice a file that grew. */
const SMALL_FILE = Buffer.allocUnsafe(SMALL + 1);

/** Reads and hashes a file of any size. */
export function readFile(file: FoundFile): Reading | Promise<Reading> {
  return file.size <= SMALL ? readSmall(file).reading : readInPieces(file);
}

/** Reads a file of at most SMALL bytes. `bytes` is valid until the next call, and incomplete if the file has moved. */
export function readSmall(file: FoundFile): { reading: Reading; bytes: Buffer } {
  const started = now();
  const descriptor = openFile(file.absolute);
  try {
    let length = 0;
    for (let got = -1; got !== 0 && length < SMALL_FILE.length; length += got)
      got = readSync(descriptor, SMALL_FILE, length, SMALL_FILE.length - length, null);
    const bytes = SMALL_FILE.subarray(0, length);
    const after = fstatSync(descriptor, { bigint: true });
    return { reading: readingOf(file, sha256(bytes), after, isSettled(after, started)), bytes };
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Reads and hashes a file piece by piece.
 *
 * @param keep called with each piece in order; the piece's buffer is reused after its promise resolves
 * @throws Error of node:fs if the file cannot be read, and any error of `keep`
 */
export async function readInPieces(file: FoundFile, keep?: (piece: Buffer) => Promise<void>): Promise<Reading> {
  const handle = await open(file.absolute, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const started = await whenSettled(() => handle.stat({ bigint: true }));
    const hash = createHash('sha256');
    // The next piece is read while this one is hashed and kept.
    const [a, b] = [Buffer.allocUnsafe(SMALL), Buffer.allocUnsafe(SMALL)];
    const read = (buffer: Buffer) => handle.read(buffer, 0, SMALL, null);
    for (let [full, next, reading] = [a, b, read(a)]; ; [full, next] = [next, full]) {
      const { bytesRead } = await reading;
      if (bytesRead === 0) break;
      reading = read(next);
      const piece = full.subarray(0, bytesRead);
      const kept = keep?.(piece);
      // Awaited below; this only avoids an unhandled rejection until then.
      kept?.catch(() => {});
      hash.update(piece);
      try {
        await kept;
      } catch (error) {
        await reading.catch(() => {});
        throw error;
      }
    }
    const after = await handle.stat({ bigint: true });
    return readingOf(file, hash.digest('hex'), after, isSettled(after, started));
  } finally {
    await handle.close();
  }
}

/**
 * Waits a moment if a large file has just been written: once its times are settled, its hash can be remembered.
 *
 * @returns the time after the wait, in nanoseconds since 1970
 */
async function whenSettled(stat: () => Promise<BigIntStats>): Promise<bigint> {
  if (!isSettled(await stat())) await pause(SETTLING);
  return now();
}

function readingOf(file: FoundFile, sha256: string, after: BigIntStats, settled: boolean): Reading {
  const moved = statSignature(after) !== file.signature;
  const size = Number(after.size);
  const reading = { sha256, size, executable: isExecutable(after), moved, read: size };
  return settled && !moved ? { ...reading, signature: file.signature } : reading;
}

/** The reading of a file whose hash is remembered. */
export function readingOfKnown(file: FoundFile, sha256: string): Reading {
  const { size, executable, signature } = file;
  return { sha256, size, executable, signature, moved: false };
}
