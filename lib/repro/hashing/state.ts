/**
 * The memo store: results that repro keeps between calls only for speed, in LMDB at .repro/state. It can be deleted at
 * any time; the results are then computed again. Several repro processes may have it open.
 */
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Database, RootDatabase } from 'lmdb';

/** The tables of the memo store. */
export interface State {
  /** Stat signature and hash of single files, by absolute path. */
  files: MemoTable;
  /** The same for all small files of a folder, by the folder's path: see known-files.ts. */
  folders: MemoTable;
  /** Anything computed from content, by a key that includes the content's hash. */
  memos: MemoTable;
  /** Runs `work` while no other process is in a call of `exclusively`. It should take little time. */
  exclusively<T>(work: () => T): T;
  close(): Promise<void>;
}

/** A table of texts; keys longer than LMDB allows are not kept. */
export interface MemoTable {
  get(key: string): string | undefined;
  put(key: string, value: string): void;
}

/** Milliseconds for which puts are collected: one large transaction costs little more than a small one. */
const COLLECTING = 100;
/** LMDB takes keys of up to 1978 bytes. */
const LONGEST_KEY = 500;

/**
 * Opens the store of the project at `root`. Without `write` the store is in memory only, and nothing on disk changes.
 */
export async function openState(root: string, options: { write: boolean }): Promise<State> {
  if (!options.write) return memoryState();
  const path = join(root, '.repro', 'state');
  mkdirSync(join(root, '.repro'), { recursive: true });
  const { open } = await import('lmdb');
  const openStore = () => open<string, string>({ path, maxDbs: 4, encoding: 'string', noSubdir: false });
  // `exclusively` locks a second store, which stays empty, so that the lock never waits for LMDB to write to disk.
  const openLockStore = () => open({ path: join(root, '.repro', 'section'), noSubdir: false, noSync: true });
  let lockStore: RootDatabase | undefined;
  let store: RootDatabase<string, string>;
  try {
    store = openStore();
  } catch {
    // A damaged store is deleted: everything in it can be computed again.
    if (existsSync(path)) rmSync(path, { recursive: true, force: true });
    store = openStore();
  }
  const collected: (() => void)[] = [];
  let timer: NodeJS.Timeout | undefined;
  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    for (const put of collected.splice(0)) put();
  };
  const table = (name: string): MemoTable => {
    const database: Database<string, string> = store.openDB({ name, encoding: 'string' });
    /** Values that LMDB does not return yet: it commits a little later, or much later if the disk is busy. */
    const waiting = new Map<string, string>();
    return {
      get: (key) => (key.length > LONGEST_KEY ? undefined : (waiting.get(key) ?? database.get(key))),
      put: (key, value) => {
        if (key.length > LONGEST_KEY) return;
        waiting.set(key, value);
        const written = () => waiting.get(key) === value && waiting.delete(key);
        collected.push(() => database.put(key, value).then(written, written));
        timer ??= setTimeout(flush, COLLECTING).unref();
      },
    };
  };
  return {
    files: table('files'),
    folders: table('folders'),
    memos: table('memos'),
    exclusively: (work) => {
      lockStore ??= openLockStore();
      return lockStore.transactionSync(work) as ReturnType<typeof work>;
    },
    close: async () => {
      flush();
      await lockStore?.close();
      await store.close();
    },
  };
}

function memoryState(): State {
  const table = (): MemoTable => {
    const values = new Map<string, string>();
    return {
      get: (key) => values.get(key),
      put: (key, value) => void values.set(key, value),
    };
  };
  return { files: table(), folders: table(), memos: table(), exclusively: (work) => work(), close: async () => {} };
}
