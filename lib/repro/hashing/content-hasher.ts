/**
 * Hashes the file or folder at a path. A file is read only if its hash is not remembered (State).
 *
 *   stat of each file of a folder → hash remembered for this stat signature → otherwise read → lines of the manifest
 *
 * Times never show that content changed. They only show that a file need not be read again. As in git, a file that
 * changed very recently is read again next time, because a further change might leave the same times. links.ts says
 * which symbolic links are followed, ignore-rules.ts what does not count. The walk keeps the entries of one folder at a
 * time; of other folders it keeps only the manifest's text.
 */
import type { BigIntStats } from 'node:fs';
import { join, relative } from 'node:path';
import { isExecutable, lstatOrUndefined, statOrUndefined, statSignature } from '../freshness/index.ts';
import { describeError, ReproError } from '../messages/index.ts';
import { linkLine, manifestLine, type Scanned, sha256 } from './content.ts';
import { type FoundFile, type Reading, readFile, readingOfKnown, SMALL } from './file-readers.ts';
import { describeKind, folderId, type Item, itemOf } from './folder-items.ts';
import { readNames } from './folder-names.ts';
import { type FolderRules, IGNORE_FILE, IgnoreRules } from './ignore-rules.ts';
import { KnownFiles, knownFilesText } from './known-files.ts';
import { StatSnapshot } from './stat-snapshot.ts';
import type { State } from './state.ts';
import { yieldToEventLoop } from './yield-to-event-loop.ts';

/**
 * Reads a file and returns its hash. `known` is the remembered hash, if any. The cache passes its own reader,
 * which copies the file while it hashes it.
 */
export type Reader = (file: FoundFile, known: string | undefined) => Reading | Promise<Reading>;

const readUnlessKnown: Reader = (file, known) => (known === undefined ? readFile(file) : readingOfKnown(file, known));

/** The manifest of the scanned folder, as far as it has been built. */
interface Tally {
  text: string[];
  size: number;
  files: number;
  ignored: string[];
}

/** A folder of the walk. */
interface Folder {
  absolute: string;
  /** Start of the manifest paths of its files: '' or `a/b/`. */
  prefix: string;
  /** Device and inode of the folders above. */
  above: ReadonlySet<string>;
  /** Without those of an ignore file in the folder itself. */
  rules: FolderRules;
  /** The symbolic link through which the walk has come here, if any. All links in the folder are then followed. */
  link: string | undefined;
}

const NONE = { outputs: new Set<string>(), read: new Set<string>() };

/** Hashes inputs and outputs, and remembers each result until `forget`. Paths are relative to the root, or absolute. */
export class ContentHasher {
  readonly #root: string;
  readonly #state: State;
  /** Scans since the last `forget`. */
  readonly #scans = new Map<string, Promise<Scanned | undefined>>();
  /** Absolute paths that never count as part of a folder: git's and repro's own. */
  readonly #skipped: ReadonlySet<string>;
  readonly #ignore: IgnoreRules;
  /** Absolute paths that count, whatever an ignore file says. */
  readonly #counted: ReadonlySet<string>;
  /** The stat signatures of everything scanned since the last `forget`. */
  readonly snapshot = new StatSnapshot();
  /** How much was read because no hash was remembered. */
  readonly hashed = { files: 0, bytes: 0 };

  /**
   * @param made.outputs the paths that stages make; an ignore file in one of them is not read
   * @param made.read what stages read in outputs; it counts, whatever an ignore file says
   */
  constructor(root: string, state: State, made: { outputs: ReadonlySet<string>; read: ReadonlySet<string> } = NONE) {
    this.#root = root;
    this.#state = state;
    this.#skipped = new Set(['.git', '.repro', 'dvc-like.lock'].map((name) => join(root, name)));
    const absolute = (paths: ReadonlySet<string>) => new Set([...paths].map((path) => join(root, path)));
    const outputs = absolute(made.outputs);
    this.#counted = absolute(made.read);
    this.#ignore = new IgnoreRules(root, this.snapshot, (path) => outputs.has(path));
  }

  /**
   * @returns undefined if there is nothing at `path`, or a symbolic link to nothing
   * @throws ReproError if something there cannot be read, has a name that is not UTF-8, or is neither a file nor a folder
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
   * Like `scanNow`, but reads nothing.
   *
   * @returns undefined also if the hash of some file is not remembered
   */
  async scanRemembered(path: string): Promise<Scanned | undefined> {
    const refuse: Reader = (file, known) => {
      if (known === undefined) throw new Error('not remembered');
      return readingOfKnown(file, known);
    };
    try {
      return await this.#look(path, refuse);
    } catch (error) {
      if (error instanceof ReproError) return undefined;
      throw error;
    }
  }

