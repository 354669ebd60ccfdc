/**
 * The run cache: for everything that ever ran to its end, what it used and made, by its run key. A stage whose exact
 * inputs ran before is restored from here rather than run.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, utimesSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { writeAtomically } from '../files/index.ts';
import type { Stage } from '../pipeline/index.ts';
import type { LockedStage } from './lock-text.ts';

export class RunCache {
  readonly #root: string;
  readonly #readOnly: boolean;

  constructor(root: string, options: { readOnly: boolean }) {
    this.#root = root;
    this.#readOnly = options.readOnly;
  }

  path(key: string): string {
    return join(this.#root, '.repro/runs', key.slice(0, 2), `${key.slice(2)}.json`);
  }

  /** `damaged` when there is an entry that cannot be used; it has then been dropped. */
  get(key: string, stage: Stage): LockedStage | 'damaged' | undefined {
    const text = readOrUndefined(this.path(key));
    if (text === undefined) return undefined;
    try {
      const block = JSON.parse(text) as LockedStage;
      if (stage.outs.every(({ path }) => /^[0-9a-f]{64}$/.test(block.outs?.[path]?.sha256 ?? ''))) return block;
    } catch {}
    this.drop(key);
    return 'damaged';
  }

  put(key: string, block: LockedStage): void {
    const path = this.path(key);
    const text = `${JSON.stringify(block)}\n`;
    // Replacing a file costs far more than reading it.
    if (readOrUndefined(path) === text) return;
    mkdirSync(dirname(path), { recursive: true });
    // No fsync: `get` drops an entry that does not parse, and the stage runs again.
    writeAtomically(path, text, { fsync: false });
  }

  /** It has been restored: gc goes by when a run was last of use. */
  touch(key: string): void {
    const now = new Date();
    try {
      utimesSync(this.path(key), now, now);
    } catch {} // It was dropped, or comes from the lock alone.
  }

  drop(key: string): void {
    if (!this.#readOnly) rmSync(this.path(key), { force: true });
  }
}

function readOrUndefined(path: string): string | undefined {
  // A failed reading is an Error, which takes ten times as long to make.
  if (!existsSync(path)) return undefined;
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
