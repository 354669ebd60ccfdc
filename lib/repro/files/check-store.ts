/**
 * Checks an LMDB file before it is opened. LMDB maps the file into memory and trusts it: a page that is missing or
 * damaged ends the whole process by a signal, which cannot be caught.
 *
 *   meta pages 0 and 1 → the trees of free pages, of the main table and of the named tables → each page that they reach
 *
 * Only the structure is checked: kinds, numbers and bounds of pages, entries and lists of free pages. A value may still
 * be damaged, so a caller that stores important values adds a checksum to them.
 *
 * @see mdb.c of the package lmdb: MDB_page_header, MDB_node, MDB_db, MDB_meta, MDB_ovpage
 */
import { closeSync, constants, fstatSync, openSync, readFileSync, readSync } from 'node:fs';

const MAGIC = 0xbeefc0de;
const VERSION = 2;

/** Bytes of a page's header: number, transaction, key size, flags, and two bounds or the count of overflow pages. */
const HEADER = 24;
/** Offsets in a meta page. */
const META = {
  magic: 24,
  version: 28,
  address: 32,
  mapSize: 40,
  freeTree: 48,
  mainTree: 96,
  lastPage: 144,
  transaction: 152,
  end: 168,
};
/** Bytes of the description of a tree, and offsets in it. */
const TREE = { size: 48, flags: 4, depth: 6, entries: 32, root: 40 };
/** Bytes of a node's header: size of its data (or the number of a child page), flags, size of its key. */
const NODE = 8;
/** Flags of a page. */
const [BRANCH, LEAF, OVERFLOW] = [1, 2, 4];
/** Flags of a node: its value is on overflow pages; its value describes a named table. */
const [BIG_DATA, SUB_TREE] = [1, 2];
/** The root page of an empty tree. */
const NONE = 0xffff_ffff_ffff_ffffn;
/** Larger files are read page by page. */
const MAX_READ_AT_ONCE = 4 << 20;
/** Bytes of the place of a value on pages of its own. */
const BIG_SIZE = 24;
/** No store is mapped into more memory than this, in bytes. */
const MAX_MAP = 2 ** 46;
/** LMDB has no deeper trees. */
const MAX_DEPTH = 32;

/** A fault of a store. The message is the end of a sentence about the store. */
class Damage extends Error {}

/** The size of a store, from the newer of its meta pages. */
export interface StoreSize {
  pageSize: number;
  /** The number of the last page that was ever used. */
  lastPage: number;
  transaction: number;
}

/**
 * Reads the size of a store that is whole.
 *
 * @param path the file data.mdb
 * @throws Error if it has no meta pages
 */
export function storeSize(path: string): StoreSize {
  return withFile(path, (file) => file.newestMeta());
}

/**
 * Checks the structure of a store. Another process may write to it meanwhile: see `ifStable` in open-store.ts.
 *
 * @param path the file data.mdb; a missing or an empty file is a new store, which is fine
 * @returns what is wrong, as the end of a sentence such as ".repro/state is cut short"; undefined if nothing is
 * @throws Error of node:fs if the file cannot be read
 */
export function storeDamage(path: string): string | undefined {
  try {
    withFile(path, (file) => {
      if (file.size > 0) file.check();
    });
  } catch (error) {
    if (error instanceof Damage) return error.message;
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  return undefined;
}

function withFile<T>(path: string, work: (file: StoreFile) => T): T {
  // Without O_NONBLOCK, opening a FIFO waits for a writer.
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    return work(new StoreFile(descriptor));
  } finally {
    closeSync(descriptor);
  }
}

