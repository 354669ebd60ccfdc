/**
 * Remotes: folders with objects and runs, laid out as in .repro. Each file is copied under a temporary name, checked by
 * its hash and then renamed. So every file in a remote is complete, and an interrupted transfer continues where it
 * stopped.
 */
import { createHash } from 'node:crypto';
import { chmodSync, createReadStream, existsSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import pLimit from 'p-limit';
import { moveIntoPlace, temporaryPath } from '../files/index.ts';
import { type Content, isSha256, type ManifestEntry, manifestProblem, parseManifest } from '../hashing/index.ts';
import { describeError, ReproError, suggestion } from '../messages/index.ts';
import type { Stage } from '../pipeline/index.ts';
import { CONFIG, readConfig } from './config.ts';
import type { Lock } from './lock.ts';
import type { LockedStage } from './lock-text.ts';
import { recordedKey } from './run-key.ts';

/** How many files are copied at the same time. */
const AT_ONCE = 8;

/**
 * The folder of a remote.
 *
 * @param named a name in .repro/config.yaml (`remotes: {NAME: PATH}`) or a path; undefined: the only remote there is
 * @throws ReproError if there is no such remote, or several and none is named
 */
export async function remoteFolder(root: string, named: string | undefined): Promise<string> {
  const { remotes = {} } = await readConfig(root);
  const names = Object.keys(remotes);
  if (named === undefined) {
    if (names.length === 1) return resolve(root, remotes[names[0]]);
    throw new ReproError(
      names.length === 0
        ? `there is no remote; name a folder with -r PATH, or add one to ${CONFIG}: remotes: {store: PATH}`
        : `there are several remotes (${names.join(', ')}); choose one with -r`,
    );
  }
  if (Object.hasOwn(remotes, named)) return resolve(root, remotes[named]);
  if (/[/\\.]/.test(named) || existsSync(resolve(named))) return isAbsolute(named) ? named : resolve(named);
  throw new ReproError(`there is no remote "${named}" in ${CONFIG}${suggestion(named, names)}, and no such folder`);
}

/** The parts of a project that a transfer needs. */
export interface TransferSource {
  root: string;
  lock: Lock;
  stages: ReadonlyMap<string, Stage>;
}

/** The result of a push or fetch, in numbers of objects. */
export interface Transfer {
  copied: number;
  /** Objects that the destination already had. */
  present: number;
  /** Messages about objects that could not be copied. */
  problems: string[];
}

/** Copies the outputs and runs of these stages, as recorded in the lock, to the remote. */
export function push(project: TransferSource, names: readonly string[], folder: string): Promise<Transfer> {
  return transfer(project, names, {
    from: join(project.root, '.repro'),
    to: folder,
    sourceObjects: 'cache/sha256',
    targetObjects: 'sha256',
  });
}

/**
 * Copies the outputs and runs of these stages, as recorded in the lock, from the remote.
 *
 * @throws ReproError if the remote does not exist
 */
export function fetch(project: TransferSource, names: readonly string[], folder: string): Promise<Transfer> {
  if (!existsSync(folder)) throw new ReproError(`the remote ${folder} does not exist`, 1);
  return transfer(project, names, {
    from: folder,
    to: join(project.root, '.repro'),
    sourceObjects: 'sha256',
    targetObjects: 'cache/sha256',
  });
}

/** From where to where, as absolute paths. */
interface Route {
  from: string;
  to: string;
  /** Folder of the objects below `from`. */
  sourceObjects: string;
  /** Folder of the objects below `to`. */
  targetObjects: string;
}

async function transfer(project: TransferSource, names: readonly string[], route: Route): Promise<Transfer> {
  const result: Transfer = { copied: 0, present: 0, problems: [] };
  const limit = pLimit(AT_ONCE);
  const seen = new Set<string>();
  /** Copies an object. If it is `needed` and missing, that is a problem; otherwise it is skipped. */
  const object = async (sha256: string, what: string, needed: boolean): Promise<boolean> => {
    if (seen.has(sha256)) return true;
    seen.add(sha256);
    if (!isSha256(sha256)) {
      result.problems.push(`${what}: ${JSON.stringify(sha256)} is not a SHA-256; it was not copied`);
      return false;
    }
    const name = join(sha256.slice(0, 2), sha256.slice(2));
    const [source, target] = [join(route.from, route.sourceObjects, name), join(route.to, route.targetObjects, name)];
    if (!needed && !existsSync(source) && !existsSync(target)) return false;
    return limit(() => copyWhole(source, target, sha256, what, result));
  };
  const content = async ({ sha256, files }: Content, path: string, needed: boolean): Promise<boolean> => {
    if (!(await object(sha256, path, needed))) return !needed;
    if (files === undefined) return true;
    const list = join(route.to, route.targetObjects, sha256.slice(0, 2), sha256.slice(2));
    const entries = readManifest(list);
    const unsafe = entries === undefined ? 'its list of files cannot be read' : manifestProblem(entries);
    if (entries === undefined || unsafe !== undefined) {
      result.problems.push(`${path}: ${unsafe}; it was not copied`);
      return false;
    }
    const parts = entries.filter((entry) => entry.sha256 !== undefined);
    const had = await Promise.all(parts.map((entry) => object(entry.sha256!, `${path}/${entry.path}`, needed)));
    return had.every(Boolean) || !needed;
  };
  for (const name of names) {
    const block = project.lock.get(name);
    if (block === undefined) continue;
    const { outs } = project.stages.get(name)!;
    // Outputs that git keeps need not be in the cache.
    const needed = (path: string) => outs.find((out) => out.path === path)?.cache !== false;
    const whole = await Promise.all(
      Object.entries(block.outs ?? {}).map(([path, out]) => content(out, path, needed(path))),
    );
    for (const { sha256 } of Object.values(block.code ?? {})) await object(sha256, 'code', false);
    if (whole.every(Boolean)) await copyRun(block, route);
  }
  return result;
}

/** Copies the run cache entry. Called last: a run may exist only together with all its outputs. */
async function copyRun(block: LockedStage, { from, to }: Route): Promise<void> {
  const key = recordedKey(block);
  const name = join('runs', key.slice(0, 2), `${key.slice(2)}.json`);
  if (!existsSync(join(from, name)) || existsSync(join(to, name))) return;
  const temporary = temporaryPath(join(to, name));
  mkdirSync(dirname(temporary), { recursive: true });
  await copyFile(join(from, name), temporary);
  // No fsync: RunCache removes an entry that does not parse.
  moveIntoPlace(temporary, join(to, name), { fsync: false });
}

/** After a power cut an object can be empty or short. It is then copied again, unless `source` is missing. */
function isWhole(target: string, source: string): boolean {
  const there = statSync(target, { throwIfNoEntry: false });
  if (there === undefined) return false;
  const here = statSync(source, { throwIfNoEntry: false });
  return here === undefined || here.size === there.size;
}

/** The entries of a manifest in a remote; undefined if it is not one. */
function readManifest(path: string): ManifestEntry[] | undefined {
  try {
    return parseManifest(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

/** The SHA-256 of a file, read in pieces. */
async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

async function copyWhole(
  source: string,
  target: string,
  sha256: string,
  what: string,
  result: Transfer,
): Promise<boolean> {
  if (isWhole(target, source)) {
    result.present++;
    return true;
  }
  const temporary = temporaryPath(target);
  try {
    mkdirSync(dirname(target), { recursive: true });
    await copyFile(source, temporary);
    if ((await hashOf(temporary)) !== sha256) {
      rmSync(temporary, { force: true });
      // The sizes differed because the source is the damaged one.
      if (existsSync(target) && (await hashOf(target)) === sha256) {
        result.present++;
        return true;
      }
      result.problems.push(`${what}: ${source} is damaged; it was not copied`);
      return false;
    }
    chmodSync(temporary, 0o444);
    // No fsync, which made a push of 3,000 small files up to six times as slow: see isWhole.
    moveIntoPlace(temporary, target, { fsync: false });
    result.copied++;
    return true;
  } catch (error) {
    rmSync(temporary, { force: true });
    result.problems.push(`${what}: ${source}: ${describeError(error)}`);
    return false;
  }
}
