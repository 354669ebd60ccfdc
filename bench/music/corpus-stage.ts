/**
 * The convert stage as the pipeline runs it, on a corpus large enough to measure: the files of ../shared/corpus several times over, the
 * copies made different by zero bytes after their last track, so that the memo of conversions has none of them.
 *
 * What 45,000 files of the Lakh data set's size would take is extrapolated by packed bytes, the only size of it that is published:
 * lmd_matched.tar.gz holds 116,189 entries in 1,407,072,670 bytes.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

/** A reader of MIDI passes over as many bytes after the last track as make no chunk's header: 0–7 of them. */
const COPIES = 8;
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
  try {
    mkdirSync(join(folder, 'raw'));
    for (const [i, midi] of midis.entries()) {
      for (let copy = 0; copy < COPIES; copy++) {
        const file = new Uint8Array(midi.length + copy);
        file.set(midi);
        writeFileSync(join(folder, 'raw', `${i}-${copy}.mid`), file);
      }
    }
    const first = convert(folder);
    const second = convert(folder);
    const files = midis.length * COPIES;
    // One after another, as an archive has them, so that what files have in common is packed once.
    const packed = gzipSync(Buffer.concat(midis), { level: 6 }).length / midis.length;
    const lakh = (first.seconds / files) * LAKH_FILES * (LAKH_PACKED_BYTES / packed);
    console.log(`\n## The convert stage, ${files} files, ${availableParallelism()} cores\n`);
    console.log(`first run: ${inWords(first, files)}`);
    console.log(`\nagain: ${inWords(second, files)}`);
    console.log(
      `\n${LAKH_FILES} files of Lakh's mean size (${kilobytes(LAKH_PACKED_BYTES)} packed, here ${kilobytes(packed)}): ${lakh.toFixed(0)} s by extrapolation`,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
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
