/**
 * The cache's objects: contents by their SHA-256, as plain read-only files under .repro/cache/sha256/ab/cdef…. Each comes
 * into being in .repro/cache/incoming and is renamed when it is whole, so that a kill or a full disk leaves nothing that
 * counts as one. A damaged object is dropped when it is met.
 */
import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isLeftover, moveIntoPlace, temporaryPath } from '../files/index.ts';
import type { ContentHasher } from '../hashing/index.ts';
import { cannotWrite } from './copies.ts';

export class ObjectStore {
  readonly #cache: string;
  readonly #contents: ContentHasher;
  readonly #readOnly: boolean;
  #hasIncoming = false;

  constructor(root: string, contents: ContentHasher, options: { readOnly: boolean }) {
    this.#cache = join(root, '.repro/cache');
    this.#contents = contents;
    this.#readOnly = options.readOnly;
  }

  path(sha256: string): string {
    return `${this.#cache}/sha256/${sha256.slice(0, 2)}/${sha256.slice(2)}`;
  }

  has(sha256: string): boolean {
    return existsSync(this.path(sha256));
  }

  /** What is wrong with an object, in words; a damaged one is dropped. */
  async problem(sha256: string): Promise<string | undefined> {
    const found = await this.#contents.hashOf(this.path(sha256));
    if (found === undefined) return `${sha256.slice(0, 12)} is missing from the cache`;
    if (found === sha256) return undefined;
    if (!this.#readOnly) rmSync(this.path(sha256), { force: true });
    return `${sha256.slice(0, 12)} in the cache was damaged`;
  }

  /** Makes an object: `write` is given a path that does not exist yet, and says what it has come to hold. */
  async make<T extends { sha256: string }>(write: (path: string) => T | Promise<T>): Promise<T> {
    const incoming = this.incoming();
    try {
      const made = await write(incoming);
      this.adopt(made.sha256, (object) => moveIntoPlace(incoming, object, { fsync: false }));
      return made;
    } catch (error) {
      rmSync(incoming, { force: true });
      throw error;
    }
  }

  /** `move` gives an object its name in one step. */
  adopt(sha256: string, move: (object: string) => void): void {
    const object = this.path(sha256);
    try {
      move(object);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw cannotWrite(error);
      mkdirSync(dirname(object), { recursive: true });
      move(object);
    }
  }

  /** What repros that were killed have left half made. */
  leftovers(): { path: string; size: number }[] {
    const folder = join(this.#cache, 'incoming');
    if (!existsSync(folder)) return [];
    const left = readdirSync(folder).filter(isLeftover);
    return left.map((name) => {
      const path = join(folder, name);
      return { path, size: statSync(path, { throwIfNoEntry: false })?.size ?? 0 };
    });
  }

  /** A path in the cache where nothing is yet. */
  incoming(): string {
    if (!this.#hasIncoming) {
      mkdirSync(join(this.#cache, 'incoming'), { recursive: true });
      for (const { path } of this.leftovers()) rmSync(path, { force: true });
      this.#hasIncoming = true;
    }
    return temporaryPath(join(this.#cache, 'incoming/object'));
  }
}
