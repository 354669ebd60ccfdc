/** The PTX in the repository: it is that of the kernels beside it, and drivers since CUDA 11.1 take it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { kernelDigest, kernelSource, PTX_FILE } from '../../../scripts/cuda/sources.ts';

const ptx = readFileSync(PTX_FILE, 'utf8');
const kernels = [...ptx.matchAll(/\.entry (\w+)\(/g)].map(([, name]) => name);

test('was compiled from the sources beside it: run `npx tsx scripts/cuda/make-ptx.ts` after a change', () => {
  expect(/^\/\/ sources (\w+)/.exec(ptx)?.[1]).toBe(kernelDigest());
});

test('has a digest that a change of a kernel changes', () => {
  expect(kernelSource()).toContain('attentionBackwardKeys');
  expect(kernelSource((text) => text.replace('+ 1e-5f', '+ 1e-6f'))).not.toBe(kernelSource());
});

test('is for compute capability 8.0, in the version of CUDA 11.1', () => {
  expect(ptx).toMatch(/^\.version 7\.1$/m);
  expect(ptx).toMatch(/^\.target sm_80$/m);
});

test('has the kernels that the fake driver has, so that tests on the one speak of the other', () => {
  const driver = readFileSync(join(import.meta.dirname, '../../../native/cuda/fake-driver/fake-cuda.cpp'), 'utf8');
  const names = [...driver.matchAll(/(?<!define )KERNEL\((\w+)\)/g)].map(([, name]) => name);
  expect(names.sort()).toEqual([...kernels].sort());
});

test('multiplies on tensor cores in the kernels for bf16 and TF32, and only there', () => {
  const bodies = ptx.split('.entry ').slice(1);
  const onTensorCores = bodies.filter((body) => body.includes('mma.sync')).map((body) => /^\w+/.exec(body)![0]);
  expect(onTensorCores.sort()).toEqual(kernels.filter((name) => /(Bf16|Tf32)$/.test(name)).sort());
  expect(onTensorCores).toHaveLength(19);
});
