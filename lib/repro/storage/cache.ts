/**
 * The cache: outputs by their content, as objects (object-store.ts). The object of a folder is its manifest.
 *
 *   take      clones the file if the file system can share blocks; otherwise makes a hard link if config.yaml says
 *             `cache: {type: hardlink}`; otherwise copies. The file is read once, and hashed as it is read.
 *   restore   puts an output back in the same three ways
 *
 * With a hard link, and only then, the user sees the cache's own file. It is read-only. It is made only for outputs
 * that repro removes before their command runs, and never for a file that already has another name. Editing it anyway
 * damages the object, and this is found like any damage.
 */
import {
  chmodSync,
  constants,
  copyFileSync,
  linkSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { isOnApfs } from '../files/index.ts';
import { statSignature } from '../freshness/index.ts';
import {
  type Content,
  type ContentHasher,
  type FoundFile,
  type ManifestEntry,
  manifestProblem,
  parseManifest,
  type Reading,
  readFile,
  readingOfKnown,
  readSmall,
  type Scanned,
  SMALL,
  yieldToEventLoop,
} from '../hashing/index.ts';
import { describeError, ReproError } from '../messages/index.ts';
import type { Output } from '../pipeline/index.ts';
import { checkInside, removeUserPath } from '../workspace/index.ts';
import { hasHardLinks } from './config.ts';
import { canClone, cloneFile, cloneOf, copyOf, hasOneName, holds, writeNew } from './copies.ts';
import { ObjectStore } from './object-store.ts';
import type { SharedCache } from './shared-cache.ts';

/** Takes outputs into the cache and restores them. */
export class Cache {
  /** Absolute. */
  readonly folder: string;
  readonly shared: SharedCache | undefined;
  readonly #root: string;
  readonly #hasher: ContentHasher;
  readonly #objects: ObjectStore;
  #links: Promise<boolean> | undefined;
  /** Whether the file system of the cache can share blocks; undefined until it was tried. */
  #clones: boolean | undefined;

  /** @param options.shared the cache that other projects use too, if the project has none of its own */
  constructor(root: string, hasher: ContentHasher, options: { readOnly: boolean; shared?: SharedCache }) {
    this.#root = root;
    this.#hasher = hasher;
    this.shared = options.shared;
    this.folder = options.shared?.folder ?? join(root, '.repro/cache');
    this.#objects = new ObjectStore(this.folder, hasher, { root, readOnly: options.readOnly });
  }

  /** The absolute path of an object, whether it exists or not. */
  objectPath(sha256: string): string {
    return this.#objects.path(sha256);
  }

  /** Objects of this remote count as present from now on. For a forecast only: they cannot be restored. */
  assumeFetched(remote: string): void {
    this.#objects.assumeFetched(remote);
  }

  /** Incomplete objects of repro processes that were killed; `size` in bytes. */
  leftovers(): { path: string; size: number }[] {
    return this.#objects.leftovers();
  }

  /**
   * Takes the file or folder at an output's path into the cache.
   *
   * @throws ReproError if it is missing, changes meanwhile, or cannot be written to the cache
   */
  async take(output: Output): Promise<Content> {
    const link = await this.#mayLink(output);
    const scanned = await this.#hasher.scanNow(output.path, (file, known) => this.#takeFile(file, known, link));
    if (scanned === undefined) throw new ReproError(`the output ${output.path} is missing`, 1);
    // Only a link can lead outside, and most folders have none.
    const problem = scanned.manifest?.includes('"link":') && manifestProblem(parseManifest(scanned.manifest));
    if (problem) throw new ReproError(`the output ${output.path} cannot be kept: ${problem}`, 1);
    await this.saveManifest(scanned);
    return scanned.content;
  }

  /** Keeps only the manifest of a folder or closure. With it, a later call can name the files that changed. */
  async saveManifest({ content: { sha256 }, manifest }: Scanned): Promise<void> {
    if (manifest === undefined || (await this.#objects.problem(sha256)) === undefined) return;
    await this.#objects.make((path) => {
      writeNew(path, manifest);
      return { sha256 };
    });
  }

  /** The files of a folder or closure; undefined if the cache does not have its manifest. */
  manifest(sha256: string): ManifestEntry[] | undefined {
    try {
      const bytes = this.#objects.read(sha256);
      return bytes && parseManifest(bytes.toString('utf8'));
    } catch {
      return undefined;
    }
  }

  /** Messages about missing and damaged objects; damaged ones are removed. If empty, `content` can be restored. */
  async problems(content: Content): Promise<string[]> {
    const own = await this.#objects.problem(content.sha256);
    if (own) return [own];
    if (content.files === undefined) return [];
    const entries = this.manifest(content.sha256);
    if (entries === undefined) return [`${content.sha256.slice(0, 12)} in the cache is not a list of files`];
    const unsafe = manifestProblem(entries);
    if (unsafe !== undefined) return [unsafe];
    const found: string[] = [];
    for (const entry of entries) {
      const problem = entry.sha256 === undefined ? undefined : await this.#objects.problem(entry.sha256);
      if (problem) found.push(problem);
    }
    return found;
  }

  /**
   * Puts `content` at an output's path. What was there is removed when the new content is complete, so a full disk loses
   * nothing. All its objects must exist: see `problems`.
   *
   * @throws ReproError if a file cannot be written
   */
  async restore(output: Output, content: Content): Promise<void> {
    const link = (await this.#mayLink(output)) && !this.#canClone();
    const target = join(this.#root, output.path);
    checkInside(this.#root, output.path);
    const incoming = this.#objects.incoming();
    try {
      await this.#build(incoming, content, link);
      removeUserPath(this.#root, output.path);
      mkdirSync(dirname(target), { recursive: true });
      try {
        renameSync(incoming, target);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
        await this.#build(target, content, link); // The cache is on another disk.
      }
    } catch (error) {
      throw new ReproError(`${output.path} cannot be restored: ${describeError(error)}`, 1);
    } finally {
      rmSync(incoming, { recursive: true, force: true });
    }
  }

  /** Writes the file or folder `content` to a path where nothing is. */
  async #build(target: string, content: Content, link: boolean): Promise<void> {
    if (content.files === undefined) {
      this.#restoreFile(target, content.sha256, content.executable === true, link);
      return;
    }
    const entries = this.manifest(content.sha256) ?? [];
    const unsafe = manifestProblem(entries);
    if (unsafe !== undefined) throw new ReproError(unsafe, 1);
    mkdirSync(target, { recursive: true });
    const folders = new Set<string>();
    for (const entry of entries) {
      const file = join(target, entry.path);
      const folder = entry.sha256 === undefined && entry.link === undefined ? file : dirname(file);
      if (!folders.has(folder)) mkdirSync(folder, { recursive: true });
      folders.add(folder);
      if (entry.link !== undefined) symlinkSync(entry.link, file);
      else if (entry.sha256 !== undefined) this.#restoreFile(file, entry.sha256, entry.executable === true, link);
      await yieldToEventLoop();
    }
  }

  /**
   * A linked file must not be written in place: the output is removed before its command runs, and git does not keep
   * it.
   */
  async #mayLink({ cache, persist }: Output): Promise<boolean> {
    this.#links ??= hasHardLinks(this.#root);
    return cache && !persist && (await this.#links);
  }

  async #takeFile(file: FoundFile, known: string | undefined, link: boolean): Promise<Reading> {
    if (known !== undefined && this.#objects.has(known) && !(await this.#objects.problem(known)))
      return readingOfKnown(file, known);
    if (link && !this.#canClone() && hasOneName(file.absolute)) return this.#takeLink(file);
    return file.size <= SMALL ? this.#takeSmall(file) : this.#takeLarge(file);
  }

  async #takeSmall(file: FoundFile): Promise<Reading> {
    const { reading, bytes } = readSmall(file);
    this.#checkUnchanged(file, reading);
    if (holds(this.objectPath(reading.sha256), bytes)) return reading;
    // `bytes` is a shared buffer, valid until the next await.
    return this.#objects.make((path) => {
      writeNew(path, bytes);
      return reading;
    });
  }

  #takeLarge(file: FoundFile): Promise<Reading> {
    return this.#objects.make(async (path) => {
      const clone = this.#canClone() ? await cloneOf(file, path) : undefined;
      const reading = clone ?? (await copyOf(file, path));
      this.#checkUnchanged(file, reading);
      return reading;
    });
  }

  async #takeLink(file: FoundFile): Promise<Reading> {
    const reading = await readFile(file);
    this.#checkUnchanged(file, reading);
    if (this.#objects.has(reading.sha256) && !(await this.#objects.problem(reading.sha256))) return reading;
    const before = statSync(file.absolute, { bigint: true });
    chmodSync(file.absolute, file.executable ? 0o555 : 0o444);
    try {
      this.#objects.adopt(reading.sha256, (object) => linkSync(file.absolute, object));
    } catch {
      chmodSync(file.absolute, Number(before.mode & 0o777n));
      return file.size <= SMALL ? this.#takeSmall(file) : this.#takeLarge(file);
    }
    const after = statSync(file.absolute, { bigint: true });
    // Our chmod and link change only ctime. A write by somebody else changes mtime too.
    const isSame = after.mtimeNs === before.mtimeNs && statSignature(before) === file.signature;
    return { ...reading, signature: isSame && reading.signature !== undefined ? statSignature(after) : undefined };
  }

  #restoreFile(target: string, sha256: string, executable: boolean, link: boolean): void {
    const object = this.objectPath(sha256);
    if (link && ((statSync(object).mode & 0o100) !== 0) === executable) {
      try {
        linkSync(object, target);
        return;
      } catch {} // The object may be on another disk, or have the maximum number of links.
    }
    this.#cloneOrCopy(object, target);
    chmodSync(target, (executable ? 0o777 : 0o666) & ~process.umask());
  }

  #cloneOrCopy(object: string, target: string): void {
    // On macOS a clone takes a process, which is worth it for a large file only.
    if (isOnApfs(dirname(target)) && statSync(object).size > SMALL && this.#canClone())
      try {
        cloneFile(object, target);
        return;
      } catch {
        rmSync(target, { force: true }); // The object may be on another disk.
      }
    copyFileSync(object, target, constants.COPYFILE_FICLONE);
  }

  #checkUnchanged({ absolute }: FoundFile, { moved }: Reading): void {
    if (!moved) return;
    throw new ReproError(`the output ${relative(this.#root, absolute)} changed while it was taken into the cache`, 1);
  }

  #canClone(): boolean {
    this.#clones ??= canClone(this.#objects.incoming());
    return this.#clones;
  }
}
