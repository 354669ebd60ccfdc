/**
 * The code behind a stage: an entry module and every module of the project that it imports, directly or not, as esbuild
 * resolves them. Packages are not part of it, nor is what is only imported as a type.
 *
 * A closure is remembered with what it rests on: the modules' contents, the names beside them (a new file may take an
 * import over), and every package.json and tsconfig.json on the way up.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import type { BuildFailure, Loader, Metafile } from 'esbuild';
import { type Contents, folderContent, type ManifestEntry, type Scanned, sha256 } from './content.ts';
import { inWords, ReproError } from './errors.ts';
import { isSettled, statOrUndefined } from './identity.ts';
import type { State } from './state.ts';

/** Modules of one entry; their manifest's paths are relative to the pipeline's folder. */
export type Closure = Required<Scanned>;

interface Remembered {
  modules: string[];
  /** Of the closure's manifest when it was worked out. */
  sha256: string;
  surroundings: string;
}

export class Code {
  readonly #root: string;
  readonly #state: State;
  readonly #contents: Contents;
  readonly #held = new Map<string, Closure>();

  constructor(root: string, state: State, contents: Contents) {
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
      const modules = reachable(metafile, entry);
      const closure = await this.#closure(modules);
      found.set(entry, closure);
      // What may have changed while esbuild read it is not kept.
      const paths = [...modules, ...foldersOf(modules)].map((path) => statOrUndefined(join(this.#root, path)));
      if (!paths.every((stat) => stat && isSettled(stat, started))) continue;
      const remembered: Remembered = {
        modules,
        sha256: closure.content.sha256,
        surroundings: this.#surroundings(modules),
      };
      this.#state.memos.put(`code ${entry}`, JSON.stringify(remembered));
    }
  }

  async #remembered(entry: string): Promise<Closure | undefined> {
    const memo = this.#state.memos.get(`code ${entry}`);
    if (memo === undefined) return undefined;
    const { modules, sha256, surroundings: known } = JSON.parse(memo) as Remembered;
    if (modules.some((module) => !existsSync(join(this.#root, module)))) return undefined;
    const closure = await this.#closure(modules);
    return closure.content.sha256 === sha256 && this.#surroundings(modules) === known ? closure : undefined;
  }

  async #closure(modules: readonly string[]): Promise<Closure> {
    const manifest: ManifestEntry[] = [];
    for (const path of modules) {
      const scanned = await this.#contents.scan(path);
      if (scanned) manifest.push({ path, sha256: scanned.content.sha256, size: scanned.content.size });
    }
    return { content: folderContent(manifest), manifest };
  }

  /** A hash of all that could make the same import text mean another module. */
  #surroundings(modules: readonly string[]): string {
    const { witnesses } = this.#contents;
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
      treeShaking: false,
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
    if (first === undefined) throw new ReproError(`the code cannot be read: ${inWords(error)}`);
    const { location } = first;
    throw new ReproError({
      message: `this code cannot be followed: ${first.text}`,
      place: location ? { file: location.file, line: location.line, column: location.column + 1 } : undefined,
    });
  }
}

function reachable(metafile: Metafile, entry: string): string[] {
  const seen = new Set<string>([entry]);
  for (const module of seen) {
    for (const { path, external } of metafile.inputs[module]?.imports ?? []) {
      if (!external && metafile.inputs[path] && !path.includes('node_modules/')) seen.add(path);
    }
  }
  return [...seen].sort();
}
