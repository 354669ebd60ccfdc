/**
 * The work of the tokenize stage: trains a tokenizer on the training split, encodes all splits, and writes the
 * tokenizer and the token store into one folder.
 *
 * The splits are .jsonl files with one tune `{"id", "abc"}` per line, as the split stage writes them. Each tune is
 * followed by `<|endoftext|>`. Lines that hold no tune are skipped, and the metrics count and describe them.
 */
import { isUtf8 } from 'node:buffer';
import { createReadStream, existsSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, join } from 'node:path';
import { BpeTokenizer, type Implementation, type Pretokenizer } from './bpe/index.ts';
import { CharTokenizer } from './char-tokenizer.ts';
import { TokenizerError } from './errors.ts';
import { MusicTokenizer } from './music/index.ts';
import { StatisticsCollector, type TokenStatistics } from './statistics.ts';
import { SPLITS, type Split, TokenStore, type Totals } from './store/index.ts';
import { type Tokenizer, tokenArray } from './tokenizer.ts';

/** The progress of `tokenizeCorpus`. */
export interface CorpusProgress {
  done: number;
  total: number;
  unit: 'bytes' | 'merges';
  /** The tokenizer and the phase, for example "bpe: encoding". */
  text: string;
}

/** Options of `tokenizeCorpus`. */
export interface CorpusOptions {
  /** The kind of tokenizer to train. */
  name: Tokenizer['kind'];
  /** bpe only, and required there: specials + 256 bytes + merges. */
  vocabularySize?: number;
  /** bpe only. Default: bar. */
  pretokenizer?: Pretokenizer;
  /** bpe only: pairs that occur less often are not merged. Default: 1. */
  minimumCount?: number;
  /** music only: lexemes that occur less often are encoded as bytes. Default: 1. */
  minFrequency?: number;
  /** bpe only. Default: native if it is built. */
  implementation?: Implementation;
  /** Threads for encoding; the result does not depend on their number. Default: all cores. */
  threads?: number;
  onProgress?: (progress: CorpusProgress) => void;
}

/** Metrics of a split. The names are the keys of the metrics file. */
export interface SplitMetrics extends Totals {
  bytes_per_token: number;
  tokens_per_document: number;
  /** Characters encoded as `<unk>` because training did not see them (char only; the others encode any byte). */
  unknown_chars: number;
  /** Bytes that are encoded as one token each, because their lexeme is not in the vocabulary (music only). */
  spelled_bytes: number;
}

/** Metrics of a tokenized corpus. The names are the keys of the metrics file. */
export interface CorpusMetrics {
  tokenizer: string;
  vocabulary_size: number;
  /** Requested size − reached size (bpe only): the corpus had no more pairs to merge. */
  vocabulary_missing: number;
  /** Number of ids that the training split does not use. */
  unused_ids: number;
  train: SplitMetrics;
  val: SplitMetrics;
  test: SplitMetrics;
  statistics: TokenStatistics;
  /** Lines that hold no tune; the first few of them with the reason. */
  dropped: { lines: number; examples: { file: string; line: number; why: string }[] };
}

/** Length of a batch of tunes to encode, in UTF-16 code units. */
const BATCH_LENGTH = 4 * 1024 * 1024;
/** In bytes. Longer lines are dropped: they cannot be tunes, and a JavaScript string could not hold them. */
const MAX_LINE_BYTES = 256 * 1024 * 1024;
/** Largest number of dropped lines that the metrics describe. */
const EXAMPLES = 20;

const NEWLINE = 10;

/**
 * Trains a tokenizer on the training split, encodes all splits, and writes the tokenizer and the token store.
 *
 * @param splitsDir the folder with train.jsonl, val.jsonl and test.jsonl
 * @param outDir the folder for tokenizer.json and data.mdb, and vocab.json if the tokenizer is char
 * @returns the metrics
 * @throws TokenizerError if a file is missing, the training split is empty, an option is not possible, or the store
 *   cannot be written; no store is left then
 */