/** An LMDB file that is being checked. */
class StoreFile {
  readonly #descriptor: number;
  readonly size: number;
  /** The whole file, unless it is large. */
  readonly #whole: Buffer | undefined;
  #pageSize = 4096;
  #lastPage = 0;
  #transaction = 0;
  /** Pages of the trees below the meta page that is being checked, and free pages. */
  #seen = new Set<number>();

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
    const stat = fstatSync(descriptor);
    if (!stat.isFile()) throw new Damage('is not a file');
    this.size = stat.size;
    if (stat.size <= MAX_READ_AT_ONCE) this.#whole = readFileSync(descriptor);
  }

  newestMeta(): StoreSize {
    const first = this.#meta(0);
    this.#pageSize = first.pageSize;
    const second = this.#meta(first.pageSize);
    return first.transaction >= second.transaction ? first : second;
  }

  /** @throws Damage */
  check(): void {
    const newest = this.newestMeta();
    // A repro that dies while it commits leaves the older of the two, so both must be whole.
    for (const at of [0, newest.pageSize]) {
      const meta = this.#meta(at);
      const page = this.#read(at, META.end);
      const mapSize = numberAt(page, META.mapSize);
      if (meta.pageSize !== newest.pageSize || numberAt(page, META.address) !== 0) throw new Damage(DAMAGED);
      if (mapSize < (meta.lastPage + 1) * meta.pageSize || mapSize > MAX_MAP) throw new Damage(DAMAGED);
      this.#lastPage = meta.lastPage;
      this.#transaction = meta.transaction;
      this.#seen = new Set([0, 1]);
      this.#checkTree(page.subarray(META.freeTree), true);
      this.#checkTree(page.subarray(META.mainTree), false);
    }
  }

  #meta(at: number): StoreSize & { transaction: number } {
    const page = this.#read(at, META.end);
    if (page.readUInt32LE(META.magic) !== MAGIC) throw new Damage('is not a database of repro');
    if (page.readUInt32LE(META.version) !== VERSION) throw new Damage('has the format of another version');
    const pageSize = page.readUInt32LE(META.freeTree);
    if (pageSize < 512 || pageSize > 65536 || (pageSize & (pageSize - 1)) !== 0) throw new Damage(DAMAGED);
    return {
      pageSize,
      lastPage: numberAt(page, META.lastPage),
      transaction: numberAt(page, META.transaction),
    };
  }

  #checkTree(tree: Buffer, isFreeList: boolean): void {
    const depth = tree.readUInt16LE(TREE.depth);
    const entries = numberAt(tree, TREE.entries);
    if (depth > MAX_DEPTH || (!isFreeList && tree.readUInt16LE(TREE.flags) !== 0)) throw new Damage(DAMAGED);
    const isEmpty = tree.readBigUInt64LE(TREE.root) === NONE;
    const found = isEmpty ? 0 : this.#countEntries(numberAt(tree, TREE.root), depth, isFreeList);
    if (found !== entries || isEmpty !== (depth === 0)) throw new Damage(DAMAGED);
  }

  /** Checks a page and the pages below it. `depth`: 1 for a leaf. */
  #countEntries(number: number, depth: number, isFreeList: boolean): number {
    const page = this.#page(number);
    const [lower, upper] = [page.readUInt16LE(20), page.readUInt16LE(22)];
    const isBranch = depth > 1;
    if (page.readUInt16LE(18) !== (isBranch ? BRANCH : LEAF) || page.readUInt16LE(16) !== 0) throw new Damage(DAMAGED);
    if (lower > upper || HEADER + upper > this.#pageSize || lower % 2 !== 0) throw new Damage(DAMAGED);
    if (isBranch ? lower < 4 : lower < 2) throw new Damage(DAMAGED);
    let entries = isBranch ? 0 : lower / 2;
    let used = 0;
    for (let at = HEADER; at < HEADER + lower; at += 2) {
      const offset = HEADER + page.readUInt16LE(at);
      if (offset < HEADER + upper || offset + NODE > this.#pageSize) throw new Damage(DAMAGED);
      const key = page.readUInt16LE(offset + 6);
      const data = offset + NODE + key;
      if (data > this.#pageSize) throw new Damage(DAMAGED);
      if (isBranch) {
        used += even(NODE + key);
        entries += this.#countEntries(page.readUIntLE(offset, 6), depth - 1, isFreeList);
        continue;
      }
      const size = page.readUInt32LE(offset);
      const flags = page.readUInt16LE(offset + 4);
      const isBig = flags === BIG_DATA;
      const end = data + (isBig ? BIG_SIZE : size);
      if ((flags !== 0 && !isBig && flags !== SUB_TREE) || key === 0 || end > this.#pageSize) throw new Damage(DAMAGED);
      used += even(end - offset);
      if (isBig) this.#checkBigData(page.subarray(data), size);
      if (flags === SUB_TREE) {
        if (size !== TREE.size || isFreeList) throw new Damage(DAMAGED);
        this.#checkTree(page.subarray(data, data + size), false);
      }
      if (isFreeList) {
        if (key !== 8 || numberAt(page, offset + NODE) > this.#transaction) throw new Damage(DAMAGED);
        const start = numberAt(page, data) * this.#pageSize + HEADER;
        this.#checkFreePages(isBig ? this.#read(start, size) : page.subarray(data, data + size));
      }
    }
    // Nodes fill the page from `upper` to its end, without gaps.
    if (used !== this.#pageSize - HEADER - upper) throw new Damage(DAMAGED);
    return entries;
  }

  /** A value on pages of its own. `place`: the number of the first, a transaction, and how many there are. */
  #checkBigData(place: Buffer, size: number): void {
    const [number, pages] = [numberAt(place, 0), numberAt(place, 16)];
    const page = this.#page(number, HEADER);
    if (page.readUInt16LE(18) !== OVERFLOW || page.readUInt32LE(20) !== pages) throw new Damage(DAMAGED);
    if (pages !== Math.ceil((HEADER + size) / this.#pageSize)) throw new Damage(DAMAGED);
    if ((number + pages) * this.#pageSize > this.size) throw new Damage(CUT_SHORT);
    for (let other = number + 1; other < number + pages; other++) this.#claim(other);
  }

  /** A list of free pages: its length, then a page number each, or minus a count and the first of that many pages. */
  #checkFreePages(list: Buffer): void {
    const length = list.length >= 8 ? numberAt(list, 0) : Number.POSITIVE_INFINITY;
    if ((length + 1) * 8 > list.length) throw new Damage(DAMAGED);
    for (let i = 1; i <= length; i++) {
      const entry = Number(list.readBigInt64LE(8 * i));
      const pages = entry < 0 ? -entry : 1;
      if (entry === 0) continue;
      if (pages > this.#lastPage || (entry < 0 && ++i > length)) throw new Damage(DAMAGED);
      const first = numberAt(list, 8 * i);
      for (let page = first; page < first + pages; page++) this.#claim(page);
    }
  }

  #page(number: number, length = this.#pageSize): Buffer {
    this.#claim(number);
    const page = this.#read(number * this.#pageSize, length);
    if (numberAt(page, 0) !== number || numberAt(page, 8) > this.#transaction) throw new Damage(DAMAGED);
    return page;
  }

  /** A page belongs to one place of one tree, or is free. */
  #claim(number: number): void {
    if (number > this.#lastPage || this.#seen.has(number)) throw new Damage(DAMAGED);
    this.#seen.add(number);
  }

  #read(at: number, length: number): Buffer {
    if (at + length > this.size) throw new Damage(CUT_SHORT);
    if (this.#whole !== undefined && at + length <= this.#whole.length) return this.#whole.subarray(at, at + length);
    const bytes = Buffer.allocUnsafe(length);
    for (let got = 0; got < length; ) {
      const more = readSync(this.#descriptor, bytes, got, length - got, at + got);
      if (more === 0) throw new Damage(CUT_SHORT);
      got += more;
    }
    return bytes;
  }
}

const CUT_SHORT = 'is cut short';
const DAMAGED = 'is damaged';

function even(size: number): number {
  return size + (size % 2);
}

/** A number of 64 bits. Numbers that are too large for a double are too large for a page number as well. */
function numberAt(bytes: Buffer, at: number): number {
  return Number(bytes.readBigUInt64LE(at));
}
