/**
 * What conversions gave, kept between runs, so that of a corpus that grows only the new files are converted.
 *
 * FOLDER/ab/cdef… holds one result under the SHA-256 of all that it follows from: the converter's code, its settings, the file's
 * bytes. So an entry is never out of date, only unused. Each is written whole under a name of its own and then renamed, and begins
 * with its checksum: two runs at once, or one that is killed, leave nothing that is taken for a result. What cannot be read or
 * written here costs a conversion, never the run; refusals are not kept.
 */
import { createHash, randomUUID } from 'node:crypto';
import { type Dirent, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { writeOut } from '../folder.ts';

/** What MIDI became, as far as files and metrics need it. */
export interface Conversion {
  abc: string;
  notes: number;
  warnings: string[];
}

/** Bytes of SHA-256. */
const CHECKSUM = 32;
/** ABC packs well enough at the fastest level. */
const LEVEL = 1;
/** Longer than a write takes: a temporary file of this age has lost its writer, milliseconds. */
const ABANDONED = 3_600_000;

/** The place of a conversion: `identity` is code and settings, as text. */
export function memoPath(folder: string, identity: string, midi: Uint8Array): string {
  // The identity's own hash has a fixed length, so that no identity and file can run into another's.
  const key = createHash('sha256').update(sha256(identity)).update(midi).digest('hex');
  return join(folder, key.slice(0, 2), key.slice(2));
}

/** The conversion that is kept there, whole; else undefined. Marks it as used. */
export function recall(path: string): Conversion | undefined {
  try {
    const entry = readFileSync(path);
    const packed = entry.subarray(CHECKSUM);
    if (!sha256(packed).equals(entry.subarray(0, CHECKSUM))) return undefined;
    const now = new Date();
    utimesSync(path, now, now);
    const text = inflateRawSync(packed).toString();
    const end = text.indexOf('\n');
    return { ...JSON.parse(text.slice(0, end)), abc: text.slice(end + 1) };
  } catch {
    return undefined;
  }
}

export function remember(path: string, { abc, notes, warnings }: Conversion): void {
  // The tune as it is: as JSON it would take longer to escape than to pack.
  const packed = deflateRawSync(`${JSON.stringify({ notes, warnings })}\n${abc}`, { level: LEVEL });
  const temporary = `${path}.${randomUUID()}`;
  try {
    writeOut(temporary, Buffer.concat([sha256(packed), packed]));
    renameSync(temporary, path);
  } catch {
    attempt(() => rmSync(temporary, { force: true }));
  }
}

/** Removes what was not used for longest, until no more than so many bytes are left. */
export function forgetBeyond(folder: string, bytes: number): void {
  const entries: { path: string; size: number; used: number }[] = [];
  // Another run may remove the same at the same time.
  for (const { name } of attempt<Dirent[]>(() => readdirSync(folder, { withFileTypes: true })) ?? []) {
    for (const entry of attempt(() => readdirSync(join(folder, name))) ?? []) {
      const path = join(folder, name, entry);
      const file = attempt(() => statSync(path));
      if (file === undefined) continue;
      if (entry.includes('.') && file.mtimeMs < Date.now() - ABANDONED) attempt(() => rmSync(path));
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

function attempt<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch {
    return undefined;
  }
}
