/**
 * Copies objects and runs between .repro and the folder of a remote. Each object is copied under a temporary name,
 * checked by its hash and then renamed. So an interrupted transfer leaves no incomplete object, and continues where it
 * stopped.
 *
 * An object that the destination has already is checked by its hash too, and replaced if it is damaged. The hash is
 * remembered by the file's stat signature, so each object is read for this once.
 */
import { createHash } from 'node:crypto';
import {
  accessSync,
  chmodSync,
  constants,
  createReadStream,
  existsSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import pLimit from 'p-limit';
import { moveIntoPlace, temporaryPath } from '../files/index.ts';
import { openFile, readUtf8 } from '../freshness/index.ts';
import {
  type Content,
  type ContentHasher,
  isSha256,
  type ManifestEntry,
  manifestProblem,
  parseManifest,
} from '../hashing/index.ts';
import { describeError, ReproError } from '../messages/index.ts';
import type { Stage } from '../pipeline/index.ts';
import type { Lock } from './lock.ts';
import type { LockedStage } from './lock-text.ts';
import { isRun } from './run-cache.ts';
import { recordedKey } from './run-key.ts';

/** How many files are copied at the same time. */
const AT_ONCE = 8;

/** The parts of a project that a transfer needs. */
export interface TransferSource {
  root: string;
  /** The folder of the cache, absolute. */
  cacheFolder: string;
  lock: Lock;
  stages: ReadonlyMap<string, Stage>;
  hasher: ContentHasher;
}

/** The result of a push or fetch, in numbers of objects. */
export interface TransferResult {
  copied: number;
  /** Objects that the destination already had. */
  present: number;
  /** Objects and runs that were damaged at the destination, and were replaced. */
  repaired: number;
  /** Messages about objects that could not be copied. */
  problems: string[];
}

/**
 * Copies the outputs and runs of these stages, as recorded in the lock, to the remote.
 *
 * @throws ReproError if the remote cannot be written
 */
export async function pushToFolder(
  project: TransferSource,
  names: readonly string[],
  folder: string,
): Promise<TransferResult> {
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
  } catch (error) {
    throw new ReproError(`the remote ${folder} cannot be written: ${describeError(error)}`, 1);
  }
  const route = { from: project.cacheFolder, runsFrom: join(project.root, '.repro'), to: folder };
  return new Transfer(project, folder, { ...route, runsTo: folder }).complete(names);
}

/**
 * Copies the outputs and runs of these stages, as recorded in the lock, from the remote.
 *
 * @throws ReproError if the remote does not exist
 */
export async function fetchFromFolder(
  project: TransferSource,
  names: readonly string[],
  folder: string,
): Promise<TransferResult> {
  if (!existsSync(folder)) throw new ReproError(`the remote ${folder} does not exist`);
  return fetchFrom(project, names, folder);
}

/**
 * Copies what a folder has of these stages, which need not be all.
 *
 * @param url the remote that the folder was filled from, for messages. Its objects are moved out of the folder. By
 *   default,
 *   the folder is the remote
 */
export function fetchFrom(
  project: TransferSource,
  names: readonly string[],
  folder: string,
  url?: string,
): Promise<TransferResult> {
  const own = join(project.root, '.repro');
  mkdirSync(project.cacheFolder, { recursive: true });
  const route = { from: folder, runsFrom: folder, to: project.cacheFolder, runsTo: own };
  return new Transfer(project, folder, route, url).complete(names);
}

/** Absolute paths of source and target: the folders that hold `sha256/` and those that hold `runs/`. */
interface Route {
  from: string;
  runsFrom: string;
  to: string;
  runsTo: string;
}

class Transfer {
  readonly #project: TransferSource;
  /** The folder of the remote. */
  readonly #remote: string;
  readonly #route: Route;
  readonly #result: TransferResult = { copied: 0, present: 0, repaired: 0, problems: [] };
  readonly #limit = pLimit(AT_ONCE);
  /** Whether each object is at the destination, by its hash. */
  readonly #objects = new Map<string, { needed: boolean; copied: Promise<boolean> }>();
  readonly #url: string | undefined;
  #isGone = false;

  constructor(project: TransferSource, remote: string, route: Route, url?: string) {
    this.#project = project;
    this.#remote = remote;
    this.#route = route;
    this.#url = url;
  }

