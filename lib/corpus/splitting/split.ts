/**
 * Splits a folder of ABC files into training, validation and test set. Writes `{train,val,test}.jsonl`, with a line
 * `{"id", "abc"}` per tune, and `statistics.json`.
 *
 *     1. read every tune once, and drop those that a filter rejects
 *     2. of tunes with the same text or the same fingerprint, keep the first
 *     3. group the renderings of one piece, and assign each group to a split by the hash of a fingerprint of it
 *     4. write each split in the order of another hash; in train, transpositions follow their tune
 *
 * Between the steps, the memory holds only the figures of each tune, not its music. So memory grows with the number of
 * tunes, not with their length.
 */
import { createWriteStream } from 'node:fs';
import { readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CorpusError, reasonOf } from '../errors.ts';
import { ABC_NAME, listFolder, prepareFolder } from '../folder.ts';
import type { OnProgress } from '../progress.ts';
import { runTasks } from '../workers/index.ts';
import { checkFractions, type Fractions, hashToUnitInterval, SPLITS, type Split, splitOf } from './assignment.ts';
import { DuplicateFinder } from './duplicates.ts';
import { DEFAULT_FILTERS, FILTER_NAMES, type FilterLimits, firstFilter } from './filters.ts';
import type { InspectedTune } from './inspect-file.ts';
import { groupNearDuplicates } from './near-duplicates.ts';
import { type Bin, StatisticsCollector } from './statistics.ts';
import { transposed, withoutLeadingSilence } from './tune-text.ts';

/** Options of `splitCorpus`. */
export interface SplitOptions {
  /** share of each split. Default 0.98, 0.01, 0.01 */
  fractions?: Fractions;
  filters?: Partial<FilterLimits>;
  /** for each of these numbers of semitones, a transposed copy of every training tune; drums are unchanged. Default none */
  transpose?: readonly number[];
  /** seed of the hashes that assign and order tunes. Default 1 */
  seed?: number | string;
  /** worker threads; 0: inspect in this thread. Default: one per core, and a single one for a small corpus */
  workers?: number;
  onProgress?: OnProgress;
}

/** A number of cases, and the first few of them. */
export interface CountWithExamples<Example> {
  count: number;
  examples: Example[];
}

/** Size of one split, transpositions included except in `tunes`. */
export interface SplitStatistics {
  /** lines of the file: tunes and transpositions */
  lines: number;
  tunes: number;
  bars: number;
  notes: number;
  characters: number;
  /** bytes of UTF-8: the denominator of bits per byte */
  bytes: number;
}

/** Metrics of the split. */
export interface SplitMetrics {
  /** ABC files found */
  files: number;
  /** tunes that are neither dropped nor duplicates */
  kept: number;
  /** counts by name of the filter, and under `unreadable` */
  dropped: Record<string, CountWithExamples<{ id: string; why: string }>>;
  duplicates: {
    /** tunes with the same text as an earlier tune */
    content: CountWithExamples<{ id: string; of: string }>;
    /** tunes with another text, but with the same fingerprint as an earlier tune */
    fingerprint: CountWithExamples<{ id: string; of: string }>;
  };
  /** tunes that are renderings of a piece of which other tunes are renderings too; all of a group are in one split */
  near_duplicates: {
    groups: number;
    tunes: number;
    /** tunes of the largest group */
    largest: number;
    examples: string[][];
  };
  splits: Record<Split, SplitStatistics>;
  /** tunes that began with empty bars */
  leading_silence_trimmed: number;
  /** transpositions left out because a pitch would be outside MIDI's range */
  transpositions_out_of_range: number;
  /** quantiles of the characters per tune */
  length_quantiles: { min: number; p10: number; median: number; p90: number; max: number };
  /** histogram of the characters per tune */
  lengths: Bin[];
  /** number of distinct characters of the corpus */
  alphabet: number;
  /** the characters that occur in val or test but not in train */
  alphabet_not_in_train: string;
}

/** Examples in the metrics, per reason. */
const MAX_EXAMPLES = 5;
const STATISTICS_FILE = 'statistics.json';

/** A tune that is kept, and its split. */
interface KeptTune {
  id: string;
  path: string;
  split: Split;
  tune: InspectedTune;
}

/**
 * Splits a corpus.
 *
 * @param abcDir folder of ABC files
 * @param outDir folder of the splits; created if missing
 * @returns the numbers of kept and dropped tunes, with the reasons
 * @throws CorpusError if there is no tune, none is kept, a split would be empty, or the fractions are wrong
 */
