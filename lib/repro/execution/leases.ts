/**
 * Leases let several repros share a folder's stages and a machine's GPUs: each has one holder at a time. A lease names
 * the process that holds it. If that process is gone, however it ended, the lease counts as free. The table is an LMDB
 * database; its write transactions are the only lock. The table's folder is named by the host's id, which changes with
 * each boot, so no lease outlives a reboot.
 */
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { makePrivateFolder, Store, thisHost } from '../files/index.ts';
import { isOnNetwork, localFolder } from '../hosts/index.ts';
import { describeError, ReproError } from '../messages/index.ts';
import { killOrphans, startTimeOf } from '../processes/index.ts';
import { removeKilledFiles } from './killed-files.ts';

/** Bytes of an entry of the table, at most. */
const ENTRY_SIZE = 600;

/** The holder of a stage or a GPU. */
interface Lease {
  pid: number;
  /** When that process started, because process ids are reused. */
  started: string;
}

/** A table of leases, open in this process. */
export class Leases {
  /** The folder of the table. */
  readonly folder: string;
  /** The folder as messages show it. */
  readonly #name: string;
  readonly #table: Store<Lease>;
  /** Called after leases of a dead repro were taken over. */
  readonly #onTakeover: () => void;
  readonly #own: Lease = { pid: process.pid, started: startTimeOf(process.pid) ?? '' };
  /** Names that were released but are in the table until the next transaction. */
  readonly #released = new Set<string>();
  #flushImmediate: NodeJS.Immediate | undefined;

  private constructor(folder: string, name: string, table: Store<Lease>, onTakeover: () => void) {
    this.folder = folder;
    this.#name = name;
    this.#table = table;
    this.#onTakeover = onTakeover;
  }

  /**
   * The leases of the stages of the project at `root`.
   *
   * @param folder of the project's LMDB stores
   */
  static ofStages(root: string, folder: string): Promise<Leases> {
    return Leases.#open(join(folder, 'leases'), '.repro/leases', () => removeKilledFiles(root, folder));
  }

  /**
   * The leases of GPUs, which all projects of this user share. They are not in a folder for temporary files, because
   * another user could put leases there that block every GPU.
   *
   * @throws ReproError if their folder cannot be made, or other users can write to it
   */
  static ofGpus(): Promise<Leases> {
    const cache = userCache();
    const folder = isOnNetwork(cache) ? join(localFolder(), 'gpus') : join(cache, 'repro-gpus');
    makePrivateFolder(folder);
    return Leases.#open(folder, folder);
  }

  static async #open(parent: string, name: string, onTakeover = () => {}): Promise<Leases> {
    const lmdb = await import('lmdb');
    const folder = join(parent, thisHost().id);
    const consequence = 'an empty one takes its place';
    const table = Store.open<Lease>(lmdb, folder, { name, encoding: 'json', consequence });
    return new Leases(folder, name, table, onTakeover);
  }

  /**
   * Takes the leases of all `names`, or none. Before a lease of a dead repro is taken over, the commands that it left
   * running are killed, and temporary files that it left are removed.
   *
   * @param free leases that are not taken, but that no other repro may hold now
   * @returns whether they were taken; false if another repro holds one of them
   * @throws ReproError if the table cannot be written
   */
  take(names: readonly string[], free: readonly string[] = []): boolean {
    if (names.length === 0) return true;
    let orphaned = false;
    const taken = this.#write(names.length + this.#released.size, () => {
      this.#removeReleased();
      for (const name of names) {
        const lease = this.#table.get(name);
        if (lease === undefined || this.#isOwn(lease)) continue;
        if (isAlive(lease)) return false;
        orphaned = true;
      }
      if (free.some((name) => this.isTaken(name))) return false;
      for (const name of names) this.#table.put(name, this.#own);
      return true;
    });
    if (taken && orphaned) {
      killOrphans(this.folder);
      this.#onTakeover();
    }
    return taken;
  }

  /** Whether another repro that is running holds this lease. */
  isTaken(name: string): boolean {
    const lease = this.#table.get(name);
    return lease !== undefined && !this.#isOwn(lease) && isAlive(lease);
  }

  /** Releases leases. They are written in a later turn of the event loop, or by the next `take`, in one transaction. */
  release(names: readonly string[]): void {
    for (const name of names) this.#released.add(name);
    if (names.length > 0) this.#flushImmediate ??= setImmediate(() => this.#flush());
  }

  /** Writes the releases and closes the table. */
  close(): Promise<void> {
    this.#flush();
    return this.#table.close();
  }

  #flush(): void {
    clearImmediate(this.#flushImmediate);
    this.#flushImmediate = undefined;
    if (this.#released.size === 0) return;
    try {
      this.#write(this.#released.size, () => this.#removeReleased());
    } catch {} // The disk is full. The leases end with this process, or with the next call that can write.
  }

  #write<T>(entries: number, work: () => T): T {
    try {
      return this.#table.transact(entries, entries * ENTRY_SIZE, work);
    } catch (error) {
      throw new ReproError(`the leases in ${this.#name} cannot be written: ${describeError(error)}`, 1);
    }
  }

  /** Call it inside a transaction. */
  #removeReleased(): void {
    for (const name of this.#released) this.#table.remove(name);
    this.#released.clear();
  }

  #isOwn(lease: Lease): boolean {
    return lease.pid === this.#own.pid && lease.started === this.#own.started;
  }
}

function isAlive({ pid, started }: Lease): boolean {
  return startTimeOf(pid) === started;
}

/** The user's folder for caches. The XDG Base Directory Specification says that a relative path does not count. */
function userCache(): string {
  const named = process.env.XDG_CACHE_HOME ?? '';
  return isAbsolute(named) ? named : join(homedir(), '.cache');
}
