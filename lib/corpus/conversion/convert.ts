/**
 * Converts a folder of MIDI files to a folder of ABC files, `x/y.mid` → `x/y.abc`, over worker threads.
 *
 * A file that cannot be read costs one line of the metrics, never the batch. The result is the same however many threads there are,
 * and whether or not an earlier run had converted some of the files (conversion-memo.ts).
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CorpusError } from '../errors.ts';
import { isMidiName, listFolder, prepareFolder, type Skipped } from '../folder.ts';
import type { OnProgress } from '../progress.ts';
import { codeOf, runTasks } from '../workers/index.ts';
import { forgetBeyond } from './conversion-memo.ts';
import type { ConvertedFile, ConvertSettings, FileToConvert } from './convert-file.ts';

export interface ConvertOptions extends Partial<Omit<ConvertSettings, 'memo'>> {
  /** a folder of its own, in which conversions are kept between runs; absent: every file is converted */
  memo?: string;
  /** bytes that the memo may grow to. Default 4 GiB */
  memoBytes?: number;
  /** told at the end how many files earlier runs had converted; no part of the metrics, which do not depend on it */
  onRecalled?: (files: number) => void;
  /** worker threads; 0: none. Default: as many as cores, and none for a small corpus */
  workers?: number;
  /** milliseconds that one file may take. Default 60,000 */
  timeout?: number;
  onProgress?: OnProgress;
}

export interface ConvertedCorpus {
  /** MIDI files found */
  files: number;
  converted: number;
  notes: number;
  /** of ABC text */
  characters: number;
  /** files that could not be read, and why */
  failed: Skipped[];
  /** what was repaired or left out, by kind, in how many files */
  warnings: Record<string, number>;
}

/** @throws CorpusError where there is no folder, no MIDI in it, or none of it could be read */
export async function convertCorpus(
  rawDir: string,
  abcDir: string,
  options: ConvertOptions = {},
): Promise<ConvertedCorpus> {
  const { grid = 16, layout = 'interleaved', workers, timeout, onProgress = () => {} } = options;
  const { memo, memoBytes = 4 * 2 ** 30, onRecalled = () => {} } = options;
  const { paths, skipped } = await listFolder(rawDir, isMidiName);
  if (paths.length === 0) throw new CorpusError(`${rawDir}: no MIDI file (.mid, .midi, .kar or .rmi) in it`);
  const targets = abcPaths(paths);
  await prepareFolder(abcDir, new Set(targets));

  const items = paths.map((path, i): FileToConvert => ({ midi: join(rawDir, path), abc: join(abcDir, targets[i]) }));
  const task = new URL('./convert-file.ts', import.meta.url);
  const settings: ConvertSettings = { grid, layout };
  if (memo !== undefined) settings.memo = { folder: memo, code: await codeOf(task) };
  let done = 0;
  const outcomes = await runTasks<FileToConvert, ConvertSettings, ConvertedFile>(task, items, settings, {
    threads: workers,
    timeout,
    onDone: () => onProgress({ done: ++done, total: items.length, unit: 'files' }),
  });

  const metrics: ConvertedCorpus = {
    files: paths.length + skipped.length,
    converted: 0,
    notes: 0,
    characters: 0,
    failed: [...skipped],
    warnings: {},
  };
  let recalled = 0;
  for (const [i, outcome] of outcomes.entries()) {
    if ('failed' in outcome) {
      metrics.failed.push({ path: paths[i], reason: outcome.failed });
      // From an earlier run, when it could be read.
      await rm(items[i].abc, { force: true });
      continue;
    }
    metrics.converted++;
    recalled += Number(outcome.result.recalled);
    metrics.notes += outcome.result.notes;
    metrics.characters += outcome.result.characters;
    for (const kind of new Set(outcome.result.warnings.map(kindOf)))
      metrics.warnings[kind] = (metrics.warnings[kind] ?? 0) + 1;
  }
  if (metrics.converted === 0) {
    const [{ path, reason }] = metrics.failed;
    throw new CorpusError(`${rawDir}: none of its ${metrics.files} MIDI files could be read; ${path}: ${reason}`);
  }
  onRecalled(recalled);
  if (memo !== undefined) forgetBeyond(memo, memoBytes);
  return metrics;
}

/** `x/y.mid` → `x/y.abc`; where two files would be the same tune's text (y.mid, y.kar), the later ones keep their ending. */
export function abcPaths(paths: readonly string[]): string[] {
  const taken = new Set<string>();
  return paths.map((path) => {
    const short = path.replace(/\.[^./]*$/, '.abc');
    // Upper and lower case are one on many disks.
    let abc = taken.has(short.toLowerCase()) ? `${path}.abc` : short;
    while (taken.has(abc.toLowerCase())) abc = abc.replace(/\.abc$/, '_.abc');
    taken.add(abc.toLowerCase());
    return abc;
  });
}

/** A warning without its numbers, so that those of one kind are counted together. */
function kindOf(warning: string): string {
  return warning.replace(/\d+(\.\d+)?/g, 'n');
}
