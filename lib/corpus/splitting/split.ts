/**
 * Makes the training, validation and test sets of a folder of ABC files: `{train,val,test}.jsonl`, a line `{"id", "abc"}` a tune, and
 * `statistics.json`.
 *
 *     1. read every tune, once, and drop those that a filter drops
 *     2. of tunes with the same text, or the same fingerprint, keep one
 *     3. give each to a split by the hash of its fingerprint
 *     4. write each split in the order of another hash, train's transpositions after their tunes
 *
 * Only the first step holds the music of a tune, one at a time; so memory grows with the number of tunes, not with their length.
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
import { checkFractions, type Fractions, SPLITS, type Split, splitOf, uniform } from './assignment.ts';
import { DEFAULT_FILTERS, FILTER_NAMES, type FilterLimits, firstFilter } from './filters.ts';
import type { InspectedTune } from './inspect-file.ts';
import { type Bin, StatisticsOfTunes } from './statistics.ts';
import { transposed, withoutLeadingSilence } from './tune-text.ts';

export interface SplitOptions {
  /** shares of the tunes; they make 1. Default .98, .01, .01 */
  fractions?: Fractions;
  filters?: Partial<FilterLimits>;
  /** semitones by which training tunes are repeated; drums stay. Default none */
  transpose?: readonly number[];
  /** of the hashes: another seed, another split */
  seed?: number | string;
  /** worker threads; 0: none. Default: as many as cores, and none for a small corpus */
  workers?: number;
  onProgress?: OnProgress;
}

/** How many there are, and the first few of them. */
export interface Counted<Example> {
  count: number;
  examples: Example[];
}

export interface SplitStatistics {
  /** lines of the file: tunes and their transpositions */
  lines: number;
  tunes: number;
  bars: number;
  notes: number;
  characters: number;
  /** of UTF-8: what bits a byte are counted over */
  bytes: number;
}

export interface SplitMetrics {
  files: number;
  kept: number;
  /** by filter, and `unreadable` */
  dropped: Record<string, Counted<{ id: string; why: string }>>;
  duplicates: {
    /** the same text */
    content: Counted<{ id: string; of: string }>;
    /** other text, the same music */
    fingerprint: Counted<{ id: string; of: string }>;
  };
  splits: Record<Split, SplitStatistics>;
  /** tunes that began with empty bars */
  leading_silence_trimmed: number;
  /** transpositions left out since a pitch would leave MIDI's range */
  transpositions_out_of_range: number;
  /** characters of one tune: least, tenth, middle, nine tenths, most */
  length_quantiles: { min: number; p10: number; median: number; p90: number; max: number };
  /** tunes by characters */
  lengths: Bin[];
  /** distinct characters of the corpus, and those that train has not */
  alphabet: number;
  alphabet_not_in_train: string;
}

const EXAMPLES = 5;
const STATISTICS = 'statistics.json';

interface KeptTune {
  id: string;
  path: string;
  split: Split;
  tune: InspectedTune;
}

