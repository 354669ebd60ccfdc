/**
 * What is at a path: a walk over its files, each of which is read only where nothing remembered (State) says what it holds.
 *
 *   stat of each file of a folder → what was remembered of it → read, where that is not the same file → lines of the manifest
 *
 * Times never decide: they only tell that a file need not be read again. As in git, a file that changed so recently that a
 * further change might leave the same times is read again next time. Symbolic links count as what they point to.
 * One folder's files are looked at at a time, so that of all others only the text of the manifest is held.
 */
import { type BigIntStats, lstatSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { describeError, ReproError } from '../messages/index.ts';
import { manifestLine, type Scanned, sha256 } from './content.ts';
import { type FoundFile, type Reading, readFile, readingOfKnown, SMALL } from './file-readers.ts';
import { StatSnapshot } from './fresh-stamp.ts';
import { KnownFiles, knownFilesText } from './known-files.ts';
import { isExecutable, isSettled, now, statOrUndefined, statSignature } from './stat-signature.ts';
import type { State } from './state.ts';
import { yieldToEventLoop } from './yield-to-event-loop.ts';

/** Reads a file, or only says what is known of it: how the cache sees the bytes of what it takes in. */
export type Reader = (file: FoundFile, known: string | undefined) => Reading | Promise<Reading>;

const readUnlessKnown: Reader = (file, known) => (known === undefined ? readFile(file) : readingOfKnown(file, known));

/** An item of a folder. */
interface Item extends FoundFile {
  /** What its place in the manifest goes by: a folder's ends with a slash, so that what is in it comes after `a.txt`. */
  key: string;
  /** Folders only: which one it is, to tell a link that leads back. */
  folder: string | undefined;
  /** Its hash, if that may be remembered. */
  remember: string | undefined;
}

/** A folder's manifest, as far as it is known. */
interface Tally {
  text: string[];
  size: number;
  files: number;
}

export class ContentHasher {
  readonly #root: string;
  readonly #state: State;
  /** Scans that still hold: nothing that repro started has run since. */
  readonly #held = new Map<string, Promise<Scanned | undefined>>();
  /** Absolute paths that are no part of any folder's content: repro's own. */
  readonly #skipped: ReadonlySet<string>;
  /** Of everything scanned since the last `forget`. */
  readonly snapshot = new StatSnapshot();
  /** What has been read because no hash of it was known. */
  readonly hashed = { files: 0, bytes: 0 };

  constructor(root: string, state: State) {
    this.#root = root;
    this.#state = state;
    this.#skipped = new Set(['.git', '.repro', 'dvc-like.lock'].map((name) => join(root, name)));
  }

  /** Undefined when there is nothing at `path` (relative to the root, or absolute). */
  scan(path: string): Promise<Scanned | undefined> {
    return this.#held.get(path) ?? this.scanNow(path);
  }

  /** The same, looking again at every file's times even if nothing seems to have run; `read` is asked for each file. */
  scanNow(path: string, read: Reader = readUnlessKnown): Promise<Scanned | undefined> {
    const scan = this.#look(path, read);
    this.#held.set(path, scan);
    scan.catch(() => this.#held.delete(path));
    return scan;
  }

  /** The hash of a file that is no input or output; undefined when there is none. */
  async hashOf(absolute: string): Promise<string | undefined> {
    const stat = statOrUndefined(absolute);
    if (stat === undefined) return undefined;
    return (await this.#file(foundFile(absolute, stat), readUnlessKnown)).sha256;
  }

  /** To be called when a command has started or ended: what was scanned before may have changed. */
  forget(): void {
    this.#held.clear();
    this.snapshot.clear();
  }

  async #look(path: string, read: Reader): Promise<Scanned | undefined> {
    const absolute = path.startsWith('/') ? path : join(this.#root, path);
    const stat = statOrUndefined(absolute);
    this.snapshot.add(absolute, stat);
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

  /** `prefix`: what the paths of its files start with in the manifest. */
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
      let sha = known.find(item.key, item.identity);
      item.remember = sha;
      if (sha === undefined || read !== readUnlessKnown) {
        // A large file is remembered on its own: it may be somebody's whole dependency.
        const isLarge = size > SMALL;
        const reading = await (isLarge ? this.#file(item, read) : this.#read(item, read, sha));
        if (!isLarge && reading.identity !== undefined) {
          item.identity = reading.identity;
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
    let names: string[];
    try {
      names = readdirSync(folder);
    } catch (error) {
      throw new ReproError(`${this.#name(folder)} cannot be read: ${describeError(error)}`);
    }
    if (names.length === 0) return undefined;
    const items: Item[] = [];
    const started = now();
    let settled = true;
    for (const item of names) {
      const absolute = `${folder}/${item}`;
      if (this.#skipped.has(absolute)) continue;
      const stat = statOrUndefined(absolute);
      // It vanished between the listing and now, or is a link to nothing: the latter is a fault, the former is not.
      if (stat === undefined) {
        if (lstatOrUndefined(absolute)) throw new ReproError(`${this.#name(absolute)} is a symbolic link to nothing`);
        continue;
      }
      settled &&= isSettled(stat, started);
      const isFolder = stat.isDirectory();
      if (!isFolder && !stat.isFile()) throw new ReproError(`${this.#name(absolute)} is neither a file nor a folder`);
      items.push({
        key: isFolder ? `${item}/` : item,
        absolute,
        identity: statSignature(stat),
        size: Number(stat.size),
        executable: isExecutable(stat),
        folder: isFolder ? `${stat.dev}:${stat.ino}` : undefined,
        remember: undefined,
      });
    }
    this.snapshot.addFolder(folder, items, settled);
    return items.sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  /** For people. */
  #name(absolute: string): string {
    return relative(this.#root, absolute) || '.';
  }

  async #file(file: FoundFile, read: Reader): Promise<Reading> {
    const memo = this.#state.files.get(file.absolute);
    const isKnown = memo?.startsWith(`${file.identity} `);
    const reading = await this.#read(file, read, isKnown ? memo!.slice(file.identity.length + 1) : undefined);
    if (reading.identity !== undefined && !(isKnown && reading.identity === file.identity))
      this.#state.files.put(file.absolute, `${reading.identity} ${reading.sha256}`);
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
  return { absolute, identity: statSignature(stat), size: Number(stat.size), executable: isExecutable(stat) };
}

function lstatOrUndefined(path: string): BigIntStats | undefined {
  try {
    return lstatSync(path, { bigint: true, throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}
