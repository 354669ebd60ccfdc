/**
 * Every look at a stage's inputs and outputs goes through this class, which records the stat data that it saw. The
 * fresh stamp is made from this record (fresh-stamp.ts), so it cannot miss a file that the result depends on.
 *
 * A path is recorded before it is read. If it is found changed when it is looked at again, the record is not reliable,
 * and no stamp is written.
 */
import { type BigIntStats, readdirSync, readFileSync } from 'node:fs';
import { isSettled, now, statOrUndefined, statSignature } from './stat-signature.ts';

/** One name in a folder. `stat` is undefined if the file vanished after the listing, or is a link to nothing. */
export interface FolderEntry {
  name: string;
  absolute: string;
  stat: BigIntStats | undefined;
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
   * @throws Error of node:fs if the file exists and cannot be read
   */
  read(path: string): Buffer | undefined {
    return this.stat(path) === undefined ? undefined : readFileSync(path);
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
   * Runs stat on all entries of a folder. They come one at a time: the stats of 100,000 files would take 100 MB.
   * The folder is recorded when the last entry has been taken.
   *
   * @param isSkipped whether to leave out the entry at this absolute path
   * @throws Error of node:fs if the folder cannot be read
   */
  statEntries(folder: string, isSkipped: (path: string) => boolean): Iterable<FolderEntry> {
    return this.#statEach(folder, readdirSync(folder), isSkipped);
  }

  *#statEach(folder: string, names: string[], isSkipped: (path: string) => boolean): Generator<FolderEntry> {
    const started = now();
    const lines: string[] = [];
    for (const name of names) {
      const absolute = `${folder}/${name}`;
      if (isSkipped(absolute)) continue;
      const stat = statOrUndefined(absolute);
      const signature = stat ? statSignature(stat) : '';
      if ((stat && !isSettled(stat, started)) || name.includes('\n')) this.#isReliable = false;
      lines.push(`${signature}\t${name}\n`);
      yield { name, absolute, stat, signature };
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
