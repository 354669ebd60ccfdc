/**
 * The run cache: the inputs and outputs of every run that succeeded, by fingerprint key (run-key.ts). A stage that once
 * ran with the same inputs is restored from here instead of run again.
 */
import { existsSync, mkdirSync, readdirSync, rmSync, utimesSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { unpackJson } from '../documents/index.ts';
import { writeAtomically } from '../files/index.ts';
import { readUtf8OrUndefined } from '../freshness/index.ts';
import { type Content, isSha256, sameContent } from '../hashing/index.ts';
import type { Stage } from '../pipeline/index.ts';
import type { LockedStage } from './lock-text.ts';
import { recordedKey } from './run-key.ts';

/** Entries are files .repro/runs/ab/cdef….json. */
export class RunCache {
  readonly #root: string;
  readonly #readOnly: boolean;
  readonly #fetched = new Map<string, LockedStage>();

  constructor(root: string, options: { readOnly: boolean }) {
    this.#root = root;
    this.#readOnly = options.readOnly;
  }

  /**
   * Counts the runs of the lock that a remote has as present, as if they had been fetched. For a forecast only.
   *
   * @param blocks the blocks of the lock that would be fetched
   */
  assumeFetched(remote: string, blocks: Iterable<LockedStage>): void {
    for (const block of blocks) {
      const key = recordedKey(block);
      if (existsSync(join(remote, 'runs', key.slice(0, 2), `${key.slice(2)}.json`))) this.#fetched.set(key, block);
    }
  }

  /** The absolute path of an entry, whether it exists or not. */
  path(key: string): string {
    return join(this.#root, '.repro/runs', key.slice(0, 2), `${key.slice(2)}.json`);
  }

  /** @returns 'damaged' if the entry cannot be used; it has then been removed */
  get(key: string, stage: Stage): LockedStage | 'damaged' | undefined {
    const text = readOrUndefined(this.path(key));
    if (text === undefined) return this.#fetched.get(key);
    try {
      const block = unpackJson(text) as unknown as LockedStage;
      if (stage.outs.every(({ path }) => isSha256(block.outs?.[path]?.sha256))) return block;
    } catch {}
    this.drop(key);
    return 'damaged';
  }

  /** Adds or replaces an entry. */
  put(key: string, block: LockedStage): void {
    const path = this.path(key);
    const text = `${JSON.stringify(block)}\n`;
    // Reading a file costs far less than replacing it.
    if (readOrUndefined(path) === text) return;
    mkdirSync(dirname(path), { recursive: true });
    // No fsync: `get` removes an entry that does not parse, and the stage runs again.
    writeAtomically(path, text, { fsync: false });
  }

  /** Sets the time of last use. `repro gc` decides by it. Call this when a run was restored. */
  touch(key: string): void {
    const now = new Date();
    try {
      utimesSync(this.path(key), now, now);
    } catch {} // The entry was removed, or the run is only in the lock.
  }

  /** Whether any recorded run made this content at this path. Reads all entries. */
  hasMade(path: string, content: Content): boolean {
    const folder = join(this.#root, '.repro/runs');
    if (!existsSync(folder)) return false;
    return readdirSync(folder, { recursive: true, encoding: 'utf8' }).some((name) => {
      const text = name.endsWith('.json') ? readOrUndefined(join(folder, name)) : undefined;
      if (text === undefined || !text.includes(content.sha256)) return false;
      try {
        return sameContent((JSON.parse(text) as LockedStage).outs?.[path], content);
      } catch {
        return false;
      }
    });
  }

  /** Removes an entry. */
  drop(key: string): void {
    if (!this.#readOnly) rmSync(this.path(key), { force: true });
  }
}

/** Whether a text is an entry of the run cache. It may be cut short or damaged. */
export function isRun(text: string): boolean {
  try {
    const block = JSON.parse(text) as LockedStage;
    return Object.values(block.outs ?? {}).every(({ sha256 }) => isSha256(sha256)) && 'cmd' in block;
  } catch {
    return false;
  }
}

function readOrUndefined(path: string): string | undefined {
  // Checking first: making the Error of a failed read takes ten times as long.
  if (!existsSync(path)) return undefined;
  return readUtf8OrUndefined(path);
}
