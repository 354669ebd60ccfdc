/**
 * The modules behind TypeScript and JavaScript entries, found by bundling them with esbuild. Unused re-exports are
 * tree-shaken: a module counts only if one of its exports is used, or if it may have side effects. It may if it runs
 * code on load or imports a package, and package.json does not set `sideEffects: false`. Type-only imports never count.
 *
 *   train.ts ─ {train} → engine/index.ts ┬→ train.ts     counts
 *                                        └→ schedule.ts  does not count: index.ts exports it, but nothing uses it
 *
 * A package counts as code of the project if its folder in node_modules is a link to a folder outside of node_modules,
 * as those of workspaces are. Other packages are not followed.
 */
import { realpathSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, extname, join, relative } from 'node:path';
import type {
  BuildFailure,
  ImportKind,
  Loader,
  Metafile,
  OnResolveArgs,
  Plugin,
  PluginBuild,
  ResolveResult,
} from 'esbuild';
import { statOrUndefined, whyNotFile } from '../freshness/index.ts';
import { describeError, ReproError } from '../messages/index.ts';

/** The modules behind one entry. Paths are relative to the pipeline's folder; lists are sorted. */
export interface Modules {
  /** The modules that count. */
  used: string[];
  /** All imported modules. When one of them changes, other modules may count. */
  imported: string[];
  /** The folders in which names decide what an import means. */
  folders: string[];
  /** The folder in node_modules of each imported package, and the folder that it stands for; '' if it is missing. */
  links: { [folder: string]: string };
  /** The folders in node_modules of the packages that count: those that a module in `used` imports, unless followed. */
  packages: string[];
}

/** Imported files of these kinds count, but esbuild does not read them. */
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

/** Whether esbuild can follow the imports of a code entry. */
export function isScript(entry: string): boolean {
  return /^\.([cm]?[jt]sx?|json)$/.test(extname(entry));
}

/**
 * Follows the imports of entries.
 *
 * @param packages what earlier calls found about packages; use another one when files may have changed
 * @throws ReproError if an import cannot be resolved or a module has a syntax error, with its place
 */
export async function esbuildModules(
  root: string,
  entries: readonly string[],
  packages: Packages,
): Promise<Map<string, Modules>> {
  const metafile = await bundle(root, entries, packages);
  return new Map(entries.map((entry) => [entry, modulesOf(metafile, entry, packages)]));
}

/** The folders of the modules and all folders above them up to the root or its nearest common folder, sorted. */
export function foldersOf(modules: readonly string[]): string[] {
  const folders = new Set<string>(['.']);
  for (const module of modules) {
    for (let folder = dirname(module); folder !== '.' && !/^(\.\.(\/|$))+$/.test(folder); folder = dirname(folder))
      folders.add(folder);
  }
  return [...folders].sort();
}

/** Refuses modules that are not plain files: esbuild would wait for a FIFO for ever. */
const PLAIN_FILES: Plugin = {
  name: 'plain-files',
  setup: ({ initialOptions, onLoad }) => {
    onLoad({ filter: /./, namespace: 'file' }, ({ path }) => {
      const problem = whyNotFile(path);
      return problem === undefined
        ? undefined
        : { errors: [{ text: `${relative(initialOptions.absWorkingDir!, path)}: ${problem}` }] };
    });
  },
};

/** Settings that esbuild reads in the folders of modules, and above them. */
const SETTINGS = ['package.json', 'tsconfig.json', 'jsconfig.json'];

function checkSettings(root: string, entries: readonly string[]): void {
  for (const folder of foldersOf(entries))
    for (const name of SETTINGS) {
      const path = join(folder, name);
      const problem = whyNotFile(join(root, path));
      if (problem !== undefined) throw new ReproError({ message: `cannot be read: ${problem}`, place: { file: path } });
    }
}

