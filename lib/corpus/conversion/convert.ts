/**
 * Converts a folder of music to a folder of ABC files in the dialect, over worker threads: `x/y.mid` → `x/y.abc`. An ABC
 * file with many tunes becomes a folder: `x/y.abc` → `x/y/0001.abc`, `x/y/0002.abc`, ….
 *
 * A file or tune that cannot be read is listed in the metrics; the others are converted. The result depends neither on the number of
 * threads, nor on the memo of earlier runs (conversion-memo.ts), nor on how many files are known to be as they were in the
 * recorded run (conversion-record.ts).
 */
import { join } from 'node:path';
import { CorpusError } from '../errors.ts';
import { listFolder, prepareFolder, removeFiles, type Skipped } from '../folder.ts';
import { adviceFor, isMusicName, type PassedOver, READ_ENDINGS } from '../formats.ts';
import type { OnProgress } from '../progress.ts';
import { codeOf, runTasks } from '../workers/index.ts';
import { evictLeastRecentlyUsed } from './conversion-memo.ts';
import { type RecordedFile, readRecord, recordedTune, writeRecord } from './conversion-record.ts';
import type { ConvertedTune, ConvertSettings, FailedTune, FileToConvert } from './convert-file.ts';
import { planFiles } from './plan-files.ts';

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
  /**
   * the file of the record, and the music files that were added or changed since it and the ABC files were written, relative
   * to their folder. Without `changed`, every file is converted. Default: no record
   */
  record?: { path: string; changed?: ReadonlySet<string> };
  /** called with the number of music files that are as they were in the recorded run, if `changed` is given */
  onKept?: (files: number) => void;
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
  const { memo, memoBytes = 4 * 2 ** 30, onReused = () => {}, record, onKept = () => {} } = options;
  const { paths, skipped, passedOver } = await listFolder(rawDir, isMusicName);
  if (paths.length === 0) {
    const [advice] = adviceFor(passedOver);
    throw new CorpusError(
      `${rawDir}: contains no music file (${READ_ENDINGS})${advice === undefined ? '' : `; ${advice}`}`,
    );
  }
  const recorded = record?.changed === undefined ? new Map<string, RecordedFile>() : readRecord(record.path);
  const unchanged = new Map([...recorded].filter(([path, { retry }]) => !retry && !record!.changed!.has(path)));
  const { files, failed } = planFiles(rawDir, paths, unchanged);
  const planned = new Set(files.flatMap(({ targets }) => targets));
  const old = [...recorded.values()].flatMap(({ tunes }) => tunes.map(({ target }) => target));
  await removeFiles(
    abcDir,
    old.filter((target) => !planned.has(target)),
  );
  await prepareFolder(abcDir, planned);
  if (record?.changed !== undefined) onKept(files.filter(({ kept }) => kept !== undefined).length);

  const task = new URL('./convert-file.ts', import.meta.url);
  const settings: ConvertSettings = { grid, layout, tuplets, tempoChanges, performances };
  if (memo !== undefined) settings.memo = { folder: memo, code: await codeOf(task) };
  const items = files.flatMap((file) => file.items);
  const total = items.reduce((sum, { targets }) => sum + targets.length, 0);
  let done = 0;
  const outcomes = await runTasks<FileToConvert, ConvertSettings, (ConvertedTune | FailedTune)[]>(
    task,
    items.map((item) => ({ ...item, targets: item.targets.map((target) => join(abcDir, target)) })),
    settings,
    {
      threads: workers,
      timeout,
      onDone: ({ targets }) => onProgress({ done: (done += targets.length), total, unit: 'files' }),
    },
  );

  const metrics: ConvertedCorpus = {
    files: paths.length + skipped.length,
    tunes: files.reduce((sum, { targets }) => sum + targets.length, 0),
    converted: 0,
    notes: 0,
    characters: 0,
    failed: [...skipped, ...failed],
    warnings: {},
    passed_over: passedOver,
    performances: { files: 0, skipped: 0, examples: [] },
  };
  let reused = 0;
  let next = 0;
  const results: RecordedFile[] = [];
  const unwritten: string[] = [];
  for (const { path: file, targets, names, items, kept } of files) {
    const parts = outcomes.slice(next, (next += items.length));
    const tunes: (ConvertedTune | FailedTune)[] =
      kept?.tunes ??
      parts.flatMap((part, k) =>
        'failed' in part ? items[k].targets.map(() => ({ failed: part.failed })) : part.result,
      );
    const retry = parts.some((part) => 'failed' in part);
    results.push({
      path: file,
      tunes: tunes.map((tune, k) => recordedTune(targets[k], tune)),
      ...(retry ? { retry } : {}),
    });
    for (const [k, tune] of tunes.entries()) {
      const path = names[k];
      if ('failed' in tune) {
        metrics.failed.push({ path, reason: tune.failed });
        // An earlier run may have written it, when the file was still readable.
        unwritten.push(targets[k]);
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
        unwritten.push(targets[k]);
        continue;
      }
      metrics.converted++;
      metrics.notes += tune.notes;
      metrics.characters += tune.characters;
    }
  }
  await removeFiles(abcDir, unwritten);
  if (metrics.converted === 0 && metrics.performances.skipped > 0) {
    throw new CorpusError(
      `${rawDir}: in all files that could be read, the notes are not on the beat; set convert.performances to keep`,
    );
  }
  if (metrics.converted === 0) {
    const [{ path, reason }] = metrics.failed;
    throw new CorpusError(`${rawDir}: none of its ${metrics.files} music files could be read; ${path}: ${reason}`);
  }
  if (record !== undefined) writeRecord(record.path, results);
  onReused(reused);
  if (memo !== undefined) evictLeastRecentlyUsed(memo, memoBytes);
  return metrics;
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
