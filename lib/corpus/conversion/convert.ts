/**
 * Converts a folder of MIDI files to a folder of ABC files, `x/y.mid` → `x/y.abc`, over worker threads.
 *
 * A file that cannot be read is listed in the metrics; the others are converted. The result depends neither on the number of
 * threads nor on the memo of earlier runs (conversion-memo.ts).
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CorpusError } from '../errors.ts';
import { isMidiName, listFolder, prepareFolder, type Skipped } from '../folder.ts';
import type { OnProgress } from '../progress.ts';
import { codeOf, runTasks } from '../workers/index.ts';
import { evictLeastRecentlyUsed } from './conversion-memo.ts';
import type { ConvertedFile, ConvertSettings, FileToConvert } from './convert-file.ts';

/** Options of `convertCorpus`. */
export interface ConvertOptions extends Partial<Omit<ConvertSettings, 'memo'>> {
  /** folder of the memo, which must hold nothing else; absent: every file is converted */
  memo?: string;
  /** largest size of the memo in bytes. Default 4 GiB */
  memoBytes?: number;
  /**
   * called at the end with the number of results from the memo. The metrics do not contain it, because they must not
   * depend on the memo
   */
  onReused?: (files: number) => void;
  /** worker threads; 0: convert in this thread. Default: one per core, and a single one for a small corpus */
  workers?: number;
  /** longest time for one file, in milliseconds. Default 60,000 */
  timeout?: number;
  onProgress?: OnProgress;
}

/** Metrics of the conversion. */
export interface ConvertedCorpus {
  /** MIDI files found */
  files: number;
  converted: number;
  notes: number;
  /** characters of ABC text */
  characters: number;
  /** files that could not be read, and why */
  failed: Skipped[];
  /** number of files with each kind of warning: something was repaired or left out */
  warnings: Record<string, number>;
}

/**
 * Converts all MIDI files of a folder.
 *
 * @param rawDir folder of the MIDI files
 * @param abcDir folder of the ABC files; created if missing
 * @throws CorpusError if there is no folder, no MIDI file in it, or none that can be read
 */
export async function convertCorpus(
  rawDir: string,
  abcDir: string,
  options: ConvertOptions = {},
): Promise<ConvertedCorpus> {
  const { grid = 16, layout = 'interleaved', workers, timeout, onProgress = () => {} } = options;
  const { memo, memoBytes = 4 * 2 ** 30, onReused = () => {} } = options;
  const { paths, skipped } = await listFolder(rawDir, isMidiName);
  if (paths.length === 0) throw new CorpusError(`${rawDir}: contains no MIDI file (.mid, .midi, .kar or .rmi)`);
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
  let reused = 0;
  for (const [i, outcome] of outcomes.entries()) {
    if ('failed' in outcome) {
      metrics.failed.push({ path: paths[i], reason: outcome.failed });
      // An earlier run may have written it, when the MIDI file was still readable.
      await rm(items[i].abc, { force: true });
      continue;
    }
    metrics.converted++;
    reused += Number(outcome.result.reused);
    metrics.notes += outcome.result.notes;
    metrics.characters += outcome.result.characters;
    for (const kind of new Set(outcome.result.warnings.map(kindOf)))
      metrics.warnings[kind] = (metrics.warnings[kind] ?? 0) + 1;
  }
  if (metrics.converted === 0) {
    const [{ path, reason }] = metrics.failed;
    throw new CorpusError(`${rawDir}: none of its ${metrics.files} MIDI files could be read; ${path}: ${reason}`);
  }
  onReused(reused);
  if (memo !== undefined) evictLeastRecentlyUsed(memo, memoBytes);
  return metrics;
}

/**
 * Names the ABC file of each MIDI file: `x/y.mid` → `x/y.abc`. If two files would have the same name (y.kar, y.mid), the later one
 * keeps its ending: `y.mid.abc`.
 */
export function abcPaths(paths: readonly string[]): string[] {
  const taken = new Set<string>();
  return paths.map((path) => {
    const short = path.replace(/\.[^./]*$/, '.abc');
    // Compare in lower case, because many file systems ignore case.
    let abc = taken.has(short.toLowerCase()) ? `${path}.abc` : short;
    while (taken.has(abc.toLowerCase())) abc = abc.replace(/\.abc$/, '_.abc');
    taken.add(abc.toLowerCase());
    return abc;
  });
}

/** A warning with its numbers replaced by "n", so that warnings of one kind are counted together. */
function kindOf(warning: string): string {
  return warning.replace(/\d+(\.\d+)?/g, 'n');
}
