/**
 * Converts a folder of music to a folder of ABC files in the dialect, over worker threads: `x/y.mid` → `x/y.abc`. An ABC
 * file with many tunes becomes a folder: `x/y.abc` → `x/y/0001.abc`, `x/y/0002.abc`, ….
 *
 * A file or tune that cannot be read is listed in the metrics; the others are converted. The result depends neither on the number of
 * threads nor on the memo of earlier runs (conversion-memo.ts).
 */
import { readFileSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CorpusError, reasonOf } from '../errors.ts';
import { listFolder, prepareFolder, type Skipped } from '../folder.ts';
import { adviceFor, formatOf, isMusicName, type PassedOver, READ_ENDINGS } from '../formats.ts';
import type { OnProgress } from '../progress.ts';
import { codeOf, runTasks } from '../workers/index.ts';
import { evictLeastRecentlyUsed } from './conversion-memo.ts';
import type { ConvertedTune, ConvertSettings, FailedTune, FileToConvert } from './convert-file.ts';
import { findTunes } from './tune-book.ts';

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

/** Tunes with a warning of one kind, and the first few of them. */
export interface WarningCount {
  count: number;
  examples: { path: string; warning: string }[];
}

/** Metrics of the conversion. */
export interface ConvertedCorpus {
  /** music files found */
  files: number;
  /** tunes in them: one in a MIDI or MusicXML file, any number in an ABC file */
  tunes: number;
  /** tunes converted */
  converted: number;
  notes: number;
  /** characters of ABC text */
  characters: number;
  /** files and tunes that could not be read, and why. A tune of an ABC file is named `file.abc#NUMBER` */
  failed: Skipped[];
  /** the kinds of warnings, with the number of tunes that have one: something was repaired or left out */
  warnings: Record<string, WarningCount>;
  /** number of files of other kinds, by ending */
  passed_over: PassedOver;
  /**
   * MIDI files whose notes are mostly not on the beat, so that bar lines meet the music by chance. `skipped` of them were
   * left out
   */
  performances: { files: number; skipped: number; examples: string[] };
}

/** Examples of each kind of warning, and of performances. */
const MAX_EXAMPLES = 3;
/** Larger ABC files are not collections of tunes. */
const MAX_ABC_BYTES = 512 * 2 ** 20;

/**
 * Converts all music files of a folder.
 *
 * @param rawDir folder of the music files
 * @param abcDir folder of the ABC files to write; created if missing
 * @throws CorpusError if `rawDir` does not exist, has no music files, or if none of them can be read
 */
export async function convertCorpus(
  rawDir: string,
  abcDir: string,
  options: ConvertOptions = {},
): Promise<ConvertedCorpus> {
  const { grid = 16, layout = 'interleaved', tuplets = true, tempoChanges = true, performances = 'skip' } = options;
  const { workers, timeout, onProgress = () => {} } = options;
  const { memo, memoBytes = 4 * 2 ** 30, onReused = () => {} } = options;
  const { paths, skipped, passedOver } = await listFolder(rawDir, isMusicName);
  if (paths.length === 0) {
    const [advice] = adviceFor(passedOver);
    throw new CorpusError(
      `${rawDir}: contains no music file (${READ_ENDINGS})${advice === undefined ? '' : `; ${advice}`}`,
    );
  }
  const { items, names, failed } = planFiles(rawDir, paths);
  await prepareFolder(abcDir, new Set(items.flatMap(({ targets }) => targets)));
  for (const item of items) item.targets = item.targets.map((target) => join(abcDir, target));

  const task = new URL('./convert-file.ts', import.meta.url);
  const settings: ConvertSettings = { grid, layout, tuplets, tempoChanges, performances };
  if (memo !== undefined) settings.memo = { folder: memo, code: await codeOf(task) };
  const total = names.reduce((sum, tunes) => sum + tunes.length, 0);
  let done = 0;
  const outcomes = await runTasks<FileToConvert, ConvertSettings, (ConvertedTune | FailedTune)[]>(
    task,
    items,
    settings,
    {
      threads: workers,
      timeout,
      onDone: ({ targets }) => onProgress({ done: (done += targets.length), total, unit: 'files' }),
    },
  );

  const metrics: ConvertedCorpus = {
    files: paths.length + skipped.length,
    tunes: total,
    converted: 0,
    notes: 0,
    characters: 0,
    failed: [...skipped, ...failed],
    warnings: {},
    passed_over: passedOver,
    performances: { files: 0, skipped: 0, examples: [] },
  };
  let reused = 0;
  for (const [i, outcome] of outcomes.entries()) {
    const { targets } = items[i];
    for (const [k, path] of names[i].entries()) {
      const tune: ConvertedTune | FailedTune = 'failed' in outcome ? outcome : outcome.result[k];
      if ('failed' in tune) {
        metrics.failed.push({ path, reason: tune.failed });
        // An earlier run may have written it, when the file was still readable.
        await rm(targets[k], { force: true });
        continue;
      }
      reused += Number(tune.reused);
      countWarnings(metrics.warnings, path, tune.warnings);
      const isSkipped = tune.performance && performances === 'skip';
      if (tune.performance) {
        metrics.performances.files++;
        if (metrics.performances.examples.length < MAX_EXAMPLES) metrics.performances.examples.push(path);
      }
      if (isSkipped) {
        metrics.performances.skipped++;
        continue;
      }
      metrics.converted++;
      metrics.notes += tune.notes;
      metrics.characters += tune.characters;
    }
  }
  if (metrics.converted === 0 && metrics.performances.skipped > 0) {
    throw new CorpusError(
      `${rawDir}: in all files that could be read, the notes are not on the beat; set convert.performances to keep`,
    );
  }
  if (metrics.converted === 0) {
    const [{ path, reason }] = metrics.failed;
    throw new CorpusError(`${rawDir}: none of its ${metrics.files} music files could be read; ${path}: ${reason}`);
  }
  onReused(reused);
  if (memo !== undefined) evictLeastRecentlyUsed(memo, memoBytes);
  return metrics;
}

