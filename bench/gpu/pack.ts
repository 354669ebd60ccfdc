/**
 * Packs this benchmark for a Linux machine with a GPU that has no network and no Node: one file of less than 60 MB.
 *
 *     npx tsx bench/gpu/pack.ts                 writes dist/gpu-bench.tar.xz
 *     npx tsx bench/gpu/pack.ts --sanitizer     with NVIDIA's compute-sanitizer, from PyPI (9 MB more)
 *     npx tsx bench/gpu/pack.ts --fake          with the fake driver, to try the file on a machine without a GPU
 *
 * On the machine with the GPU:
 *
 *     tar xJf gpu-bench.tar.xz && sh gpu-bench/run.sh                  all: about 20 minutes
 *     sh gpu-bench/run.sh --parts check,sanitize                       only some parts, see index.ts
 *
 * The file holds Node, the two addons, the kernels, and this benchmark as one module. PyTorch and cuBLASLt are too large for
 * it. If PyTorch is installed on that machine, the peers run, and its cuBLASLt is used unless CUBLASLT_LIBRARY names another.
 * The addons need a C library at least as new as this machine's; the script prints its version.
 */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type PluginBuild } from 'esbuild';
import { parseOptions } from '../../scripts/command-line.ts';

const ROOT = resolve(fileURLToPath(import.meta.url), '../../..');
const OUT = join(ROOT, 'dist/gpu-bench.tar.xz');
const SANITIZER = 'nvidia-cuda-sanitizer-api-cu12==12.9.79';
const LARGEST = 60e6;

const { values } = parseOptions(import.meta.url, {
  options: { sanitizer: { type: 'boolean', default: false }, fake: { type: 'boolean', default: false } },
});
const work = mkdtempSync(join(tmpdir(), 'gpu-bench-'));
const folder = join(work, 'gpu-bench');
/** Copies a file or folder of the project to the same place. */
const copy = (path: string) => {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  cpSync(join(ROOT, path), join(folder, path), { recursive: true });
};

try {
  mkdirSync(folder);
  await build({
    ...{ entryPoints: [join(ROOT, 'bench/gpu/index.ts')], outfile: join(folder, 'bench.mjs') },
    ...{ bundle: true, platform: 'node', format: 'esm', target: 'node20', logLevel: 'error' },
    banner: {
      js: "import { createRequire as makeRequire } from 'node:module'; const bundleUrl = import.meta.url, require = makeRequire(bundleUrl);",
    },
    plugins: [{ name: 'module-urls', setup: keepModuleUrls }],
  });
  for (const name of ['cuda', 'engine']) copy(`native/${name}/build/Release/${name}.node`);
  for (const path of ['native/cuda/ptx/kernels.ptx', 'node_modules/node-gyp-build', 'bench/gpu/peers.py']) copy(path);
  copy('bench/engine/torch_models.py');
  copyFileSync(process.execPath, join(folder, 'node'));
  execFileSync('strip', [join(folder, 'node')]);
  for (const name of ['cuda', 'engine'])
    execFileSync('strip', ['--strip-unneeded', join(folder, `native/${name}/build/Release/${name}.node`)]);
  if (values.sanitizer) addSanitizer();
  if (values.fake) addFakeDriver();
  writeFileSync(
    join(folder, 'run.sh'),
    `#!/bin/sh
cd "$(dirname "$0")" || exit 1
sanitizer=$PWD/nvidia/cuda_sanitizer_api/bin/compute-sanitizer
[ ! -x "$sanitizer" ] || export COMPUTE_SANITIZER=$sanitizer
[ ! -f fake-cuda.so ] || set -- --fake "$PWD/fake-cuda.so" "$@"
[ ! -f libcublasLt.so.12 ] || export CUBLASLT_LIBRARY=$PWD/libcublasLt.so.12
exec ./node bench.mjs --peers bench/gpu/peers.py "$@"
`,
  );
  mkdirSync(dirname(OUT), { recursive: true });
  execFileSync('tar', ['cJf', OUT, '-C', work, 'gpu-bench'], { env: { ...process.env, XZ_OPT: '-6' } });
  const { size } = statSync(OUT);
  console.log(`${OUT}: ${(size / 1e6).toFixed(1)} MB; the addons need ${neededVersions().join(' and ')}`);
  if (size > LARGEST) throw new Error(`the file is larger than ${LARGEST / 1e6} MB`);
} finally {
  rmSync(work, { recursive: true });
}

/** Modules find native/ and node_modules/ from their own place, so each keeps the URL that it has in the project. */
function keepModuleUrls({ onLoad }: PluginBuild): void {
  onLoad({ filter: /\/(lib|bench)\/.*\.ts$/ }, ({ path }) => {
    const url = `new URL(${JSON.stringify(relative(ROOT, path))}, bundleUrl).href`;
    return { contents: readFileSync(path, 'utf8').replaceAll('import.meta.url', url), loader: 'ts' };
  });
}

function addSanitizer(): void {
  const wheels = join(work, 'wheels');
  const download = [
    '-m',
    'pip',
    'download',
    '--quiet',
    '--no-deps',
    '--only-binary=:all:',
    '--dest',
    wheels,
    SANITIZER,
  ];
  execFileSync('python3', download, { stdio: 'inherit' });
  const [wheel] = readdirSync(wheels);
  execFileSync('python3', ['-m', 'zipfile', '-e', join(wheels, wheel), folder]);
  rmSync(join(folder, 'nvidia/cuda_sanitizer_api/include'), { recursive: true });
  chmodSync(join(folder, 'nvidia/cuda_sanitizer_api/bin/compute-sanitizer'), 0o755);
  rmSync(wheels, { recursive: true });
}

/** The tests build the fake driver. */
function addFakeDriver(): void {
  const built = join(ROOT, 'dist/cuda');
  const name = existsSync(built) ? readdirSync(built).find((each) => each.startsWith('fake-cuda-')) : undefined;
  if (!name) throw new Error('dist/cuda has no fake driver; run `npx vitest run test/engine/gpu/device.test.ts`');
  copyFileSync(join(built, name), join(folder, 'fake-cuda.so'));
  const cublas = readdirSync(built).find((each) => each.startsWith('fake-cublas-'));
  if (cublas) copyFileSync(join(built, cublas), join(folder, 'libcublasLt.so.12'));
}

/** The newest versions of the C and C++ libraries that the addons ask for. */
function neededVersions(): string[] {
  const texts = ['cuda', 'engine'].map((name) =>
    execFileSync('objdump', ['-T', join(folder, `native/${name}/build/Release/${name}.node`)], { encoding: 'utf8' }),
  );
  return ['GLIBC', 'GLIBCXX'].map((library) => {
    const versions = [...texts.join('').matchAll(new RegExp(`\\b${library}_([\\d.]+)`, 'g'))].map(
      ([, version]) => version,
    );
    const order = new Intl.Collator('en', { numeric: true });
    return `${library} ${versions.sort(order.compare).at(-1)}`;
  });
}
