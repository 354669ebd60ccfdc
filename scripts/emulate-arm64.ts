/**
 * Tests the native engine's generic kernels with NEON: cross-compiles them for arm64, and runs everything that the
 * engine does (native/engine/exercise/exercise.cpp) under qemu's user emulation.
 *
 *     npx tsx scripts/emulate-arm64.ts
 *
 * It needs Debian's g++-aarch64-linux-gnu and qemu-user. It shows that the kernels compile, finish, and repeat
 * themselves bit for bit. It does not measure speed. The tests check the results of the generic kernels, on the CPU of
 * the machine that runs the tests.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { $, cd, glob } from 'zx';

const flags = ['-std=gnu++17', '-O2', '-Wall', '-Wextra', '-Wno-psabi', '-static', '-I.'];
const kernelFlags = ['-fno-math-errno', '-fno-trapping-math', '-ffp-contract=fast'];
cd(join(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '../native/engine'));
const sources = ['exercise/exercise.cpp', 'kernels/choose.cpp', ...(await glob('src/*.cpp'))];
const folder = await mkdtemp(join(tmpdir(), 'arm64-'));
const program = join(folder, 'exercise');
$.verbose = false;
await $`aarch64-linux-gnu-g++ ${flags} ${kernelFlags} -c kernels/generic.cpp -o ${folder}/generic.o`;
await $`aarch64-linux-gnu-g++ ${flags} ${sources} ${folder}/generic.o -o ${program} -lpthread`;
const run = await $({ nothrow: true })`qemu-aarch64 ${program}`;
console.log(`${run.stdout}${run.stderr}`.trim());
await rm(folder, { recursive: true });
process.exitCode = run.exitCode ?? 1;
