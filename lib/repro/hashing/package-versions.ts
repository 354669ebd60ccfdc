/**
 * The versions of installed packages: what a stage runs besides the project's code. The version of a package is that
 * in its package.json, with a hash of what package-lock.json says about it and all packages that it depends on.
 *
 *   node_modules/vega → "6.4.0 3fa1c2d40b7e"
 */
import { dirname, join, relative } from 'node:path';
import { isMapping, type Json } from '../documents/index.ts';
import { statOrUndefined } from '../freshness/index.ts';
import { sha256 } from './content.ts';
import type { ContentHasher } from './content-hasher.ts';
import type { State } from './state.ts';

/** A package in package-lock.json, as far as it is used here. */
export interface LockedPackage {
  version?: string;
  resolved?: string;
  integrity?: string;
  dependencies?: { [name: string]: string };
  optionalDependencies?: { [name: string]: string };
  peerDependencies?: { [name: string]: string };
}

/** `packages` of package-lock.json: by folder, such as "node_modules/vega". */
export type LockedPackages = { [folder: string]: LockedPackage };

const LOCK_FILE = 'package-lock.json';
/** Digits of the hash. It shows that something differs; the lock file says what. */
const SHORT = 12;

/** Finds the versions of packages, and remembers them until `forget`. */
export class PackageVersions {
  readonly #root: string;
  readonly #state: State;
  readonly #hasher: ContentHasher;
  readonly #versions = new Map<string, Promise<string | undefined>>();
  /** Parsed lock files, by hash. */
  readonly #locks = new Map<string, LockedPackages>();

  constructor(root: string, state: State, hasher: ContentHasher) {
    this.#root = root;
    this.#state = state;
    this.#hasher = hasher;
  }

  /**
   * @param folder a package's folder in node_modules, relative to the pipeline's folder
   * @returns undefined if the package is neither installed nor in package-lock.json
   */
  of(folder: string): Promise<string | undefined> {
    const version = this.#versions.get(folder) ?? this.#find(folder);
    this.#versions.set(folder, version);
    return version;
  }

  /** Call this when a command has started or ended. */
  forget(): void {
    this.#versions.clear();
  }

  async #find(folder: string): Promise<string | undefined> {
    const [installed, locked] = [await this.#installed(folder), await this.#locked(folder)];
    const version = installed ?? locked?.version;
    return version === undefined ? undefined : [version, locked?.hash].filter(Boolean).join(' ');
  }

  async #installed(folder: string): Promise<string | undefined> {
    const file = `${folder}/package.json`;
    return this.#remembered('package.json', file, () => {
      const { version } = this.#json(file);
      return typeof version === 'string' ? version : undefined;
    });
  }

  /** The version and hash of the package in the nearest package-lock.json above it. */
  async #locked(folder: string): Promise<{ version?: string; hash: string } | undefined> {
    const absolute = join(this.#root, folder);
    for (let above = dirname(absolute); ; above = dirname(above)) {
      // A folder without node_modules is not one where npm installed something.
      if (statOrUndefined(join(above, 'node_modules'))) {
        const file = relative(this.#root, join(above, LOCK_FILE));
        const key = relative(above, absolute);
        const found = await this.#remembered(`${LOCK_FILE} ${key}`, file, async () => {
          const packages = await this.#lock(file);
          const lines = lockedLines(packages, key);
          if (lines.length === 0) return '';
          return JSON.stringify({ version: packages[key].version, hash: sha256(lines.join('\n')).slice(0, SHORT) });
        });
        if (found) return JSON.parse(found);
      }
      if (above === dirname(above)) return undefined;
    }
  }

  async #lock(file: string): Promise<LockedPackages> {
    const { sha256 } = (await this.#hasher.scan(file))!.content;
    const packages = this.#locks.get(sha256) ?? (this.#json(file).packages as LockedPackages | undefined) ?? {};
    this.#locks.set(sha256, packages);
    return packages;
  }

  /** A value that is computed from a file, remembered by the hash of the file; undefined if there is no file. */
  async #remembered(
    what: string,
    file: string,
    compute: () => string | undefined | Promise<string | undefined>,
  ): Promise<string | undefined> {
    const scanned = await this.#hasher.scan(file);
    if (scanned === undefined || scanned.manifest !== undefined) return undefined;
    const key = `${what} ${scanned.content.sha256}`;
    const memo = this.#state.memos.get(key);
    if (memo !== undefined) return memo;
    const value = await compute();
    if (value !== undefined) this.#state.memos.put(key, value);
    return value;
  }

  /** A file that is not a JSON object counts as an empty one: npm complains about it. */
  #json(file: string): { [key: string]: Json } {
    try {
      const value = JSON.parse(this.#hasher.snapshot.read(join(this.#root, file))?.toString() ?? '') as Json;
      return isMapping(value) ? value : {};
    } catch {
      return {};
    }
  }
}

/**
 * The entries of a lock file for a package and all packages that it depends on, as sorted lines.
 *
 * @param key the folder of the package in the lock file
 * @returns none if the lock file does not have the package
 */
export function lockedLines(packages: LockedPackages, key: string): string[] {
  const found = new Set<string>([key].filter((folder) => packages[folder] !== undefined));
  for (const folder of found) {
    const { dependencies, optionalDependencies, peerDependencies } = packages[folder];
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies })) {
      const place = placeOf(packages, folder, name);
      if (place !== undefined) found.add(place);
    }
  }
  return [...found]
    .sort()
    .map((folder) =>
      [folder, packages[folder].version, packages[folder].resolved, packages[folder].integrity].join(' '),
    );
}

/** The folder in which Node finds the package `name` when a module in `folder` imports it. */
function placeOf(packages: LockedPackages, folder: string, name: string): string | undefined {
  for (let above = folder; ; ) {
    const place = above === '' ? `node_modules/${name}` : `${above}/node_modules/${name}`;
    if (packages[place] !== undefined) return place;
    if (above === '') return undefined;
    const cut = above.lastIndexOf('node_modules/');
    above = cut > 0 ? above.slice(0, cut - 1) : '';
  }
}
