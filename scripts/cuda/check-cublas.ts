/**
 * Compares what native/cuda/addon/cublas.hpp declares with NVIDIA's headers, and with the library itself: versions 11, 12 and
 * 13, from PyPI. It needs neither a GPU nor a driver, but 1.5 GB of downloads and 2 GB below dist/cuda. Exits 1 if anything
 * differs.
 *
 *     npx tsx scripts/cuda/check-cublas.ts            all versions
 *     npx tsx scripts/cuda/check-cublas.ts 12.8       versions that begin with 12.8
 */
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { $, glob } from 'zx';
import { NVCC, toolchain } from './toolchain.ts';

const ROOT = join(import.meta.dirname, '../..');
const OUT = join(ROOT, 'dist/cuda');

/** Packages with the library and its headers, and with the headers that those include. */
const VERSIONS: [version: string, packages: string[]][] = [
  ['11.11.3', ['nvidia-cublas-cu11==11.11.3.6', 'nvidia-cuda-runtime-cu11==11.8.89', 'nvidia-cuda-nvcc-cu11==11.8.89']],
  ['12.8.4', ['nvidia-cublas-cu12==12.8.4.1', 'nvidia-cuda-runtime-cu12==12.8.90', NVCC]],
  ['13.0.2', ['nvidia-cublas==13.0.2.14', 'nvidia-cuda-runtime==13.0.96', 'nvidia-cuda-crt==13.0.88']],
];

const [wanted = ''] = process.argv.slice(2);
const venv = await toolchain();
for (const [version, packages] of VERSIONS.filter(([each]) => each.startsWith(wanted))) {
  const folder = join(OUT, `cublas-${version}`);
  if (!existsSync(folder)) {
    mkdirSync(folder, { recursive: true });
    try {
      for (const each of packages) {
        const wheels = join(folder, 'wheels');
        await $({
          quiet: true,
        })`${venv}/bin/pip download --quiet --no-deps --only-binary=:all: --dest ${wheels} ${each}`;
        for (const wheel of await glob(join(wheels, '*.whl'))) await $`python3 -m zipfile -e ${wheel} ${folder}`;
        rmSync(wheels, { recursive: true });
      }
    } catch (error) {
      rmSync(folder, { recursive: true });
      throw error;
    }
  }
  const [library] = await glob(join(folder, '**/libcublasLt.so.*'));
  const includes = (await glob(join(folder, '**/include'), { onlyDirectories: true })).map((each) => `-I${each}`);
  const program = join(OUT, 'check-cublas');
  const source = join(ROOT, 'native/cuda/check/check-cublas.cpp');
  await $`${process.env.CXX ?? 'g++'} -std=gnu++17 -Wall -Wextra ${includes} ${source} -o ${program} -ldl`;
  const { stdout, exitCode } = await $({ nothrow: true, quiet: true })`${program} ${library}`;
  const lines = stdout.trim().split('\n');
  for (const line of lines.filter((each) => !each.startsWith('ok'))) console.log(`cuBLASLt ${version}: ${line}`);
  console.log(`cuBLASLt ${version}: ${lines.filter((each) => each.startsWith('ok')).length} checks are right`);
  if (exitCode !== 0) process.exitCode = 1;
}