  async complete(names: readonly string[]): Promise<TransferResult> {
    for (const name of names) {
      const block = this.#project.lock.get(name);
      if (block === undefined) continue;
      const { outs } = this.#project.stages.get(name)!;
      // Outputs that git keeps need not be in the cache.
      const isNeeded = (path: string) => outs.find((out) => out.path === path)?.cache !== false;
      const whole = await Promise.all(
        Object.entries(block.outs ?? {}).map(([path, out]) => this.#content(out, path, isNeeded(path))),
      );
      for (const { sha256 } of Object.values(block.code ?? {})) await this.#object(sha256, 'code', false);
      if (whole.every(Boolean)) this.#run(name, block);
    }
    return this.#result;
  }

  /** Copies a file or folder. Returns whether it is at the destination, or is not needed there. */
  async #content({ sha256, files }: Content, path: string, needed: boolean): Promise<boolean> {
    if (!(await this.#object(sha256, path, needed))) return !needed;
    if (files === undefined) return true;
    const entries = readManifest(join(this.#route.to, objectPath(sha256)));
    const unsafe = entries === undefined ? 'its list of files cannot be read' : manifestProblem(entries);
    if (entries === undefined || unsafe !== undefined) return this.#fail(path, `${unsafe}; it was not copied`);
    const parts = entries.filter((entry) => entry.sha256 !== undefined);
    const had = await Promise.all(parts.map((entry) => this.#object(entry.sha256!, `${path}/${entry.path}`, needed)));
    return had.every(Boolean) || !needed;
  }

  /** Copies an object. If it is `needed` and missing, that is a problem; otherwise it is skipped. */
  #object(sha256: string, what: string, needed: boolean): Promise<boolean> {
    const known = this.#objects.get(sha256);
    if (known !== undefined) {
      if (known.needed || !needed) return known.copied;
      // It is being copied for an output that does not need it, which reports nothing if it is missing.
      return known.copied.then((isThere) => isThere || this.#object(sha256, what, true));
    }
    const name = objectPath(sha256);
    const copied = !isSha256(sha256)
      ? Promise.resolve(this.#fail(what, `${JSON.stringify(sha256)} is not a SHA-256; it was not copied`))
      : this.#limit(() => this.#copy(join(this.#route.from, name), join(this.#route.to, name), sha256, what, needed));
    const settled = copied.then((isThere) => {
      // An object that was skipped may be needed by another output.
      if (!isThere && !needed) this.#objects.delete(sha256);
      return isThere;
    });
    this.#objects.set(sha256, { needed, copied: settled });
    return settled;
  }

  async #copy(source: string, target: string, sha256: string, what: string, needed: boolean): Promise<boolean> {
    if (this.#isGone) return false;
    const temporary = temporaryPath(target);
    try {
      const before = await this.#check(target, sha256);
      if (before === 'whole') {
        this.#result.present++;
        return true;
      }
      const stat = statSync(source, { throwIfNoEntry: false });
      if (stat === undefined && before === 'missing' && !needed) return false;
      if (stat === undefined && before === 'damaged') return this.#fail(what, `${target} is damaged`);
      if (stat === undefined && this.#url !== undefined) return this.#fail(what, `${this.#url} does not have it`);
      if (stat !== undefined && !stat.isFile()) return this.#fail(what, `${source} is not a file; it was not copied`);
      this.#makeFolder(dirname(target));
      // Files that rclone fetched into a temporary folder are moved. Copying 1,000 files took as long as fetching them.
      if (this.#url === undefined) await copyFile(source, temporary);
      else renameSync(source, temporary);
      if ((await hashOf(temporary)) !== sha256) {
        rmSync(temporary, { force: true });
        return this.#fail(what, `${source} is damaged; it was not copied`);
      }
      chmodSync(temporary, 0o444);
      // No fsync, which made a push of 3,000 small files up to six times as slow. An object cut short is replaced
      // later.
      moveIntoPlace(temporary, target, { fsync: false });
      this.#result[before === 'damaged' ? 'repaired' : 'copied']++;
      return true;
    } catch (error) {
      rmSync(temporary, { force: true });
      if (existsSync(this.#remote))
        return this.#fail(what, error instanceof ReproError ? error.message : `${source}: ${describeError(error)}`);
      if (!this.#isGone) this.#result.problems.push(`the remote ${this.#remote} is gone; the rest was not copied`);
      this.#isGone = true;
      return false;
    }
  }

  async #check(target: string, sha256: string): Promise<'whole' | 'damaged' | 'missing'> {
    const stat = statSync(target, { throwIfNoEntry: false });
    if (stat === undefined) return 'missing';
    if (!stat.isFile()) throw new ReproError(`${target} is not a file; remove it`);
    return (await this.#project.hasher.hashOf(target)) === sha256 ? 'whole' : 'damaged';
  }

  /** Makes a folder below the destination, but not the destination itself: it may be a disk that is gone. */
  #makeFolder(folder: string): void {
    if (existsSync(folder)) return;
    if (dirname(folder) !== this.#route.to) this.#makeFolder(dirname(folder));
    try {
      mkdirSync(folder);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }

  /**
   * Records the run at the destination, if the source has it. Called last: a run may exist only together with all its
   * outputs. The lock says what the run made, so nothing of the source's own entry is believed.
   */
  #run(name: string, block: LockedStage): void {
    const key = recordedKey(block);
    const [source, target] = [this.#route.runsFrom, this.#route.runsTo].map((folder) => join(folder, runPath(key)));
    if (!existsSync(source)) return;
    try {
      const isDamaged = existsSync(target);
      if (isDamaged && isRun(readUtf8(target))) return;
      mkdirSync(dirname(target), { recursive: true });
      // A link in its place is replaced, not followed: it may lead anywhere.
      const temporary = temporaryPath(target);
      writeFileSync(temporary, `${JSON.stringify(block)}\n`, { flag: 'wx' });
      // No fsync: RunCache removes an entry that does not parse.
      moveIntoPlace(temporary, target, { fsync: false });
      if (isDamaged) this.#result.repaired++;
    } catch (error) {
      if (!this.#isGone) this.#fail(name, `its run cannot be recorded in ${target}: ${describeError(error)}`);
    }
  }

  #fail(what: string, problem: string): false {
    this.#result.problems.push(`${what}: ${problem}`);
    return false;
  }
}

/** The path of an object, relative to the cache or a remote. */
export function objectPath(sha256: string): string {
  return join('sha256', String(sha256).slice(0, 2), String(sha256).slice(2));
}

/** The path of a run, relative to .repro or a remote. */
export function runPath(key: string): string {
  return join('runs', key.slice(0, 2), `${key.slice(2)}.json`);
}

/** The entries of a manifest; undefined if it is not one. */
function readManifest(path: string): ManifestEntry[] | undefined {
  try {
    return parseManifest(readUtf8(path));
  } catch {
    return undefined;
  }
}

/** The SHA-256 of a file, read in pieces. */
export async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { fd: openFile(path) }), hash);
  return hash.digest('hex');
}
