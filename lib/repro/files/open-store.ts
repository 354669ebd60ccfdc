/**
 * Opens LMDB stores in .repro so that neither a damaged file nor a full disk ends the process.
 *
 *   damaged file     found before LMDB maps it (check-store.ts), moved aside, and replaced by an empty store
 *   full disk        LMDB never writes beyond what this file has allocated: if LMDB itself meets a full disk, it
 *                    damages its memory (write), or the process ends by SIGBUS (the mapped lock file)
 *   anything else    an error; nothing is moved or removed, so the store of another user is safe
 */
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fstatSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Database, RootDatabase } from 'lmdb';
import { openFile, readUtf8 } from '../freshness/index.ts';
import { describeError, ReproError, warn } from '../messages/index.ts';
import { temporaryPath, writeAtomically } from './atomic-write.ts';
import { bootId } from './boot-id.ts';
import { storeDamage, storeSize } from './check-store.ts';

/** Size of LMDB's lock file for 126 processes, its default. */
const LOCK_FILE_SIZE = 8272;
/** Bytes that must be free before a store is created. */
const ROOM_FOR_NEW = 64 << 10;
/** Pages that a transaction with one small entry may write. */
const LEAST_PAGES = 16;
/** Pages that are allocated before they are needed. */
const SPARE_PAGES = 32;
/**
 * The most pages that an entry may copy: the path to it in its table, in the main table and in the list of free pages.
 */
const PAGES_AN_ENTRY = 8;
/** Bytes of zeros in one write. */
const PIECE = 1 << 20;
/** A store that another process writes to may look damaged for a moment, so it is checked this often. */
const CHECKS = 3;

type Lmdb = typeof import('lmdb');

/** How a store is opened. */
export interface StoreOptions {
  /** The name for messages, such as ".repro/state". */
  name: string;
  /** How values are stored. */
  encoding: 'string' | 'json';
  /** Named tables: at most this many. */
  maxTables?: number;
  /** The consequence of a damaged store that is now empty, as the end of a sentence. */
  consequence: string;
}

/**
 * Says which state of data.mdb was whole: where it is, its size and its times, since which start of the machine. While
 * the file has not changed since, its pages need not be read before it is opened. Any change of the file changes its
 * times, and a power cut, which may lose pages, ends the boot.
 */
const WHOLE_FILE = 'whole';

/** An open store. Its changes survive a kill, but not a power cut, after which it may be found damaged. */
export class Store<V> {
  readonly #data: number;
  readonly #path: string;
  readonly #root: RootDatabase<V, string>;

  private constructor(path: string, root: RootDatabase<V, string>) {
    this.#path = path;
    this.#root = root;
    this.#data = openFile(path, 'r+');
  }

  /**
   * Opens the store in a folder, which is created if it does not exist.
   *
   * @throws ReproError if it cannot be opened; `cause` is the error of the file system
   */
  static open<V>({ open }: Lmdb, folder: string, options: StoreOptions): Store<V> {
    const path = join(folder, 'data.mdb');
    try {
      prepare(folder, path, options);
      const root = open<V, string>({
        path: folder,
        encoding: options.encoding,
        maxDbs: options.maxTables,
        noSubdir: false,
        noSync: true,
      });
      return new Store(path, root);
    } catch (error) {
      throw cannotOpen(options.name, error);
    }
  }

