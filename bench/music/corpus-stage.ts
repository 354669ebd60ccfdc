/**
 * The convert stage as the pipeline runs it, on corpora large enough to measure: files of ../shared/corpus several times over, each
 * copy with other bytes after its last track, so that the memo of conversions has none of them.
 *
 * What 45,000 files of the Lakh data set's size would take is extrapolated by packed bytes, the only size of it that is published
 * (lmd_matched.tar.gz holds 116,189 entries in 1,407,072,670 bytes), and two ways: from the whole corpus, in proportion to its bytes,
 * what it takes to start counted once; and from its largest files, so many that their mean is Lakh's, in proportion to their number.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

/** What a reader passes over after the last track: less than a chunk's header. */
const TRAILER = 7;
const COPIES = 8;
const LARGE_FILES = 4000;
const LAKH_FILES = 45_000;
const LAKH_PACKED_BYTES = 1_407_072_670 / 116_189;

interface Run {
  seconds: number;
  /** MB that the process held at most, all its threads together */
  peak: number;
  said: string;
}

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
    // One after another, as an archive has them, so that what files have in common is packed once.
    const packed = gzipSync(Buffer.concat(midis), { level: 6 }).length / midis.length;
    const perFile = (first.seconds - once.seconds) / (files - midis.length);
    const scaled = once.seconds + perFile * (LAKH_FILES * (LAKH_PACKED_BYTES / packed) - midis.length);
    const largest = largestFiles(midis);
    const large = run('largest', largest, Math.ceil(LARGE_FILES / largest.length));
    const counted = (large.seconds * LAKH_FILES) / (largest.length * Math.ceil(LARGE_FILES / largest.length));
    console.log(`\n## The convert stage, ${availableParallelism()} cores\n`);
    console.log(`${midis.length} files: ${inWords(once, midis.length)}\n`);
    console.log(`${files} files: ${inWords(first, files)}\n`);
    console.log(`again: ${inWords(convert(join(folder, 'repeated')), files)}\n`);
    console.log(`the ${largest.length} largest, ${LARGE_FILES} times in all: ${inWords(large, LARGE_FILES)}\n`);
    console.log(
      `${LAKH_FILES} files of Lakh's mean size (${kilobytes(LAKH_PACKED_BYTES)} packed, here ${kilobytes(packed)}): by bytes ${scaled.toFixed(0)} s, by the largest files ${counted.toFixed(0)} s`,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The same music in other bytes. */
function withTrailer(midi: Uint8Array, number: number): Uint8Array {
  const file = Buffer.concat([midi, Buffer.alloc(TRAILER)]);
  file.writeUInt32BE(number, midi.length);
  return file;
}

/** As many of the largest files, packed, as have a mean of Lakh's or more. */
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

function convert(folder: string): Run {
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
  const [said, peak] = stdout.split(/\n?peak /);
  return { seconds, peak: Number(peak) / 1024, said };
}

function inWords({ seconds, peak, said }: Run, files: number): string {
  return `${seconds.toFixed(1)} s, ${(files / seconds).toFixed(0)} files/s, at most ${peak.toFixed(0)} MB; ${said}`;
}

function kilobytes(bytes: number): string {
  return `${(bytes / 1000).toFixed(1)} kB`;
}