export async function tokenizeCorpus(
  splitsDir: string,
  outDir: string,
  options: CorpusOptions,
): Promise<CorpusMetrics> {
  const { name, onProgress, threads = availableParallelism() } = options;
  const files = splitFiles(splitsDir);
  const dropped: CorpusMetrics['dropped'] = { lines: 0, examples: [] };

  const trainBytes = statSync(files.train).size;
  const reportReading = byteReporter(onProgress, trainBytes, `${name}: reading`);
  const source = readTunes(files.train, undefined, reportReading);
  const tokenizer = await train(source, options, splitsDir);

  const allBytes = SPLITS.reduce((sum, split) => sum + statSync(files[split]).size, 0);
  const reportEncoding = byteReporter(onProgress, allBytes, `${name}: encoding`);
  const store = TokenStore.create(outDir, { vocabularySize: tokenizer.vocabularySize, tokenizer });
  const statistics = new StatisticsCollector(tokenizer.vocabularySize);
  const unknown: Record<Split, number> = { train: 0, val: 0, test: 0 };
  const spelled: Record<Split, number> = { train: 0, val: 0, test: 0 };
  try {
    for (const split of SPLITS) {
      for await (const tunes of batches(readTunes(files[split], dropped, reportEncoding))) {
        const { ids, ends } = await tokenizer.encodeAll(tunes, { threads });
        tunes.forEach((abc, i) => {
          const tune = tokenArray(tokenizer.vocabularySize, ends[i] - (ends[i - 1] ?? 0) + 1);
          tune.set(ids.subarray(ends[i - 1] ?? 0, ends[i]));
          tune[tune.length - 1] = tokenizer.endOfText;
          store.append(split, tune, { bytes: Buffer.byteLength(abc), chars: countChars(abc) });
          statistics.add(tune, split === 'train');
          if (tokenizer instanceof CharTokenizer) for (const id of tune) if (id === tokenizer.unknown) unknown[split]++;
          if (tokenizer instanceof MusicTokenizer) for (const id of tune) if (tokenizer.isByte(id)) spelled[split]++;
        });
      }
    }
    await store.close();
  } catch (error) {
    await store.abort();
    throw error;
  }
  if (tokenizer instanceof CharTokenizer) tokenizer.saveVocabulary(join(outDir, 'vocab.json'));

  const splitMetrics = (split: Split): SplitMetrics => {
    const totals = store.totals(split);
    return {
      ...totals,
      bytes_per_token: totals.tokens > 0 ? totals.bytes / totals.tokens : 0,
      tokens_per_document: totals.documents > 0 ? totals.tokens / totals.documents : 0,
      unknown_chars: unknown[split],
      spelled_bytes: spelled[split],
    };
  };
  return {
    tokenizer: name,
    vocabulary_size: tokenizer.vocabularySize,
    vocabulary_missing: name === 'bpe' ? options.vocabularySize! - tokenizer.vocabularySize : 0,
    unused_ids: statistics.unused,
    train: splitMetrics('train'),
    val: splitMetrics('val'),
    test: splitMetrics('test'),
    statistics: statistics.result(),
    dropped,
  };
}

/** The paths of the three files, all of which must exist. */
function splitFiles(dir: string): Record<Split, string> {
  const files = { train: join(dir, 'train.jsonl'), val: join(dir, 'val.jsonl'), test: join(dir, 'test.jsonl') };
  for (const file of Object.values(files)) {
    if (!existsSync(file))
      throw new TokenizerError(`${file}: no such file; the split stage writes train, val and test.jsonl`);
  }
  return files;
}

