// Builds the parts that cannot run as source. `npm ci` (the install script) and `npm run build` call it.
//
//   dist/repro.js        the runner, bundled, so that it starts as fast as node does
//   dist/tfjs.js         TensorFlow.js core with its gradients and the CPU backend; only a bundler can resolve their imports
//   native/*/build       the addons: bpe, cuda, engine, spawn; not those with a prebuilt binary that loads (scripts/prebuild.ts)
//
// A part is built again only if its sources changed. `npx repro` calls this script again when it first links the
// project's bin. The addons are optional: without a compiler the project warns once and uses TypeScript instead. The
// script downloads nothing if the Node installation carries its headers: node-gyp then uses those.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { digestOf, isPrebuilt, stampOf } from '../native/built.mjs';
import { bundleRunner } from './bundle-runner.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
process.chdir(root);

const bundle = {
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  logLevel: 'warning',
  absWorkingDir: root,
};

/**
 * Runs `make` unless `output` was built from these sources by this version of Node. A stamp file beside the output
 * records both.
 */
async function unlessMade(output, sources, make) {
  const stamp = stampOf(output);
  const digest = digestOf(sources);
  if (existsSync(output) && existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) return undefined;
  const problem = await make();
  if (problem === undefined) writeFileSync(stamp, digest);
  return problem;
}

/**
 * Bundles TensorFlow.js core, its gradients and the CPU backend.
 * Core registers its gradients in a module whose imports have no file extensions, so Node cannot load it.
 * Gradients and backend must also register with the same copy of core.
 */
async function bundleTfjs() {
  const contents = `
    import '@tensorflow/tfjs-core/dist/register_all_gradients';
    import '@tensorflow/tfjs-backend-cpu';
    export * from '@tensorflow/tfjs-core';`;
  await build({
    ...bundle,
    stdin: { contents, resolveDir: root },
    mainFields: ['module', 'main'],
    // The Node platform of core calls require('util') and require('node-fetch') inside functions.
    banner: { js: `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);` },
    minify: true,
    outfile: 'dist/tfjs.js',
  });
}

/**
 * Links node_modules/.bin/repro. npm links only the bins of dependencies, so `npx repro` would otherwise build a copy
 * each time.
 */
function linkBin() {
  mkdirSync('node_modules/.bin', { recursive: true });
  rmSync('node_modules/.bin/repro', { force: true });
  symlinkSync('../../dist/repro.js', 'node_modules/.bin/repro');
}

/** Compiles one addon. Resolves to undefined on success, or to the reason of the failure. */
function compile(name) {
  const nodeGyp = join(dirname(createRequire(import.meta.url).resolve('node-gyp/package.json')), 'bin/node-gyp.js');
  const headers = resolve(dirname(process.execPath), '..');
  const args = [nodeGyp, 'rebuild', '-C', `native/${name}`, '-j', String(availableParallelism())];
  if (existsSync(join(headers, 'include/node/node_api.h'))) args.push(`--nodedir=${headers}`);
  return new Promise((done) => {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let log = '';
    child.stdout.on('data', (text) => (log += text));
    child.stderr.on('data', (text) => (log += text));
    child.on('close', (code) => {
      if (code === 0) return done(undefined);
      mkdirSync('dist', { recursive: true });
      writeFileSync(`dist/native-${name}.log`, log);
      const cause = log.split('\n').find((line) => /not found|error:|could not find|Error:/i.test(line)) ?? '';
      done(`native/${name} was not compiled (${cause.trim() || `exit ${code}`}; full log: dist/native-${name}.log)`);
    });
  });
}

/** Whether a prebuilt binary of native/NAME fits this machine: one for a newer C library cannot be loaded. */
function hasPrebuild(name) {
  if (!isPrebuilt(name)) return false;
  try {
    createRequire(import.meta.url)('node-gyp-build')(resolve('native', name));
    return true;
  } catch {
    return false;
  }
}

const scripts = ['scripts/install.mjs', 'scripts/bundle-runner.mjs', 'package-lock.json'];
await Promise.all([
  unlessMade('dist/repro.js', ['lib/repro', ...scripts], () => {
    rmSync('dist/repro', { recursive: true, force: true });
    return bundleRunner('dist');
  }),
  unlessMade('dist/tfjs.js', scripts, bundleTfjs),
]);
linkBin();
const addons = ['bpe', 'cuda', 'engine', 'spawn'].map((name) =>
  !existsSync(`native/${name}/build`) && hasPrebuild(name)
    ? undefined
    : unlessMade(`native/${name}/build/Release/${name}.node`, [`native/${name}`], () => compile(name)),
);
const problems = (await Promise.all(addons)).filter(Boolean);
for (const problem of problems) console.warn(`warning: ${problem}`);
if (problems.length > 0)
  console.warn(
    'warning: everything works without the addons, but slower: tokenizing in TypeScript, training in TensorFlow.js.\n' +
      '         Install a C++ compiler, make and Python 3, then `npm run build`.',
  );
