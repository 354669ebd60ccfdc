/**
 * Runs the native code under AddressSanitizer, UndefinedBehaviorSanitizer and ThreadSanitizer.
 *
 * It builds the engine once for each sanitizer, and native/engine/exercise/exercise.cpp runs everything that the engine
 * does. The instructions of AVX512_BF16 and AMX are emulated in C++ (native/engine/exercise/emulated-bf16.hpp), so any
 * CPU with AVX-512 is enough. native/bpe/fuzz/fuzz.cpp tests BPE under the first two.
 *
 *     npx tsx scripts/sanitize.ts [address,undefined | thread …]
 *
 * CXX names the compiler (default g++; clang++ works too). It takes a few minutes, and exits 1 if a sanitizer reports a
 * problem.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { $, argv, cd, glob } from 'zx';

/** Rounds of fuzzing BPE. Each takes about a tenth of a second. */
const BPE_ROUNDS = 300;

const compiler = process.env.CXX ?? 'g++';
const sanitizers: string[] = argv._.length > 0 ? argv._ : ['address,undefined', 'thread'];
const x64 = process.arch === 'x64';
const flags = [
  '-std=gnu++17',
  '-O1',
  '-g',
  '-fno-omit-frame-pointer',
  '-Wno-psabi',
  ...(x64 ? ['-DENGINE_X64', '-DEMULATE_BF16_INSTRUCTIONS'] : []),
];
const avx2 = ['-mavx2', '-mfma'];
const avx512 = [...avx2, '-mavx512f', '-mavx512dq', '-mavx512bw', '-mavx512vl'];
const kernels: Record<string, string[]> = {
  generic: [],
  ...(x64 && { avx2, avx512, avx512bf16: avx512, amx: avx512 }),
};
cd(join(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '../native/engine'));
const sources = ['exercise/exercise.cpp', 'kernels/choose.cpp', ...(await glob('src/*.cpp'))].map((file) =>
  file.slice(0, -4),
);
const folder = await mkdtemp(join(tmpdir(), 'sanitize-'));
$.verbose = false;
let failed = false;
for (const sanitizer of sanitizers) {
  const sanitize = [`-fsanitize=${sanitizer}`, '-fno-sanitize-recover=all'];
  const objects: string[] = [];
  for (const [source, more] of [
    ...sources.map((name): [string, string[]] => [name, []]),
    ...Object.entries(kernels).map(([set, more]): [string, string[]] => [`kernels/${set}`, more]),
  ]) {
    const object = join(folder, `${source.replace('/', '-')}.o`);
    await $`${compiler} ${flags} ${sanitize} ${more} -I. -c ${source}.cpp -o ${object}`;
    objects.push(object);
  }
  const program = join(folder, 'exercise');
  await $`${compiler} ${sanitize} ${objects} -o ${program} -lpthread`;
  const run = await $({ nothrow: true })`${program}`;
  console.log(`${sanitizer}: ${run.exitCode === 0 ? 'clean' : 'FINDINGS'}\n${run.stdout}${run.stderr}`);
  failed ||= run.exitCode !== 0;
}
if (sanitizers.some((sanitizer) => sanitizer.includes('address'))) {
  cd('../bpe');
  const fuzz = join(folder, 'fuzz');
  const bpe = ['pieces', 'train', 'encode', 'cuts', 'documents'].map((name) => `src/${name}.cpp`);
  const sanitize = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all'];
  await $`${compiler} -std=c++17 -O1 -g ${sanitize} -Isrc fuzz/fuzz.cpp ${bpe} -o ${fuzz}`;
  const run = await $({ nothrow: true })`${fuzz} 1 ${BPE_ROUNDS}`;
  console.log(`bpe, address,undefined: ${run.exitCode === 0 ? 'clean' : 'FINDINGS'}\n${run.stdout}${run.stderr}`);
  failed ||= run.exitCode !== 0;
}
await rm(folder, { recursive: true });
process.exitCode = failed ? 1 : 0;
