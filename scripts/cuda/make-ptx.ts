/**
 * Compiles the kernels of the GPU engine to PTX for compute capability 8.0 and newer: native/cuda/ptx/kernels.ptx, which is
 * in the repository, so that neither users nor `npm ci` need a compiler.
 *
 *     npx tsx scripts/cuda/make-ptx.ts
 *
 * Run it after each change of native/cuda/kernels; test/engine/gpu/ptx.test.ts fails otherwise. It installs NVRTC from
 * PyPI (toolchain.ts), and takes a few seconds.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { $ } from 'zx';
import { kernelDigest, kernelSource, PTX_FILE } from './sources.ts';
import { NVRTC, toolchain } from './toolchain.ts';

/** The PTX version of CUDA 11.1. NVRTC 12.4 writes 8.4, which older drivers refuse; the kernels use nothing newer. */
const PTX_VERSION = '7.1';

const work = join(import.meta.dirname, '../../dist/cuda');
const venv = await toolchain(NVRTC);
const [source, ptx] = [join(work, 'kernels.cu'), join(work, 'kernels.ptx')];
writeFileSync(source, kernelSource());
await $`${venv}/bin/python ${join(import.meta.dirname, 'compile.py')} compute_80 ${source} ${ptx}`;

const text = readFileSync(ptx, 'utf8')
  .replace(/^\.version .*$/m, `.version ${PTX_VERSION}`)
  .split('\n')
  .filter((line) => line.trim() !== '' && !/^\s*(\/\/|\.loc\s)/.test(line))
  .join('\n');
mkdirSync(dirname(PTX_FILE), { recursive: true });
writeFileSync(PTX_FILE, `// sources ${kernelDigest()}, compiled by ${NVRTC}\n${text}\n`);
const entries = text.match(/\.entry/g)?.length;
console.log(`native/cuda/ptx/kernels.ptx: ${entries} kernels, ${Math.round(text.length / 1000)} kB`);
