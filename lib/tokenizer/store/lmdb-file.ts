/**
 * The parts of LMDB's file format that the token store handles itself. With them
 *
 * - equal stores are equal byte for byte,
 * - reading a store changes nothing in its directory, and
 * - a truncated file is detected before it is mapped: touching a page past the end of a mapped file kills the process.
 *
 * The first two pages are meta pages. Each is a snapshot of the tree's roots, and the one with the higher transaction
 * id is valid. This is their layout in the LMDB of the package lmdb 3.5, on 64-bit machines, in native byte order:
 *
 *   24  magic 0xBEEFC0DE, u32     48   page size, u32         152  transaction id, u64
 *   28  format version, u32       144  last page used, u64    160  boot id of the machine, u64
 *
 * LMDB's lock file coordinates writers with readers. A store that can be opened is never written to again, so readers
 * need not share a lock file.
 *
 * @see struct MDB_meta in LMDB's mdb.c
 */
import {
  closeSync,
  fsyncSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { endianness, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const MAGIC = 0xbeefc0de;
// Offsets in a meta page, in bytes.
const MAGIC_AT = 24;
const PAGE_SIZE_AT = 48;
const LAST_PAGE_AT = 144;
const TRANSACTION_AT = 152;
const BOOT_ID_AT = 160;
const META_END = 168;

const MIN_PAGE_BYTES = 256;
const MAX_PAGE_BYTES = 65536;

const isLittleEndian = endianness() === 'LE';

interface MetaPages {
  /** Bytes per page. */
  pageSize: number;
  /** Length of the file that the newer snapshot needs, in bytes. */
  fileBytes: number;
}

/**
 * Reads the meta pages.
 *
 * @param fd an open data file
 * @returns undefined if the file is not an LMDB data file
 */
export function readMetaPages(fd: number): MetaPages | undefined {
  const first = readMeta(fd, 0);
  if (!first) return undefined;
  const pageSize = first.getUint32(PAGE_SIZE_AT, isLittleEndian);
  const second = pageSize >= MIN_PAGE_BYTES && pageSize <= MAX_PAGE_BYTES ? readMeta(fd, pageSize) : undefined;
  if (!second) return undefined;
  const newer =
    second.getBigUint64(TRANSACTION_AT, isLittleEndian) > first.getBigUint64(TRANSACTION_AT, isLittleEndian)
      ? second
      : first;
  return { pageSize, fileBytes: (Number(newer.getBigUint64(LAST_PAGE_AT, isLittleEndian)) + 1) * pageSize };
}

/** Reads the meta page at an offset; undefined if there is none. */
function readMeta(fd: number, at: number): DataView | undefined {
  const view = new DataView(new ArrayBuffer(META_END));
  const whole = readSync(fd, view, 0, META_END, at) === META_END;
  return whole && view.getUint32(MAGIC_AT, isLittleEndian) === MAGIC ? view : undefined;
}

/**
 * Finishes a data file after LMDB has closed it: clears the boot id, truncates the file to the pages in use, and
 * flushes it to the disk. A file with another layout is only flushed. Such a file is valid too, but its bytes differ
 * after each boot of the machine.
 *
 * @param file the path of the data file
 */
export function finishDataFile(file: string): void {
  const fd = openSync(file, 'r+');
  try {
    const meta = readMetaPages(fd);
    if (meta) {
      for (const at of [0, meta.pageSize])
        writeSync(fd, new Uint8Array(META_END - BOOT_ID_AT), 0, undefined, at + BOOT_ID_AT);
      ftruncateSync(fd, meta.fileBytes);
    }
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/**
 * Opens a data file for reading such that LMDB's lock file does not appear beside it. The file is opened through a link
 * in a temporary directory, which is then removed: LMDB keeps the lock file open, and no other process needs it. On
 * Windows the file is opened in place, because links need a privilege there and open files cannot be removed.
 *
 * @param file the path of the data file
 * @param open opens the database at the given path
 * @returns the result of `open`
 */
export function openWithPrivateLock<T>(file: string, open: (path: string) => T): T {
  if (process.platform === 'win32') return open(file);
  const directory = mkdtempSync(join(tmpdir(), 'token-store-'));
  try {
    const link = join(directory, 'data.mdb');
    symlinkSync(resolve(file), link);
    return open(link);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
