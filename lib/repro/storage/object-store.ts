/**
 * The objects of the cache: contents by their SHA-256, as read-only files .repro/cache/sha256/ab/cdef…. An object is
 * written in .repro/cache/incoming and renamed when it is complete, so that a kill or a full disk leaves no incomplete
 * object. A damaged object is removed when it is found. There is no fsync, because an object is hashed before it is
 * used.
 */
import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { isLeftover, moveIntoPlace, temporaryPath } from '../files/index.ts';
import { readBytes, statOrUndefined } from '../freshness/index.ts';
import { type ContentHasher, sha256 as hashOf, isSha256 } from '../hashing/index.ts';
import { describeError, describeSystemError, ReproError } from '../messages/index.ts';
import { cannotWrite } from './copies.ts';

/** Adds, finds and checks objects. */
export class ObjectStore {
  readonly #cache: string;
  readonly #root: string;
  readonly #hasher: ContentHasher;
  readonly #readOnly: boolean;
  #hasIncoming = false;
  /** A remote whose objects count as present, although they have not been fetched. */
  #remote: string | undefined;

  /**
   * @param folder the cache, absolute: .repro/cache of the project, or a shared one
   * @param options.root the project's folder; messages show paths in it relative to it
   */
  constructor(folder: string, hasher: ContentHasher, options: { root: string; readOnly: boolean }) {
    this.#cache = folder;
    this.#root = options.root;
    this.#hasher = hasher;
    this.#readOnly = options.readOnly;
  }

  /** The absolute path of an object, whether it exists or not. */
  path(sha256: string): string {
    return `${this.#cache}/sha256/${sha256.slice(0, 2)}/${sha256.slice(2)}`;
  }

  /** Objects of this remote count as present from now on. For a forecast only: they cannot be restored. */
  assumeFetched(remote: string): void {
    this.#remote = remote;
  }

  /** The bytes of an object, here or in the remote of `assumeFetched`. Those of a remote are checked by their hash. */
  read(sha256: string): Buffer | undefined {
    const own = this.path(sha256);
    if (existsSync(own)) return readBytes(own);
    const there = this.#remotePath(sha256);
    const bytes = there === undefined ? undefined : readBytes(there);
    return bytes !== undefined && hashOf(bytes) === sha256 ? bytes : undefined;
  }

  #remotePath(sha256: string): string | undefined {
    if (this.#remote === undefined) return undefined;
    const path = join(this.#remote, 'sha256', sha256.slice(0, 2), sha256.slice(2));
    return statOrUndefined(path)?.isFile() ? path : undefined;
  }

  /** Whether the object exists; it may be damaged. */
  has(sha256: string): boolean {
    return existsSync(this.path(sha256));
  }

  /** A message if the object is missing, unreadable or damaged; a damaged one is removed. */
  async problem(sha256: string): Promise<string | undefined> {
    if (!isSha256(sha256)) return `${JSON.stringify(sha256)} is not a SHA-256`;
    let found: string | undefined;
    try {
      found = await this.#hasher.hashOf(this.path(sha256));
    } catch (error) {
      const why = error instanceof ReproError ? error.message : describeSystemError(error, this.#root);
      return `${sha256.slice(0, 12)} in the cache cannot be used: ${why ?? describeError(error)}`;
    }
    if (found === undefined && this.#remotePath(sha256) !== undefined) return undefined;
    if (found === undefined) return `${sha256.slice(0, 12)} is missing from the cache`;
    if (found === sha256) return undefined;
    if (!this.#readOnly) rmSync(this.path(sha256), { force: true });
    return `${sha256.slice(0, 12)} in the cache was damaged`;
  }

  /**
   * Adds an object.
   *
   * @param write writes the content to the given path, which does not exist yet, and returns its hash
   * @throws ReproError if the cache cannot be written
   */
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

  /** Names a complete object; `move` renames or links it in one step, and is called again once the folder exists. */
  adopt(sha256: string, move: (object: string) => void): void {
    const object = this.path(sha256);
    try {
      move(object);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw this.#cannotWrite(error, object);
      try {
        mkdirSync(dirname(object), { recursive: true });
        move(object);
      } catch (error) {
        throw this.#cannotWrite(error, object);
      }
    }
  }

  /** Incomplete objects and restored outputs of repro processes that were killed; `size` in bytes. */
  leftovers(): { path: string; size: number }[] {
    const folder = join(this.#cache, 'incoming');
    if (!existsSync(folder)) return [];
    const left = readdirSync(folder).map((name) => join(folder, name));
    return left
      .filter(isLeftover)
      .map((path) => ({ path, size: statSync(path, { throwIfNoEntry: false })?.size ?? 0 }));
  }

  /**
   * A path in the cache that does not exist yet. The first call removes leftovers.
   *
   * @throws ReproError if the cache cannot be written
   */
  incoming(): string {
    if (!this.#hasIncoming) {
      const folder = join(this.#cache, 'incoming');
      try {
        mkdirSync(folder, { recursive: true });
        for (const { path } of this.leftovers()) rmSync(path, { recursive: true, force: true });
      } catch (error) {
        throw this.#cannotWrite(error, folder);
      }
      this.#hasIncoming = true;
    }
    return temporaryPath(join(this.#cache, 'incoming/object'));
  }

  /** The error names what is in the way: without that, a message about an output seems to speak of the output. */
  #cannotWrite(error: unknown, path: string): ReproError {
    return cannotWrite(error, path.startsWith(`${this.#root}/`) ? relative(this.#root, path) : path);
  }
}