  /**
   * Named tables. Those that do not exist yet are created.
   *
   * @throws Error of node:fs if the disk is full
   */
  tables<N extends string>(names: readonly N[]): { [name in N]: Database<V, string> } {
    const existing = new Set(this.#root.getKeys());
    const open = () => names.map((name) => [name, this.#root.openDB<V, string>({ name, encoding: 'string' })]);
    const isNew = names.some((name) => !existing.has(name));
    return Object.fromEntries(isNew ? this.transact(names.length, 0, open) : open());
  }

  get(key: string): V | undefined {
    return this.#root.get(key);
  }

  put(key: string, value: V): void {
    this.#root.putSync(key, value);
  }

  remove(key: string): void {
    this.#root.removeSync(key);
  }

  /** Runs `work` while no other process is in a call of `exclusively` or `transact`. It must not write to the store. */
  exclusively<T>(work: () => T): T {
    return this.#root.transactionSync(work) as T;
  }

  /**
   * Runs `work` as one transaction.
   *
   * @param entries how many entries it writes or removes at most
   * @param bytes the size of their keys and values
   * @throws Error of node:fs if the disk is full; then nothing was written
   */
  transact<T>(entries: number, bytes: number, work: () => T): T {
    return this.#root.transactionSync(() => {
      this.#allocate(entries, bytes);
      return work();
    }) as T;
  }

  async close(): Promise<void> {
    closeSync(this.#data);
    await this.#root.close();
    try {
      writeAtomically(join(dirname(this.#path), WHOLE_FILE), fileState(this.#path), { fsync: false });
    } catch {} // Without it, the next call reads the pages.
  }

  /** Extends the file by zeros, so that the pages of this transaction have a place on the disk. */
  #allocate(entries: number, bytes: number): void {
    const { pageSize, lastPage } = storeSize(this.#path);
    const copied = Math.min(PAGES_AN_ENTRY * entries, lastPage);
    const freeList = Math.ceil((16 * lastPage) / pageSize);
    const needed = LEAST_PAGES + copied + freeList + Math.ceil(bytes / pageSize) + 2 * entries;
    const { size } = fstatSync(this.#data);
    const target = (lastPage + 1 + needed) * pageSize;
    if (size >= target) return;
    // With pages to spare, later transactions also work on a disk that is full by then.
    if (!this.#extend(size, target + SPARE_PAGES * pageSize, false)) this.#extend(size, target, true);
  }

  /** Appends zeros to the file of `size` bytes. If the disk is full, the file keeps its size. */
  #extend(size: number, target: number, isNeeded: boolean): boolean {
    try {
      for (let at = size; at < target; ) at += writeSync(this.#data, ZEROS, 0, Math.min(ZEROS.length, target - at), at);
      return true;
    } catch (error) {
      ftruncateSync(this.#data, size);
      if (isNeeded) throw error;
      return false;
    }
  }
}

const ZEROS = Buffer.alloc(PIECE);

/** Makes sure that LMDB can open the store safely. */
function prepare(folder: string, path: string, options: StoreOptions): void {
  if (existsSync(folder) && !statSync(folder).isDirectory()) moveAside(folder, 'is not a folder', options);
  mkdirSync(folder, { recursive: true });
  if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) accessSync(path, constants.R_OK | constants.W_OK);
  const damage = isKnownToBeWhole(folder, path) ? undefined : lastingDamage(path);
  const lockFile = join(folder, 'lock.mdb');
  if (damage !== undefined) {
    moveAside(path, damage, options);
    rmSync(lockFile, { force: true });
  }
  const lock = lstatSync(lockFile, { throwIfNoEntry: false });
  if (lock !== undefined && !lock.isFile()) moveAside(lockFile, 'has a lock that is not a file', options);
  else if (lock !== undefined && lock.size > 0 && lock.size < LOCK_FILE_SIZE) rmSync(lockFile);
  if (!existsSync(lockFile)) createLockFile(lockFile);
  if (statSync(path, { throwIfNoEntry: false })?.size) return;
  const trial = temporaryPath(path);
  try {
    writeFileSync(trial, ZEROS.subarray(0, ROOM_FOR_NEW), { flag: 'wx' });
  } finally {
    rmSync(trial, { force: true });
  }
}

/** The state of the file for WHOLE_FILE. @throws Error if it cannot be found out */
function fileState(path: string): string {
  const boot = bootId();
  if (boot === undefined) throw new Error('a start of this machine has no name');
  const { dev, ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
  return [boot, dev, ino, size, mtimeNs, ctimeNs].join(' ');
}

function isKnownToBeWhole(folder: string, path: string): boolean {
  try {
    return readUtf8(join(folder, WHOLE_FILE)) === fileState(path);
  } catch {
    return false;
  }
}

/** Another process may write while this one reads, so damage counts only if it stays and the store does not change. */
function lastingDamage(path: string): string | undefined {
  const wait = new Int32Array(new SharedArrayBuffer(4));
  let damage = storeDamage(path);
  for (let check = 1; damage !== undefined && check < CHECKS; check++) {
    Atomics.wait(wait, 0, 0, 10);
    damage = storeDamage(path);
  }
  return damage;
}

/** Creates the lock file with all its blocks, in one step: LMDB would create it without any, and then map it. */
function createLockFile(path: string): void {
  const temporary = temporaryPath(path);
  try {
    writeFileSync(temporary, ZEROS.subarray(0, LOCK_FILE_SIZE), { flag: 'wx' });
    linkSync(temporary, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(temporary, { force: true });
  }
}

/** Moves an unusable file to a free name, and warns. */
function moveAside(path: string, damage: string, { name, consequence }: StoreOptions): void {
  let aside = `${path}.damaged`;
  for (let n = 2; lstatSync(aside, { throwIfNoEntry: false }) !== undefined; n++) aside = `${path}.damaged-${n}`;
  renameSync(path, aside);
  warn(`${name} ${damage}; it was moved to ${basename(aside)} in the same folder, and ${consequence}`);
}

/** The error to show if a store cannot be opened. */
function cannotOpen(name: string, error: unknown): ReproError {
  const wrapped = new ReproError(`${name} cannot be opened: ${describeError(error)}`, 1);
  wrapped.cause = error;
  return wrapped;
}
