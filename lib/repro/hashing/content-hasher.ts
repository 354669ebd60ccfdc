/**
 * Hashes the file or folder at a path. A file is read only if its hash is not remembered (State).
 *
 *   stat of each file of a folder → hash remembered for this stat signature → otherwise read → lines of the manifest
 *
 * Times never show that content changed. They only show that a file need not be read again. As in git, a file that
 * changed very recently is read again next time, because a further change might leave the same times. Symbolic links
 * are followed. The walk keeps the entries of one folder at a time; of other folders it keeps only the manifest's text.
 */
import { type BigIntStats, lstatSync } from 'node:fs';
import { join, relative } from 'node:path';
import { describeError, ReproError } from '../messages/index.ts';
import { manifestLine, type Scanned, sha256 } from './content.ts';
import { type FoundFile, type Reading, readFile, readingOfKnown, SMALL } from './file-readers.ts';
import { KnownFiles, knownFilesText } from './known-files.ts';
import { isExecutable, statOrUndefined, statSignature } from './stat-signature.ts';
import { type FolderEntry, StatSnapshot } from './stat-snapshot.ts';
import type { State } from './state.ts';
import { yieldToEventLoop } from './yield-to-event-loop.ts';

/**
 * Reads a file and returns its hash. `known` is the remembered hash, if any. The cache passes its own reader,
 * which copies the file while it hashes it.
 */
export type Reader = (file: FoundFile, known: string | undefined) => Reading | Promise<Reading>;

const readUnlessKnown: Reader = (file, known) => (known === undefined ? readFile(file) : readingOfKnown(file, known));

/** An entry of a folder. */
interface Item extends FoundFile {
  /** Sort key in the manifest. The key of a folder ends with a slash, so that its files come after `a.txt`. */
  key: string;
  /** Folders only: device and inode, to find a link that leads back to a folder above. */
  folder: string | undefined;
  /** The file's hash, if it may be remembered. */
  remember: string | undefined;
}

/** The manifest of the scanned folder, as far as it has been built. */
interface Tally {
  text: string[];
  size: number;
  files: number;
}

/** Hashes inputs and outputs, and remembers each result until `forget`. Paths are relative to the root, or absolute. */
export class ContentHasher {
  readonly #root: string;
  readonly #state: State;
  /** Scans since the last `forget`. */
  readonly #scans = new Map<string, Promise<Scanned | undefined>>();
  /** Absolute paths that never count as part of a folder: git's and repro's own. */
  readonly #skipped: ReadonlySet<string>;
  /** The stat signatures of everything scanned since the last `forget`. */
  readonly snapshot = new StatSnapshot();
  /** How much was read because no hash was remembered. */
  readonly hashed = { files: 0, bytes: 0 };

  constructor(root: string, state: State) {
    this.#root = root;
    this.#state = state;
    this.#skipped = new Set(['.git', '.repro', 'dvc-like.lock'].map((name) => join(root, name)));
  }

  /**
   * @returns undefined if there is nothing at `path`
   * @throws ReproError if something there cannot be read, or is neither a file nor a folder
   */
  scan(path: string): Promise<Scanned | undefined> {
    return this.#scans.get(path) ?? this.scanNow(path);
  }

