/**
 * Which options of sbatch lead to nodes that see the project's folder: .repro/nodes.json. A probe job (probe.ts), or
 * any job that has left its result, has shown it. Removing the file lets repro ask again.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { writeAtomically } from '../../files/index.ts';
import { readUtf8OrUndefined } from '../../freshness/index.ts';
import type { Stage } from '../../pipeline/index.ts';
import type { SlurmSettings } from '../settings.ts';

const FILE = '.repro/nodes.json';

/** A successful probe with some options of Slurm. */
export interface KnownNode {
  /** The node that saw the folder. */
  node: string;
  /** When, in ISO 8601. */
  at: string;
  /** Seconds after which a file of this host was seen there, and the answer here; absent if a result has shown it. */
  seconds?: number;
}

/**
 * The key of a probe: the folder, and the options in the settings. The GPUs and cpus that a stage needs are not part of
 * it.
 */
export function probeKey(root: string, { group }: Stage, { args, stages }: SlurmSettings): string {
  return JSON.stringify([root, ...args, ...(stages[group] ?? [])]);
}

/** Reads the file. A file that cannot be read counts as empty, so that nodes are asked again. */
export function readKnownNodes(root: string): Map<string, KnownNode> {
  try {
    return new Map(Object.entries(JSON.parse(readUtf8OrUndefined(join(root, FILE)) ?? '{}')));
  } catch {
    return new Map();
  }
}

/** Remembers what a probe, or a result, has shown. It is not essential, so a full disk does no harm. */
export function rememberNode(root: string, key: string, known: KnownNode): void {
  try {
    mkdirSync(join(root, '.repro'), { recursive: true });
    const all = Object.fromEntries(readKnownNodes(root).set(key, known));
    writeAtomically(join(root, FILE), `${JSON.stringify(all, undefined, 2)}\n`, { fsync: false });
  } catch {}
}

/**
 * Remembers that a node sees the folder, because a job of a stage has left its result there. Does nothing if that was
 * known already.
 *
 * @param root the folder of pipeline.yaml, absolute
 * @param node the name of the node on which the job ran
 */
export function noteResult(root: string, stage: Stage, settings: SlurmSettings, node: string): void {
  const key = probeKey(root, stage, settings);
  if (settings.probe && !readKnownNodes(root).has(key)) rememberNode(root, key, { node, at: new Date().toISOString() });
}
