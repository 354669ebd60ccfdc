/**
 * The kernels of the GPU engine, run on the CPU under AddressSanitizer: native/cuda/exercise compares every kernel with a
 * reference in double precision, at odd sizes. Each seed is another order of threads.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { buildExercise, hasCompiler, SANITIZER_OPTIONS } from './build.ts';

const CUDA = join(import.meta.dirname, '../../../native/cuda');
const textOf = (folder: string) =>
  readdirSync(join(CUDA, folder))
    .map((name) => readFileSync(join(CUDA, folder, name), 'utf8'))
    .join('\n');

describe.skipIf(!hasCompiler)('the kernels on the CPU (skipped without a C++ compiler)', () => {
  test.each([1, 77])('agree with the references, and stay within their buffers: seed %d', (seed) => {
    const { status, stdout, stderr } = spawnSync(buildExercise(), [String(seed)], {
      encoding: 'utf8',
      env: { ...process.env, ...SANITIZER_OPTIONS },
    });
    const lines = stdout.trim().split('\n');
    expect({ wrong: lines.filter((line) => !line.startsWith('ok ')), stderr, status }).toEqual({
      wrong: [],
      stderr: '',
      status: 0,
    });
    expect(lines.length).toBeGreaterThan(300);
  });
});

test('no kernel adds with atomics, whose order differs from run to run', () => {
  expect(textOf('kernels')).not.toMatch(/\batomic(Add|Exch|CAS|Max|Min)|\bred\.|\batom\./);
});
