/**
 * Outputs that another host wrote, as a command such as `srun make-it` does, on a disk that both hosts share. A client of
 * NFS and the like remembers for a while that a name was not there, so `stat` says "no such file" about an output that
 * exists. The listing of its folder is right once this host has itself changed the folder.
 *
 *     missing = await stillMissing(root, missing)
 */
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { removeLeftovers, temporaryPath } from '../files/index.ts';
import { statOrUndefined } from '../freshness/index.ts';
import { isOnNetwork } from '../hosts/index.ts';

/** Milliseconds for which a file that the listing has may still be said to be missing. NFS: up to 30 s (acdirmin). */
const LATENCY = 60_000;
/** Milliseconds until a listing without the file is believed. */
const LISTING_LATENCY = 3_000;
const PERIOD = 250;

/**
 * Waits for outputs that seem to be missing, if they are on a network file system.
 *
 * @param root the pipeline's folder, absolute
 * @param paths relative to it
 * @returns those that are missing all the same
 */
export async function stillMissing(root: string, paths: readonly string[]): Promise<string[]> {
  const missing: string[] = [];
  for (const path of paths) if (!(await appears(join(root, path)))) missing.push(path);
  return missing;
}

async function appears(path: string): Promise<boolean> {
  if (!isOnNetwork(dirname(path))) return false;
  const started = performance.now();
  for (;;) {
    if (statOrUndefined(path) !== undefined) return true;
    const limit = isListed(path) ? LATENCY : LISTING_LATENCY;
    if (performance.now() - started > limit) return false;
    await wait(PERIOD);
  }
}

/**
 * Whether the folder of a path has its name, as the server says. Afterwards, a client of NFS also asks the server for the
 * file itself.
 */
export function isListed(path: string): boolean {
  const folder = dirname(path);
  removeLeftovers([join(folder, '.repro-look')]);
  const look = temporaryPath(join(folder, '.repro-look'));
  try {
    writeFileSync(look, '', { flag: 'wx' });
    rmSync(look);
    return readdirSync(folder).includes(basename(path));
  } catch {
    return false; // The folder is missing too, or cannot be written.
  }
}