/** Trains the tokenizer. Adds the path of the training split to the messages of its errors. */
async function train(source: AsyncIterable<string>, options: CorpusOptions, dir: string): Promise<Tokenizer> {
  const { name, vocabularySize, pretokenizer, minimumCount, minFrequency, implementation, onProgress } = options;
  try {
    if (name === 'char') return await CharTokenizer.train(source);
    if (name === 'music') return await MusicTokenizer.train(source, { minFrequency });
    if (name !== 'bpe')
      throw new TokenizerError(`no tokenizer is named ${JSON.stringify(name)}: char, bpe and music are`);
    if (vocabularySize === undefined) throw new TokenizerError('a BPE needs vocabularySize');
    return await BpeTokenizer.train(source, {
      vocabularySize,
      pretokenizer,
      minimumCount,
      implementation,
      onProgress: ({ phase, done, total = done }) => {
        if (phase === 'merging') onProgress?.({ done, total, unit: 'merges', text: 'bpe: merging' });
      },
    });
  } catch (error) {
    if (error instanceof TokenizerError) throw new TokenizerError(`${join(dir, 'train.jsonl')}: ${error.message}`);
    throw error;
  }
}

type Dropped = CorpusMetrics['dropped'];

/** Reads the tunes of a file, in order. Records lines that hold no tune in `dropped`, if given. */
async function* readTunes(file: string, dropped?: Dropped, onBytes?: (bytes: number) => void): AsyncGenerator<string> {
  let line = 0;
  const drop = (why: string) => {
    if (!dropped) return;
    dropped.lines++;
    if (dropped.examples.length < EXAMPLES) dropped.examples.push({ file: basename(file), line, why });
  };
  for await (const bytes of readLines(file, onBytes)) {
    line++;
    if (bytes === 'too long') {
      drop(`longer than ${MAX_LINE_BYTES} bytes`);
      continue;
    }
    if (!isUtf8(bytes)) {
      drop('not UTF-8');
      continue;
    }
    const text = bytes.toString();
    if (text.trim() === '') continue;
    let tune: { abc?: unknown } | undefined;
    try {
      tune = JSON.parse(text);
    } catch {
      drop('not JSON');
      continue;
    }
    if (typeof tune?.abc !== 'string') drop('no "abc" that is a string');
    else if (tune.abc === '') drop('"abc" is empty');
    else yield tune.abc;
  }
}

/**
 * Reads the lines of a file as bytes. node:readline is not used, because it also ends lines at U+2028, which JSON
 * strings may contain.
 *
 * @returns a generator of lines, or of 'too long' in place of a line over MAX_LINE_BYTES, which is not kept in memory
 */
async function* readLines(file: string, onBytes?: (bytes: number) => void): AsyncGenerator<Buffer | 'too long'> {
  let parts: Buffer[] = [];
  let length = 0;
  const endLine = () => {
    const line = length > MAX_LINE_BYTES ? 'too long' : Buffer.concat(parts, length);
    [parts, length] = [[], 0];
    return line;
  };
  const addPart = (part: Buffer) => {
    length += part.length;
    if (length <= MAX_LINE_BYTES) parts.push(part);
    else parts = [];
  };
  for await (const chunk of createReadStream(file, { highWaterMark: 1024 * 1024 }) as AsyncIterable<Buffer>) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      addPart(chunk.subarray(start, end));
      yield endLine();
      start = end + 1;
    }
    addPart(chunk.subarray(start));
    onBytes?.(chunk.length);
  }
  if (length > 0) yield endLine();
}

/** Groups tunes into batches of about BATCH_LENGTH. */
async function* batches(tunes: AsyncIterable<string>): AsyncGenerator<string[]> {
  let batch: string[] = [];
  let length = 0;
  for await (const tune of tunes) {
    batch.push(tune);
    length += tune.length;
    if (length < BATCH_LENGTH) continue;
    yield batch;
    [batch, length] = [[], 0];
  }
  if (batch.length > 0) yield batch;
}

/** Makes a function that sums the bytes read and reports the sum as progress. */
function byteReporter(onProgress: CorpusOptions['onProgress'], total: number, text: string): (bytes: number) => void {
  let done = 0;
  return (bytes) => {
    done += bytes;
    onProgress?.({ done, total, unit: 'bytes', text });
  };
}

/** Number of code points in a string. */
function countChars(text: string): number {
  let chars = 0;
  for (let i = 0; i < text.length; i++, chars++) if (text.codePointAt(i)! > 0xffff) i++;
  return chars;
}
