/**
 * The code of a stage: an entry module and the project's modules that it runs. Together they are its closure. esbuild
 * resolves and bundles them. Unused re-exports are tree-shaken: a module counts only if one of its exports is used, or
 * if it may have side effects. It may if it runs code on load or imports a package, and package.json does not set
 * `sideEffects: false`. Packages and type-only imports never count.
 *
 *   train.ts ─ {train} → engine/index.ts ┬→ train.ts     counts
 *                                        └→ schedule.ts  does not count: index.ts exports it, but nothing uses it
 *
 * A closure is remembered together with everything it depends on: the contents of all imported modules, used or not;
 * the names of files beside them, since a new file may take over an import; and each package.json and tsconfig.json
 * above.
 */
import type { BigIntStats } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import type { BuildFailure, Loader, Metafile } from 'esbuild';
import { describeError, ReproError } from '../messages/index.ts';
import { folderOf, type ManifestEntry, type Scanned, sha256 } from './content.ts';
import type { ContentHasher } from './content-hasher.ts';
import { isSettled } from './stat-signature.ts';
import type { State } from './state.ts';

/** The modules of one entry. The paths in their manifest are relative to the pipeline's folder. */
export type Closure = Required<Scanned>;

/** Paths of modules, sorted. */
interface Modules {
  /** The modules of the closure. */
  used: string[];
  /** All imported modules. When one of them changes, other modules may be used. */
  imported: string[];
}

interface Remembered extends Modules {
  /** Hash of the manifest of `imported`. */
  sha256: string;
  /** Hash of what else resolution depends on; see `#surroundings`. */
  surroundings: string;
}

/** Finds the closure of an entry module, and remembers it until `forget`. */
export class ModuleGraph {
  readonly #root: string;
  readonly #state: State;
  readonly #hasher: ContentHasher;
  readonly #known = new Map<string, Closure>();

  constructor(root: string, state: State, hasher: ContentHasher) {
    this.#root = root;
    this.#state = state;
    this.#hasher = hasher;
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
    if (unknown.length > 0) await this.#bundleEntries(unknown, found);
    for (const [entry, closure] of found) this.#known.set(entry, closure);
    return found;
  }

  /** Call this when a command has started or ended. */
  forget(): void {
    this.#known.clear();
  }

