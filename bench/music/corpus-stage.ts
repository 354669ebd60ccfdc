/**
 * Measures the convert stage as the pipeline runs it, on corpora large enough to measure: several copies of
 * ../shared/corpus. Each copy has different bytes after its last track, so that the memo has no conversion of it.
 *
 * The time for 45,000 files of the Lakh data set's size is extrapolated by packed bytes, the only published size of
 * that data set: lmd_matched.tar.gz holds 116,189 entries in 1,407,072,670 bytes. One estimate scales the whole corpus
 * by bytes and counts the start of the process once. The other scales the largest files, whose mean size is Lakh's, by
 * their number.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

/** Bytes after the last track: fewer than a chunk's header, so readers ignore them. */
const TRAILER = 7;
const COPIES = 8;
const LARGE_FILES = 4000;
const LAKH_FILES = 45_000;
const LAKH_PACKED_BYTES = 1_407_072_670 / 116_189;

interface Measurement {
  seconds: number;
  /** peak memory of the process with all its threads, in MB */
  peak: number;
  output: string;
}

/** Measures the stage and prints the results. */
export function corpusStage(midis: readonly Uint8Array[]): void {
  const folder = mkdtempSync(join(tmpdir(), 'bench-corpus-'));
  const run = (name: string, files: readonly Uint8Array[], copies: number) => {
    const raw = join(folder, name, 'raw');
    mkdirSync(raw, { recursive: true });
    for (const [i, midi] of files.entries()) {
      for (let copy = 0; copy < copies; copy++) writeFileSync(join(raw, `${i}-${copy}.mid`), withTrailer(midi, copy));
    }
    return convert(join(folder, name));
  };
  try {
    const once = run('once', midis, 1);
    const first = run('repeated', midis, COPIES);
    const files = midis.length * COPIES;
    // Packed together as in an archive, so that repeated content is compressed across files.
    const packed = gzipSync(Buffer.concat(midis), { level: 6 }).length / midis.length;
    const perFile = (first.seconds - once.seconds) / (files - midis.length);
    const scaled = once.seconds + perFile * (LAKH_FILES * (LAKH_PACKED_BYTES / packed) - midis.length);
    const largest = largestFiles(midis);
    const large = run('largest', largest, Math.ceil(LARGE_FILES / largest.length));
    const counted = (large.seconds * LAKH_FILES) / (largest.length * Math.ceil(LARGE_FILES / largest.length));
    console.log(`\n## The convert stage, ${availableParallelism()} cores\n`);
    console.log(`${midis.length} files: ${describeRun(once, midis.length)}\n`);
    console.log(`${files} files: ${describeRun(first, files)}\n`);
    console.log(`again: ${describeRun(convert(join(folder, 'repeated')), files)}\n`);
    console.log(`the ${largest.length} largest, ${LARGE_FILES} times in all: ${describeRun(large, LARGE_FILES)}\n`);
    console.log(
      `${LAKH_FILES} files of Lakh's mean size (${kilobytes(LAKH_PACKED_BYTES)} packed, here ${kilobytes(packed)}): by bytes ${scaled.toFixed(0)} s, by the largest files ${counted.toFixed(0)} s`,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Returns the file with a number after its last track. The music stays the same. */
function withTrailer(midi: Uint8Array, number: number): Uint8Array {
  const file = Buffer.concat([midi, Buffer.alloc(TRAILER)]);
  file.writeUInt32BE(number, midi.length);
  return file;
}

/** Returns the largest files: as many as possible while the mean of their packed sizes is at least Lakh's. */
function largestFiles(midis: readonly Uint8Array[]): Uint8Array[] {
  const sizes = midis.map((midi) => ({ midi, size: gzipSync(midi, { level: 6 }).length }));
  sizes.sort((a, b) => b.size - a.size);
  let sum = 0;
  const chosen: Uint8Array[] = [];
  for (const { midi, size } of sizes) {
    sum += size;
    if (chosen.length > 0 && sum / (chosen.length + 1) < LAKH_PACKED_BYTES) break;
    chosen.push(midi);
  }
  return chosen;
}

function convert(folder: string): Measurement {
  rmSync(join(folder, 'abc'), { recursive: true, force: true });
  const atExit = 'process.on("exit",()=>console.log("peak",process.resourceUsage().maxRSS))';
  const call = ['--import', 'tsx', '--import', `data:text/javascript,${atExit}`, 'stages/convert.ts'];
  const began = performance.now();
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    [...call, join(folder, 'raw'), join(folder, 'abc'), '--memo', join(folder, 'memo')],
    { cwd: fileURLToPath(new URL('../..', import.meta.url)), encoding: 'utf8' },
  );
  const seconds = (performance.now() - began) / 1000;
  if (status !== 0) throw new Error(stderr);
  const [output, peak] = stdout.split(/\n?peak /);
  return { seconds, peak: Number(peak) / 1024, output };
}

/** Words a measurement. */
function describeRun({ seconds, peak, output }: Measurement, files: number): string {
  return `${seconds.toFixed(1)} s, ${(files / seconds).toFixed(0)} files/s, at most ${peak.toFixed(0)} MB; ${output}`;
}

function kilobytes(bytes: number): string {
  return `${(bytes / 1000).toFixed(1)} kB`;
}
