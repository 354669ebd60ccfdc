/**
 * What repro remembers between runs only to be quick: an LMDB store in .repro/state. All of it can be deleted at any
 * time; then it is worked out again. Several repros may have it open at once.
 */
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Database, RootDatabase } from 'lmdb';

export interface State {
  /** What a file's content was when it looked so; `key` is a path. */
  files: MemoTable;
  /** The same of all small files of a folder: see known-files.ts. */
  folders: MemoTable;
  /** Anything worked out from content, by a key that names that content. */
  memos: MemoTable;
  /** Runs `work` while no other process is in such a section. Keep it short. */
  exclusively<T>(work: () => T): T;
  close(): Promise<void>;
}

export interface MemoTable {
  get(key: string): string | undefined;
  put(key: string, value: string): void;
}

/** Milliseconds for which what is put is gathered: a transaction of much costs hardly more than one of little. */
const GATHERING = 100;
/** LMDB takes keys of up to 1978 bytes. */
const LONGEST_KEY = 500;

/** A store in the project at `root`; without `write`, one that is forgotten, and nothing on disk is touched. */
export async function openState(root: string, options: { write: boolean }): Promise<State> {
  if (!options.write) return forgetfulState();
  const path = join(root, '.repro', 'state');
  mkdirSync(join(root, '.repro'), { recursive: true });
  const { open } = await import('lmdb');
  const openStore = () => open<string, string>({ path, maxDbs: 4, encoding: 'string', noSubdir: false });
  // A store of its own, which stays empty: whoever has its one writer's place never waits for a disk in it.
  const openSection = () => open({ path: join(root, '.repro', 'section'), noSubdir: false, noSync: true });
  let section: RootDatabase | undefined;
  let store: RootDatabase<string, string>;
  try {
    store = openStore();
  } catch {
    // A store that does not open is worth nothing: it can all be worked out again.
    if (existsSync(path)) rmSync(path, { recursive: true, force: true });
    store = openStore();
  }
  const gathered: (() => void)[] = [];
  let timer: NodeJS.Timeout | undefined;
  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    for (const put of gathered.splice(0)) put();
  };
  const table = (name: string): MemoTable => {
    const database: Database<string, string> = store.openDB({ name, encoding: 'string' });
    /** What LMDB does not give back yet: it commits a little later, or much later where the disk is busy. */
    const waiting = new Map<string, string>();
    return {
      get: (key) => (key.length > LONGEST_KEY ? undefined : (waiting.get(key) ?? database.get(key))),
      put: (key, value) => {
        if (key.length > LONGEST_KEY) return;
        waiting.set(key, value);
        const written = () => waiting.get(key) === value && waiting.delete(key);
        gathered.push(() => database.put(key, value).then(written, written));
        timer ??= setTimeout(flush, GATHERING).unref();
      },
    };
  };
  return {
    files: table('files'),
    folders: table('folders'),
    memos: table('memos'),
    exclusively: (work) => {
      section ??= openSection();
      return section.transactionSync(work) as ReturnType<typeof work>;
    },
    close: async () => {
      flush();
      await section?.close();
      await store.close();
    },
  };
}

function forgetfulState(): State {
  const table = (): MemoTable => {
    const values = new Map<string, string>();
    return {
      get: (key) => values.get(key),
      put: (key, value) => void values.set(key, value),
    };
  };
  return { files: table(), folders: table(), memos: table(), exclusively: (work) => work(), close: async () => {} };
}
