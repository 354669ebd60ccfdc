/**
 * The code of a stage: an entry module and the project's modules that it runs. Together they are its closure.
 * esbuild-modules.ts finds those of TypeScript and JavaScript, python-modules.ts those of Python.
 *
 * A closure is remembered until something changes that it depends on:
 *
 *   - the contents of all imported modules, also of those that are tree-shaken
 *   - the names of the files beside them: an import may resolve to a new file
 *   - each package.json and tsconfig.json in the folders above
 *   - the folders of the packages that they import
 */
import type { BigIntStats } from 'node:fs';
import { join } from 'node:path';
import { isSettled } from '../freshness/index.ts';
import { ReproError } from '../messages/index.ts';
import { folderOf, type ManifestEntry, sha256 } from './content.ts';
import type { ContentHasher } from './content-hasher.ts';
import { esbuildModules, isScript, type Modules, Packages, realFolder } from './esbuild-modules.ts';
import { PackageVersions } from './package-versions.ts';
import { isPython, pythonModules, searchFolders } from './python-modules.ts';
import type { State } from './state.ts';

/** The modules of one entry. The paths in their manifest are relative to the pipeline's folder. */
export type Closure = Manifest & {
  /** The folders in node_modules of the packages that the modules import, relative to the pipeline's folder. */
  packages: string[];
};

type Manifest = ReturnType<typeof folderOf>;

/** The modules of an entry as remembered from an earlier call. */
interface Remembered extends Modules {
  /** Hash of the manifest of `imported`. */
  sha256: string;
  /** Hash of the other things that module resolution depends on; see `#surroundings`. */
  surroundings: string;
}

/** The Python entries of a pipeline, with the folders of their PYTHONPATH relative to the pipeline's folder. */
export type PythonEntries = ReadonlyMap<string, readonly string[]>;

/** Finds the closure of an entry module, and remembers it until `forget`. */
export class ModuleGraph {
  readonly #root: string;
  readonly #state: State;
  readonly #hasher: ContentHasher;
  readonly #python: PythonEntries;
  readonly #known = new Map<string, Closure>();
  readonly #versions: PackageVersions;
  #packages: Packages;
  /** Links that were looked at since the last `forget`, and where they lead. */
  readonly #links = new Map<string, string>();

  /** @param python all Python entries: those whose modules are not remembered are followed together */
  constructor(root: string, state: State, hasher: ContentHasher, python: PythonEntries = new Map()) {
    this.#root = root;
    this.#state = state;
    this.#hasher = hasher;
    this.#python = python;
    this.#packages = new Packages(root);
    this.#versions = new PackageVersions(root, state, hasher);
  }

