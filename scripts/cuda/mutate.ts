/**
 * Plants mistakes in the kernels of the GPU engine, one after the other, and checks that the exercise of that part notices
 * each of them (native/cuda/exercise, under AddressSanitizer, with up to three orders of threads).
 *
 *     npx tsx scripts/cuda/mutate.ts            all of scripts/cuda/mistakes.ts: one to two minutes of CPU time
 *     npx tsx scripts/cuda/mutate.ts barrier    mistakes whose description has this word
 *
 * Exits 1 if a mistake is not noticed, or if the kernels as they are fail.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MISTAKES, type Mistake } from './mistakes.ts';

const CUDA = join(import.meta.dirname, '../../native/cuda');
const SEEDS = [1, 77, 5];
/** A mistake may make threads wait for ever. */
const LIMIT_MS = 120_000;

const work = mkdtempSync(join(tmpdir(), 'mistakes-'));
for (const folder of ['kernels', 'shim', 'exercise'])
  cpSync(join(CUDA, folder), join(work, folder), { recursive: true });

const [word = ''] = process.argv.slice(2);
for (const mistake of MISTAKES) placeOf(mistake, readFileSync(join(work, 'kernels', mistake.file), 'utf8'));
const chosen = MISTAKES.filter(({ name, file }) => `${file}: ${name}`.includes(word));
let missed = 0;
try {
  for (const group of new Set(chosen.map((mistake) => mistake.group))) {
    const noticed = exercise(group);
    if (noticed) throw new Error(`without a mistake, ${group} fails: ${noticed}`);
  }
  for (const mistake of chosen) {
    const noticed = withMistake(mistake, () => exercise(mistake.group));
    if (!noticed) missed++;
    console.log(
      `${noticed ? 'noticed' : 'MISSED '}  ${mistake.file}: ${mistake.name}${noticed ? `  (${noticed})` : ''}`,
    );
  }
} finally {
  rmSync(work, { recursive: true });
}
console.log(`${chosen.length - missed} of ${chosen.length} mistakes noticed`);
process.exitCode = missed > 0 ? 1 : 0;

/** The text before and after the place of a mistake. */
function placeOf({ name, file, from, occurrence = 1 }: Mistake, text: string): [string, string] {
  const parts = text.split(from);
  if (parts.length <= occurrence) throw new Error(`${file} no longer has the place of the mistake: ${name}`);
  return [parts.slice(0, occurrence).join(from), parts.slice(occurrence).join(from)];
}

function withMistake<T>(mistake: Mistake, use: () => T): T {
  const path = join(work, 'kernels', mistake.file);
  const text = readFileSync(path, 'utf8');
  writeFileSync(path, placeOf(mistake, text).join(mistake.to));
  try {
    return use();
  } finally {
    writeFileSync(path, text);
  }
}

/** Builds and runs one exercise. Returns what it noticed, or undefined if all is well. */
function exercise(group: Mistake['group']): string | undefined {
  const [source, program] = [join(work, 'main.cpp'), join(work, 'main')];
  const call = `exercise${group[0].toUpperCase()}${group.slice(1)}`;
  writeFileSync(
    source,
    `#include "exercise/${group}.hpp"\nint main(int, char** a) { shim::setSeed(atoi(a[1])); ${call}(); return failed; }\n`,
  );
  const flags = ['-std=gnu++17', '-O0', '-g1', '-DCUDA_SHIM', '-fsanitize=address', '-w', `-I${work}`];
  const built = spawnSync(process.env.CXX ?? 'g++', [...flags, source, '-o', program], { encoding: 'utf8' });
  if (built.status !== 0) throw new Error(`${group} was not compiled:\n${built.stderr}`);
  for (const seed of SEEDS) {
    const env = { ...process.env, ASAN_OPTIONS: 'detect_leaks=0:detect_stack_use_after_return=0' };
    const { status, stdout, stderr } = spawnSync(program, [String(seed)], { encoding: 'utf8', env, timeout: LIMIT_MS });
    if (status === 0) continue;
    const lines = `${stderr}\n${stdout}`.split('\n');
    return lines.find((line) => /shim:|ERROR: AddressSanitizer|^WRONG/.test(line))?.slice(0, 110) ?? `exit ${status}`;
  }
  return undefined;
}
