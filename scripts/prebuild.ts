/**
 * Builds the native addons as binaries for other machines of this kind: native/NAME/prebuilds/PLATFORM-ARCH. An
 * installation that finds one there compiles nothing (scripts/install.mjs), if the binary is of the current sources.
 *
 *     npm run prebuildify              bpe, cuda, engine and spawn
 *     npm run prebuildify -- spawn     one of them
 *
 * (npm would run a script `prebuild` before each `npm run build`.)
 *
 * A binary needs a C library at least as new as this machine's, so build on the oldest system that is to be supported.
 * Any version of Node loads it (Node-API), and the engine chooses its kernels when it runs, so the CPU of this machine
 * does not matter. git ignores prebuilt binaries: copy the folders `prebuilds` to where they are needed.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { prebuildDigestOf, prebuildsOf, stampOf } from '../native/built.mjs';

const ROOT = resolve(fileURLToPath(import.meta.url), '../..');
const ADDONS = ['bpe', 'cuda', 'engine', 'spawn'];

/** prebuildify moves the binary out of its build, so it works on a copy of the sources. */
function prebuild(name: string): void {
  const sources = join(ROOT, 'native', name);
  const copy = join(ROOT, 'dist/prebuild', name);
  const results = join(ROOT, prebuildsOf(name));
  rmSync(copy, { recursive: true, force: true });
  rmSync(results, { recursive: true, force: true });
  mkdirSync(copy, { recursive: true });
  for (const each of readdirSync(sources))
    if (each !== 'build' && each !== 'prebuilds') cpSync(join(sources, each), join(copy, each), { recursive: true });
  const headers = resolve(dirname(process.execPath), '..');
  const own = existsSync(join(headers, 'include/node/node_api.h')) ? { npm_config_nodedir: headers } : {};
  const target = ['--target', process.versions.node, '--napi', '--strip', '--tag-libc'];
  execFileSync(
    join(ROOT, 'node_modules/.bin/prebuildify'),
    ['--cwd', copy, '--out', sources, '--name', name, ...target],
    { stdio: 'pipe', env: { ...process.env, ...own, npm_config_jobs: 'max' } },
  );
  writeFileSync(stampOf(results), prebuildDigestOf(name));
  console.log(`${prebuildsOf(name)}: ${readdirSync(results).join(', ')}`);
}

const named = process.argv.slice(2);
const unknown = named.find((name) => !ADDONS.includes(name));
if (unknown === undefined) for (const name of named.length > 0 ? named : ADDONS) prebuild(name);
else {
  console.error(`there is no addon ${unknown}; there are ${ADDONS.join(', ')}`);
  process.exitCode = 2;
}
