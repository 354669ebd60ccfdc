/**
 * What LMDB leaves in and beside its data file that is not data: seen to here, so that equal stores are equal bytes, so that
 * reading changes nothing in the directory, and so that a file cut short is noticed before it is mapped (touching a page
 * past the end of a mapped file kills the process).
 *
 * The first two pages are meta pages, each a snapshot of the tree's roots; the later of the two counts. Their layout, in the
 * LMDB that lmdb 3.5 carries, 64-bit, this machine's byte order:
 *
 *   24  magic 0xBEEFC0DE, u32     48   page size, u32         152  transaction id, u64
 *   28  format version, u32       144  last page used, u64    160  an id of this boot of the machine, u64
 *
 * LMDB's lock file is for writers and readers at the same time. Here nobody writes to a store that can be opened, so a
 * reader's lock file need not be shared: it opens the data file through a link in a directory of its own.
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
const MAGIC_AT = 24;
const PAGE_SIZE_AT = 48;
const LAST_PAGE_AT = 144;
const TRANSACTION_AT = 152;
const BOOT_ID_AT = 160;
const META_END = 168;

const little = endianness() === 'LE';

interface MetaPages {
  pageSize: number;
  /** bytes that the later snapshot needs */
  fileBytes: number;
}

/** What the meta pages of an open data file say; undefined where it is not LMDB's. */
export function readMetaPages(fd: number): MetaPages | undefined {
  const first = readMeta(fd, 0);
  if (!first) return undefined;
  const pageSize = first.getUint32(PAGE_SIZE_AT, little);
  const second = pageSize >= 256 && pageSize <= 65536 ? readMeta(fd, pageSize) : undefined;
  if (!second) return undefined;
  const later =
    second.getBigUint64(TRANSACTION_AT, little) > first.getBigUint64(TRANSACTION_AT, little) ? second : first;
  return { pageSize, fileBytes: (Number(later.getBigUint64(LAST_PAGE_AT, little)) + 1) * pageSize };
}

function readMeta(fd: number, at: number): DataView | undefined {
  const view = new DataView(new ArrayBuffer(META_END));
  const whole = readSync(fd, view, 0, META_END, at) === META_END;
  return whole && view.getUint32(MAGIC_AT, little) === MAGIC ? view : undefined;
}

/**
 * Ends the writing of a closed data file: without the boot id, exactly as long as its pages say, and on the disk.
 * In another layout than the one above nothing is changed: the file is right, only not the same from boot to boot.
 */
export function settle(file: string): void {
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
 * Opens a data file for reading through a link in a temporary directory and removes that directory again: LMDB keeps its
 * lock file open, and nobody else looks for it. Windows, where links need a privilege and open files cannot be removed,
 * opens in place.
 */
export function openBesideLock<T>(file: string, open: (path: string) => T): T {
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
