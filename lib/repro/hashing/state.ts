/**
 * The memo store: results that repro keeps between calls only for speed, in LMDB at .repro/state. It can be deleted at
 * any time; the results are then computed again. Several repro processes may have it open.
 *
 * A store that is damaged is replaced by an empty one. One that cannot be opened or written is left alone, and the
 * results are kept in memory. Each value has a checksum, so a damaged value counts as missing.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import * as zlib from 'node:zlib';
import { Store } from '../files/index.ts';
import { describeError, ReproError, warn } from '../messages/index.ts';
import { sha256 } from './content.ts';

/** The tables of the memo store. */
export interface State {
  /** Stat signature and hash of single files, by absolute path. */
  files: MemoTable;
  /** Hashes of all small files of a folder, by the folder's path: see known-files.ts. */
  folders: MemoTable;
  /** Anything computed from content, by a key that includes the content's hash. */
  memos: MemoTable;
  close(): Promise<void>;
}

/** A table of texts; keys longer than LMDB allows are not kept. */
export interface MemoTable {
  get(key: string): string | undefined;
  put(key: string, value: string): void;
}

/**
 * Milliseconds for which puts are collected. A transaction waits for those of other processes, so there are few during
 * a run. A repro that is killed loses the results of this time, and they are computed again.
 */
const COLLECTING = 5000;
/** LMDB takes keys of up to 1978 bytes. */
const LONGEST_KEY = 500;
/** The most entries of one transaction: the disk must have room for all of them before it starts. */
const MOST_ENTRIES = 256;

const TABLES = ['files', 'folders', 'memos'] as const;

/**
 * Opens the store `state` in the folder of the project's LMDB stores. Without `write` the store is in memory only, and
 * nothing on disk changes.
 *
 * @param options.remember use the store on disk all the same, if there is one
 */
export async function openState(folder: string, options: { write: boolean; remember?: boolean }): Promise<State> {
  const path = join(folder, 'state');
  const isUsed = options.write || (options.remember && existsSync(path));
  return isUsed ? openTables(await import('lmdb'), path) : memoryTables();
}

function openTables(lmdb: typeof import('lmdb'), folder: string): State {
  let store: Store<string>;
  let open: ReturnType<typeof store.tables<(typeof TABLES)[number]>>;
  try {
    store = Store.open<string>(lmdb, folder, {
      name: '.repro/state',
      encoding: 'string',
      maxTables: 4,
      consequence: 'files are hashed again',
    });
    open = store.tables(TABLES);
  } catch (error) {
    const sentence =
      error instanceof ReproError ? error.message : `.repro/state cannot be written: ${describeError(error)}`;
    warn(`${sentence}; hashes of files are not remembered`);
    return memoryTables();
  }

  let collected: { name: (typeof TABLES)[number]; key: string; value: string }[] = [];
  let timer: NodeJS.Timeout | undefined;
  let problem: string | undefined;
  const waiting = new Map(TABLES.map((name) => [name, new Map<string, string>()]));
  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    const puts = collected;
    collected = [];
    try {
      for (let start = 0; start < puts.length && problem === undefined; start += MOST_ENTRIES) {
        const some = puts.slice(start, start + MOST_ENTRIES);
        const bytes = some.reduce((sum, { key, value }) => sum + key.length + Buffer.byteLength(value), 0);
        store.transact(some.length, bytes, () => {
          for (const { name, key, value } of some) open[name].putSync(key, withChecksum(key, value));
        });
      }
      if (problem === undefined) for (const table of waiting.values()) table.clear();
    } catch (error) {
      // From now on, `waiting` keeps the values. A store that failed once is not written again.
      problem = describeError(error);
    }
  };
  const table = (name: (typeof TABLES)[number]): MemoTable => {
    const unwritten = waiting.get(name)!;
    return {
      get: (key) => (key.length > LONGEST_KEY ? undefined : (unwritten.get(key) ?? checked(key, open[name].get(key)))),
      put: (key, value) => {
        if (key.length > LONGEST_KEY) return;
        unwritten.set(key, value);
        if (problem !== undefined) return;
        collected.push({ name, key, value });
        timer ??= setTimeout(flush, COLLECTING).unref();
      },
    };
  };
  return {
    files: table('files'),
    folders: table('folders'),
    memos: table('memos'),
    close: async () => {
      flush();
      if (problem !== undefined) warn(`.repro/state cannot be written: ${problem}; hashes of files are not remembered`);
      await store.close();
    },
  };
}

function memoryTables(): State {
  const table = (): MemoTable => {
    const values = new Map<string, string>();
    return {
      get: (key) => values.get(key),
      put: (key, value) => void values.set(key, value),
    };
  };
  return { files: table(), folders: table(), memos: table(), close: async () => {} };
}

/** Length of a checksum. */
const CHECKSUM = 8;

function withChecksum(key: string, value: string): string {
  return checksum(key, value) + value;
}

/** The value without its checksum; undefined if it is damaged. */
function checked(key: string, stored: string | undefined): string | undefined {
  if (stored === undefined) return undefined;
  const value = stored.slice(CHECKSUM);
  return stored.startsWith(checksum(key, value)) ? value : undefined;
}

/** Node has crc32 from 20.15 and 22.2 on. */
const crc32 = (zlib as { crc32?: (data: string, start?: number) => number }).crc32;

function checksum(key: string, value: string): string {
  if (crc32 === undefined) return sha256(`${key}\n${value}`).slice(0, CHECKSUM);
  return crc32(value, crc32(key)).toString(16).padStart(CHECKSUM, '0');
}