  /** Whether there is a symbolic link at a path, and nothing where it leads. */
  isLinkToNothing(path: string): boolean {
    const absolute = path.startsWith('/') ? path : join(this.#root, path);
    return lstatOrUndefined(absolute) !== undefined && statOrUndefined(absolute) === undefined;
  }

  /**
   * The hash of a file that is neither input nor output, such as an object in the cache; undefined if it is missing.
   */
  async hashOf(absolute: string): Promise<string | undefined> {
    const stat = statOrUndefined(absolute);
    if (stat === undefined) return undefined;
    return (await this.#file(foundFile(absolute, stat), readUnlessKnown)).sha256;
  }

  /**
   * The files below a folder that match, relative to the root and unsorted. Hidden files, and what does not count as a
   * part of a folder, are left out, and symbolic links to folders are not followed.
   *
   * @param folder relative to the root
   * @param depth how many folders deep to look; undefined: all of them
   */
  async filesMatching(
    folder: string,
    depth: number | undefined,
    isMatch: (path: string) => boolean,
  ): Promise<string[]> {
    const absolute = folder === '.' ? this.#root : join(this.#root, folder);
    if (!this.snapshot.stat(absolute)?.isDirectory()) return [];
    const found: string[] = [];
    const visit = (at: string, path: string, outer: FolderRules, left: number | undefined) => {
      const names = readNames(at);
      const rules = names.names.includes(IGNORE_FILE) ? this.#ignore.withOwn(at, outer) : outer;
      // As in a scan: what is recorded of a folder must be the same, or no fresh stamp is written.
      const isSkipped = (name: string, isFolder: boolean) => this.#isSkipped(`${at}/${name}`, name, isFolder, rules);
      for (const entry of [...this.snapshot.statEntries(at, names, isSkipped)]) {
        const { name, stat, notUtf8 } = entry;
        if (name.startsWith('.') || name === 'node_modules' || stat === undefined || notUtf8 !== undefined) continue;
        const own = path === '.' ? name : `${path}/${name}`;
        if (stat.isDirectory()) {
          if (!entry.isLink && left !== 0)
            visit(entry.absolute, own, rules.inside(name), left === undefined ? undefined : left - 1);
        } else if (isMatch(own)) found.push(own);
      }
    };
    visit(absolute, folder, await this.#ignore.above(absolute), depth);
    return found;
  }

  /** Call this when a command has started or ended, because it may have changed files that were scanned. */
  forget(): void {
    this.#scans.clear();
    this.snapshot.clear();
    this.#ignore.forget();
  }

  async #look(path: string, read: Reader): Promise<Scanned | undefined> {
    const absolute = path.startsWith('/') ? path : join(this.#root, path);
    const stat = this.snapshot.stat(absolute);
    if (stat === undefined) return undefined;
    if (!stat.isDirectory()) {
      if (!stat.isFile()) throw new ReproError(`${path} is ${describeKind(stat)}, not a file or a folder`);
      const { sha256, size, executable } = await this.#file(foundFile(absolute, stat), read);
      return { content: { sha256, size, ...(executable ? { executable: true } : {}) } };
    }
    const tally: Tally = { text: [], size: 0, files: 0, ignored: [] };
    const rules = await this.#ignore.above(absolute);
    await this.#folder({ absolute, prefix: '', above: new Set([folderId(stat)]), rules, link: undefined }, tally, read);
    const manifest = tally.text.join('');
    const content = { sha256: sha256(manifest), size: tally.size, files: tally.files };
    return { content, manifest, ...(tally.ignored.length > 0 ? { ignored: tally.ignored } : {}) };
  }

  /** Adds a folder to the manifest. */
  async #folder(folder: Folder, tally: Tally, read: Reader): Promise<void> {
    const { absolute, prefix, above } = folder;
    const { items, rules } = this.#list(folder, tally);
    if (items.length === 0) {
      if (prefix !== '') tally.text.push(manifestLine(prefix));
      return;
    }
    const known = new KnownFiles(this.#state.folders.get(absolute));
    let lines: string[] = [];
    let learned = false;
    for (const item of items) {
      const path = prefix + item.key;
      if (item.folder !== undefined) {
        const link = item.isLinked ? item.absolute : folder.link;
        if (above.has(item.folder))
          throw new ReproError(
            `${this.#name(link ?? item.absolute)} is a symbolic link that leads back to a folder that holds it`,
          );
        tally.text.push(lines.join(''));
        lines = [];
        const inside: Folder = {
          absolute: item.absolute,
          prefix: path,
          above: new Set(above).add(item.folder),
          rules: rules.inside(item.key.slice(0, -1)),
          link,
        };
        await this.#folder(inside, tally, read);
        continue;
      }
      if (item.link !== undefined) {
        lines.push(linkLine(path, item.link));
        tally.files++;
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

  /** A folder's items in the order of the manifest, and the rules by which others were left out. */
  #list({ absolute: folder, prefix, rules: outer, link }: Folder, tally: Tally): { items: Item[]; rules: FolderRules } {
    const items: Item[] = [];
    try {
      const names = readNames(folder);
      const rules = names.names.includes(IGNORE_FILE) ? this.#ignore.withOwn(folder, outer) : outer;
      const isSkipped = (name: string, isFolder: boolean) => {
        const absolute = `${folder}/${name}`;
        const isLeftOut = this.#isSkipped(absolute, name, isFolder, rules);
        if (isLeftOut && !this.#skipped.has(absolute)) tally.ignored.push(prefix + name);
        return isLeftOut;
      };
      for (const entry of this.snapshot.statEntries(folder, names, isSkipped)) {
        const item = itemOf(entry, prefix, link !== undefined, (path) => this.#name(path));
        if (item !== undefined) items.push(item);
      }
      return { items: items.sort((a, b) => (a.key < b.key ? -1 : 1)), rules };
    } catch (error) {
      if (error instanceof ReproError) throw error;
      throw new ReproError(`${this.#name(folder)} cannot be read: ${describeError(error)}`);
    }
  }

  /** Whether an entry of a folder does not count: it is repro's or git's own, or an ignore file leaves it out. */
  #isSkipped(absolute: string, name: string, isFolder: boolean, rules: FolderRules): boolean {
    return this.#skipped.has(absolute) || (rules.ignores(name, isFolder) && !this.#counted.has(absolute));
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