export async function splitCorpus(abcDir: string, outDir: string, options: SplitOptions = {}): Promise<SplitMetrics> {
  const { fractions = { train: 0.98, val: 0.01, test: 0.01 }, transpose = [], seed = 1 } = options;
  const { onProgress = () => {}, workers } = options;
  const limits = { ...DEFAULT_FILTERS, ...options.filters };
  checkFractions(fractions);
  const { paths, skipped } = await listFolder(abcDir, (path) => ABC_NAME.test(path));
  if (paths.length === 0) throw new CorpusError(`${abcDir}: contains no ABC file`);
  const written = [...SPLITS.map((split) => `${split}.jsonl`), STATISTICS_FILE];
  await prepareFolder(outDir, new Set(written.flatMap((name) => [name, `${name}.part`])));

  let read = 0;
  const inspected = await runTasks<string, null, InspectedTune>(
    new URL('./inspect-file.ts', import.meta.url),
    paths.map((path) => join(abcDir, path)),
    null,
    { threads: workers, onDone: () => onProgress({ done: ++read, total: paths.length, unit: 'tunes' }) },
  );

  const metrics = emptyMetrics(paths.length + skipped.length);
  for (const { path, reason } of skipped) addExample(metrics.dropped.unreadable, { id: idOf(path), why: reason });
  const kept: KeptTune[] = [];
  const duplicates = new DuplicateFinder();
  for (const [i, outcome] of inspected.entries()) {
    const id = idOf(paths[i]);
    if ('failed' in outcome) {
      addExample(metrics.dropped.unreadable, { id, why: outcome.failed });
      continue;
    }
    const tune = outcome.result;
    const filter = firstFilter(tune, limits);
    if (filter) {
      addExample(metrics.dropped[filter.name], { id, why: filter.why });
      continue;
    }
    const duplicate = duplicates.add(tune, id);
    if (duplicate) addExample(metrics.duplicates[duplicate.kind], { id, of: duplicate.of });
    else kept.push({ id, path: paths[i], split: 'train', tune });
  }
  assignSplits(kept, fractions, seed, metrics);
  metrics.kept = kept.length;
  checkSplits(abcDir, kept, fractions, metrics);

  let done = 0;
  const onWritten = () => onProgress({ done: ++done, total: kept.length, unit: 'tunes', text: 'written' });
  const statistics = new StatisticsCollector();
  const alphabets: Record<Split, Set<string>> = { train: new Set(), val: new Set(), test: new Set() };
  for (const split of SPLITS) {
    const tunes = kept.filter((tune) => tune.split === split);
    // Neighbours in a corpus are often similar. Sorted by a hash, every part of a split resembles the whole split.
    const order = new Map(tunes.map((tune) => [tune, hashToUnitInterval(`${seed}:order:${tune.id}`)]));
    tunes.sort((a, b) => order.get(a)! - order.get(b)!);
    for (const { tune } of tunes) for (const character of tune.alphabet) alphabets[split].add(character);
    const shifts = split === 'train' ? transpose : [];
    const onLine = split === 'train' ? (abc: string) => statistics.addText(abc) : () => {};
    const lines = linesOf(abcDir, tunes, shifts, metrics, metrics.splits[split], onLine, onWritten);
    await writeLines(join(outDir, `${split}.jsonl`), lines);
    for (const { tune } of tunes) statistics.addTune({ ...tune, bars: tune.bars - tune.leadingEmptyBars });
  }
  metrics.length_quantiles = quantiles(kept.map(({ tune }) => tune.characters));
  const all = new Set(SPLITS.flatMap((split) => [...alphabets[split]]));
  metrics.alphabet = all.size;
  metrics.alphabet_not_in_train = [...all]
    .filter((character) => !alphabets.train.has(character))
    .sort()
    .join('');
  const { histograms, characters_of_train } = statistics.result();
  metrics.lengths = histograms.characters;
  const { splits } = metrics;
  await writeLines(join(outDir, STATISTICS_FILE), [
    `${JSON.stringify({ splits, histograms, characters_of_train }, null, 2)}\n`,
  ]);
  return metrics;
}

/** A tune's id: its path without the ending. */
function idOf(path: string): string {
  return path.replace(ABC_NAME, '');
}

/** Counts a case, and keeps it as an example if there are fewer than MAX_EXAMPLES. */
function addExample<Example>(counted: CountWithExamples<Example>, example: Example): void {
  counted.count++;
  if (counted.examples.length < MAX_EXAMPLES) counted.examples.push(example);
}

/** Metrics with every count at zero. */
function emptyMetrics(files: number): SplitMetrics {
  const none = () => ({ count: 0, examples: [] });
  const nothing = () => ({ lines: 0, tunes: 0, bars: 0, notes: 0, characters: 0, bytes: 0 });
  return {
    files,
    kept: 0,
    dropped: Object.fromEntries(['unreadable', ...FILTER_NAMES].map((name) => [name, none()])),
    duplicates: { content: none(), fingerprint: none() },
    near_duplicates: { groups: 0, tunes: 0, largest: 0, examples: [] },
    splits: { train: nothing(), val: nothing(), test: nothing() },
    leading_silence_trimmed: 0,
    transpositions_out_of_range: 0,
    length_quantiles: { min: 0, p10: 0, median: 0, p90: 0, max: 0 },
    lengths: [],
    alphabet: 0,
    alphabet_not_in_train: '',
  };
}

