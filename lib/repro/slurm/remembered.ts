/**
 * Hashes that one host hands to another, so that a file whose stat data is the same there is not read again. A repro
 * without an LMDB store works with them in memory.
 */
import { dirname, join } from 'node:path';
import { openState, parseManifest, type Scanned, type State } from '../hashing/index.ts';

/** Entries of the tables of a State. */
export interface Remembered {
  files: [key: string, value: string][];
  folders: [key: string, value: string][];
  memos: [key: string, value: string][];
}

const TABLES = ['files', 'folders', 'memos'] as const;

/** A State that notes what is used of another one. `used` is complete when the work with it has ended. */
export function noteUse(state: State): {
  state: State;
  /** Adds the stat signatures and hashes of the files of an output. @param absolute its path */
  noteOutput(absolute: string, scanned: Scanned): void;
  used(): Remembered;
} {
  const notes = {
    files: new Map<string, string>(),
    folders: new Map<string, string>(),
    memos: new Map<string, string>(),
  };
  const noted = (name: (typeof TABLES)[number]) => ({
    get: (key: string) => {
      const value = state[name].get(key);
      if (value !== undefined) notes[name].set(key, value);
      return value;
    },
    put: (key: string, value: string) => {
      notes[name].set(key, value);
      state[name].put(key, value);
    },
  });
  const [files, folders] = [noted('files'), noted('folders')];
  return {
    state: { files, folders, memos: noted('memos'), close: () => state.close() },
    noteOutput: (absolute, { manifest }) => {
      const paths =
        manifest === undefined ? [absolute] : parseManifest(manifest).map(({ path }) => join(absolute, path));
      for (const path of paths) files.get(path);
      for (const folder of new Set(paths.map((path) => dirname(path)))) folders.get(folder);
    },
    used: () => ({ files: [...notes.files], folders: [...notes.folders], memos: [...notes.memos] }),
  };
}

/** A State in memory that holds these entries. `learned`: what was added to it. */
export async function stateOf(remembered: Remembered): Promise<{ state: State; learned(): Remembered }> {
  const state = await openState('', { write: false });
  addTo(state, remembered);
  const learned: Remembered = { files: [], folders: [], memos: [] };
  const table = (name: (typeof TABLES)[number]) => ({
    get: (key: string) => state[name].get(key),
    put: (key: string, value: string) => {
      state[name].put(key, value);
      learned[name].push([key, value]);
    },
  });
  return {
    state: { files: table('files'), folders: table('folders'), memos: table('memos'), close: async () => {} },
    learned: () => learned,
  };
}

/** Adds entries to a State. A wrong one does no harm: it counts only for a file with the same stat data. */
export function addTo(state: State, remembered: Remembered): void {
  for (const name of TABLES) for (const [key, value] of remembered[name]) state[name].put(key, value);
}
