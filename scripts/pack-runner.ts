/**
 * Builds the runner as an npm package of its own, in dist/package, from lib/repro, native/spawn, docs and
 * scripts/runner-package. `npm pack ./dist/package` makes the tarball, `npm publish ./dist/package` a release.
 *
 *     npm run pack:runner                prebuilds native/spawn (scripts/prebuild.ts), then builds the package
 *     npx tsx scripts/pack-runner.ts     takes the prebuilt addons that are there
 *
 *   dist/repro.js, dist/repro/   the program, bundled          types/         declarations of the library
 *   dist/index.js                the library for stages        native/spawn   the addon: source, prebuilt binaries
 *   pipeline.schema.json         for editors                   docs/          the manual, recipes, clusters, security
 */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleRunner } from './bundle-runner.mjs';
import { publicTypes } from './public-types.ts';

const ROOT = resolve(fileURLToPath(import.meta.url), '../..');

/** Packages that an installation needs. All others are bundled (docs/decisions). */
const DEPENDENCIES = ['esbuild', 'lmdb', 'node-addon-api', 'node-gyp-build'];
/** Packages that only plots of tables and Vega-Lite need. */
const OPTIONAL = ['vega', 'vega-lite'];
const DOCS = ['repro.md', 'recipes.md', 'cluster.md', 'security.md'];

/**
 * Builds the package.
 *
 * @param folder relative to the project; what is in it is removed
 * @throws Error if a part of it cannot be built
 */
export async function packRunner(folder: string): Promise<void> {
  const to = join(ROOT, folder);
  rmSync(to, { recursive: true, force: true });
  mkdirSync(join(to, 'docs'), { recursive: true });
  const bundled = await bundleRunner(`${folder}/dist`, { library: true });
  for (const [file, text] of publicTypes('lib/repro/index.ts')) write(join(to, 'types', file), text);
  write(join(to, 'THIRD-PARTY-LICENSES.txt'), licencesOf(bundled));
  write(join(to, 'package.json'), `${JSON.stringify(manifest(), null, 2)}\n`);
  for (const name of ['README.md', 'CHANGELOG.md']) cpSync(join(ROOT, 'scripts/runner-package', name), join(to, name));
  cpSync(join(ROOT, 'LICENSE'), join(to, 'LICENSE'));
  cpSync(join(ROOT, 'lib/repro/pipeline/pipeline.schema.json'), join(to, 'pipeline.schema.json'));
  for (const name of DOCS) {
    const text = readFileSync(join(ROOT, 'docs', name), 'utf8');
    const schema = /\[[^\]]*\]\(\.\.\/lib\/repro\/pipeline\/pipeline\.schema\.json\)/g;
    write(join(to, 'docs', name), text.replace(schema, '[pipeline.schema.json](../pipeline.schema.json)'));
  }
  packAddon(join(to, 'native/spawn'));
}

/** package.json, with versions from the project's own. */
function manifest(): object {
  const read = (file: string) => JSON.parse(readFileSync(join(ROOT, file), 'utf8'));
  const project = read('package.json');
  const ranges = (names: readonly string[]) =>
    Object.fromEntries(names.map((name) => [name, `^${project.dependencies[name]}`]));
  return {
    ...read('scripts/runner-package/package.json'),
    version: project.version,
    engines: project.engines,
    dependencies: ranges(DEPENDENCIES),
    peerDependencies: ranges(OPTIONAL),
  };
}

/** Licences ask that their text goes with every copy. */
function licencesOf(packages: readonly string[]): string {
  const intro = 'repro contains these packages in bundled form. Each is under the licence below its name.\n';
  const texts = packages.map((folder) => {
    const { name, version } = JSON.parse(readFileSync(join(ROOT, folder, 'package.json'), 'utf8'));
    const file = readdirSync(join(ROOT, folder)).find((each) => /^licen[cs]e/i.test(each));
    if (file === undefined) throw new Error(`${folder} has no licence file, so it cannot be bundled into the package`);
    return `${'='.repeat(80)}\n${name} ${version}\n\n${readFileSync(join(ROOT, folder, file), 'utf8').trim()}\n`;
  });
  return [intro, ...texts].join('\n');
}

/** Sources and prebuilt binaries. If none was prebuilt, the binary of `npm run build` takes its place. */
function packAddon(to: string): void {
  const from = join(ROOT, 'native/spawn');
  for (const file of ['binding.gyp', 'spawn.cpp']) cpSync(join(from, file), join(to, file));
  cpSync(join(ROOT, 'scripts/runner-package/install.mjs'), join(to, 'install.mjs'));
  const isBinary = (path: string) => !path.endsWith('.sources');
  const built = join(from, 'build/Release/spawn.node');
  if (existsSync(join(from, 'prebuilds')))
    cpSync(join(from, 'prebuilds'), join(to, 'prebuilds'), { recursive: true, filter: isBinary });
  else if (existsSync(built)) cpSync(built, join(to, `prebuilds/${process.platform}-${process.arch}/spawn.node`));
}

function write(path: string, text: string): void {
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, text);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await packRunner('dist/package');
  console.log('built dist/package; `npm pack ./dist/package` makes the tarball');
}