/**
 * Assigns the tunes to splits. A group of near-duplicates has the smallest fingerprint of its tunes, so its split does not
 * depend on the order of the files.
 */
function assignSplits(
  kept: readonly KeptTune[],
  fractions: Fractions,
  seed: number | string,
  { near_duplicates: counts }: SplitMetrics,
): void {
  const groups = new Map<number, KeptTune[]>();
  for (const [i, group] of groupNearDuplicates(kept.map(({ tune }) => tune.sketch)).entries()) {
    const tunes = groups.get(group);
    if (tunes === undefined) groups.set(group, [kept[i]]);
    else tunes.push(kept[i]);
  }
  for (const tunes of groups.values()) {
    const [fingerprint] = tunes.map(({ tune }) => tune.fingerprint).sort();
    for (const tune of tunes) tune.split = splitOf(fingerprint, fractions, seed);
    if (tunes.length === 1) continue;
    counts.groups++;
    counts.tunes += tunes.length;
    counts.largest = Math.max(counts.largest, tunes.length);
    if (counts.examples.length < MAX_EXAMPLES) counts.examples.push(tunes.slice(0, MAX_EXAMPLES).map(({ id }) => id));
  }
}

/**
 * Checks that no split is empty unless its share is 0. The stages that read an empty split would fail too, but they do
 * not know the reason.
 *
 * @throws CorpusError with the most frequent reason for dropping tunes, or with a remedy
 */
function checkSplits(abcDir: string, kept: readonly KeptTune[], fractions: Fractions, metrics: SplitMetrics): void {
  if (kept.length === 0) {
    const [name, { examples }] = Object.entries(metrics.dropped).sort(([, a], [, b]) => b.count - a.count)[0];
    throw new CorpusError(
      `${abcDir}: none of its ${metrics.files} tunes is kept; most were dropped as ${name}, such as ${examples[0].id}: ${examples[0].why}`,
    );
  }
  for (const split of SPLITS) {
    if (fractions[split] === 0 || kept.some((tune) => tune.split === split)) continue;
    throw new CorpusError(
      `${abcDir}: none of its ${kept.length} tunes is in ${split}, whose share is ${fractions[split]}; ` +
        `add tunes, increase split.fractions.${split}, or change split.seed`,
    );
  }
}

/** Yields the lines of one split, and counts them in `metrics` and `statistics`. `onLine` gets the text of every line. */
async function* linesOf(
  abcDir: string,
  tunes: readonly KeptTune[],
  transpose: readonly number[],
  metrics: SplitMetrics,
  statistics: SplitStatistics,
  onLine: (abc: string) => void,
  onWritten: () => void,
): AsyncGenerator<string> {
  for (const { id, path, tune } of tunes) {
    const original = await readFile(join(abcDir, path), 'utf8');
    const abc = tune.leadingEmptyBars > 0 ? withoutLeadingSilence(original) : original;
    if (tune.leadingEmptyBars > 0) metrics.leading_silence_trimmed++;
    const texts = [{ id, abc }];
    for (const semitones of transpose.filter((shift) => shift !== 0)) {
      const copy = transposed(abc, semitones);
      if (copy === undefined) metrics.transpositions_out_of_range++;
      else texts.push({ id: `${id}${semitones > 0 ? '+' : ''}${semitones}`, abc: copy });
    }
    statistics.tunes++;
    for (const text of texts) {
      statistics.lines++;
      statistics.bars += tune.bars - tune.leadingEmptyBars;
      statistics.notes += tune.notes;
      statistics.characters += text.abc.length;
      statistics.bytes += Buffer.byteLength(text.abc);
      onLine(text.abc);
      yield `${JSON.stringify(text)}\n`;
    }
    onWritten();
  }
}

/** Writes a temporary file and renames it, so that a reader never finds an incomplete one. */
async function writeLines(path: string, lines: AsyncIterable<string> | Iterable<string>): Promise<void> {
  try {
    await pipeline(Readable.from(lines), createWriteStream(`${path}.part`));
    await rename(`${path}.part`, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
    throw new CorpusError(`${path}: cannot be written: ${reasonOf(error)}`);
  }
}

/** Quantiles: the value at position share · (n − 1) of the sorted values, rounded. */
function quantiles(values: readonly number[]): SplitMetrics['length_quantiles'] {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.round(share * (sorted.length - 1))];
  return { min: at(0), p10: at(0.1), median: at(0.5), p90: at(0.9), max: at(1) };
}
