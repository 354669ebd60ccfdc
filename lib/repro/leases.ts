/**
 * Who has what among several repros: stages of this folder, GPUs of this machine. A lease names the process that holds it
 * and dies with it, whatever kills it: one whose holder is gone counts as free. The table is LMDB, whose write
 * transactions are the only lock; it lives no longer than the machine is up.
 */
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import type { RootDatabase } from 'lmdb';

interface Lease {
  pid: number;
  /** When that process started: process ids come round again. */
  started: string;
  /** The process group of the command that the holder runs. */
  group?: number;
  groupStarted?: string;
}

export class Leases {
  readonly #table: RootDatabase<Lease, string>;
  readonly #own: Lease = { pid: process.pid, started: startOf(process.pid) ?? '' };

  private constructor(table: RootDatabase<Lease, string>) {
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

  static async #open(folder: string): Promise<Leases> {
    const { open } = await import('lmdb');
    mkdirSync(folder, { recursive: true });
    return new Leases(open<Lease, string>({ path: join(folder, bootId()), encoding: 'json', noSync: true }));
  }

  /** Takes all of `names` or none. A dead holder's commands are killed before its lease is taken over. */
  take(names: readonly string[]): boolean {
    if (names.length === 0) return true;
    const orphans: Lease[] = [];
    const taken = this.#table.transactionSync(() => {
      for (const name of names) {
        const lease = this.#table.get(name);
        if (lease === undefined || this.#isOwn(lease)) continue;
        if (isAlive(lease)) return false;
        orphans.push(lease);
      }
      for (const name of names) this.#table.putSync(name, this.#own);
      return true;
    }) as boolean;
    for (const orphan of orphans) killGroup(orphan);
    return taken;
  }

  isTaken(name: string): boolean {
    const lease = this.#table.get(name);
    return lease !== undefined && !this.#isOwn(lease) && isAlive(lease);
  }

  /** Notes which process group works under these leases, so that it can be ended if this process is killed. */
  working(name: string, group: number): void {
    this.#table.putSync(name, { ...this.#own, group, groupStarted: startOf(group) });
  }

  give(names: readonly string[]): void {
    if (names.length > 0)
      this.#table.transactionSync(() => {
        for (const name of names) this.#table.removeSync(name);
      });
  }

  close(): Promise<void> {
    return this.#table.close();
  }

  #isOwn(lease: Lease): boolean {
    return lease.pid === this.#own.pid && lease.started === this.#own.started;
  }
}

function isAlive({ pid, started }: Lease): boolean {
  return startOf(pid) === started;
}

/** Undefined when there is no such process (or only what is left of it until its parent asks). */
function startOf(pid: number): string | undefined {
  if (process.platform === 'linux') {
    const fields = statFields(pid);
    return fields === undefined || fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
  }
  try {
    process.kill(pid, 0);
    return 'alive';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM' ? 'alive' : undefined;
  }
}

/** /proc/PID/stat from the state on: state, parent, process group, …; the 20th is when it started. */
function statFields(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name before it stands in parentheses and may hold anything.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return 'leases';
  }
}

/** Kills what a dead repro left running, and returns when it is gone: it must not write into what comes next. */
function killGroup({ group, groupStarted }: Lease): void {
  if (group === undefined) return;
  const leader = startOf(group);
  // The number has gone to a stranger.
  if (leader !== undefined && leader !== groupStarted) return;
  const until = performance.now() + 5_000;
  const wait = new Int32Array(new SharedArrayBuffer(4));
  try {
    process.kill(-group, 'SIGKILL');
    while (performance.now() < until && isGroupAlive(group)) Atomics.wait(wait, 0, 0, 2);
  } catch {
    // No such group: that is what was wanted.
  }
}

/** Killed processes that nobody has reaped yet still have their number, but do nothing any more. */
function isGroupAlive(group: number): boolean {
  process.kill(-group, 0);
  if (process.platform !== 'linux') return true;
  return readdirSync('/proc').some((name) => {
    if (!/^\d+$/.test(name)) return false;
    const fields = statFields(Number(name));
    return fields !== undefined && Number(fields[2]) === group && fields[0] !== 'Z' && fields[0] !== 'X';
  });
}