  async #bundleEntries(unknown: readonly string[], found: Map<string, Closure>): Promise<void> {
    const started = BigInt(Date.now()) * 1_000_000n;
    const metafile = await bundle(this.#root, unknown);
    for (const entry of unknown) {
      const modules = modulesOf(metafile, entry);
      const { used, imported } = modules;
      found.set(entry, await this.#closure(used));
      const surroundings = this.#surroundings(imported);
      // A file that may have changed while esbuild read it: do not remember the closure.
      const stats = [...imported, ...foldersOf(imported)].map((path) => this.#stat(path));
      if (!stats.every((stat) => stat && isSettled(stat, started))) continue;
      const { sha256 } = (await this.#closure(imported)).content;
      const remembered: Remembered = { ...modules, sha256, surroundings };
      this.#state.memos.put(`code ${entry}`, JSON.stringify(remembered));
    }
  }

  async #remembered(entry: string): Promise<Closure | undefined> {
    const memo = this.#state.memos.get(`code ${entry}`);
    if (memo === undefined) return undefined;
    const { used, imported, sha256, surroundings: known } = JSON.parse(memo) as Partial<Remembered>;
    if (!used || !imported?.every((module) => this.#stat(module))) return undefined;
    const { content } = await this.#closure(imported);
    return content.sha256 === sha256 && this.#surroundings(imported) === known ? this.#closure(used) : undefined;
  }

  #stat(path: string): BigIntStats | undefined {
    return this.#hasher.snapshot.stat(join(this.#root, path));
  }

  async #closure(modules: readonly string[]): Promise<Closure> {
    const manifest: ManifestEntry[] = [];
    for (const path of modules) {
      const scanned = await this.#hasher.scan(path);
      if (scanned) manifest.push({ path, sha256: scanned.content.sha256, size: scanned.content.size });
    }
    return folderOf(manifest);
  }

  /**
   * A hash of everything else that decides which file an import resolves to: names beside it, package.json, tsconfig.
   */
  #surroundings(modules: readonly string[]): string {
    const { snapshot } = this.#hasher;
    const parts: string[] = [];
    for (const folder of foldersOf(modules)) {
      const absolute = join(this.#root, folder);
      const names = snapshot.list(absolute).filter((name) => /\.([cm]?[jt]sx?|json)$/.test(name));
      parts.push(folder, ...names.sort());
      for (const name of names) {
        if (/^(package|tsconfig.*)\.json$/.test(name)) parts.push(sha256(snapshot.read(join(absolute, name)) ?? ''));
      }
    }
    return sha256(parts.join('\n'));
  }
}

/** The folders of the modules and all folders above them up to the root, sorted. */
function foldersOf(modules: readonly string[]): string[] {
  const folders = new Set<string>(['.']);
  for (const module of modules) {
    for (let folder = dirname(module); folder !== '.' && !folder.startsWith('..'); folder = dirname(folder))
      folders.add(folder);
  }
  return [...folders].sort();
}

/** Imported files of these kinds are part of the closure, but esbuild does not read them. */
const NOT_CODE: { [extension: string]: Loader } = Object.fromEntries(
  [
    '.node',
    '.wasm',
    '.css',
    '.svg',
    '.png',
    '.html',
    '.md',
    '.yaml',
    '.yml',
    '.csv',
    '.txt',
    '.sql',
    '.ttf',
    '.bin',
  ].map((extension) => [extension, 'empty']),
);

async function bundle(root: string, entries: readonly string[]): Promise<Metafile> {
  const esbuild = await import('esbuild');
  const plain = entries.filter((entry) => !/^\.([cm]?[jt]sx?|json)$/.test(extname(entry)));
  if (plain.length > 0) {
    throw new ReproError(`code: "${plain[0]}" is not a TypeScript or JavaScript module; list it under deps`);
  }
  try {
    const { metafile } = await esbuild.build({
      absWorkingDir: root,
      entryPoints: [...entries],
      outdir: join(root, '.repro/nowhere'),
      outbase: root,
      write: false,
      bundle: true,
      metafile: true,
      treeShaking: true,
      packages: 'external',
      platform: 'node',
      format: 'esm',
      target: 'esnext',
      loader: NOT_CODE,
      logLevel: 'silent',
    });
    return metafile;
  } catch (error) {
    const [first] = (error as BuildFailure).errors ?? [];
    if (first === undefined) throw new ReproError(`the code cannot be read: ${describeError(error)}`);
    const { location } = first;
    throw new ReproError({
      message: `this code cannot be followed: ${first.text}`,
      place: location ? { file: location.file, line: location.line, column: location.column + 1 } : undefined,
    });
  }
}

function modulesOf(metafile: Metafile, entry: string): Modules {
  const imports = (module: string) =>
    (metafile.inputs[module]?.imports ?? [])
      .filter(({ path, external }) => !external && metafile.inputs[path] && !path.includes('node_modules/'))
      .map(({ path }) => path);
  const imported = new Set<string>([entry]);
  for (const module of imported) for (const path of imports(module)) imported.add(path);

  const output = Object.values(metafile.outputs).find(({ entryPoint }) => entryPoint === entry);
  const contributes = (module: string) => (output?.inputs[module]?.bytesInOutput ?? 0) > 0;
  // A module that only re-exports adds no bytes to the bundle, but decides which module a name comes from. Files other
  // than code add no bytes either.
  const used = [...imported].filter(
    (module) =>
      module === entry || contributes(module) || imports(module).some(contributes) || extname(module) in NOT_CODE,
  );
  return { used: used.sort(), imported: [...imported].sort() };
}
