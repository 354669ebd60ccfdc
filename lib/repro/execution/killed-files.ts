/** Temporary files in .repro that a killed repro left. Nothing reads them. */
import { lstatSync, readdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { isLeftover, isTemporary } from '../files/index.ts';
import { leftRecords } from './running-stages.ts';

/** Folders of .repro whose files are replaced by way of a temporary file. The cache lists its own. */
const FOLDERS = ['.', 'runs', 'running', 'attempting', 'unrecorded', 'ignored', 'changes'];

/** A file that no process will complete. */
export interface KilledFile {
  /** Absolute. */
  path: string;
  /** In bytes. */
  size: number;
}

/**
 * The temporary files of processes that have ended.
 *
 * @param stateFolder of the LMDB stores, absolute
 */
export function killedFiles(root: string, stateFolder: string): KilledFile[] {
  const own = join(root, '.repro');
  const folders = [
    ...FOLDERS.map((name) => join(own, name)),
    join(stateFolder, 'state'),
    // A move to the trash, and the stores of a host, have folders of their own.
    ...[join(own, 'trash'), join(stateFolder, 'section'), join(stateFolder, 'leases')].flatMap((parent) =>
      pathsIn(parent),
    ),
  ];
  return folders
    .flatMap((folder) => pathsIn(folder, basename(folder) === 'runs'))
    .filter((path) => isTemporary(path) && isLeftover(path))
    .map((path) => ({ path, stat: lstatSync(path, { throwIfNoEntry: false }) }))
    .flatMap(({ path, stat }) => (stat?.isFile() ? [{ path, size: stat.size }] : []));
}

/** Removes them, and the records of what these processes ran. */
export function removeKilledFiles(root: string, stateFolder: string): void {
  for (const { path } of killedFiles(root, stateFolder)) rmSync(path, { force: true });
  for (const path of leftRecords(root)) rmSync(path, { force: true });
}

function pathsIn(folder: string, recursive = false): string[] {
  try {
    return readdirSync(folder, { recursive, encoding: 'utf8' }).map((name) => join(folder, name));
  } catch {
    return []; // There is none.
  }
}
