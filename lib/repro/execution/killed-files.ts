/** Temporary files in .repro that a killed repro left. Nothing reads them. */
import { readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
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

/** The temporary files of processes that have ended. */
export function killedFiles(root: string): KilledFile[] {
  return FOLDERS.flatMap((folder) => {
    const absolute = join(root, '.repro', folder);
    return namesIn(absolute, folder === 'runs')
      .map((name) => join(absolute, name))
      .filter((path) => isTemporary(path) && isLeftover(path))
      .map((path) => ({ path, size: statSync(path, { throwIfNoEntry: false })?.size ?? 0 }));
  });
}

/** Removes them, and the records of what these processes ran. */
export function removeKilledFiles(root: string): void {
  for (const { path } of killedFiles(root)) rmSync(path, { force: true });
  for (const path of leftRecords(root)) rmSync(path, { force: true });
}

function namesIn(folder: string, recursive: boolean): string[] {
  try {
    return readdirSync(folder, { recursive, encoding: 'utf8' });
  } catch {
    return []; // There is none.
  }
}
