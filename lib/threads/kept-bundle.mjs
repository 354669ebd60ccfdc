// Bundles a program with esbuild, and keeps the bundle in node_modules/.cache until one of its sources changes.
//
// Bundling takes 0.4 s of CPU time; a kept bundle takes 0.02 s to check. It is used only if the contents of all its sources,
// packages included, are those that it was made from. It ends with a hash of itself, so that a damaged one is made again.
//
//   bundles/NAME-KEY.json          the paths of the sources; KEY is a hash of the options of esbuild
//   bundles/NAME-KEY-DIGEST.mjs    the bundle; DIGEST is a hash of the contents of the sources
//
// Plain JavaScript, because stages/start.mjs imports it before anything can load TypeScript.
import { createHash } from 'node:crypto';
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, extname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The project's folder: paths within a bundle are relative to it. */
export const ROOT = resolve(fileURLToPath(import.meta.url), '../../..');

/** The variable that a bundle expects: the URL of the project's folder, with a slash at its end. */
export const ROOT_VARIABLE = '__projectRoot';

/**
 * Who can write in node_modules can change what a program runs anyway, so it is a safe place. Nobody else can read or
 * write in this folder.
 */
const FOLDER = join(ROOT, 'node_modules/.cache/bundles');

/** Milliseconds after which a bundle of other sources may be removed. No program that has found it still loads it then. */
const OUTDATED = 3_600_000;

/** Files that decide how every program is bundled. */
const ALWAYS = ['lib/threads/kept-bundle.mjs', 'package.json', 'tsconfig.json', 'node_modules/esbuild/package.json'];

/** Packages with binaries, and large ones that most programs never load. */
const EXTERNAL = ['@napi-rs/canvas', '@resvg/resvg-js', 'esbuild', 'lmdb', 'vega', 'vega-interpreter', 'vega-lite'];

const LOADERS = { '.cjs': 'js', '.cts': 'ts', '.js': 'js', '.json': 'json', '.mjs': 'js', '.mts': 'ts', '.ts': 'ts' };

/**
 * Returns the bundle of a program, which is made if it is not kept.
 *
 * @param name names the program in the folder of bundles
 * @param options options of esbuild that are values, such as `entryPoints` or `stdin`, with paths relative to ROOT
 * @returns the path of the bundle and its text
 * @throws BuildFailure of esbuild if a module is missing or has a syntax error
 */
export async function keptBundle(name, options) {
  const stem = `${name}-${sha256(JSON.stringify(options)).slice(0, 16)}`;
  return readKept(stem) ?? makeBundle(stem, options);
}

/** The kept bundle, or undefined if there is none for the current sources. */
function readKept(stem) {
  try {
    const path = bundlePath(stem, JSON.parse(readFileSync(listPath(stem), 'utf8')), read);
    const text = readFileSync(path, 'utf8');
    return text.endsWith(endOf(text.slice(0, -endOf('').length))) ? { path, text } : undefined;
  } catch {
    return undefined; // A source or the bundle is not there.
  }
}

/** How many builds run in this process. */
let builds = 0;

async function makeBundle(stem, options) {
  const { build, stop } = await import('esbuild');
  builds += 1;
  const sources = new Map(ALWAYS.map((source) => [source, read(source)]));
  try {
    const { outputFiles } = await build({
      bundle: true,
      platform: 'node',
      target: 'node20',
      external: EXTERNAL,
      absWorkingDir: ROOT,
      outfile: join(FOLDER, 'bundle.mjs'),
      write: false,
      sourcesContent: false,
      define: { 'import.meta.url': 'moduleUrl' },
      ...options,
      plugins: [noteSources(sources)],
    });
    const [bundle, map] = ['.mjs', '.mjs.map'].map((end) => outputFiles.find(({ path }) => path.endsWith(end))?.text);
    const names = [...sources.keys()].sort();
    const path = bundlePath(stem, names, (source) => sources.get(source));
    removeOutdated(stem);
    // The folder above is that of other tools too, so it gets the usual permissions.
    mkdirSync(dirname(FOLDER), { recursive: true });
    mkdirSync(FOLDER, { recursive: true, mode: 0o700 });
    if (map !== undefined) replaceFile(`${path}.map`, map);
    const code = map === undefined ? bundle : `${bundle}//# sourceMappingURL=${relative(FOLDER, path)}.map\n`;
    const text = code + endOf(code);
    replaceFile(path, text);
    replaceFile(listPath(stem), JSON.stringify(names));
    return { path, text };
  } finally {
    // Otherwise esbuild's process would stay, and its memory would count as the program's.
    if ((builds -= 1) === 0) await stop();
  }
}

/**
 * Notes the contents of each source as esbuild reads it, so that an edit during the build cannot be missed. Lets
 * `import.meta.url` keep its value: modules find their addons and files by it.
 */
function noteSources(sources) {
  return {
    name: 'note-sources',
    setup({ onLoad }) {
      onLoad({ filter: /.*/, namespace: 'file' }, ({ path }) => {
        const loader = LOADERS[extname(path)];
        if (loader === undefined) return { errors: [{ text: `${path}: a bundle cannot hold a file of this kind` }] };
        const source = sourcePath(path);
        const bytes = readFileSync(path);
        sources.set(source, bytes);
        // The description of a package says how its files are read.
        const description = /^.*node_modules\/(@[^/]+\/)?[^/]+\//.exec(source)?.[0].concat('package.json');
        if (description !== undefined && !sources.has(description)) sources.set(description, read(description));
        if (!bytes.includes('import.meta.url')) return { contents: bytes, loader };
        return {
          contents: `const moduleUrl = new URL(${JSON.stringify(source)}, ${ROOT_VARIABLE}).href; ${bytes}`,
          loader,
        };
      });
    },
  };
}

/** The path of a source as it is in every copy of the project, also in one whose node_modules is a link. */
function sourcePath(path) {
  const inside = relative(realpathSync(join(ROOT, 'node_modules')), path);
  return inside.startsWith('..') ? relative(ROOT, path) : join('node_modules', inside);
}

function listPath(stem) {
  return join(FOLDER, `${stem}.json`);
}

/** @param contentsOf returns the contents of a source */
function bundlePath(stem, sources, contentsOf) {
  const hash = createHash('sha256');
  for (const source of sources) {
    const contents = contentsOf(source);
    hash.update(`\0${source}\0${contents.length}\0`).update(contents);
  }
  return join(FOLDER, `${stem}-${hash.digest('hex').slice(0, 32)}.mjs`);
}

/** The last line of a bundle. */
function endOf(code) {
  return `// ${sha256(code)}\n`;
}

function sha256(text) {
  return createHash('sha256').update(text).digest('hex');
}

function read(source) {
  return readFileSync(join(ROOT, source));
}

function replaceFile(path, text) {
  writeFileSync(`${path}.${process.pid}`, text, { mode: 0o600 });
  renameSync(`${path}.${process.pid}`, path);
}

/** Removes the bundles of a program that were made for other sources, and files of programs that were killed. */
function removeOutdated(stem) {
  try {
    for (const file of readdirSync(FOLDER).filter((file) => file.startsWith(`${stem}-`))) {
      const path = join(FOLDER, file);
      if (lstatSync(path).mtimeMs < Date.now() - OUTDATED) rmSync(path, { force: true });
    }
  } catch {} // There is no such folder yet, or another program has removed the file.
}
