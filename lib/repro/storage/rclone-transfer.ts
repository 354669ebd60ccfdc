/**
 * Push and fetch for a remote behind rclone. It has the layout of a folder that is a remote (transfer.ts).
 *
 *   push    objects first, then runs: a run in the remote has all its objects even if the push is killed. Objects that
 *           the remote has in their full length are left out.
 *   fetch   into a folder of its own in .repro/cache, in two rounds, because a list of files names more objects. From
 *           there transfer.ts takes what has the right hash. A damaged object is removed from the remote, so that a push from
 *           a place that has it whole brings it back.
 */
import { existsSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { temporaryPath } from '../files/index.ts';
import { readUtf8 } from '../freshness/index.ts';
import { type Content, isSha256, type ManifestEntry, manifestProblem, parseManifest } from '../hashing/index.ts';
import type { LockedStage } from './lock-text.ts';
import { Rclone, type TransferProgress } from './rclone.ts';
import type { RcloneAddress } from './remote-address.ts';
import { recordedKey } from './run-key.ts';
import { fetchFrom, hashOf, objectPath, runPath, type TransferResult, type TransferSource } from './transfer.ts';

type OnProgress = (progress: TransferProgress) => void;

/**
 * Copies the outputs and runs of these stages, as recorded in the lock, to the remote.
 *
 * @throws ReproError if rclone is missing or too old, or the remote cannot be written
 */
export async function pushByRclone(
  project: TransferSource,
  names: readonly string[],
  { address, url }: RcloneAddress,
  onProgress?: OnProgress,
): Promise<TransferResult> {
  const rclone = new Rclone(address, url, onProgress);
  const cache = project.cacheFolder;
  const { objects, problems, blocks } = await ownObjects(project, names);
  const there = await rclone.files('sha256');
  const missing = [...objects].filter(([path, size]) => there.get(path)?.size !== size).map(([path]) => path);
  const cut = missing.filter((path) => there.has(path)).length;
  await rclone.upload(cache, missing);
  const result = {
    copied: missing.length - cut,
    present: objects.size - missing.length,
    repaired: cut,
    problems,
  };
  const runs = await rclone.files('runs');
  const staging = temporaryPath(join(cache, 'incoming/runs'));
  try {
    const lacking: string[] = [];
    for (const block of blocks) {
      const path = runPath(recordedKey(block));
      const text = `${JSON.stringify(block)}\n`;
      if (runs.get(path)?.size === Buffer.byteLength(text)) continue;
      mkdirSync(dirname(join(staging, path)), { recursive: true });
      writeFileSync(join(staging, path), text);
      lacking.push(path);
    }
    await rclone.upload(staging, lacking);
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
  return result;
}

/**
 * Copies the outputs and runs of these stages, as recorded in the lock, from the remote.
 *
 * @throws ReproError if rclone is missing or too old, or the remote cannot be read
 */
export async function fetchByRclone(
  project: TransferSource,
  names: readonly string[],
  { address, url }: RcloneAddress,
  onProgress?: OnProgress,
): Promise<TransferResult> {
  const rclone = new Rclone(address, url, onProgress);
  const own = project.cacheFolder;
  mkdirSync(join(own, 'incoming'), { recursive: true });
  const staging = temporaryPath(join(own, 'incoming/fetched'));
  mkdirSync(staging);
  try {
    const blocks = names.flatMap((name) => project.lock.get(name) ?? []);
    const damaged = await downloadBlocks(rclone, project, blocks, staging);
    const result = await fetchFrom(project, names, staging, url);
    result.problems.push(...damaged);
    return result;
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}

/**
 * Makes a folder that looks like the remote, for a forecast: lists of files and runs are as in the remote, and all
 * other objects are empty files.
 *
 * @param folder an empty folder, absolute
 * @throws ReproError if rclone is missing or too old, or the remote cannot be read
 */
export async function outlineOfRemote(
  project: TransferSource,
  names: readonly string[],
  { address, url }: RcloneAddress,
  folder: string,
): Promise<void> {
  const rclone = new Rclone(address, url);
  const blocks = names.flatMap((name) => project.lock.get(name) ?? []);
  const outputs = blocks.flatMap(({ outs = {}, code = {} }) => [...Object.values(outs), ...Object.values(code)]);
  const lists = outputs.filter(({ files }) => files !== undefined).map(({ sha256 }) => objectPath(sha256));
  const there = await rclone.files('sha256');
  await rclone.download(folder, [
    ...lists.filter((path) => there.has(path)),
    ...blocks.map((block) => runPath(recordedKey(block))),
  ]);
  const files = lists.flatMap((path) => entriesIn(join(folder, path))).flatMap(({ sha256 }) => sha256 ?? []);
  for (const sha256 of new Set([...outputs.map((content) => content.sha256), ...files])) {
    const path = join(folder, objectPath(sha256));
    if (!isSha256(sha256) || !there.has(objectPath(sha256)) || existsSync(path)) continue;
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, '');
  }
}

/** Objects that the lock names and that are complete in the cache. */
interface OwnObjects {
  /** Sizes in bytes by the path of each object. */
  objects: Map<string, number>;
  problems: string[];
  /** The lock blocks of stages whose outputs are all in the cache. */
  blocks: LockedStage[];
}

async function ownObjects(project: TransferSource, names: readonly string[]): Promise<OwnObjects> {
  const cache = project.cacheFolder;
  const found: OwnObjects = { objects: new Map(), problems: [], blocks: [] };
  /** @returns whether the object is whole */
  const add = async (sha256: string, what: string, needed: boolean): Promise<boolean> => {
    const path = objectPath(sha256);
    if (found.objects.has(path)) return true;
    const hash = isSha256(sha256) ? await project.hasher.hashOf(join(cache, path)) : undefined;
    if (hash === sha256) found.objects.set(path, statSync(join(cache, path)).size);
    else if (hash !== undefined) found.problems.push(`${what}: ${join(cache, path)} is damaged; it was not copied`);
    else if (needed) found.problems.push(`${what}: it is missing from the cache; it was not copied`);
    return hash === sha256 || (hash === undefined && !needed);
  };
  for (const name of names) {
    const block = project.lock.get(name);
    if (block === undefined) continue;
    const { outs } = project.stages.get(name)!;
    let isWhole = true;
    for (const [path, { sha256, files }] of Object.entries(block.outs ?? {})) {
      // Outputs that git keeps need not be in the cache.
      const needed = outs.find((out) => out.path === path)?.cache !== false;
      if (!(await add(sha256, path, needed))) isWhole = false;
      for (const entry of files === undefined ? [] : entriesIn(join(cache, objectPath(sha256))))
        if (entry.sha256 !== undefined && !(await add(entry.sha256, `${path}/${entry.path}`, needed))) isWhole = false;
    }
    for (const { sha256 } of Object.values(block.code ?? {})) await add(sha256, 'code', false);
    if (isWhole && existsSync(join(project.root, '.repro', runPath(recordedKey(block))))) found.blocks.push(block);
  }
  return found;
}

/**
 * Downloads the runs of these blocks, and the objects that the cache lacks.
 *
 * @returns messages about objects that the remote has damaged
 */
async function downloadBlocks(
  rclone: Rclone,
  project: TransferSource,
  blocks: readonly LockedStage[],
  staging: string,
): Promise<string[]> {
  const cache = project.cacheFolder;
  const outputs = blocks.flatMap(({ outs = {} }) => Object.values(outs));
  const code = blocks.flatMap(({ code: entries = {} }) => Object.values(entries).map(({ sha256 }) => sha256));
  const lists = outputs.filter(({ files }) => files !== undefined).map(({ sha256 }) => sha256);
  const problems: string[] = [];
  const download = async (hashes: readonly string[], runs: readonly string[] = []) => {
    const lacking: string[] = [];
    for (const sha256 of new Set(hashes))
      if (isSha256(sha256) && (await project.hasher.hashOf(join(cache, objectPath(sha256)))) !== sha256)
        lacking.push(sha256);
    await rclone.download(staging, [...runs, ...lacking.map(objectPath)]);
    for (const sha256 of lacking) problems.push(...(await checkDownload(rclone, staging, sha256)));
  };
  const runs = blocks.map((block) => runPath(recordedKey(block)));
  await download([...outputs.map(({ sha256 }: Content) => sha256), ...code], runs);
  const named = lists.flatMap((sha256) => {
    const path = objectPath(sha256);
    return entriesIn(existsSync(join(staging, path)) ? join(staging, path) : join(cache, path));
  });
  await download(named.flatMap(({ sha256 }) => sha256 ?? []));
  return problems;
}

/** Removes an object that does not have its hash, here and in the remote. */
async function checkDownload(rclone: Rclone, staging: string, sha256: string): Promise<string[]> {
  const path = join(staging, objectPath(sha256));
  if (!existsSync(path) || (await hashOf(path)) === sha256) return [];
  rmSync(path);
  const isRemoved = await rclone.remove(objectPath(sha256));
  const rest = isRemoved ? 'and was removed from it' : 'and cannot be removed from it';
  return [`${sha256.slice(0, 12)} was damaged in the remote ${rest}: push it again from where it is whole`];
}

/** The entries of a list of files. Empty if the list is missing or damaged: transfer.ts reports that. */
function entriesIn(path: string): ManifestEntry[] {
  try {
    const entries = parseManifest(readUtf8(path));
    return manifestProblem(entries) === undefined ? entries : [];
  } catch {
    return [];
  }
}
