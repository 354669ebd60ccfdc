/**
 * The files by which this host and the node of a probe job talk: see probe.ts. No file is asked for by its name before
 * it was seen in a listing, as in attempt-files.ts.
 *
 *   .repro/probes/…/probe.sh  what Slurm runs
 *   .repro/probes/…/begun     of the node: its name
 *   .repro/probes/…/fresh     of this host
 *   .repro/probes/…/seen      of the node: its name
 */
import { mkdirSync, readdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isLeftover, temporaryPath } from '../../files/index.ts';
import { readUtf8OrUndefined } from '../../freshness/index.ts';
import { listNow } from '../attempt-files.ts';
import { quoted } from '../sbatch-args.ts';

const PROBES = '.repro/probes';

/** A folder for a new probe, absolute. Those of repro processes that were killed are removed. */
export function probeFolder(root: string): string {
  const parent = join(root, PROBES);
  mkdirSync(parent, { recursive: true });
  for (const name of readdirSync(parent)) if (isLeftover(join(parent, name))) removeProbeFolder(join(parent, name));
  return temporaryPath(join(parent, 'probe'));
}

/** Makes the folder of a probe. @param latency seconds that a file may be late @returns the path of the script */
export function makeProbeFolder(folder: string, latency: number): string {
  mkdirSync(folder, { recursive: true });
  const script = join(folder, 'probe.sh');
  writeFileSync(script, probeScript(folder, latency));
  return script;
}

/** Writes the file that the node waits for. */
export function writeFresh(folder: string): void {
  writeFileSync(join(folder, 'fresh'), '');
}

/** The name of the node, from each file that it has written so far. */
export function answersOf(folder: string): { begun?: string; seen?: string } {
  const names = new Set(listNow(folder));
  const read = (name: string) => (names.has(name) ? readUtf8OrUndefined(join(folder, name))?.trim() : undefined);
  return { begun: read('begun'), seen: read('seen') };
}

/** Removes the folder of a probe, and that of all probes if it is the last one. */
export function removeProbeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  try {
    // It fails if another probe is under way.
    rmdirSync(dirname(folder));
  } catch {}
}

/**
 * The script of the job. It fails if the folder, or the fresh file, does not appear in time. A change of its own makes
 * a client of NFS ask the server for the listing.
 */
export function probeScript(folder: string, latency: number): string {
  return `#!/bin/sh
at=${quoted(folder)}
node=\${SLURMD_NODENAME:-$(hostname)}
answer() { echo "$node" > "$at/.$1" && mv "$at/.$1" "$at/$1"; }
lists() { : > "$at/.look" && rm -f "$at/.look"; ls "$at" | grep -qx "$1"; }
until_it() {
  end=$(($(date +%s) + ${Math.ceil(latency)}))
  until "$@" 2> /dev/null; do
    [ "$(date +%s)" -le "$end" ] || exit 1
    sleep 0.2 2> /dev/null || sleep 1
  done
}
until_it [ -d "$at" ]
answer begun || exit 1
until_it lists fresh
answer seen
`;
}
