/** Reads and changes the real project: its lock, caches, trash and processes. */
import {
  existsSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { Block } from './block.ts';
import { type Subtree, sha256, Tree } from './tree.ts';

/** Names that are not part of the workspace. */
export const NOT_WORKSPACE = ['.repro', 'dvc-like.lock'];

/** The name of a file that a killed repro was writing: that of the file, the host, the process, and a random number. */
const LEFTOVER = /\.[0-9a-f]{8}-\d+-[0-9a-f]{8}\.tmp$/;

/** The workspace as it is, without what a killed repro was writing. The next call that opens the project removes that. */
export function workspace(root: string): Tree {
  const leftovers = readdirSync(root).filter((name) => LEFTOVER.test(name));
  return Tree.fromDisk(root, [...NOT_WORKSPACE, ...leftovers]);
}

/** What killed calls were writing, anywhere in the project, relative to it. */
export function leftovers(root: string): string[] {
  const names = readdirSync(root, { recursive: true, encoding: 'utf8' });
  return names.filter((name) => name.split('/').some((part) => LEFTOVER.test(part)));
}

/** The blocks of the lock. Throws if it does not parse. */
export function lockBlocks(root: string): Map<string, Block> {
  const path = join(root, 'dvc-like.lock');
  if (!existsSync(path)) return new Map();
  const { stages } = parse(readFileSync(path, 'utf8')) as { stages: { [name: string]: Block } | null };
  return new Map(Object.entries(stages ?? {}));
}

/** The recorded runs of `.repro` or a remote. */
export function recordedRuns(folder: string): Block[] {
  const files = filesBelow(join(folder, 'runs')).filter((path) => path.endsWith('.json'));
  return files.map((path) => JSON.parse(readFileSync(path, 'utf8')));
}

/** The hashes of the objects in a folder, and for each whether it is whole. */
export function objectsIn(folder: string): Map<string, boolean> {
  return new Map(
    filesBelow(folder).flatMap((path) => {
      const name = path.slice(folder.length).replaceAll('/', '');
      if (LEFTOVER.test(name)) return [];
      return [[name, sha256(readFileSync(path, 'utf8')) === name] as const];
    }),
  );
}

/** What is in the trash. */
export function trashOf(root: string): { path: string; subtree: Subtree }[] {
  const trash = join(root, '.repro/trash');
  if (!existsSync(trash)) return [];
  return readdirSync(trash)
    .sort()
    .flatMap((name) => {
      if (!existsSync(join(trash, name, 'moved.json'))) return [];
      const { paths } = JSON.parse(readFileSync(join(trash, name, 'moved.json'), 'utf8')) as { paths: string[] };
      if (!existsSync(join(trash, name, 'files'))) return [];
      const files = Tree.fromDisk(join(trash, name, 'files'));
      return paths.filter((path) => files.has(path)).map((path) => ({ path, subtree: files.subtree(path) }));
    });
}

/** All texts of files that are kept in the trash or the cache. */
export function keptTexts(root: string): Set<string> {
  return new Set(
    [...filesBelow(join(root, '.repro/trash')), ...filesBelow(join(root, '.repro/cache'))].map((path) =>
      readFileSync(path, 'utf8'),
    ),
  );
}

/** The text of the mark of a stage's checkpoint; undefined if there is none. */
export function checkpointMark(root: string, stage: string): string | undefined {
  const path = join(root, '.repro/attempting', stage);
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}

/** Removes repro's memory of hashes, which it can do without. */
export function removeState(root: string): void {
  for (const name of existsSync(join(root, '.repro')) ? readdirSync(join(root, '.repro')) : [])
    if (/^(state|fresh)/.test(name)) rmSync(join(root, '.repro', name), { recursive: true });
}

/** Damages an object: other bytes, or none at all. */
export function damageObject(root: string, hash: string, isRemoved: boolean): void {
  const path = join(root, '.repro/cache/sha256', hash.slice(0, 2), hash.slice(2));
  if (isRemoved) {
    rmSync(path, { force: true });
    return;
  }
  const { length } = readFileSync(path);
  // A new file: an output may be a hard link to the old one.
  rmSync(path);
  writeFileSync(path, 'x'.repeat(Math.max(1, length)));
}

/** Writes the lock, or removes it. */
export function setLock(root: string, text: string | undefined): void {
  if (text === undefined) rmSync(join(root, 'dvc-like.lock'), { force: true });
  else writeFileSync(join(root, 'dvc-like.lock'), text);
}

/** The text of the lock; undefined if there is none. */
export function lockText(root: string): string | undefined {
  const path = join(root, 'dvc-like.lock');
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}

/** Gives a file the present time. */
export function touchFile(root: string, path: string): void {
  const now = new Date();
  utimesSync(join(root, path), now, now);
}

/** Ids of the processes whose working folder is in the project, but not those of zombies. */
export function processesIn(root: string): number[] {
  return readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid))
    .filter((pid) => {
      try {
        return (
          readlinkSync(`/proc/${pid}/cwd`).startsWith(root) && !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
        );
      } catch {
        return false;
      }
    })
    .map(Number);
}

function filesBelow(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile());
}
