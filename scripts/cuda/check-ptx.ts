/**
 * Assembles the PTX of the GPU engine for each generation of GPUs with NVIDIA's ptxas, and prints a table of registers,
 * spills and static shared memory, which docs/gpu.md has. Exits 1 if a kernel spills registers or is refused, or if the
 * kernels for bf16 and TF32 have no tensor-core instructions.
 *
 *     npx tsx scripts/cuda/check-ptx.ts
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { $ } from 'zx';
import { PTX_FILE } from './sources.ts';
import { NVCC, toolchain } from './toolchain.ts';

/** A100; RTX 30; RTX 40 and L4; H100; B200; RTX 50. */
const ARCHITECTURES = ['sm_80', 'sm_86', 'sm_89', 'sm_90', 'sm_100', 'sm_120'];

const venv = await toolchain(NVCC);
const ptxas = (await $`echo ${venv}/lib/python3*/site-packages/nvidia/cuda_nvcc/bin/ptxas`.text()).trim();
const out = join(import.meta.dirname, '../../dist/cuda/kernels.cubin');
const registers = new Map<string, string[]>();
let wrong = false;
for (const architecture of ARCHITECTURES) {
  const { stderr, stdout } = await $({
    quiet: true,
  })`sh -c ${`${ptxas} -v -arch=${architecture} ${PTX_FILE} -o ${out} 2>&1`}`;
  const report = stdout + stderr;
  for (const [, kernel, spills, used] of report.matchAll(
    /Compiling entry function '(\w+)'[\s\S]*?(\d+) bytes spill stores[\s\S]*?Used (\d+) registers/g,
  )) {
    registers.set(kernel, [...(registers.get(kernel) ?? []), used]);
    if (spills !== '0') {
      console.error(`${kernel} spills ${spills} bytes on ${architecture}`);
      wrong = true;
    }
  }
}
console.log(`| kernel | ${ARCHITECTURES.join(' | ')} |\n| --- |${' --- |'.repeat(ARCHITECTURES.length)}`);
for (const [kernel, used] of [...registers].sort()) console.log(`| ${kernel} | ${used.join(' | ')} |`);

const ptx = readFileSync(PTX_FILE, 'utf8');
for (const [kernel] of registers) {
  const body = ptx.slice(ptx.indexOf(`.entry ${kernel}(`)).split('.entry ')[1];
  const wanted = /(Bf16|Tf32)$/.test(kernel);
  if (wanted !== body.includes('mma.sync')) {
    console.error(`${kernel} ${wanted ? 'does not use' : 'uses'} tensor cores`);
    wrong = true;
  }
}
process.exitCode = wrong ? 1 : 0;
