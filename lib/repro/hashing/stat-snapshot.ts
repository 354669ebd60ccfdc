/**
 * Every look at a stage's inputs and outputs goes through this class, which records the stat data that it saw. The
 * fresh stamp is made from this record (fresh-stamp.ts), so it cannot miss a file that the result depends on.
 *
 * A path is recorded before it is read. If it is found changed when it is looked at again, the record is not reliable,
 * and no stamp is written.
 */
import { type BigIntStats, readdirSync } from 'node:fs';
import { isSettled, lstatOrUndefined, now, readBytes, statOrUndefined, statSignature } from '../freshness/index.ts';
import type { FolderNames } from './folder-names.ts';

/** One name in a folder. `stat` is undefined if the file vanished after the listing, or is a link to nothing. */
export interface FolderEntry {
  name: string;
  absolute: string;
  /** For a symbolic link, that of the file that it leads to. */
  stat: BigIntStats | undefined;
  isLink: boolean;
  /** The name's bytes, if they are not UTF-8; `absolute` then stands for no file. */
  notUtf8: Buffer | undefined;
  /** '' if there is no `stat`. */
  signature: string;
}

/** Looks at files and folders, by absolute path, and records the stat signature of each. */
export class StatSnapshot {
  /** Signature by path; '' if there was nothing. */
  readonly #files = new Map<string, string>();
  /** By folder: a line `SIGNATURE <tab> NAME` for each entry. */
  readonly #folders = new Map<string, string>();
  #isReliable = true;

  /** @returns undefined if there is nothing at `path`; symbolic links are followed */
  stat(path: string): BigIntStats | undefined {
    const stat = statOrUndefined(path);
    this.#record(this.#files, path, stat ? statSignature(stat) : '');
    if (stat && !isSettled(stat)) this.#isReliable = false;
    return stat;
  }

  /**
   * @returns the file's bytes; undefined if there is none
   * @throws Error if the file exists and cannot be read, or would never end, as a FIFO
   */
  read(path: string): Buffer | undefined {
    const stat = this.stat(path);
    return stat === undefined ? undefined : readBytes(path);
  }

  /**
   * Lists the names in a folder. A name that appears or vanishes changes the folder's own times.
   *
   * @throws Error of node:fs if the folder cannot be read
   */
  list(folder: string): string[] {
    this.stat(folder);
    return readdirSync(folder);
  }

  /**
   * Runs stat on these entries of a folder. They come one at a time: the stats of 100,000 files would take 100 MB.
   * The folder is recorded when the last entry has been taken.
   *
   * @param isSkipped whether to leave out an entry
   * @throws Error of node:fs if an entry cannot be looked at
   */
  *statEntries(
    folder: string,
    { names, notUtf8 }: FolderNames,
    isSkipped: (name: string, isFolder: boolean) => boolean,
  ): Generator<FolderEntry> {
    const started = now();
    const lines: string[] = [];
    for (const name of names) {
      const absolute = `${folder}/${name}`;
      const bytes = notUtf8.get(name);
      const path = bytes === undefined ? absolute : Buffer.concat([Buffer.from(`${folder}/`), bytes]);
      const own = lstatOrUndefined(path);
      const isLink = own?.isSymbolicLink() === true;
      const stat = isLink ? statOrUndefined(path) : own;
      if (isSkipped(name, stat?.isDirectory() === true)) continue;
      const signature = stat ? statSignature(stat) : '';
      if ((stat && !isSettled(stat, started)) || name.includes('\n')) this.#isReliable = false;
      lines.push(`${signature}\t${name}\n`);
      yield { name, absolute, stat, isLink, notUtf8: bytes, signature };
    }
    this.#record(this.#folders, folder, lines.join(''));
  }

  /** Forgets everything. Call it when a command may have changed files. */
  clear(): void {
    this.#files.clear();
    this.#folders.clear();
    this.#isReliable = true;
  }

  /** False if a path changed between two looks, or so recently that a further change might not show. */
  get isReliable(): boolean {
    return this.#isReliable;
  }

  /** Signatures by absolute path. */
  get files(): ReadonlyMap<string, string> {
    return this.#files;
  }

  /** Lines of entries by absolute path of the folder. */
  get folders(): ReadonlyMap<string, string> {
    return this.#folders;
  }

  #record(table: Map<string, string>, path: string, seen: string): void {
    const before = table.get(path);
    // A path with a newline has no line in the stamp.
    if ((before !== undefined && before !== seen) || path.includes('\n')) this.#isReliable = false;
    table.set(path, seen);
  }
}
