/**
 * Copies of params files, as they were when the run began: .repro/params/PROCESS/N/FILE. Programs that read their params
 * there (stage-api/read-params.ts) are not touched by an edit during the run. The copies are removed when the run ends.
 */
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isLeftover, temporaryPath, writeAtomically } from '../files/index.ts';
import { readUtf8 } from '../freshness/index.ts';
import { fileNameFor, isOutside } from '../pipeline/index.ts';

const FOLDER = '.repro/params';

/** The copies of one run. */
export class ParamsCopies {
  readonly #parent: string;
  readonly #own: string;
  readonly #known = new Map<string, string>();

  constructor(root: string) {
    this.#parent = join(root, FOLDER);
    this.#own = temporaryPath(join(this.#parent, 'run'));
  }

  /**
   * Writes copies, unless the same were written before.
   *
   * @param texts by path, relative to the root; paths outside of it are left out
   * @returns the folder that holds them at their paths, absolute
   * @throws Error of node:fs if the disk is full
   */
  write(texts: ReadonlyMap<string, string>): string {
    const key = JSON.stringify([...texts]);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    if (this.#known.size === 0) this.#removeLeftovers();
    const folder = join(this.#own, String(this.#known.size + 1));
    for (const [file, text] of texts) {
      if (isOutside(file)) continue;
      const path = join(folder, file);
      mkdirSync(dirname(path), { recursive: true });
      writeAtomically(path, text, { fsync: false });
    }
    this.#known.set(key, folder);
    return folder;
  }

  /** The file in which the programs of a stage note the copies that they have read, absolute. */
  readFile(stage: string): string {
    return join(this.#own, `${fileNameFor(stage)}.read`);
  }

  /** The params files that the programs of a stage have read from copies. */
  filesRead(stage: string): Set<string> {
    try {
      return new Set(readUtf8(this.readFile(stage)).split('\n').slice(0, -1));
    } catch {
      return new Set(); // None has.
    }
  }

  /** Removes the copies. */
  close(): void {
    if (this.#known.size > 0) rmSync(this.#own, { recursive: true, force: true });
  }

  /** Removes the copies of repro processes that were killed. */
  #removeLeftovers(): void {
    mkdirSync(this.#parent, { recursive: true });
    const paths = readdirSync(this.#parent).map((name) => join(this.#parent, name));
    for (const path of paths.filter(isLeftover)) rmSync(path, { recursive: true, force: true });
  }
}