  /** Like `scan`, but looks at every file again, and calls `read` for each file. */
  scanNow(path: string, read: Reader = readUnlessKnown): Promise<Scanned | undefined> {
    const scan = this.#look(path, read);
    this.#scans.set(path, scan);
    scan.catch(() => this.#scans.delete(path));
    return scan;
  }

  /**
   * The hash of a file that is neither input nor output, such as an object in the cache; undefined if it is missing.
   */
  async hashOf(absolute: string): Promise<string | undefined> {
    const stat = statOrUndefined(absolute);
    if (stat === undefined) return undefined;
    return (await this.#file(foundFile(absolute, stat), readUnlessKnown)).sha256;
  }

  /** Call this when a command has started or ended, because it may have changed files that were scanned. */
  forget(): void {
    this.#scans.clear();
    this.snapshot.clear();
  }

  async #look(path: string, read: Reader): Promise<Scanned | undefined> {
    const absolute = path.startsWith('/') ? path : join(this.#root, path);
    const stat = this.snapshot.stat(absolute);
    if (stat === undefined) {
      if (lstatOrUndefined(absolute)) throw new ReproError(`${path} is a symbolic link to nothing`);
      return undefined;
    }
    if (!stat.isDirectory()) {
      if (!stat.isFile()) throw new ReproError(`${path} is neither a file nor a folder`);
      const { sha256, size, executable } = await this.#file(foundFile(absolute, stat), read);
      return { content: { sha256, size, ...(executable ? { executable: true } : {}) } };
    }
    const tally: Tally = { text: [], size: 0, files: 0 };
    await this.#folder(absolute, '', tally, new Set(), read);
    const manifest = tally.text.join('');
    return { content: { sha256: sha256(manifest), size: tally.size, files: tally.files }, manifest };
  }

  /**
   * Adds a folder to the manifest.
   *
   * @param prefix start of the manifest paths of its files: '' or `a/b/`
   * @param above device and inode of the folders above
   */
  async #folder(
    absolute: string,
    prefix: string,
    tally: Tally,
    above: ReadonlySet<string>,
    read: Reader,
  ): Promise<void> {
    const items = this.#list(absolute);
    if (items === undefined) {
      if (prefix !== '') tally.text.push(manifestLine(prefix));
      return;
    }
    const known = new KnownFiles(this.#state.folders.get(absolute));
    let lines: string[] = [];
    let learned = false;
    for (const item of items) {
      const path = prefix + item.key;
      if (item.folder !== undefined) {
        if (above.has(item.folder))
          throw new ReproError(`${this.#name(item.absolute)} is a symbolic link that leads back to itself`);
        tally.text.push(lines.join(''));
        lines = [];
        await this.#folder(item.absolute, path, tally, new Set(above).add(item.folder), read);
        continue;
      }
      let { size, executable } = item;
      let sha = known.find(item.key, item.signature);
      item.remember = sha;
      if (sha === undefined || read !== readUnlessKnown) {
        // A large file has its own memo: it may be the whole dependency of a stage.
        const isLarge = size > SMALL;
        const reading = await (isLarge ? this.#file(item, read) : this.#read(item, read, sha));
        if (!isLarge && reading.signature !== undefined) {
          item.signature = reading.signature;
          item.remember = reading.sha256;
        }
        learned ||= item.remember !== sha;
        sha = reading.sha256;
        ({ size, executable } = reading);
      }
      lines.push(manifestLine(path, sha, size, executable));
      tally.size += size;
      tally.files++;
    }
    tally.text.push(lines.join(''));
    if (learned) this.#state.folders.put(absolute, knownFilesText(items));
    await yieldToEventLoop();
  }

  /** A folder's items in the order of the manifest; undefined when it is empty. */
  #list(folder: string): Item[] | undefined {
    const items: Item[] = [];
    let isEmpty = true;
    for (const { name, absolute, stat, signature } of this.#entries(folder)) {
      isEmpty = false;
      // A file that has just vanished is not an error. A link to nothing is.
      if (stat === undefined) {
        if (lstatOrUndefined(absolute)) throw new ReproError(`${this.#name(absolute)} is a symbolic link to nothing`);
        continue;
      }
      const isFolder = stat.isDirectory();
      if (!isFolder && !stat.isFile()) throw new ReproError(`${this.#name(absolute)} is neither a file nor a folder`);
      items.push({
        key: isFolder ? `${name}/` : name,
        absolute,
        signature,
        size: Number(stat.size),
        executable: isExecutable(stat),
        folder: isFolder ? `${stat.dev}:${stat.ino}` : undefined,
        remember: undefined,
      });
    }
    return isEmpty ? undefined : items.sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  #entries(folder: string): Iterable<FolderEntry> {
    try {
      return this.snapshot.statEntries(folder, (absolute) => this.#skipped.has(absolute));
    } catch (error) {
      throw new ReproError(`${this.#name(folder)} cannot be read: ${describeError(error)}`);
    }
  }

  /** The path as messages show it. */
  #name(absolute: string): string {
    return relative(this.#root, absolute) || '.';
  }

  async #file(file: FoundFile, read: Reader): Promise<Reading> {
    const memo = this.#state.files.get(file.absolute);
    const isKnown = memo?.startsWith(`${file.signature} `);
    const reading = await this.#read(file, read, isKnown ? memo!.slice(file.signature.length + 1) : undefined);
    if (reading.signature !== undefined && !(isKnown && reading.signature === file.signature))
      this.#state.files.put(file.absolute, `${reading.signature} ${reading.sha256}`);
    return reading;
  }

  async #read(file: FoundFile, read: Reader, known: string | undefined): Promise<Reading> {
    await yieldToEventLoop();
    try {
      const reading = await read(file, known);
      if (reading.read !== undefined) {
        this.hashed.files++;
        this.hashed.bytes += reading.read;
      }
      return reading;
    } catch (error) {
      if (error instanceof ReproError) throw error;
      throw new ReproError(`${this.#name(file.absolute)} cannot be read: ${describeError(error)}`);
    }
  }
}

function foundFile(absolute: string, stat: BigIntStats): FoundFile {
  return { absolute, signature: statSignature(stat), size: Number(stat.size), executable: isExecutable(stat) };
}

function lstatOrUndefined(path: string): BigIntStats | undefined {
  try {
    return lstatSync(path, { bigint: true, throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}
