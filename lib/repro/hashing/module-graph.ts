/**
 * The code behind a stage: an entry module and the modules of the project that it runs, as esbuild resolves and bundles
 * them. A module that an entry imports and uses nothing of, such as the rest of what an index.ts hands on, is not part of
 * it unless it does something when it is loaded, or loads a package, which might, and package.json's `sideEffects` does not
 * say otherwise; packages are not, nor is what is only imported as a type.
 *
 *   train.ts ─ {train} → engine/index.ts ┬→ train.ts     part of it
 *                                        └→ schedule.ts  not: index.ts hands it on, nothing here takes it
 *
 * A closure is remembered with what it rests on: the contents of all modules that are imported, used or not, the names
 * beside them (a new file may take an import over), and every package.json and tsconfig.json on the way up.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import type { BuildFailure, Loader, Metafile } from 'esbuild';
import { describeError, ReproError } from '../messages/index.ts';
import { folderOf, type ManifestEntry, type Scanned, sha256 } from './content.ts';
import type { ContentHasher } from './content-hasher.ts';
import { isSettled, statOrUndefined } from './stat-signature.ts';
import type { State } from './state.ts';

/** Modules of one entry; their manifest's paths are relative to the pipeline's folder. */
export type Closure = Required<Scanned>;

/** Paths of modules, sorted. */
interface Modules {
  /** The closure. */
  used: string[];
  /** All that are imported; what is used may change when one of these does. */
  imported: string[];
}

interface Remembered extends Modules {
  /** Of the manifest of what is imported, when it was worked out. */
  sha256: string;
  surroundings: string;
}

export class ModuleGraph {
  readonly #root: string;
  readonly #state: State;
  readonly #contents: ContentHasher;
  readonly #held = new Map<string, Closure>();

  constructor(root: string, state: State, contents: ContentHasher) {
    this.#root = root;
    this.#state = state;
    this.#contents = contents;
  }

  /** By entry. Throws ReproError where an entry is missing or an import leads nowhere. */
  async closures(entries: readonly string[]): Promise<Map<string, Closure>> {
    const found = new Map<string, Closure>();
    for (const entry of entries) {
      const closure = this.#held.get(entry) ?? (await this.#remembered(entry));
      if (closure) found.set(entry, closure);
    }
    const unknown = entries.filter((entry) => !found.has(entry));
    if (unknown.length > 0) await this.#workOut(unknown, found);
    for (const [entry, closure] of found) this.#held.set(entry, closure);
    return found;
  }

  /** To be called when a command has started or ended. */
  forget(): void {
    this.#held.clear();
  }

  async #workOut(unknown: readonly string[], found: Map<string, Closure>): Promise<void> {
    const started = BigInt(Date.now()) * 1_000_000n;
    const metafile = await bundle(this.#root, unknown);
    for (const entry of unknown) {
      const modules = modulesOf(metafile, entry);
      const { used, imported } = modules;
      found.set(entry, await this.#closure(used));
      // What may have changed while esbuild read it is not kept.
      const paths = [...imported, ...foldersOf(imported)].map((path) => statOrUndefined(join(this.#root, path)));
      if (!paths.every((stat) => stat && isSettled(stat, started))) continue;
      const { sha256 } = (await this.#closure(imported)).content;
      const remembered: Remembered = { ...modules, sha256, surroundings: this.#surroundings(imported) };
      this.#state.memos.put(`code ${entry}`, JSON.stringify(remembered));
    }
  }

  async #remembered(entry: string): Promise<Closure | undefined> {
    const memo = this.#state.memos.get(`code ${entry}`);
    if (memo === undefined) return undefined;
    const { used, imported, sha256, surroundings: known } = JSON.parse(memo) as Partial<Remembered>;
    if (!used || !imported || imported.some((module) => !existsSync(join(this.#root, module)))) return undefined;
    const { content } = await this.#closure(imported);
    return content.sha256 === sha256 && this.#surroundings(imported) === known ? this.#closure(used) : undefined;
  }

  async #closure(modules: readonly string[]): Promise<Closure> {
    const manifest: ManifestEntry[] = [];
    for (const path of modules) {
      const scanned = await this.#contents.scan(path);
      if (scanned) manifest.push({ path, sha256: scanned.content.sha256, size: scanned.content.size });
    }
    return folderOf(manifest);
  }

  /** A hash of all that could make the same import text mean another module. */
  #surroundings(modules: readonly string[]): string {
    const { snapshot: witnesses } = this.#contents;
    const parts: string[] = [];
    for (const folder of foldersOf(modules)) {
      const absolute = join(this.#root, folder);
      witnesses.add(absolute);
      const names = readdirSync(absolute).filter((name) => /\.([cm]?[jt]sx?|json)$/.test(name));
      parts.push(folder, ...names.sort());
      for (const name of names) {
        if (!/^(package|tsconfig.*)\.json$/.test(name)) continue;
        witnesses.add(join(absolute, name));
        parts.push(sha256(readFileSync(join(absolute, name))));
      }
    }
    return sha256(parts.join('\n'));
  }
}

/** The folders of modules, and those above them up to the root; sorted. */
function foldersOf(modules: readonly string[]): string[] {
  const folders = new Set<string>(['.']);
  for (const module of modules) {
    for (let folder = dirname(module); folder !== '.' && !folder.startsWith('..'); folder = dirname(folder))
      folders.add(folder);
  }
  return [...folders].sort();
}

/** What is no code is still part of the closure, but not looked into. */
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
    throw new ReproError(`code: "${plain[0]}" is no TypeScript or JavaScript module; list it under deps`);
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
  // A module that only hands on says what a name means, though nothing of it is left in the bundle; nor is what is no code.
  const used = [...imported].filter(
    (module) =>
      module === entry || contributes(module) || imports(module).some(contributes) || extname(module) in NOT_CODE,
  );
  return { used: used.sort(), imported: [...imported].sort() };
}
