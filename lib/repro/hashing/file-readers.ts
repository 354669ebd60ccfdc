/**
 * Reading a file once: its SHA-256, and on the way its bytes for whoever wants to keep them. Memory does not grow with the
 * file. A file that moves while it is read is said to have moved; what was read of it then is worth nothing.
 */
import { createHash } from 'node:crypto';
import { type BigIntStats, closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { sha256 } from './content.ts';
import { isExecutable, isSettled, now, SETTLING, statSignature } from './stat-signature.ts';

/** A file as a look at its folder found it. */
export interface FoundFile {
  absolute: string;
  identity: string;
  size: number;
  executable: boolean;
}

export interface Reading {
  sha256: string;
  size: number;
  executable: boolean;
  /** What the hash may be remembered by; absent where a later change might leave it as it is. */
  identity?: string;
  /** The file is no longer the one that was found. */
  moved: boolean;
  /** bytes; absent where the hash was known */
  read?: number;
}

/** Files up to this size are read in one go; larger ones in pieces of it, and the event loop runs in between. */
export const SMALL = 1 << 20;
const whole = Buffer.allocUnsafe(SMALL + 1);

export function readFile(file: FoundFile): Reading | Promise<Reading> {
  return file.size <= SMALL ? readSmall(file).reading : readInPieces(file);
}

/** The bytes are good until the next call; where the file has moved they may be a part of it. */
export function readSmall(file: FoundFile): { reading: Reading; bytes: Buffer } {
  const started = now();
  const descriptor = openSync(file.absolute, 'r');
  try {
    let length = 0;
    for (let got = -1; got !== 0 && length < whole.length; length += got)
      got = readSync(descriptor, whole, length, whole.length - length, null);
    const bytes = whole.subarray(0, length);
    const after = fstatSync(descriptor, { bigint: true });
    return { reading: readingOf(file, sha256(bytes), after, isSettled(after, started)), bytes };
  } finally {
    closeSync(descriptor);
  }
}

/** `keep` is given each piece in turn, and is done with it when its promise resolves. */
export async function readInPieces(file: FoundFile, keep?: (piece: Buffer) => Promise<void>): Promise<Reading> {
  const handle = await open(file.absolute, 'r');
  try {
    const started = await whenSettled(() => handle.stat({ bigint: true }));
    const hash = createHash('sha256');
    // While one piece is hashed and kept, the next is read.
    const [a, b] = [Buffer.allocUnsafe(SMALL), Buffer.allocUnsafe(SMALL)];
    const read = (buffer: Buffer) => handle.read(buffer, 0, SMALL, null);
    for (let [full, next, reading] = [a, b, read(a)]; ; [full, next] = [next, full]) {
      const { bytesRead } = await reading;
      if (bytesRead === 0) break;
      reading = read(next);
      const piece = full.subarray(0, bytesRead);
      const kept = keep?.(piece);
      // Both are awaited below, whatever becomes of the other.
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
 * A large file that has just been written is worth a moment's wait: once it is settled, it need not be read again. Returns
 * when that was: nanoseconds since 1970.
 */
async function whenSettled(stat: () => Promise<BigIntStats>): Promise<bigint> {
  if (!isSettled(await stat())) await pause(SETTLING);
  return now();
}

function readingOf(file: FoundFile, sha256: string, after: BigIntStats, settled: boolean): Reading {
  const moved = statSignature(after) !== file.identity;
  const size = Number(after.size);
  const reading = { sha256, size, executable: isExecutable(after), moved, read: size };
  return settled && !moved ? { ...reading, identity: file.identity } : reading;
}

export function readingOfKnown(file: FoundFile, sha256: string): Reading {
  const { size, executable, identity } = file;
  return { sha256, size, executable, identity, moved: false };
}
