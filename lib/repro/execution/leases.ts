/**
 * Who has what among several repros: stages of this folder, GPUs of this machine. A lease names the process that holds it
 * and dies with it, whatever kills it: one whose holder is gone counts as free. The table is LMDB, whose write
 * transactions are the only lock; it lives no longer than the machine is up.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import type { RootDatabase } from 'lmdb';
import { endOrphans, startOf } from '../processes/index.ts';

interface Lease {
  pid: number;
  /** When that process started: process ids come round again. */
  started: string;
}

export class Leases {
  /** Where the table lies. */
  readonly folder: string;
  readonly #table: RootDatabase<Lease, string>;
  readonly #own: Lease = { pid: process.pid, started: startOf(process.pid) ?? '' };
  /** Given back, and in the table until the next transaction. */
  readonly #givenBack = new Set<string>();
  #soon: NodeJS.Immediate | undefined;

  private constructor(folder: string, table: RootDatabase<Lease, string>) {
    this.folder = folder;
    this.#table = table;
  }

  /** Stages of the project at `root`. */
  static ofStages(root: string): Promise<Leases> {
    return Leases.#open(join(root, '.repro', 'leases'));
  }

  /** GPUs, shared by all projects of this user. */
  static ofGpus(): Promise<Leases> {
    return Leases.#open(join(tmpdir(), `repro-gpus-${userInfo().uid}`));
  }

  static async #open(above: string): Promise<Leases> {
    const { open } = await import('lmdb');
    const folder = join(above, bootId());
    mkdirSync(folder, { recursive: true });
    return new Leases(folder, open<Lease, string>({ path: folder, encoding: 'json', noSync: true }));
  }

  /** Takes all of `names` or none. A dead holder's commands are killed before its lease is taken over. */
  take(names: readonly string[]): boolean {
    if (names.length === 0) return true;
    let orphaned = false;
    const taken = this.#table.transactionSync(() => {
      this.#removeGivenBack();
      for (const name of names) {
        const lease = this.#table.get(name);
        if (lease === undefined || this.#isOwn(lease)) continue;
        if (isAlive(lease)) return false;
        orphaned = true;
      }
      for (const name of names) this.#table.putSync(name, this.#own);
      return true;
    }) as boolean;
    if (taken && orphaned) endOrphans(this.folder);
    return taken;
  }

  isTaken(name: string): boolean {
    const lease = this.#table.get(name);
    return lease !== undefined && !this.#isOwn(lease) && isAlive(lease);
  }

  /** Others see it in a later turn of the event loop: what is given together, or before something is taken, is written at once. */
  give(names: readonly string[]): void {
    for (const name of names) this.#givenBack.add(name);
    if (names.length > 0) this.#soon ??= setImmediate(() => this.#flush());
  }

  close(): Promise<void> {
    this.#flush();
    return this.#table.close();
  }

  #flush(): void {
    clearImmediate(this.#soon);
    this.#soon = undefined;
    if (this.#givenBack.size > 0) this.#table.transactionSync(() => this.#removeGivenBack());
  }

  /** In a transaction. */
  #removeGivenBack(): void {
    for (const name of this.#givenBack) this.#table.removeSync(name);
    this.#givenBack.clear();
  }

  #isOwn(lease: Lease): boolean {
    return lease.pid === this.#own.pid && lease.started === this.#own.started;
  }
}

function isAlive({ pid, started }: Lease): boolean {
  return startOf(pid) === started;
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return 'leases';
  }
}
