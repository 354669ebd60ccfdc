// Makes what cannot be shipped as source: run by `npm ci` (the install script) and by `npm run build`.
//
//   dist/repro.js        the runner, bundled, so that it starts as fast as node does
//   dist/tfjs.js         TensorFlow.js core with its gradients and the CPU backend, which only a bundler can join
//   native/*/build       the addons: bpe, engine, spawn
//
// What was made of the same sources before is left alone: `npx repro` runs this again when it first links the project's bin.
// The addons are optional: without a compiler the project falls back on TypeScript, says so once and goes on.
// It downloads nothing: node-gyp is pointed at the headers that come with Node where they are there.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { digestOf, stampOf } from '../native/built.mjs';
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

/** Runs `make` unless `output` was made of these sources, by this Node; a stamp beside the output remembers that. */
async function unlessMade(output, sources, make) {
  const stamp = stampOf(output);
  const digest = digestOf(sources);
  if (existsSync(output) && existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) return undefined;
  const problem = await make();
  if (problem === undefined) writeFileSync(stamp, digest);
  return problem;
}

/**
 * TensorFlow.js core registers its gradients from a module whose imports have no file extensions, so node cannot load it;
 * and the gradients must join the very copy of core that the backend joins.
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
    // core's Node platform calls require('util') and require('node-fetch') inside functions
    banner: { js: `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);` },
    minify: true,
    outfile: 'dist/tfjs.js',
  });
}

/** npm links the bins of dependencies, not of the project itself; `npx repro` would build a copy of it each time. */
function linkBin() {
  mkdirSync('node_modules/.bin', { recursive: true });
  rmSync('node_modules/.bin/repro', { force: true });
  symlinkSync('../../dist/repro.js', 'node_modules/.bin/repro');
}

/** Compiles one addon; resolves to an explanation when that is not possible, to undefined when it is built. */
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
      done(`native/${name} was not compiled (${cause.trim() || `exit ${code}`}; all of it: dist/native-${name}.log)`);
    });
  });
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
const addons = ['bpe', 'engine', 'spawn'].map((name) =>
  unlessMade(`native/${name}/build/Release/${name}.node`, [`native/${name}`], () => compile(name)),
);
const problems = (await Promise.all(addons)).filter(Boolean);
for (const problem of problems) console.warn(`warning: ${problem}`);
if (problems.length > 0)
  console.warn(
    'warning: everything works without it, slowly: tokenizing in TypeScript, training in TensorFlow.js.\n' +
      '         Install a C++ compiler, make and Python 3, then `npm run build`.',
  );
