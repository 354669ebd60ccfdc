/**
 * Reads a zip archive from its central directory, entry by entry: stored and deflated files, zip64.
 *
 * This file does not write anything and does not check names; archive.ts does both. Encrypted entries and those of
 * other compression methods are reported, not read.
 *
 * @see PKWARE APPNOTE.TXT 6.3, 4.3 (records) and 4.5.3 (zip64 extra field)
 */
import type { FileHandle } from 'node:fs/promises';
import { pipeline, Readable } from 'node:stream';
import { createInflateRaw } from 'node:zlib';
import { CorpusError } from '../errors.ts';
import { decodeName } from './bytes.ts';

/** One entry of a zip archive. */
export interface ZipEntry {
  /** as written in the archive; not checked */
  path: string;
  kind: 'file' | 'folder' | 'link';
  /** bytes of content as the directory states them; the real content may be longer */
  size: number;
  /** why the content cannot be read; absent if it can */
  unreadable?: string;
  /**
   * Yields the content.
   *
   * @throws CorpusError if it is damaged: its length or CRC-32 differs from the directory
   */
  content(): AsyncGenerator<Uint8Array>;
}

/** Signatures of the records (4.3). */
const END_OF_DIRECTORY = 0x06054b50;
const ZIP64_END_LOCATOR = 0x07064b50;
const ZIP64_END_OF_DIRECTORY = 0x06064b50;
const CENTRAL_FILE_HEADER = 0x02014b50;
const LOCAL_FILE_HEADER = 0x04034b50;
/** Header id of the zip64 extra field (4.5.3). */
const ZIP64_EXTRA_FIELD = 0x0001;
/** Largest distance of the end record from the end of the file: 22 bytes and a comment of at most 65,535. */
const MAX_END_BYTES = 22 + 0xffff;
/** The directory is held in memory. This limit still allows millions of files. */
const MAX_DIRECTORY_BYTES = 512 * 2 ** 20;

/**
 * Reads the entries of a zip archive in the order of its directory.
 *
 * @param file stays open; the entries' contents are read from it
 * @throws CorpusError if the file is not a zip archive or its directory is damaged
 */
export async function* readZip(file: FileHandle): AsyncGenerator<ZipEntry> {
  const { size: fileSize } = await file.stat();
  const directory = await readDirectory(file, fileSize);
  for (let at = 0; at + 46 <= directory.length && directory.readUInt32LE(at) === CENTRAL_FILE_HEADER; ) {
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
    const path = flags & 0x800 ? name.toString('utf8') : decodeName(name);
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

/** Reads the whole central directory, located by the end record (and the zip64 end record, if there is one). */
async function readDirectory(file: FileHandle, fileSize: number): Promise<Buffer> {
  const tail = await readAt(file, Math.max(0, fileSize - MAX_END_BYTES), Math.min(fileSize, MAX_END_BYTES));
  let at = tail.length - 22;
  while (at >= 0 && tail.readUInt32LE(at) !== END_OF_DIRECTORY) at--;
  if (at < 0) throw new CorpusError('it is not a zip archive, or it ends early');
  let size = tail.readUInt32LE(at + 12);
  let offset = tail.readUInt32LE(at + 16);
  if (at >= 20 && tail.readUInt32LE(at - 20) === ZIP64_END_LOCATOR) {
    const record = await readAt(file, Number(tail.readBigUInt64LE(at - 12)), 56);
    if (record.length < 56 || record.readUInt32LE(0) !== ZIP64_END_OF_DIRECTORY)
      throw new CorpusError('the zip archive is damaged');
    size = Number(record.readBigUInt64LE(40));
    offset = Number(record.readBigUInt64LE(48));
  }
  if (size > MAX_DIRECTORY_BYTES || offset + size > fileSize) throw new CorpusError('the zip archive is damaged');
  return readAt(file, offset, size);
}

/** Offset and sizes of an entry's data, in bytes. */
interface Sizes {
  size: number;
  compressed: number;
  offset: number;
}

/** Replaces values of 0xffffffff by the 64-bit ones in the zip64 extra field. It holds only those, in this order. */
function zip64Sizes(extra: Buffer, sizes: Sizes): Sizes {
  const out = { ...sizes };
  for (let at = 0; at + 4 <= extra.length; ) {
    const length = extra.readUInt16LE(at + 2);
    if (extra.readUInt16LE(at) === ZIP64_EXTRA_FIELD) {
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

/** Yields the content of one entry, and checks length and CRC-32 at its end. */
async function* readContent(
  file: FileHandle,
  fileSize: number,
  entry: Sizes & { method: number; crc: number },
): AsyncGenerator<Uint8Array> {
  const local = await readAt(file, entry.offset, 30);
  if (local.length < 30 || local.readUInt32LE(0) !== LOCAL_FILE_HEADER)
    throw new CorpusError('is damaged: there is no entry where the directory says');
  const start = entry.offset + 30 + local.readUInt16LE(26) + local.readUInt16LE(28);
  if (start + entry.compressed > fileSize) throw new CorpusError('is damaged: it ends early');
  // The handle must stay open (autoClose), because the next entry is read from it.
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
  // The callback is empty, because an error on either side ends the iteration below with that error.
  pipeline(Readable.from(raw), inflated, () => {});
  yield* inflated;
}

/** Reads bytes at a position; fewer if the file ends first. */
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

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value >>> 0;
});

/** Continues a CRC-32 that began as 0xffffffff; the caller inverts the result. node:zlib has crc32 only from Node 20.15. */
function crc32(bytes: Uint8Array, crc: number): number {
  let value = crc;
  for (let i = 0; i < bytes.length; i++) value = CRC_TABLE[(value ^ bytes[i]) & 0xff] ^ (value >>> 8);
  return value;
}
