/**
 * One host at a time writes to a project's folder: another node of a cluster, or a container, knows nothing of the
 * processes and locks of this one. The file .repro/host names the host that has the folder:
 *
 *   {"host": {"name": "n1", "id": "9f86d081", …}, "pid": 4711, "since": "2026-01-31T12:00:00.000Z", "beat": 3}
 *
 *   first repro of a host     makes it with link(2), which succeeds for one host only
 *   more repros of the host   share it: the folder `section` of this host has a file for each of them
 *   while one of them runs    it is written again every 20 s, with the next number
 *   last one to end           removes it
 *   killed, host gone         another host takes the folder over after 3 min without a new number
 */
import { linkSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Host, temporaryPath, thisHost, writeAtomically } from '../files/index.ts';
import { readUtf8, readUtf8OrUndefined } from '../freshness/index.ts';
import { describeDuration, ReproError } from '../messages/index.ts';
import { startTimeOf } from '../processes/index.ts';
import type { Section } from './section.ts';

const FILE = '.repro/host';
/** Milliseconds between two numbers. */
const BEAT = 20_000;
/** Milliseconds without a new number after which the host counts as gone. */
const SILENCE = 180_000;
/** The name of the file of a repro of this host: its process id and start time. */
const MEMBER = /^(\d+)-(\d*)\.repro$/;
/** Error codes of a folder that nothing can be written to, so that no host can have it. */
const CANNOT_WRITE = new Set(['EROFS', 'EACCES', 'EPERM', 'ENOSPC', 'EDQUOT']);

/** How often a host tries to make its claim. */
const MOST_TRIES = 50;

/** The contents of the file. */
interface Claim {
  host: Host;
  /** The repro that wrote it first. */
  pid: number;
  /** When that was, in ISO 8601. */
  since: string;
  beat: number;
}

/** Another host has the folder. */
export class FolderTaken extends ReproError {}

/** This process's share in the claim of its host. */
export class FolderClaim {
  readonly #root: string;
  readonly #section: Section;
  readonly #member: string;
  #timer: NodeJS.Timeout | undefined;
  #lastBeat = Date.now();
  #onLost: (error: FolderTaken) => void = () => {};

  private constructor(root: string, section: Section) {
    this.#root = root;
    this.#section = section;
    this.#member = join(section.folder, `${process.pid}-${startTimeOf(process.pid) ?? ''}.repro`);
  }

