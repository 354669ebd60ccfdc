/**
 * The cache: contents by their SHA-256, as plain read-only files under .repro/cache/sha256/ab/cdef…; a folder's is its
 * manifest. What a user can edit is never the cache's own inode. A damaged object is dropped when it is met.
 */
import {
  chmodSync,
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { type Content, type Contents, manifestText, parseManifest, type Scanned } from './content.ts';
import { inWords, ReproError } from './errors.ts';

export class Cache {
  readonly #root: string;
  readonly #contents: Contents;
  readonly #readOnly: boolean;

  constructor(root: string, contents: Contents, options: { readOnly: boolean }) {
    this.#root = root;
    this.#contents = contents;
    this.#readOnly = options.readOnly;
  }

  objectPath(sha256: string): string {
    return join(this.#root, '.repro/cache/sha256', sha256.slice(0, 2), sha256.slice(2));
  }

  /** Copies what was scanned at `path` into the cache. Throws ReproError when it has changed since the scan. */
  async save(path: string, { content, manifest }: Scanned): Promise<void> {
    if (manifest === undefined) {
      await this.#saveFile(path, content.sha256);
      return;
    }
    for (const entry of manifest)
      if (entry.sha256 !== undefined) await this.#saveFile(`${path}/${entry.path}`, entry.sha256);
    this.saveManifest({ content, manifest });
  }

  /** Keeps only the list of a folder's or closure's files, so that it can be told later which of them changed. */
  saveManifest({ content, manifest }: Scanned): void {
    if (manifest === undefined || existsSync(this.objectPath(content.sha256))) return;
    this.#place(content.sha256, (temporary) => writeFileSync(temporary, manifestText(manifest)));
  }

  manifest(sha256: string): Scanned['manifest'] {
    try {
      return parseManifest(readFileSync(this.objectPath(sha256), 'utf8'));
    } catch {
      return undefined;
    }
  }

  /** Names of objects missing or damaged; damaged ones are dropped. None: `content` can be restored. */
  async problems(content: Content): Promise<string[]> {
    const own = await this.#problem(content.sha256);
    if (own) return [own];
    if (content.files === undefined) return [];
    const found: string[] = [];
    for (const entry of this.manifest(content.sha256) ?? []) {
      const problem = entry.sha256 === undefined ? undefined : await this.#problem(entry.sha256);
      if (problem) found.push(problem);
    }
    return found;
  }

  /** Puts `content` at `path`, in place of whatever is there. Its objects must be there: see `problems`. */
  restore(path: string, content: Content): void {
    const target = join(this.#root, path);
    rmSync(target, { recursive: true, force: true });
    mkdirSync(dirname(target), { recursive: true });
    if (content.files === undefined) {
      this.#restoreFile(target, content.sha256, content.executable === true);
      return;
    }
    mkdirSync(target, { recursive: true });
    const folders = new Set<string>();
    for (const entry of this.manifest(content.sha256) ?? []) {
      const file = join(target, entry.path);
      const folder = entry.sha256 === undefined ? file : dirname(file);
      if (!folders.has(folder)) mkdirSync(folder, { recursive: true });
      folders.add(folder);
      if (entry.sha256 !== undefined) this.#restoreFile(file, entry.sha256, entry.executable === true);
    }
  }

  async #saveFile(path: string, sha256: string): Promise<void> {
    if (existsSync(this.objectPath(sha256)) && !(await this.#problem(sha256))) return;
    this.#place(sha256, (temporary) => copyFileSync(join(this.#root, path), temporary, constants.COPYFILE_FICLONE));
    const after = await this.#contents.scanNow(path);
    if (after?.content.sha256 !== sha256) {
      rmSync(this.objectPath(sha256), { force: true });
      throw new ReproError(`the output ${path} changed while it was taken into the cache`, 1);
    }
    this.#contents.remember(this.objectPath(sha256), after.content);
  }

  #place(sha256: string, write: (temporary: string) => void): void {
    const object = this.objectPath(sha256);
    const temporary = `${object}.${process.pid}.tmp`;
    try {
      mkdirSync(dirname(object), { recursive: true });
      rmSync(temporary, { force: true });
      write(temporary);
      chmodSync(temporary, 0o444);
      renameSync(temporary, object);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw new ReproError(`the cache cannot be written: ${inWords(error)}`, 1);
    }
  }

  #restoreFile(target: string, sha256: string, executable: boolean): void {
    try {
      copyFileSync(this.objectPath(sha256), target, constants.COPYFILE_FICLONE);
      chmodSync(target, (executable ? 0o777 : 0o666) & ~process.umask());
    } catch (error) {
      throw new ReproError(`${target} cannot be restored: ${inWords(error)}`, 1);
    }
  }

  async #problem(sha256: string): Promise<string | undefined> {
    const object = this.objectPath(sha256);
    const scanned = await this.#contents.scan(object);
    if (scanned === undefined) return `${sha256.slice(0, 12)} is missing from the cache`;
    if (scanned.content.sha256 === sha256) return undefined;
    if (!this.#readOnly) rmSync(object, { force: true });
    return `${sha256.slice(0, 12)} in the cache was damaged`;
  }
}