async function bundle(root: string, entries: readonly string[], packages: Packages): Promise<Metafile> {
  const esbuild = await import('esbuild');
  checkSettings(root, entries);
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
      platform: 'node',
      format: 'esm',
      target: 'esnext',
      loader: NOT_CODE,
      logLevel: 'silent',
      plugins: [packages.plugin, PLAIN_FILES],
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

function modulesOf(metafile: Metafile, entry: string, packages: Packages): Modules {
  const imports = (module: string) =>
    (metafile.inputs[module]?.imports ?? [])
      .filter(({ path, external }) => !external && metafile.inputs[path])
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
  const linksOf = (modules: Iterable<string>) =>
    new Map([...modules].flatMap((module) => [...packages.linksOf(module)]).sort(([a], [b]) => (a < b ? -1 : 1)));
  return {
    used: used.sort(),
    imported: [...imported].sort(),
    folders: foldersOf([...imported]),
    links: Object.fromEntries(linksOf(imported)),
    packages: [...linksOf(used)]
      .filter(([, target]) => target === '' || isInstalled(`/${target}`))
      .map(([link]) => link),
  };
}

/** Decides which imports of packages are followed, and remembers which module imports which package. */
export class Packages {
  readonly #root: string;
  /** By the path of the importing module: folders in node_modules, and the folders that they stand for. */
  readonly #links = new Map<string, Map<string, string>>();
  /** Imports that were looked up, by folder, kind and name: asking esbuild takes long. */
  readonly #found = new Map<string, Promise<PackageImport>>();

  constructor(root: string) {
    this.#root = root;
  }

  /** The packages that a module imports, as in `Modules.links`. */
  linksOf(module: string): ReadonlyMap<string, string> {
    return this.#links.get(module) ?? new Map();
  }

  readonly plugin: Plugin = {
    name: 'packages',
    setup: ({ onResolve, resolve }) => {
      // Everything but relative and absolute paths: packages, `#imports`, and paths of tsconfig.json.
      onResolve({ filter: /^[^./]/ }, async (args) => {
        const { path, importer, resolveDir, kind } = args;
        if (kind === 'entry-point' || args.pluginData === RESOLVING) return undefined;
        if (path.startsWith('node:') || BUILT_IN.has(path)) return { path, external: true };
        const key = [resolveDir, kind, path].join('\0');
        const found = this.#found.get(key) ?? this.#find(args, kind, resolve);
        this.#found.set(key, found);
        const { followed, link } = await found;
        if (link !== undefined) this.#note(relative(this.#root, importer), link);
        return followed ?? { path, external: true };
      });
    },
  };

  async #find(
    { path, importer, resolveDir, namespace, with: attributes }: OnResolveArgs,
    kind: Exclude<ImportKind, 'entry-point'>,
    resolve: PluginBuild['resolve'],
  ): Promise<PackageImport> {
    const pluginData = RESOLVING;
    const found = await resolve(path, { importer, resolveDir, namespace, kind, pluginData, with: attributes });
    const followed = found.errors.length === 0 && !found.external && !isInstalled(found.path) ? found : undefined;
    const installed = path.startsWith('#') ? undefined : this.#folderOf(path, resolveDir);
    // A package that is missing may be installed later. An import that is followed without one is a path of tsconfig.
    const folder = installed ?? (followed || path.startsWith('#') ? undefined : this.#missing(path));
    return {
      followed,
      link: folder === undefined ? undefined : [relative(this.#root, folder), realFolder(this.#root, folder)],
    };
  }

  #missing(path: string): string {
    return join(this.#root, 'node_modules', packageName(path));
  }

  #note(module: string, [folder, target]: readonly [string, string]): void {
    const links = this.#links.get(module) ?? new Map<string, string>();
    this.#links.set(module, links.set(folder, target));
  }

  /** The folder in node_modules that Node finds for a package, absolute. */
  #folderOf(path: string, resolveDir: string): string | undefined {
    for (let above = resolveDir; ; above = dirname(above)) {
      const folder = join(above, 'node_modules', packageName(path));
      if (statOrUndefined(folder)) return folder;
      if (above === dirname(above)) return undefined;
    }
  }
}

/** An import of a package. */
interface PackageImport {
  /** The module, if it is followed. */
  followed: ResolveResult | undefined;
  /** The package's folder in node_modules, and the folder that it stands for. */
  link: readonly [string, string] | undefined;
}

const BUILT_IN = new Set(builtinModules);

/** Marks the plugin's own question to esbuild. */
const RESOLVING = Symbol('resolving');

/** Whether a file belongs to an installed package. */
function isInstalled(path: string): boolean {
  return path.includes('/node_modules/');
}

/** `a` of `a/b.js`, `@a/b` of `@a/b/c.js`. */
function packageName(path: string): string {
  return path.split('/', path.startsWith('@') ? 2 : 1).join('/');
}

/** The folder that a folder in node_modules stands for, relative to `root`; '' if it is missing. */
export function realFolder(root: string, link: string): string {
  try {
    return relative(root, realpathSync.native(link)) || '.';
  } catch {
    return '';
  }
}