/**
 * Plans the conversion: the parts of files to read, the ABC files to write, relative to their folder, and a name for each
 * tune in the metrics.
 */
function planFiles(
  rawDir: string,
  paths: readonly string[],
): { items: FileToConvert[]; names: string[][]; failed: Skipped[] } {
  const plan = { items: [] as FileToConvert[], names: [] as string[][], failed: [] as Skipped[] };
  const targets = abcPaths(paths);
  const taken = new Set(targets.map((target) => target.toLowerCase()));
  for (const [i, path] of paths.entries()) {
    const source = join(rawDir, path);
    const format = formatOf(path)!;
    if (format !== 'abc') {
      plan.items.push({ source, format, targets: [targets[i]] });
      plan.names.push([path]);
      continue;
    }
    try {
      const { size } = statSync(source);
      if (size > MAX_ABC_BYTES) throw new CorpusError(`has ${size} bytes, more than the limit of ${MAX_ABC_BYTES}`);
      const { header, ranges } = findTunes(readFileSync(source));
      const tunes = ranges.reduce((sum, range) => sum + range.tunes, 0);
      if (tunes === 1) {
        plan.items.push({ source, format, targets: [targets[i]], range: ranges[0], header });
        plan.names.push([path]);
        continue;
      }
      let number = 1;
      for (const range of ranges) {
        const numbers = Array.from({ length: range.tunes }, () => number++);
        const files = numbers.map((k) => tunePath(targets[i], k, taken));
        plan.items.push({ source, format, targets: files, range, header });
        plan.names.push(numbers.map((k) => `${path}#${k}`));
      }
    } catch (error) {
      plan.failed.push({ path, reason: reasonOf(error) });
    }
  }
  return plan;
}

/** The file of tune `number` of a collection, `x/y.abc` → `x/y/0001.abc`, which no other tune has. */
function tunePath(collection: string, number: number, taken: Set<string>): string {
  const base = `${collection.replace(/\.abc$/, '')}/${String(number).padStart(4, '0')}`;
  let path = `${base}.abc`;
  while (taken.has(path.toLowerCase())) path = path.replace(/\.abc$/, '_.abc');
  taken.add(path.toLowerCase());
  return path;
}

/** Counts a tune's warnings by kind. Warnings of one kind differ in numbers and quoted words only. */
function countWarnings(counts: Record<string, WarningCount>, path: string, warnings: readonly string[]): void {
  const seen = new Set<string>();
  for (const warning of warnings) {
    const kind = warning.replace(/"[^"]*"/g, '"…"').replace(/\d+(\.\d+)?/g, 'n');
    if (seen.has(kind)) continue;
    seen.add(kind);
    const count = (counts[kind] ??= { count: 0, examples: [] });
    count.count++;
    if (count.examples.length < MAX_EXAMPLES) count.examples.push({ path, warning });
  }
}

/**
 * Names the ABC file of each music file: `x/y.mid` → `x/y.abc`. If two files would have the same name (y.kar, y.mid), the later one
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
