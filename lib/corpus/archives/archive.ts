/**
 * Unpacks the MIDI files of an archive (tar, tar.gz, zip) into a folder, trusting nothing that the archive says.
 *
 * Only files with a MIDI name are written, each under a path inside the folder that did not exist before; links, devices and paths
 * that lead out are named and passed over. Count, sizes and the ratio of unpacked to packed bytes are limited: past a limit the
 * archive is refused as a whole, since one that is built to fill a disk is not data.
 */
import { createReadStream } from 'node:fs';
import { copyFile, mkdir, open, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { CorpusError, DiskError, isFatal, reasonOf } from '../errors.ts';
import { isMidiName, type Skipped } from '../folder.ts';
import type { OnProgress } from '../progress.ts';
import { readTar } from './tar.ts';
import { readZip } from './zip.ts';

export interface UnpackLimits {
  /** files written */
  files: number;
  /** bytes of one file; a larger one is passed over */
  fileBytes: number;
  /** bytes written in all */
  bytes: number;
  /** bytes unpacked for each byte of the archive, once 16 MiB have been unpacked */
  ratio: number;
}

export const DEFAULT_LIMITS: UnpackLimits = {
  files: 2_000_000,
  fileBytes: 32 * 2 ** 20,
  bytes: 64 * 2 ** 30,
  ratio: 100,
};

/** Small archives may compress beyond the limit: nothing that unpacks to less than this does harm. */
const RATIO_FROM = 16 * 2 ** 20;
/** Longest name that file systems take, in bytes. */
const LONGEST_NAME = 255;
/** So many passed-over files are named; more than that are only counted. */
const MOST_SKIPPED = 1000;

export interface Unpacked {
  files: number;
  bytes: number;
  /** files of other kinds, passed over without a word */
  others: number;
  skipped: Skipped[];
}

type ArchiveKind = 'gzip' | 'tar' | 'zip' | 'midi';

/** An entry of either format, as much as is needed here. */
interface Entry {
  path: string;
  kind: 'file' | 'folder' | 'link' | 'other';
  size: number;
  unreadable?: string;
  content(): AsyncGenerator<Uint8Array>;
}

/** @throws CorpusError where the file is no archive, is damaged, or goes past a limit */
export async function unpackArchive(
  archive: string,
  outDir: string,
  { limits = {}, onProgress = () => {} }: { limits?: Partial<UnpackLimits>; onProgress?: OnProgress } = {},
): Promise<Unpacked> {
  const kind = await kindOf(archive);
  const { size: packed } = await stat(archive);
  const unpacking = new Unpacking(outDir, { ...DEFAULT_LIMITS, ...limits }, packed, onProgress);
  try {
    if (kind === 'midi') await unpacking.single(archive);
    else if (kind === 'zip') await unpackZip(archive, unpacking);
    else await unpackTar(archive, kind, unpacking);
  } catch (error) {
    if (isFatal(error)) throw new DiskError(outDir, error);
    throw new CorpusError(`${archive}: ${reasonOf(error)}`);
  }
  return unpacking.result;
}

/** By its first bytes: names lie. */
async function kindOf(archive: string): Promise<ArchiveKind> {
  const file = await open(archive).catch((error) => {
    throw new CorpusError(`${archive}: cannot be read: ${reasonOf(error)}`);
  });
  try {
    const head = Buffer.alloc(262);
    const { bytesRead } = await file.read(head, 0, 262, 0);
    if (bytesRead >= 2 && head[0] === 0x1f && head[1] === 0x8b) return 'gzip';
    if (head.toString('latin1', 0, 2) === 'PK') return 'zip';
    if (head.toString('latin1', 257, 262) === 'ustar') return 'tar';
    if (['MThd', 'RIFF'].includes(head.toString('latin1', 0, 4))) return 'midi';
    throw new CorpusError(
      `${archive}: is no archive that is read here (.tar.gz, .tgz, .tar or .zip), and no MIDI file`,
    );
  } finally {
    await file.close();
  }
}

async function unpackTar(archive: string, kind: 'gzip' | 'tar', unpacking: Unpacking): Promise<void> {
  const read = async function* (source: AsyncIterable<Uint8Array>) {
    for await (const chunk of source) {
      unpacking.packedRead += chunk.length;
      yield chunk;
    }
  };
  const take = async (source: AsyncIterable<Uint8Array>) => {
    for await (const entry of readTar(unpacking.counted(source))) await unpacking.take(entry);
  };
  const packed = createReadStream(archive, { highWaterMark: 1 << 18 });
  if (kind === 'gzip') await pipeline(packed, read, createGunzip(), take);
  else await pipeline(packed, read, take);
}

async function unpackZip(archive: string, unpacking: Unpacking): Promise<void> {
  const file = await open(archive);
  try {
    for await (const entry of readZip(file)) {
      await unpacking.take({ ...entry, content: () => unpacking.counted(entry.content()) });
      unpacking.packedRead += entry.size;
    }
  } finally {
    await file.close();
  }
}

/** One archive's way into one folder: what has been written, and what is left of the limits. */
class Unpacking {
  readonly result: Unpacked = { files: 0, bytes: 0, others: 0, skipped: [] };
  /** bytes of the archive read so far, for progress */
  packedRead = 0;
  #unpacked = 0;
  readonly #outDir: string;
  readonly #limits: UnpackLimits;
  readonly #packed: number;
  readonly #onProgress: OnProgress;

  constructor(outDir: string, limits: UnpackLimits, packed: number, onProgress: OnProgress) {
    this.#outDir = outDir;
    this.#limits = limits;
    this.#packed = packed;
    this.#onProgress = onProgress;
  }

  /** Passes chunks on, watching the ratio: also of what is not kept, since it too takes time to unpack. */
  async *counted(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      this.#unpacked += chunk.length;
      if (this.#unpacked > Math.max(RATIO_FROM, this.#limits.ratio * this.#packed)) {
        throw new CorpusError(`unpacks to more than ${this.#limits.ratio} times its size, as no music does: refused`);
      }
      yield chunk;
    }
  }

  async single(file: string): Promise<void> {
    const name = isMidiName(basename(file)) ? basename(file) : `${basename(file)}.mid`;
    await copyFile(file, join(this.#outDir, name));
    this.result.files = 1;
    this.result.bytes = this.#packed;
  }

  async take(entry: Entry): Promise<void> {
    if (entry.kind === 'folder') return;
    const path = entry.path.replaceAll('\\', '/');
    if (!isMidiName(path)) {
      this.result.others++;
      return;
    }
    const refusal = this.#refusal(entry, path);
    if (refusal) return this.#skip(path, refusal);
    if (this.result.files >= this.#limits.files) {
      throw new CorpusError(`holds more than ${this.#limits.files} MIDI files: refused`);
    }
    await this.#write(
      path
        .split('/')
        .filter((name) => name !== '.' && name !== '')
        .join('/'),
      entry,
    );
    this.#onProgress({ done: Math.min(this.packedRead, this.#packed), total: this.#packed, unit: 'bytes', text: path });
  }

  #refusal(entry: Entry, path: string): string | undefined {
    const names = path.split('/');
    if (entry.kind !== 'file') return entry.kind === 'link' ? 'is a link' : 'is no plain file';
    if (path.startsWith('/') || /^[a-z]:/i.test(path)) return 'its path is not relative';
    if (names.includes('..')) return 'its path leads out of the folder';
    if (path.includes('\0')) return 'its name has a zero byte';
    if (names.some((name) => Buffer.byteLength(name) > LONGEST_NAME)) return 'its name is too long';
    if (entry.size > this.#limits.fileBytes) return `is larger than ${this.#limits.fileBytes} bytes`;
    return entry.unreadable;
  }

  async #write(path: string, entry: Entry): Promise<void> {
    const target = join(this.#outDir, path);
    let written = 0;
    let created = false;
    try {
      await mkdir(dirname(target), { recursive: true });
      // 'wx': never through something that is there already, be it a file or a link.
      const file = await open(target, 'wx', 0o644);
      created = true;
      try {
        for await (const chunk of entry.content()) {
          written += chunk.length;
          if (written > this.#limits.fileBytes) throw new Passed(`is larger than ${this.#limits.fileBytes} bytes`);
          if (this.result.bytes + written > this.#limits.bytes) {
            throw new CorpusError(`unpacks to more than ${this.#limits.bytes} bytes: refused`);
          }
          await file.writeFile(chunk);
        }
      } finally {
        await file.close();
      }
      this.result.files++;
      this.result.bytes += written;
    } catch (error) {
      if (created) await rm(target, { force: true });
      // A damaged entry of a zip harms itself only; a damaged tar has nothing readable after it.
      const ofThisFile = error instanceof Passed || (error as NodeJS.ErrnoException).syscall !== undefined;
      const damaged = error instanceof CorpusError && error.message.startsWith('is damaged');
      if (isFatal(error) || !(ofThisFile || damaged)) throw error;
      this.#skip(path, reasonOf(error));
    }
  }

  #skip(path: string, reason: string): void {
    if (this.result.skipped.length < MOST_SKIPPED) this.result.skipped.push({ path, reason });
    else if (this.result.skipped.length === MOST_SKIPPED) {
      this.result.skipped.push({ path: '…', reason: `only the first ${MOST_SKIPPED} are named` });
    }
  }
}

/** A reason to pass over one file and go on. */
class Passed extends Error {}
