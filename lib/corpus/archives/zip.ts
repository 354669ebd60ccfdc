/**
 * Reads a zip archive from its central directory, entry by entry: stored and deflated files, zip64.
 *
 * Nothing is written here and no name is trusted: see archive.ts. Encrypted entries and other methods are named, not read.
 */
import type { FileHandle } from 'node:fs/promises';
import { pipeline, Readable } from 'node:stream';
import { createInflateRaw } from 'node:zlib';
import { CorpusError } from '../errors.ts';

export interface ZipEntry {
  /** as the archive has it */
  path: string;
  kind: 'file' | 'folder' | 'link';
  /** bytes of content as the directory states them: the content may be longer */
  size: number;
  /** why the content cannot be read, if so */
  unreadable?: string;
  /** @throws CorpusError where it is damaged: its length or CRC-32 is not as stated */
  content(): AsyncGenerator<Uint8Array>;
}

const END = 0x06054b50;
const END_64_LOCATOR = 0x07064b50;
const END_64 = 0x06064b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;
const ZIP_64_FIELD = 0x0001;
/** The end record is followed by a comment of at most 65,535 bytes. */
const LONGEST_END = 22 + 0xffff;
/** The directory is read whole: half a gigabyte of it would name millions of files. */
const LONGEST_DIRECTORY = 512 * 2 ** 20;

/** @throws CorpusError where the file is no zip archive or its directory is damaged */
export async function* readZip(file: FileHandle): AsyncGenerator<ZipEntry> {
  const { size: fileSize } = await file.stat();
  const directory = await readDirectory(file, fileSize);
  for (let at = 0; at + 46 <= directory.length && directory.readUInt32LE(at) === CENTRAL; ) {
    const madeBy = directory[at + 5];
    const flags = directory.readUInt16LE(at + 8);
    const method = directory.readUInt16LE(at + 10);
    const crc = directory.readUInt32LE(at + 16);
    const nameLength = directory.readUInt16LE(at + 28);
    const extraLength = directory.readUInt16LE(at + 30);
    const commentLength = directory.readUInt16LE(at + 32);
    const mode = directory.readUInt32LE(at + 38) >>> 16;
    const end = at + 46 + nameLength + extraLength;
    if (end > directory.length) throw new CorpusError('the zip archive is damaged: its directory ends early');
    const name = directory.subarray(at + 46, at + 46 + nameLength);
    const sizes = zip64Sizes(directory.subarray(at + 46 + nameLength, end), {
      size: directory.readUInt32LE(at + 24),
      compressed: directory.readUInt32LE(at + 20),
      offset: directory.readUInt32LE(at + 42),
    });
    // Old archives are in code page 437, whose names are ASCII in all that matters here: which file is music.
    const path = name.toString(flags & 0x800 ? 'utf8' : isUtf8(name) ? 'utf8' : 'latin1');
    const unix = madeBy === 3 ? mode & 0o170000 : 0;
    yield {
      path,
      kind: path.endsWith('/') ? 'folder' : unix !== 0 && unix !== 0o100000 ? 'link' : 'file',
      size: sizes.size,
      unreadable:
        flags & 1
          ? 'is encrypted'
          : method !== 0 && method !== 8
            ? `is compressed by method ${method}, which is not read`
            : undefined,
      content: () => readContent(file, fileSize, { ...sizes, method, crc }),
    };
    at = end + commentLength;
  }
}

async function readDirectory(file: FileHandle, fileSize: number): Promise<Buffer> {
  const tail = await readAt(file, Math.max(0, fileSize - LONGEST_END), Math.min(fileSize, LONGEST_END));
  let at = tail.length - 22;
  while (at >= 0 && tail.readUInt32LE(at) !== END) at--;
  if (at < 0) throw new CorpusError('it is no zip archive, or ends early');
  let size = tail.readUInt32LE(at + 12);
  let offset = tail.readUInt32LE(at + 16);
  if (at >= 20 && tail.readUInt32LE(at - 20) === END_64_LOCATOR) {
    const record = await readAt(file, Number(tail.readBigUInt64LE(at - 12)), 56);
    if (record.length < 56 || record.readUInt32LE(0) !== END_64) throw new CorpusError('the zip archive is damaged');
    size = Number(record.readBigUInt64LE(40));
    offset = Number(record.readBigUInt64LE(48));
  }
  if (size > LONGEST_DIRECTORY || offset + size > fileSize) throw new CorpusError('the zip archive is damaged');
  return readAt(file, offset, size);
}

interface Sizes {
  size: number;
  compressed: number;
  offset: number;
}

/** Fields that do not fit 32 bits stand in the extra field, in this order, those that fit left out. */
function zip64Sizes(extra: Buffer, sizes: Sizes): Sizes {
  const out = { ...sizes };
  for (let at = 0; at + 4 <= extra.length; ) {
    const length = extra.readUInt16LE(at + 2);
    if (extra.readUInt16LE(at) === ZIP_64_FIELD) {
      let field = at + 4;
      for (const key of ['size', 'compressed', 'offset'] as const) {
        if (sizes[key] !== 0xffffffff || field + 8 > Math.min(extra.length, at + 4 + length)) continue;
        out[key] = Number(extra.readBigUInt64LE(field));
        field += 8;
      }
    }
    at += 4 + length;
  }
  return out;
}

async function* readContent(
  file: FileHandle,
  fileSize: number,
  entry: Sizes & { method: number; crc: number },
): AsyncGenerator<Uint8Array> {
  const local = await readAt(file, entry.offset, 30);
  if (local.length < 30 || local.readUInt32LE(0) !== LOCAL)
    throw new CorpusError('is damaged: it is not where it should be');
  const start = entry.offset + 30 + local.readUInt16LE(26) + local.readUInt16LE(28);
  if (start + entry.compressed > fileSize) throw new CorpusError('is damaged: it ends early');
  // The handle stays open for the next entry.
  const raw =
    entry.compressed === 0
      ? []
      : file.createReadStream({ start, end: start + entry.compressed - 1, autoClose: false, highWaterMark: 1 << 16 });
  let crc = 0xffffffff;
  let length = 0;
  try {
    for await (const piece of entry.method === 8 ? inflate(raw) : raw) {
      crc = crc32(piece, crc);
      length += piece.length;
      yield piece;
    }
  } catch (error) {
    if (error instanceof CorpusError) throw error;
    throw new CorpusError(`is damaged: ${(error as Error).message}`);
  }
  if (length !== entry.size || (crc ^ 0xffffffff) >>> 0 !== entry.crc)
    throw new CorpusError('is damaged: its checksum differs');
}

async function* inflate(raw: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const inflated = createInflateRaw();
  // An error of either side ends the iteration below with it.
  pipeline(Readable.from(raw), inflated, () => {});
  yield* inflated;
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await file.read(buffer, filled, length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value >>> 0;
});

/** One more piece of a CRC-32 that began as 0xffffffff. (node:zlib has it only from Node 20.15.) */
function crc32(bytes: Uint8Array, crc: number): number {
  let value = crc;
  for (let i = 0; i < bytes.length; i++) value = CRC_TABLE[(value ^ bytes[i]) & 0xff] ^ (value >>> 8);
  return value;
}