/** @throws CorpusError where there is no tune to split, or a split would be empty */
export async function splitCorpus(abcDir: string, outDir: string, options: SplitOptions = {}): Promise<SplitMetrics> {
  const { fractions = { train: 0.98, val: 0.01, test: 0.01 }, transpose = [], seed = 1 } = options;
  const { onProgress = () => {}, workers } = options;
  const limits = { ...DEFAULT_FILTERS, ...options.filters };
  checkFractions(fractions);
  const { paths, skipped } = await listFolder(abcDir, (path) => ABC_NAME.test(path));
  if (paths.length === 0) throw new CorpusError(`${abcDir}: no ABC file in it`);
  const written = [...SPLITS.map((split) => `${split}.jsonl`), STATISTICS];
  await prepareFolder(outDir, new Set(written.flatMap((name) => [name, `${name}.part`])));

  let read = 0;
  const inspected = await runTasks<string, null, InspectedTune>(
    new URL('./inspect-file.ts', import.meta.url),
    paths.map((path) => join(abcDir, path)),
    null,
    { threads: workers, onDone: () => onProgress({ done: ++read, total: paths.length, unit: 'tunes' }) },
  );

  const metrics = emptyMetrics(paths.length + skipped.length);
  for (const { path, reason } of skipped) count(metrics.dropped.unreadable, { id: idOf(path), why: reason });
  const kept: KeptTune[] = [];
  const byContent = new Map<string, string>();
  const byFingerprint = new Map<string, string>();
  for (const [i, outcome] of inspected.entries()) {
    const id = idOf(paths[i]);
    if ('failed' in outcome) {
      count(metrics.dropped.unreadable, { id, why: outcome.failed });
      continue;
    }
    const tune = outcome.result;
    const filter = firstFilter(tune, limits);
    if (filter) {
      count(metrics.dropped[filter.name], { id, why: filter.why });
      continue;
    }
    const same = byContent.get(tune.contentHash);
    const alike = byFingerprint.get(tune.fingerprint);
    if (same !== undefined) count(metrics.duplicates.content, { id, of: same });
    else if (alike !== undefined) count(metrics.duplicates.fingerprint, { id, of: alike });
    else {
      byContent.set(tune.contentHash, id);
      byFingerprint.set(tune.fingerprint, id);
      kept.push({ id, path: paths[i], split: splitOf(tune.fingerprint, fractions, seed), tune });
    }
  }
  metrics.kept = kept.length;
  checkSplits(abcDir, kept, fractions, metrics);

  let done = 0;
  const onWritten = () => onProgress({ done: ++done, total: kept.length, unit: 'tunes', text: 'written' });
  const statistics = new StatisticsOfTunes();
  const alphabets: Record<Split, Set<string>> = { train: new Set(), val: new Set(), test: new Set() };
  for (const split of SPLITS) {
    const tunes = kept.filter((tune) => tune.split === split);
    // Neighbours in a corpus are kin; in the order of a hash, every stretch of a split is like the whole.
    const order = new Map(tunes.map((tune) => [tune, uniform(`${seed}:order:${tune.id}`)]));
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
  await writeLines(join(outDir, STATISTICS), [
    `${JSON.stringify({ splits, histograms, characters_of_train }, null, 2)}\n`,
  ]);
  return metrics;
}

function idOf(path: string): string {
  return path.replace(ABC_NAME, '');
}

function count<Example>(counted: Counted<Example>, example: Example): void {
  counted.count++;
  if (counted.examples.length < EXAMPLES) counted.examples.push(example);
}

function emptyMetrics(files: number): SplitMetrics {
  const none = () => ({ count: 0, examples: [] });
  const nothing = () => ({ lines: 0, tunes: 0, bars: 0, notes: 0, characters: 0, bytes: 0 });
  return {
    files,
    kept: 0,
    dropped: Object.fromEntries(['unreadable', ...FILTER_NAMES].map((name) => [name, none()])),
    duplicates: { content: none(), fingerprint: none() },
    splits: { train: nothing(), val: nothing(), test: nothing() },
    leading_silence_trimmed: 0,
    transpositions_out_of_range: 0,
    length_quantiles: { min: 0, p10: 0, median: 0, p90: 0, max: 0 },
    lengths: [],
    alphabet: 0,
    alphabet_not_in_train: '',
  };
}

/** An empty split would be found out only by the stages that read it, and none of them could say why. */
function checkSplits(abcDir: string, kept: readonly KeptTune[], fractions: Fractions, metrics: SplitMetrics): void {
  if (kept.length === 0) {
    const [name, { examples }] = Object.entries(metrics.dropped).sort(([, a], [, b]) => b.count - a.count)[0];
    throw new CorpusError(
      `${abcDir}: none of its ${metrics.files} tunes is kept; most were dropped as ${name}, ${examples[0].id}: ${examples[0].why}`,
    );
  }
  for (const split of SPLITS) {
    if (fractions[split] === 0 || kept.some((tune) => tune.split === split)) continue;
    throw new CorpusError(
      `${abcDir}: none of its ${kept.length} tunes falls to ${split}, a share of ${fractions[split]}; ` +
        `more tunes, a larger split.fractions.${split} or another split.seed would help`,
    );
  }
}

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

/** By temp file and rename: a reader never finds half a split. */
async function writeLines(path: string, lines: AsyncIterable<string> | Iterable<string>): Promise<void> {
  try {
    await pipeline(Readable.from(lines), createWriteStream(`${path}.part`));
    await rename(`${path}.part`, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
    throw new CorpusError(`${path}: cannot be written: ${reasonOf(error)}`);
  }
}

function quantiles(values: readonly number[]): SplitMetrics['length_quantiles'] {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.round(share * (sorted.length - 1))];
  return { min: at(0), p10: at(0.1), median: at(0.5), p90: at(0.9), max: at(1) };
}