  /**
   * Claims the folder for this host.
   *
   * @returns undefined if nothing can be written to the folder
   * @throws FolderTaken if another host has it
   */
  static take(root: string, section: Section): FolderClaim | undefined {
    const claim = new FolderClaim(root, section);
    try {
      section.exclusively(() => claim.#join());
    } catch (error) {
      if (isUnwritable(error)) return undefined;
      throw error;
    }
    claim.#timer = setInterval(() => claim.#beat(), BEAT).unref();
    return claim;
  }

  /**
   * Calls `callback` once if another host takes the folder over, because this one was silent, for example suspended.
   */
  onLost(callback: (error: FolderTaken) => void): void {
    this.#onLost = callback;
  }

  /** @throws FolderTaken if another host has taken the folder over. Call it before a result is recorded. */
  check(): void {
    if (Date.now() - this.#lastBeat < 2 * BEAT) return;
    const lost = this.#beat();
    if (lost !== undefined) throw lost;
  }

  /** Gives the folder back, if no other repro of this host is running. */
  release(): void {
    clearInterval(this.#timer);
    try {
      this.#section.exclusively(() => this.#leave());
    } catch {} // The disk is full. The claim ends with this host's silence.
  }

  /** Runs inside the section. */
  #join(): void {
    mkdirSync(join(this.#root, '.repro'), { recursive: true });
    writeFileSync(this.#member, '');
    try {
      for (let tries = 0; readClaim(this.#root)?.host.id !== thisHost().id; tries++) {
        // Another host may be quicker, but not this often: the path is not a claim, and not even a file.
        if (tries === MOST_TRIES) throw new ReproError(`${FILE} is not a file of repro; remove it`, 1);
        const other = readClaim(this.#root);
        if (other === undefined) makeClaim(this.#root);
        else if (isSilent(this.#root, other)) removeClaim(this.#root, other);
        else throw takenBy(this.#root, other);
      }
    } catch (error) {
      rmSync(this.#member, { force: true });
      throw error;
    }
  }

  /** Runs inside the section. */
  #leave(): void {
    rmSync(this.#member, { force: true });
    for (const name of readdirSync(this.#section.folder)) {
      const [, pid, started] = MEMBER.exec(name) ?? [];
      if (pid === undefined) continue;
      if (startTimeOf(Number(pid)) === started) return;
      rmSync(join(this.#section.folder, name), { force: true });
    }
    const claim = readClaim(this.#root);
    if (claim?.host.id === thisHost().id) removeClaim(this.#root, claim);
  }

  /** Writes the next number. @returns the error if another host has the folder now */
  #beat(): FolderTaken | undefined {
    try {
      const claim = readClaim(this.#root);
      if (claim !== undefined && claim.host.id !== thisHost().id) {
        clearInterval(this.#timer);
        const lost = takenBy(this.#root, claim);
        this.#onLost(lost);
        return lost;
      }
      if (claim === undefined) makeClaim(this.#root);
      else writeClaim(this.#root, { ...claim, beat: claim.beat + 1 });
      this.#lastBeat = Date.now();
    } catch {} // The disk is full, or the file system does not answer. The next beat tries again.
    return undefined;
  }
}

/** The other host that has the folder; undefined if none has it, or this one. The host may have crashed since. */
export function otherHost(root: string): Host | undefined {
  const claim = readClaim(root);
  if (claim === undefined || claim.host.id === thisHost().id) return undefined;
  return isSilent(root, claim) ? undefined : claim.host;
}

/** @throws FolderTaken if another host has the folder */
export function checkFree(root: string): void {
  const claim = readClaim(root);
  if (claim !== undefined && claim.host.id !== thisHost().id && !isSilent(root, claim)) throw takenBy(root, claim);
}

/** Makes the claim of this host, unless another host is quicker. */
function makeClaim(root: string): void {
  const file = join(root, FILE);
  const temporary = temporaryPath(file);
  const claim: Claim = { host: thisHost(), pid: process.pid, since: new Date().toISOString(), beat: 0 };
  try {
    writeFileSync(temporary, JSON.stringify(claim), { flag: 'wx' });
    linkSync(temporary, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(temporary, { force: true });
  }
}

function writeClaim(root: string, claim: Claim): void {
  writeAtomically(join(root, FILE), JSON.stringify(claim), { fsync: false });
}

/** Removes the claim that was read, but no other one that has taken its place. */
function removeClaim(root: string, claim: Claim): void {
  const file = join(root, FILE);
  const aside = temporaryPath(file);
  try {
    renameSync(file, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return; // Another host has removed it.
    throw error;
  }
  try {
    if (readUtf8(aside) !== JSON.stringify(claim)) linkSync(aside, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(aside, { force: true });
  }
}

/**
 * The claim in the file. Undefined if the file is missing or damaged. A damaged one, as a power cut may leave it, is
 * removed.
 */
function readClaim(root: string): Claim | undefined {
  const text = readUtf8OrUndefined(join(root, FILE));
  if (text === undefined) return undefined;
  try {
    const claim = JSON.parse(text) as Claim;
    if (typeof claim.host.id === 'string' && typeof claim.host.name === 'string') return claim;
  } catch {}
  rmSync(join(root, FILE), { force: true });
  return undefined;
}

/** Whether the host of a claim has ended: it was started again since, or the number is old. */
function isSilent(root: string, { host }: Claim): boolean {
  const own = thisHost();
  const isThisMachine = host.machine !== undefined && host.machine === own.machine && host.name === own.name;
  if (isThisMachine && host.boot !== own.boot) return true;
  return silenceOf(root) > SILENCE;
}

/** Milliseconds since the last number, by the clock of the file system: clocks of two hosts may differ. */
function silenceOf(root: string): number {
  const trial = temporaryPath(join(root, FILE));
  try {
    writeFileSync(trial, '', { flag: 'wx' });
    return statSync(trial).mtimeMs - statSync(join(root, FILE)).mtimeMs;
  } catch {
    return 0; // It has just been removed, or nothing can be written.
  } finally {
    rmSync(trial, { force: true });
  }
}

function takenBy(root: string, { host, pid, since }: Claim): FolderTaken {
  const rest = describeDuration(Math.max(0, SILENCE - silenceOf(root)) / 1000);
  return new FolderTaken(
    `repro is running in this folder on ${host.name} (process ${pid}, since ${since.slice(0, 16).replace('T', ' ')} UTC), ` +
      `and one host at a time can: wait until it has ended, or let \`repro --wait\` wait. ` +
      `If ${host.name} is gone, the folder is free in ${rest}`,
  );
}

function isUnwritable(error: unknown): boolean {
  const { code, cause } = error as NodeJS.ErrnoException & { cause?: NodeJS.ErrnoException };
  return CANNOT_WRITE.has(code ?? '') || CANNOT_WRITE.has(cause?.code ?? '');
}
