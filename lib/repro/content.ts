/**
 * What a file or folder holds, as a SHA-256. A folder's is that of its manifest: a line for each file in it, sorted by
 * path, with hash, size and executable bit, and a line for each empty folder. Symbolic links count as what they point to.
 *
 * Times never decide: they only tell that a file need not be read again (State.files). As in git, a file that changed so
 * recently that a further change might leave the same times is read again next time.
 */
import { createHash } from 'node:crypto';
import { type BigIntStats, closeSync, fstatSync, lstatSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { Witnesses } from './certificate.ts';
import { inWords, ReproError } from './errors.ts';
import { identity, isSettled, statOrUndefined } from './identity.ts';
import type { State } from './state.ts';

export interface Content {
  /** Of the file, or of the folder's manifest. */
  sha256: string;
  /** bytes, of all files in it */
  size: number;
  /** Folders only: how many files are in it. */
  files?: number;
  /** Files only. */
  executable?: true;
}

/** A line of a manifest; an empty folder has no hash. */
export interface ManifestEntry {
  path: string;
  sha256?: string;
  size?: number;
  executable?: true;
}

export interface Scanned {
  content: Content;
  /** Folders only, sorted by path. */
  manifest?: ManifestEntry[];
}

/** Files up to this size are read in one go. */
const SMALL = 1 << 20;
export function sameContent(a: Content | null | undefined, b: Content | null | undefined): boolean {
  if (!a || !b) return !a && !b;
  return a.sha256 === b.sha256 && (a.files === undefined) === (b.files === undefined) && a.executable === b.executable;
}

export function manifestText(manifest: readonly ManifestEntry[]): string {
  return manifest.map((entry) => `${JSON.stringify(entry)}\n`).join('');
}

export function parseManifest(text: string): ManifestEntry[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

export function sha256(text: string | Uint8Array): string {
  return createHash('sha256').update(text).digest('hex');
}

export function folderContent(manifest: readonly ManifestEntry[]): Content {
  const files = manifest.filter((entry) => entry.sha256 !== undefined);
  return {
    sha256: sha256(manifestText(manifest)),
    size: files.reduce((sum, { size }) => sum + size!, 0),
    files: files.length,
  };
}

/** What a folder holds at `path` (relative to it); undefined when there is nothing. */
export function contentWithin(manifest: readonly ManifestEntry[], path: string): Content | undefined {
  const file = manifest.find((entry) => entry.path === path);
  if (file?.sha256 !== undefined)
    return { sha256: file.sha256, size: file.size!, ...(file.executable ? { executable: true } : {}) };
  const below = manifest.filter((entry) => entry.path.startsWith(`${path}/`));
  if (below.length === 0) return undefined;
  // The folder itself, if it is empty, is no line of its own manifest.
  const inside = below.map((entry) => ({ ...entry, path: entry.path.slice(path.length + 1) }));
  return folderContent(inside.filter((entry) => entry.path !== ''));
}

export class Contents {
  readonly #root: string;
  readonly #state: State;
  /** Scans that still hold: nothing that repro started has run since. */
  readonly #held = new Map<string, Promise<Scanned | undefined>>();
  /** Absolute paths that are no part of any folder's content: repro's own. */
  readonly #skipped: ReadonlySet<string>;
  /** Of everything scanned since the last `forget`. */
  readonly witnesses = new Witnesses();

  constructor(root: string, state: State) {
    this.#root = root;
    this.#state = state;
    this.#skipped = new Set(['.git', '.repro', 'dvc-like.lock'].map((name) => join(root, name)));
  }

  /** Undefined when there is nothing at `path` (relative to the root, or absolute). */
  scan(path: string): Promise<Scanned | undefined> {
    let scan = this.#held.get(path);
    if (scan === undefined) {
      scan = this.scanNow(path);
      this.#held.set(path, scan);
    }
    return scan;
  }

  /** The same, looking again at every file's times even if nothing seems to have run. */
  async scanNow(path: string): Promise<Scanned | undefined> {
    const absolute = this.#absolute(path);
    const stat = statOrUndefined(absolute);
    this.witnesses.add(absolute, stat);
    if (stat === undefined) {
      if (lstatOrUndefined(absolute)) throw new ReproError(`${path} is a symbolic link to nothing`);
      return undefined;
    }
    if (!stat.isDirectory()) return { content: await this.#file(absolute, path, stat) };
    const manifest: ManifestEntry[] = [];
    const pending: { entry: ManifestEntry; absolute: string; name: string; stat: BigIntStats }[] = [];
    this.#walk(absolute, '', path, manifest, pending, new Set());
    // Times of all files are taken before any is read, so that one pass sees one state of the folder as nearly as can be.
    for (const { entry, absolute, name, stat } of pending) Object.assign(entry, await this.#file(absolute, name, stat));
    manifest.sort((a, b) => (a.path < b.path ? -1 : 1));
    return { content: folderContent(manifest), manifest };
  }

  /** To be called when a command has started or ended: what was scanned before may have changed. */
  forget(): void {
    this.#held.clear();
    this.witnesses.clear();
  }

  /** Lets a file that repro itself just wrote be known without reading it again. */
  remember(path: string, content: Content): void {
    const absolute = this.#absolute(path);
    const stat = statOrUndefined(absolute);
    if (stat && isSettled(stat)) this.#state.files.put(absolute, `${identity(stat)} ${content.sha256}`);
  }

  #absolute(path: string): string {
    return path.startsWith('/') ? path : join(this.#root, path);
  }

  #walk(
    folder: string,
    prefix: string,
    name: string,
    manifest: ManifestEntry[],
    pending: { entry: ManifestEntry; absolute: string; name: string; stat: BigIntStats }[],
    above: Set<string>,
  ): void {
    let items: string[];
    try {
      items = readdirSync(folder);
    } catch (error) {
      throw new ReproError(`${name} cannot be read: ${inWords(error)}`);
    }
    if (items.length === 0 && prefix !== '') manifest.push({ path: prefix });
    for (const item of items) {
      const absolute = `${folder}/${item}`;
      if (this.#skipped.has(absolute)) continue;
      const stat = statOrUndefined(absolute);
      const path = prefix + item;
      this.witnesses.add(absolute, stat);
      // It vanished between the listing and now, or is a link to nothing: the latter is a fault, the former is not.
      if (stat === undefined) {
        if (lstatOrUndefined(absolute)) throw new ReproError(`${name}/${item} is a symbolic link to nothing`);
        continue;
      }
      if (stat.isDirectory()) {
        const key = `${stat.dev}:${stat.ino}`;
        if (above.has(key)) throw new ReproError(`${name}/${item} is a symbolic link that leads back to itself`);
        this.#walk(absolute, `${path}/`, `${name}/${item}`, manifest, pending, new Set(above).add(key));
        continue;
      }
      const entry: ManifestEntry = { path };
      manifest.push(entry);
      pending.push({ entry, absolute, name: `${name}/${item}`, stat });
    }
  }

  async #file(absolute: string, name: string, stat: BigIntStats): Promise<Content> {
    if (!stat.isFile()) throw new ReproError(`${name} is neither a file nor a folder`);
    const memo = this.#state.files.get(absolute);
    const known = identity(stat);
    const sha = memo?.startsWith(`${known} `) ? memo.slice(known.length + 1) : await this.#read(absolute, name);
    return { sha256: sha, size: Number(stat.size), ...(stat.mode & 0o100n ? { executable: true } : {}) };
  }

  async #read(absolute: string, name: string): Promise<string> {
    try {
      const now = BigInt(Date.now()) * 1_000_000n;
      const { before, after, sha } = await hashFile(absolute);
      if (identity(before) === identity(after) && isSettled(after, now))
        this.#state.files.put(absolute, `${identity(after)} ${sha}`);
      return sha;
    } catch (error) {
      throw new ReproError(`${name} cannot be read: ${inWords(error)}`);
    }
  }
}

/** Small files in one synchronous read, large ones in pieces that let the event loop run. */
async function hashFile(path: string): Promise<{ before: BigIntStats; after: BigIntStats; sha: string }> {
  const descriptor = openSync(path, 'r');
  let before: BigIntStats;
  try {
    before = fstatSync(descriptor, { bigint: true });
    if (before.size <= SMALL) {
      const sha = sha256(readFileSync(descriptor));
      return { before, after: fstatSync(descriptor, { bigint: true }), sha };
    }
  } finally {
    closeSync(descriptor);
  }
  const file = await open(path, 'r');
  try {
    const hash = createHash('sha256');
    const buffer = Buffer.allocUnsafe(SMALL);
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, SMALL, null);
      if (bytesRead === 0) break;
      hash.update(buffer.subarray(0, bytesRead));
    }
    return { before, after: await file.stat({ bigint: true }), sha: hash.digest('hex') };
  } finally {
    await file.close();
  }
}

function lstatOrUndefined(path: string): BigIntStats | undefined {
  try {
    return lstatSync(path, { bigint: true, throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}
