/**
 * Removes files from a remote that nothing needs any more: reads the remote (readRemote), finds these files
 * (planRemoteGc, pure) and removes them (removeFromRemote).
 *
 * A remote is shared, so more is kept than one lock names: the objects of all given locks, those of runs that were
 * pushed lately, and objects that were pushed lately themselves. The push of their run may not have ended yet.
 *
 *     const files = await readRemote(store, cache.folder, Date.now() - 14 * DAY)
 *     const plan = await planRemoteGc(files, blocksOfAllCommits, Date.now() - 14 * DAY)
 *     await removeFromRemote(store, plan)
 */
import { join } from 'node:path';
import { readUtf8OrUndefined } from '../freshness/index.ts';
import { type ManifestEntry, manifestProblem, parseManifest, sha256 } from '../hashing/index.ts';
import { ReproError } from '../messages/index.ts';
import type { LockedStage } from './lock-text.ts';
import type { RemoteFile, RemoteStore } from './remote-store.ts';
import { isRun } from './run-cache.ts';
import { recordedKey } from './run-key.ts';
import { objectPath, runPath } from './transfer.ts';

/** A recorded run in a remote. */
export interface RemoteRun extends RemoteFile {
  /** Its inputs and outputs; undefined if the file is damaged or old. */
  block?: LockedStage;
}

/** The files of a remote, by their paths in it. */
export interface RemoteFiles {
  objects: ReadonlyMap<string, RemoteFile>;
  runs: ReadonlyMap<string, RemoteRun>;
  /** The entries of lists of files, by the hash of the list; none of a list that the remote does not have. */
  entries(lists: Iterable<string>): Promise<ReadonlyMap<string, readonly ManifestEntry[]>>;
}

/** The files that can be removed from a remote. */
export interface RemoteGcPlan {
  /** Paths of the objects to remove. */
  objects: string[];
  /** Paths of runs that need one of the objects, or are damaged. */
  runs: string[];
  /** Size of the objects in bytes. */
  bytes: number;
  /** Objects that stay. */
  kept: number;
}

/**
 * Decides what can be removed.
 *
 * @param needed blocks of all the locks that must stay whole
 * @param newer milliseconds since 1970; files that are at least as new stay
 * @throws ReproError if a list of files that is needed is damaged, since then it is not known what it needs
 */
export async function planRemoteGc(
  files: RemoteFiles,
  needed: Iterable<LockedStage>,
  newer: number,
): Promise<RemoteGcPlan> {
  const runs = new Set<string>();
  const seen = new Set<string>();
  const objects = new Set<string>();
  const lists = new Set<string>();
  const keep = (block: LockedStage) => {
    const run = runPath(recordedKey(block));
    const contents = [...Object.values(block.outs ?? {}), ...Object.values(block.code ?? {})];
    runs.add(run);
    // Most locks of a history share most of their blocks. Two blocks of one run may still have made different outputs.
    const same = `${run} ${contents.map((content) => content.sha256).join(' ')}`;
    if (seen.has(same)) return;
    seen.add(same);
    for (const content of contents) {
      objects.add(objectPath(content.sha256));
      if (content.files !== undefined) lists.add(content.sha256);
    }
  };
  for (const block of needed) keep(block);
  for (const { block, time } of files.runs.values()) if (block !== undefined && time >= newer) keep(block);
  for (const entries of (await files.entries(lists)).values())
    for (const { sha256 } of entries) if (sha256 !== undefined) objects.add(objectPath(sha256));
  const unneeded = [...files.objects].filter(([path, { time }]) => !objects.has(path) && time < newer);
  return {
    objects: unneeded.map(([path]) => path),
    runs: [...files.runs].filter(([path, { time }]) => !runs.has(path) && time < newer).map(([path]) => path),
    bytes: unneeded.reduce((sum, [, { size }]) => sum + size, 0),
    kept: files.objects.size - unneeded.length,
  };
}

/**
 * Lists a remote and reads its new runs.
 *
 * @param cache the folder of the cache, absolute: lists of files that are in it are not read from the remote
 * @param newer as for `planRemoteGc`
 * @throws ReproError if the remote cannot be read
 */
export async function readRemote(store: RemoteStore, cache: string, newer: number): Promise<RemoteFiles> {
  const objects = await store.files('sha256');
  const found = await store.files('runs');
  const texts = await store.texts([...found].flatMap(([path, { time }]) => (time >= newer ? path : [])));
  const runs = new Map<string, RemoteRun>();
  for (const [path, file] of found) {
    const text = texts.get(path) ?? '';
    runs.set(path, isRun(text) ? { ...file, block: JSON.parse(text) as LockedStage } : file);
  }
  const entries = async (lists: Iterable<string>) => {
    const there = [...lists].filter((list) => objects.has(objectPath(list)));
    const own = new Map(there.map((list) => [list, readUtf8OrUndefined(join(cache, objectPath(list)))]));
    const isOwn = (list: string) => sha256(own.get(list) ?? '') === list;
    const read = await store.texts(there.filter((list) => !isOwn(list)).map(objectPath));
    return new Map(
      there.map((list) => [list, entriesOf(store, list, isOwn(list) ? own.get(list)! : read.get(objectPath(list)))]),
    );
  };
  return { objects, runs, entries };
}

/**
 * Parses a list of files.
 *
 * @throws ReproError if it is damaged
 */
function entriesOf(store: RemoteStore, list: string, text = ''): readonly ManifestEntry[] {
  const entries = sha256(text) === list ? parseManifest(text) : undefined;
  if (entries === undefined || manifestProblem(entries) !== undefined)
    throw new ReproError(
      `the list of files ${list.slice(0, 12)} is damaged in ${store.name}, so it is not known which objects it needs; nothing was removed. Push it again from where it is whole`,
      1,
    );
  return entries;
}

/**
 * Removes what was planned: runs first, so that none is left without its objects if this is cut short.
 *
 * @throws ReproError if the remote cannot be written
 */
export async function removeFromRemote(store: RemoteStore, { runs, objects }: RemoteGcPlan): Promise<void> {
  await store.remove(runs);
  await store.remove(objects);
}
