/**
 * Builds the C++ of native/cuda that the tests run on the CPU. Results are kept in dist/cuda, by the digest of their
 * sources.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { digestOf } from '../../../native/built.mjs';

const ROOT = resolve(fileURLToPath(import.meta.url), '../../../..');
const FOLDER = join(ROOT, 'dist/cuda');
const COMPILER = process.env.CXX ?? 'g++';

/** Whether there is a compiler. Without one, the tests of the kernels are skipped. */
export const hasCompiler = spawnSync(COMPILER, ['--version']).status === 0;

/**
 * Compiles one source of native/cuda with the kernels in it.
 *
 * @param source relative to native/cuda
 * @param flags of the compiler, besides those that the kernels always need
 * @returns the path of the program or library
 */
function build(source: string, flags: string[]): string {
  const folders = ['kernels', 'shim', source.split('/')[0]].map((folder) => `native/cuda/${folder}`);
  const digest = digestOf([...new Set(folders), 'test/engine/gpu/build.ts']).slice(0, 16);
  const name = basename(source, '.cpp');
  const out = join(FOLDER, `${name}-${digest}`);
  if (existsSync(out)) return out;
  mkdirSync(FOLDER, { recursive: true });
  const own = `${out}.${process.pid}`;
  const all = ['-std=gnu++17', '-DCUDA_SHIM', '-Wall', '-Wextra', '-Wno-unknown-pragmas', ...flags];
  const { status, stderr } = spawnSync(COMPILER, [...all, join(ROOT, 'native/cuda', source), '-o', own], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`${source} was not compiled:\n${stderr}`);
  renameSync(own, out);
  // Another process may be building the same.
  for (const older of readdirSync(FOLDER))
    if (older.startsWith(`${name}-`) && !older.startsWith(`${name}-${digest}`))
      rmSync(join(FOLDER, older), { force: true });
  return out;
}

/** The program that compares every kernel with a reference (native/cuda/exercise), under AddressSanitizer. */
export const buildExercise = () => build('exercise/exercise.cpp', ['-O0', '-g1', '-fsanitize=address']);

/** The environment in which AddressSanitizer runs programs whose threads are fibers. */
export const SANITIZER_OPTIONS = { ASAN_OPTIONS: 'detect_leaks=0:detect_stack_use_after_return=0' };

/** The stand-in for libcuda that runs the kernels on the CPU (native/cuda/fake-driver). */
export const buildFakeDriver = () => build('fake-driver/fake-cuda.cpp', ['-O2', '-shared', '-fPIC', '-pthread']);

/** The stand-in for cuBLASLt, which works with that driver. Its version follows its file name: fake-cublas.cpp. */
export const buildFakeCublas = () => build('fake-driver/fake-cublas.cpp', ['-O2', '-shared', '-fPIC']);