  /**
   * @returns the closure of each entry
   * @throws ReproError if an entry is missing or an import cannot be resolved, with its place
   */
  async closures(entries: readonly string[]): Promise<Map<string, Closure>> {
    const found = new Map<string, Closure>();
    for (const entry of entries) {
      const closure = this.#known.get(entry) ?? (await this.#remembered(entry));
      if (closure) found.set(entry, closure);
    }
    const unknown = entries.filter((entry) => !found.has(entry));
    const other = unknown.find((entry) => !isScript(entry) && !isPython(entry));
    if (other !== undefined)
      throw new ReproError(`code: "${other}" is not a module of TypeScript, JavaScript or Python; list it under deps`);
    const scripts = unknown.filter(isScript);
    const started = BigInt(Date.now()) * 1_000_000n;
    if (scripts.length > 0)
      for (const [entry, modules] of await esbuildModules(this.#root, scripts, this.#packages))
        found.set(entry, await this.#remember(entry, modules, started));
    if (scripts.length < unknown.length) await this.#followPython(unknown.filter(isPython), found);
    for (const [entry, closure] of found) this.#known.set(entry, closure);
    return found;
  }

  /**
   * The versions of the packages that modules import.
   *
   * @param closures from `closures`
   * @returns by name; a package that is not at the top of node_modules has its folder in front of the name
   */
  async packages(closures: Iterable<Closure>): Promise<{ [name: string]: string }> {
    const folders = new Set([...closures].flatMap(({ packages }) => packages));
    const versions: { [name: string]: string } = {};
    for (const folder of [...folders].sort()) {
      const version = await this.#versions.of(folder);
      if (version !== undefined) versions[folder.replace(/^node_modules\//, '')] = version;
    }
    return versions;
  }

  /** Call this when a command has started or ended. */
  forget(): void {
    this.#known.clear();
    this.#versions.forget();
    this.#packages = new Packages(this.#root);
    this.#links.clear();
  }

  /** Python starts once for all entries that are not remembered, not once for each stage. */
  async #followPython(unknown: readonly string[], found: Map<string, Closure>): Promise<void> {
    const asked = new Map(unknown.map((entry) => [entry, this.#searched(entry)]));
    for (const entry of this.#python.keys())
      if (!asked.has(entry) && !this.#known.has(entry) && this.#stat(entry) && !(await this.#remembered(entry)))
        asked.set(entry, this.#searched(entry));
    const started = BigInt(Date.now()) * 1_000_000n;
    const answers = await pythonModules(this.#root, asked);
    for (const entry of asked.keys()) {
      const answer = answers.get(entry)!;
      if ('failure' in answer) {
        if (unknown.includes(entry)) throw answer.failure;
        continue;
      }
      const { modules, folders } = answer;
      const closure = await this.#remember(
        entry,
        { ...NO_PACKAGES, used: modules, imported: modules, folders },
        started,
      );
      if (unknown.includes(entry)) found.set(entry, closure);
      else this.#known.set(entry, closure);
    }
  }

  #searched(entry: string): string[] {
    return searchFolders(entry, this.#python.get(entry) ?? []);
  }

  /** Remembers the modules of an entry if they have been settled since before they were read. */
  async #remember(entry: string, modules: Modules, started: bigint): Promise<Closure> {
    const closure = { ...(await this.#manifest(modules.used)), packages: modules.packages };
    const surroundings = this.#surroundings(entry, modules);
    // A file that may have changed while it was read: do not remember the closure.
    const isUnsettled = (path: string) => {
      const stat = this.#stat(path);
      return stat !== undefined && !isSettled(stat, started);
    };
    if ([...modules.imported, ...modules.folders].some(isUnsettled)) return closure;
    const { sha256 } = (await this.#manifest(modules.imported)).content;
    const remembered: Remembered = { ...modules, sha256, surroundings };
    this.#state.memos.put(`code ${entry}`, JSON.stringify(remembered));
    return closure;
  }

  async #remembered(entry: string): Promise<Closure | undefined> {
    const memo = this.#state.memos.get(`code ${entry}`);
    if (memo === undefined) return undefined;
    const known = JSON.parse(memo) as Remembered;
    // An earlier version of repro remembered no packages.
    if (!known.packages || !known.imported.every((module) => this.#stat(module))) return undefined;
    const { content } = await this.#manifest(known.imported);
    if (content.sha256 !== known.sha256 || this.#surroundings(entry, known) !== known.surroundings) return undefined;
    return { ...(await this.#manifest(known.used)), packages: known.packages };
  }

  #stat(path: string): BigIntStats | undefined {
    return this.#hasher.snapshot.stat(join(this.#root, path));
  }

  async #manifest(modules: readonly string[]): Promise<Manifest> {
    const manifest: ManifestEntry[] = [];
    for (const path of modules) {
      const scanned = await this.#hasher.scan(path);
      if (scanned) manifest.push({ path, sha256: scanned.content.sha256, size: scanned.content.size });
    }
    return folderOf(manifest);
  }

  /**
   * A hash of everything else that decides which file an import resolves to: names beside it, package.json, tsconfig,
   * and where packages are.
   */
  #surroundings(entry: string, { folders, links }: Modules): string {
    const { snapshot } = this.#hasher;
    const isRelevant = isPython(entry) ? MAY_BE_PYTHON : MAY_BE_SCRIPT;
    const parts: string[] = isPython(entry) ? this.#searched(entry) : [];
    for (const folder of folders) {
      const absolute = join(this.#root, folder);
      const names = this.#stat(folder)?.isDirectory()
        ? snapshot.list(absolute).filter((name) => isRelevant.test(name))
        : [];
      parts.push(folder, ...names.sort());
      if (isPython(entry)) continue;
      for (const name of names) {
        if (/^(package|tsconfig.*)\.json$/.test(name)) parts.push(sha256(snapshot.read(join(absolute, name)) ?? ''));
      }
    }
    for (const link of Object.keys(links)) parts.push(link, this.#linkTarget(link));
    return sha256(parts.join('\n'));
  }

  #linkTarget(link: string): string {
    const known = this.#links.get(link);
    if (known !== undefined) return known;
    const absolute = join(this.#root, link);
    // For the fresh stamp: another target of the link is another folder.
    this.#stat(link);
    const target = realFolder(this.#root, absolute);
    this.#links.set(link, target);
    return target;
  }
}

/** The packages of a Python entry, which are not followed. */
const NO_PACKAGES = { links: {}, packages: [] };

/** Names of files that an import of a script may resolve to, or that decide what it resolves to. */
const MAY_BE_SCRIPT = /\.([cm]?[jt]sx?|json)$|^node_modules$/;
/** Names of files and folders that an import in Python may resolve to: those without a dot may be folders. */
const MAY_BE_PYTHON = /^(?!__pycache__$)([^.]+|.*\.(py|so|pyd))$/;
