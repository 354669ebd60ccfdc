/**
 * Keeps the results of conversions between runs. When a corpus grows, only its new files are converted.
 *
 * The entry FOLDER/ab/cdef… is one result. Its key is the SHA-256 of everything the result depends on: the converter's
 * code, its settings and the file's bytes. So an entry can become unused, but it is never out of date.
 *
 * An entry is written to a temporary file, which is then renamed, and begins with its checksum. So neither concurrent runs nor a
 * killed run leave an entry that is wrong. An entry that cannot be read or written means that the file is converted again; it
 * never fails the run. Files that cannot be converted have no entry.
 */
import { createHash, randomUUID } from 'node:crypto';
import { type Dirent, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { writeFileWithFolders } from '../folder.ts';

/** The parts of the result of converting one tune that the ABC file and the metrics need. */
export interface Conversion {
  abc: string;
  notes: number;
  warnings: string[];
  performance: boolean;
}

/** Bytes of SHA-256. */
const CHECKSUM_BYTES = 32;
/** The fastest level: ABC compresses well enough with it. */
const DEFLATE_LEVEL = 1;
/** In milliseconds. An older temporary file was left by a killed run, because no write takes so long. */
const ABANDONED_AFTER_MS = 3_600_000;

/**
 * The path of a conversion's entry.
 *
 * @param identity the converter's code and settings, as text
 * @param content the bytes of the file or tune
 */
export function entryPath(folder: string, identity: string, content: Uint8Array): string {
  // The identity is hashed first: with a fixed length, no two pairs of identity and file give the same byte sequence.
  const key = createHash('sha256').update(sha256(identity)).update(content).digest('hex');
  return join(folder, key.slice(0, 2), key.slice(2));
}

/**
 * Reads an entry, and marks it as recently used by its modification time.
 *
 * @returns undefined if there is no entry or its checksum is wrong
 */
export function readEntry(path: string): Conversion | undefined {
  try {
    const entry = readFileSync(path);
    const packed = entry.subarray(CHECKSUM_BYTES);
    if (!sha256(packed).equals(entry.subarray(0, CHECKSUM_BYTES))) return undefined;
    const now = new Date();
    utimesSync(path, now, now);
    const text = inflateRawSync(packed).toString();
    const end = text.indexOf('\n');
    return { ...JSON.parse(text.slice(0, end)), abc: text.slice(end + 1) };
  } catch {
    return undefined;
  }
}

/** Writes an entry. A failure is ignored, since the memo only saves time. */
export function writeEntry(path: string, { abc, notes, warnings, performance }: Conversion): void {
  // The ABC text follows the JSON as plain text: escaping it would take longer than compressing it.
  const packed = deflateRawSync(`${JSON.stringify({ notes, warnings, performance })}\n${abc}`, {
    level: DEFLATE_LEVEL,
  });
  const temporary = `${path}.${randomUUID()}`;
  try {
    writeFileWithFolders(temporary, Buffer.concat([sha256(packed), packed]));
    renameSync(temporary, path);
  } catch {
    attempt(() => rmSync(temporary, { force: true }));
  }
}

/** Removes the least recently used entries until at most `bytes` are left, and the temporary files of killed runs. */
export function evictLeastRecentlyUsed(folder: string, bytes: number): void {
  const entries: { path: string; size: number; used: number }[] = [];
  // Another run may remove the same entries at the same time, so every step may fail.
  for (const { name } of attempt<Dirent[]>(() => readdirSync(folder, { withFileTypes: true })) ?? []) {
    for (const entry of attempt(() => readdirSync(join(folder, name))) ?? []) {
      const path = join(folder, name, entry);
      const file = attempt(() => statSync(path));
      if (file === undefined) continue;
      if (entry.includes('.') && file.mtimeMs < Date.now() - ABANDONED_AFTER_MS) attempt(() => rmSync(path));
      else entries.push({ path, size: file.size, used: file.mtimeMs });
    }
  }
  let total = entries.reduce((sum, { size }) => sum + size, 0);
  if (total <= bytes) return;
  entries.sort((a, b) => a.used - b.used);
  for (const { path, size } of entries) {
    if (total <= bytes) return;
    attempt(() => rmSync(path));
    total -= size;
  }
}

function sha256(content: string | Uint8Array): Buffer {
  return createHash('sha256').update(content).digest();
}

/** The result of a function, or undefined if it throws. */
function attempt<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch {
    return undefined;
  }
}
