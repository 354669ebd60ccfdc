// Starts a stage program. The commands in pipeline.yaml call it:
//
//     node stages/start.mjs stages/NAME.ts INPUT… OUTPUT… [--flags]
//
// It bundles the program and the project's modules behind it with esbuild, which takes about 60 % of the time that tsx takes
// to load them one by one. The bundle is made again for each start, and is removed as soon as Node has read it. So it
// can neither be out of date nor be prepared by somebody else, as the modules that tsx keeps in /tmp can.
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build, stop } from 'esbuild';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..');

/**
 * Holds the bundles that are being started. It is in node_modules, because a bundle imports packages from there. Who
 * can write there can change what the stages run anyway; .repro may come from someone else, and may hold links.
 */
const FOLDER = join(ROOT, 'node_modules/.cache/stages');
const PREFIX = 'stage-';

/** Milliseconds after which a bundle that a killed start left behind is removed. */
const LEFT_BEHIND = 3_600_000;

/** Lets `import.meta.url` keep its value: modules find their addons and files by it. */
const keepModuleUrls = {
  name: 'keep-module-urls',
  setup({ onLoad }) {
    onLoad({ filter: /\.(ts|mjs)$/ }, ({ path }) => {
      const source = readFileSync(path, 'utf8');
      if (!source.includes('import.meta.url')) return undefined;
      const url = JSON.stringify(pathToFileURL(path).href);
      return { contents: `const moduleUrl = ${url}; ${source}`, loader: path.endsWith('.ts') ? 'ts' : 'js' };
    });
  },
};

if (process.argv.length < 3) {
  console.error('usage: node stages/start.mjs stages/NAME.ts …');
  process.exit(2);
}
const program = resolve(process.argv[2]);
process.argv.splice(1, 2, program);

removeLeftBehind();
mkdirSync(dirname(FOLDER), { recursive: true });
mkdirSync(FOLDER, { recursive: true, mode: 0o700 });
// Nobody else can read or write in it.
const folder = mkdtempSync(join(FOLDER, PREFIX));
const remove = () => rmSync(folder, { recursive: true, force: true });
process.on('exit', remove);
globalThis.stageIsLoaded = remove;
const bundle = join(folder, 'stage.mjs');
writeFileSync(bundle, await bundled());
process.setSourceMapsEnabled(true);
await import(pathToFileURL(bundle).href);

/** The text of the bundle; if a module has an error, esbuild prints its place, and the process ends. */
async function bundled() {
  try {
    const { outputFiles } = await build({
      entryPoints: [program],
      outfile: bundle,
      write: false,
      bundle: true,
      packages: 'external',
      platform: 'node',
      format: 'esm',
      target: 'node20',
      absWorkingDir: ROOT,
      sourcemap: 'inline',
      sourcesContent: false,
      logLevel: 'error',
      banner: { js: 'stageIsLoaded();' },
      define: { 'import.meta.url': 'moduleUrl' },
      plugins: [keepModuleUrls],
    });
    return outputFiles[0].text;
  } catch (error) {
    if (error.errors === undefined) throw error;
    process.exit(1);
  } finally {
    // Otherwise esbuild's process would stay, and its memory would count as the stage's.
    await stop();
  }
}

function removeLeftBehind() {
  try {
    for (const name of readdirSync(FOLDER).filter((name) => name.startsWith(PREFIX))) {
      const path = join(FOLDER, name);
      if (lstatSync(path).mtimeMs < Date.now() - LEFT_BEHIND) rmSync(path, { recursive: true, force: true });
    }
  } catch {} // There is no such folder yet, or another start has removed it.
}
