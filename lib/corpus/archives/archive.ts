/**
 * Unpacks the music files of an archive (tar, tar.gz, zip) into a folder. The archive is not trusted.
 *
 * Only files with the name of a music file are written, each to a path inside the folder that did not exist before. Links, devices and paths
 * that lead out of the folder are skipped and reported. The number of files, their sizes and the ratio of unpacked to packed
 * bytes are limited. An archive beyond a limit is refused as a whole: it may be built to fill the disk. What was unpacked of an
 * archive that is refused or damaged is removed again.
 */
import { constants, createReadStream } from 'node:fs';
import { copyFile, mkdir, open, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { CorpusError, DiskError, isFatal, reasonOf } from '../errors.ts';
import type { Skipped } from '../folder.ts';
import { adviceFor, countPassedOver, formatOf, isMusicName, type PassedOver, READ_ENDINGS } from '../formats.ts';
import type { OnProgress } from '../progress.ts';
import { readTar } from './tar.ts';
import { readZip } from './zip.ts';

/** Limits that protect against hostile archives. */
export interface UnpackLimits {
  /** files written */
  files: number;
  /** bytes of one file; a larger file is skipped */
  fileBytes: number;
  /** bytes written in total */
  bytes: number;
  /** bytes unpacked per byte of the archive; checked after 16 MiB have been unpacked */
  ratio: number;
}

/** The default limits, far above every known data set of MIDI files. */
export const DEFAULT_LIMITS: UnpackLimits = {
  files: 2_000_000,
  fileBytes: 32 * 2 ** 20,
  bytes: 64 * 2 ** 30,
  ratio: 100,
};

/** Unpacked bytes from which the ratio is checked. Small archives may compress better than the limit and do no harm. */
const RATIO_CHECKED_FROM = 16 * 2 ** 20;
/** Longest name of a file or folder that common file systems accept. */
const MAX_NAME_BYTES = 255;
/** Largest number of skipped files that are named. */
const MAX_NAMED_SKIPPED = 1000;

/** Result of unpacking. */
export interface Unpacked {
  /** music files written, and their bytes */
  files: number;
  bytes: number;
  /** number of files of other kinds, by ending */
  passedOver: PassedOver;
  skipped: Skipped[];
}

type ArchiveKind = 'gzip' | 'tar' | 'zip' | 'music';

/** An entry of either archive format. */
interface Entry {
  path: string;
  kind: 'file' | 'folder' | 'link' | 'other';
  size: number;
  unreadable?: string;
  content(): AsyncGenerator<Uint8Array>;
}

/**
 * Unpacks the music files of an archive. A single music file counts as an archive of one.
 *
 * @param outDir must exist
 * @param options.wanted whether a path of the archive is unpacked. Default: every music file
 * @returns what was written and what was skipped
 * @throws CorpusError if the file is not an archive, is damaged, or exceeds a limit
 * @throws DiskError if the disk is full or cannot be written
 */
export async function unpackArchive(
  archive: string,
  outDir: string,
  {
    limits = {},
    wanted = isMusicName,
    onProgress = () => {},
  }: { limits?: Partial<UnpackLimits>; wanted?: (path: string) => boolean; onProgress?: OnProgress } = {},
): Promise<Unpacked> {
  const kind = await kindOf(archive);
  const { size: packed } = await stat(archive);
  const unpacking = new Unpacker(outDir, { ...DEFAULT_LIMITS, ...limits }, wanted, packed, onProgress);
  try {
    if (kind === 'music') await unpacking.copyFile(archive);
    else if (kind === 'zip') await unpackZip(archive, unpacking);
    else await unpackTar(archive, kind, unpacking);
  } catch (error) {
    await unpacking.undo();
    if (isFatal(error)) throw new DiskError(outDir, error);
    throw new CorpusError(`${archive}: ${reasonOf(error)}`);
  }
  return unpacking.result;
}

/** Detects the format by the first bytes, since a file name may be wrong. ABC and MusicXML are text and have no such bytes. */
async function kindOf(archive: string): Promise<ArchiveKind> {
  const file = await open(archive).catch((error) => {
    throw new CorpusError(`${archive}: cannot be read: ${reasonOf(error)}`);
  });
  try {
    const head = Buffer.alloc(262);
    const { bytesRead } = await file.read(head, 0, 262, 0);
    if (bytesRead >= 2 && head[0] === 0x1f && head[1] === 0x8b) return 'gzip';
    // A compressed MusicXML file is a zip archive of its own.
    const isText = ['abc', 'musicxml'].includes(formatOf(archive) ?? '');
    if (head.toString('latin1', 0, 2) === 'PK') return isText ? 'music' : 'zip';
    if (head.toString('latin1', 257, 262) === 'ustar') return 'tar';
    if (['MThd', 'RIFF'].includes(head.toString('latin1', 0, 4))) return 'music';
    if (isText) return 'music';
    throw new CorpusError(
      `${archive}: is neither a supported archive (.tar.gz, .tgz, .tar or .zip) nor a music file (${READ_ENDINGS})${adviceOf(archive)}`,
    );
  } finally {
    await file.close();
  }
}

/** The advice for a single file of a format that is not read, as a part of a sentence. */
function adviceOf(file: string): string {
  if (/\.(zip|gz|tgz|tar)$/i.test(file)) return ', although its name says so';
  const passedOver: PassedOver = {};
  countPassedOver(passedOver, file);
  const [advice] = adviceFor(passedOver);
  return advice === undefined ? '' : `; ${advice}`;
}

async function unpackTar(archive: string, kind: 'gzip' | 'tar', unpacking: Unpacker): Promise<void> {
  const countPacked = async function* (source: AsyncIterable<Uint8Array>) {
    for await (const chunk of source) {
      unpacking.packedRead += chunk.length;
      yield chunk;
    }
  };
  const unpackEntries = async (source: AsyncIterable<Uint8Array>) => {
    for await (const entry of readTar(unpacking.limitRatio(source))) await unpacking.unpackEntry(entry);
  };
  const packed = createReadStream(archive, { highWaterMark: 1 << 18 });
  if (kind === 'gzip') await pipeline(packed, countPacked, createGunzip(), unpackEntries);
  else await pipeline(packed, countPacked, unpackEntries);
}

async function unpackZip(archive: string, unpacking: Unpacker): Promise<void> {
  const file = await open(archive);
  try {
    for await (const entry of readZip(file)) {
      await unpacking.unpackEntry({ ...entry, content: () => unpacking.limitRatio(entry.content()) });
      unpacking.packedRead += entry.size;
    }
  } finally {
    await file.close();
  }
}

/** Unpacks one archive into one folder, and counts against the limits. */
class Unpacker {
  readonly result: Unpacked = { files: 0, bytes: 0, passedOver: {}, skipped: [] };
  /** bytes of the archive read so far, for progress */
  packedRead = 0;
  #unpacked = 0;
  /** the files and folders made in folders that existed before: removing them removes everything that was unpacked */
  readonly #made: string[] = [];
  readonly #outDir: string;
  readonly #limits: UnpackLimits;
  readonly #wanted: (path: string) => boolean;
  readonly #packed: number;
  readonly #onProgress: OnProgress;

  constructor(
    outDir: string,
    limits: UnpackLimits,
    wanted: (path: string) => boolean,
    packed: number,
    onProgress: OnProgress,
  ) {
    this.#outDir = join(outDir);
    this.#limits = limits;
    this.#wanted = wanted;
    this.#packed = packed;
    this.#onProgress = onProgress;
  }

  /**
   * Passes chunks on and checks the ratio. Entries that are not kept count too, since unpacking them takes time.
   *
   * @throws CorpusError if the ratio exceeds the limit
   */
  async *limitRatio(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      this.#unpacked += chunk.length;
      if (this.#unpacked > Math.max(RATIO_CHECKED_FROM, this.#limits.ratio * this.#packed)) {
        throw new CorpusError(
          `unpacks to more than ${this.#limits.ratio} times its size, which music files never do: refused`,
        );
      }
      yield chunk;
    }
  }

  /** Copies a file that is not an archive but a music file. A MIDI file gets a MIDI name if it has none. */
  async copyFile(file: string): Promise<void> {
    const name = isMusicName(basename(file)) ? basename(file) : `${basename(file)}.mid`;
    await copyFile(file, join(this.#outDir, name), constants.COPYFILE_EXCL);
    this.result.files = 1;
    this.result.bytes = this.#packed;
  }

  /** Writes one entry. If it must not be written, counts it or reports the reason. */
  async unpackEntry(entry: Entry): Promise<void> {
    if (entry.kind === 'folder') return;
    const path = entry.path.replaceAll('\\', '/');
    if (!this.#wanted(path)) {
      countPassedOver(this.result.passedOver, path);
      return;
    }
    const refusal = this.#refusal(entry, path);
    if (refusal) return this.#skip(path, refusal);
    if (this.result.files >= this.#limits.files) {
      throw new CorpusError(`holds more than ${this.#limits.files} music files: refused`);
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

  /** Returns the reason why an entry must not be written, or undefined if it may be written. */
  #refusal(entry: Entry, path: string): string | undefined {
    const names = path.split('/');
    if (entry.kind !== 'file') return entry.kind === 'link' ? 'is a link' : 'is not a regular file';
    if (path.startsWith('/') || /^[a-z]:/i.test(path)) return 'its path is not relative';
    if (names.includes('..')) return 'its path leads out of the folder';
    if (path.includes('\0')) return 'its name has a zero byte';
    if (names.some((name) => Buffer.byteLength(name) > MAX_NAME_BYTES)) return 'its name is too long';
    if (entry.size > this.#limits.fileBytes) return `is larger than ${this.#limits.fileBytes} bytes`;
    return entry.unreadable;
  }

  async #write(path: string, entry: Entry): Promise<void> {
    const target = join(this.#outDir, path);
    let written = 0;
    let created = false;
    try {
      const folder = await mkdir(dirname(target), { recursive: true });
      if (folder !== undefined) this.#made.push(folder);
      // 'wx': fail if the path exists, be it a file or a link. A link could lead out of the folder.
      const file = await open(target, 'wx', 0o644);
      created = true;
      try {
        for await (const chunk of entry.content()) {
          written += chunk.length;
          if (written > this.#limits.fileBytes) throw new SkipFile(`is larger than ${this.#limits.fileBytes} bytes`);
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
      if (dirname(target) === this.#outDir) this.#made.push(target);
    } catch (error) {
      if (created) await rm(target, { force: true });
      // After a damaged entry of a zip, the others can still be read. A tar cannot be read beyond the damage.
      const ofThisFile = error instanceof SkipFile || (error as NodeJS.ErrnoException).syscall !== undefined;
      const damaged = error instanceof CorpusError && error.message.startsWith('is damaged');
      if (isFatal(error) || !(ofThisFile || damaged)) throw error;
      this.#skip(path, reasonOf(error));
    }
  }

  /** Removes everything that was unpacked. */
  async undo(): Promise<void> {
    for (const path of this.#made) await rm(path, { recursive: true, force: true });
  }

  #skip(path: string, reason: string): void {
    if (this.result.skipped.length < MAX_NAMED_SKIPPED) this.result.skipped.push({ path, reason });
    else if (this.result.skipped.length === MAX_NAMED_SKIPPED) {
      this.result.skipped.push({ path: '…', reason: `only the first ${MAX_NAMED_SKIPPED} are named` });
    }
  }
}

/** Skips one file; the message is the reason. */
class SkipFile extends Error {}
