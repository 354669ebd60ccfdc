/**
 * From splits to tokens: trains a tokenizer on the training split, encodes all splits with it, and writes the tokenizer and
 * the token store into one directory. Reads lines of JSON, `{"id", "abc"}` a tune, as the split stage writes them.
 *
 * `<|endoftext|>` follows each tune. Lines that are no tune are counted and named in the metrics, and passed over.
 */
import { isUtf8 } from 'node:buffer';
import { createReadStream, existsSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, join } from 'node:path';
import { BpeTokenizer } from './bpe.ts';
import { CharTokenizer } from './char.ts';
import { MusicTokenizer } from './music.ts';
import type { Implementation } from './native.ts';
import type { Pretokenizer } from './pretokenizer.ts';
import { StatisticsGatherer, type TokenStatistics } from './statistics.ts';
import { TokenStore } from './store.ts';
import { SPLITS, type Split, type Totals } from './store-layout.ts';
import { type Tokenizer, TokenizerError, tokenArray } from './tokenizer.ts';

export interface CorpusProgress {
  done: number;
  total: number;
  unit: 'bytes' | 'merges';
  text: string;
}

export interface CorpusOptions {
  name: Tokenizer['kind'];
  /** bpe only: specials + 256 bytes + merges */
  vocabularySize?: number;
  /** bpe only; default bar */
  pretokenizer?: Pretokenizer;
  /** bpe only; a pair that is rarer is not merged. Default 1 */
  minimumCount?: number;
  /** music only; a note, duration, field … that is rarer is spelled in bytes. Default 1 */
  minFrequency?: number;
  implementation?: Implementation;
  /** for encoding; the result does not depend on it. Default all cores */
  threads?: number;
  onProgress?: (progress: CorpusProgress) => void;
}

export interface SplitMetrics extends Totals {
  bytes_per_token: number;
  tokens_per_document: number;
  /** characters that training did not see, each an `<unk>` (char only; the others know all bytes) */
  unknown_chars: number;
  /** bytes that are a token each, since what they spell is none (music only) */
  spelled_bytes: number;
}

export interface CorpusMetrics {
  tokenizer: string;
  vocabulary_size: number;
  /** asked for and not reached: the corpus had no more pairs to merge */
  vocabulary_missing: number;
  /** ids of the vocabulary that the training split never uses */
  unused_ids: number;
  train: SplitMetrics;
  val: SplitMetrics;
  test: SplitMetrics;
  statistics: TokenStatistics;
  dropped: { lines: number; examples: { file: string; line: number; why: string }[] };
}

/** Bytes of text that are encoded at a time. */
const BATCH_BYTES = 4 * 1024 * 1024;
/** A line longer than this is no tune, and longer than a JavaScript string can be. */
const LONGEST_LINE = 256 * 1024 * 1024;
const EXAMPLES = 20;

export async function tokenizeCorpus(
  splitsDir: string,
  outDir: string,
  options: CorpusOptions,
): Promise<CorpusMetrics> {
  const { name, onProgress, threads = availableParallelism() } = options;
  const files = splitFiles(splitsDir);
  const dropped: CorpusMetrics['dropped'] = { lines: 0, examples: [] };

  const trainBytes = statSync(files.train).size;
  const reading = reporter(onProgress, trainBytes, `${name}: reading`);
  const source = readTunes(files.train, undefined, reading);
  const tokenizer = await train(source, options, splitsDir);

  const bytesInAll = SPLITS.reduce((sum, split) => sum + statSync(files[split]).size, 0);
  const encoding = reporter(onProgress, bytesInAll, `${name}: encoding`);
  const store = TokenStore.create(outDir, { vocabularySize: tokenizer.vocabularySize, tokenizer });
  const statistics = new StatisticsGatherer(tokenizer.vocabularySize);
  const unknown: Record<Split, number> = { train: 0, val: 0, test: 0 };
  const spelled: Record<Split, number> = { train: 0, val: 0, test: 0 };
  try {
    for (const split of SPLITS) {
      for await (const tunes of batches(readTunes(files[split], dropped, encoding))) {
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

  const split = (which: Split): SplitMetrics => {
    const totals = store.totals(which);
    return {
      ...totals,
      bytes_per_token: totals.tokens > 0 ? totals.bytes / totals.tokens : 0,
      tokens_per_document: totals.documents > 0 ? totals.tokens / totals.documents : 0,
      unknown_chars: unknown[which],
      spelled_bytes: spelled[which],
    };
  };
  return {
    tokenizer: name,
    vocabulary_size: tokenizer.vocabularySize,
    vocabulary_missing: name === 'bpe' ? options.vocabularySize! - tokenizer.vocabularySize : 0,
    unused_ids: statistics.unused,
    train: split('train'),
    val: split('val'),
    test: split('test'),
    statistics: statistics.result(),
    dropped,
  };
}

function splitFiles(dir: string): Record<Split, string> {
  const files = { train: join(dir, 'train.jsonl'), val: join(dir, 'val.jsonl'), test: join(dir, 'test.jsonl') };
  for (const file of Object.values(files)) {
    if (!existsSync(file))
      throw new TokenizerError(`${file}: no such file; the split stage writes train, val and test.jsonl`);
  }
  return files;
}

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

/** The tunes of a file, in order. Lines that are none go into `dropped`, where it is given. */
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
      drop(`longer than ${LONGEST_LINE} bytes`);
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

/** Lines as bytes: node:readline also ends lines at U+2028, which JSON strings may contain. */
async function* readLines(file: string, onBytes?: (bytes: number) => void): AsyncGenerator<Buffer | 'too long'> {
  let parts: Buffer[] = [];
  let length = 0;
  const take = () => {
    const line = length > LONGEST_LINE ? 'too long' : Buffer.concat(parts, length);
    [parts, length] = [[], 0];
    return line;
  };
  const add = (part: Buffer) => {
    length += part.length;
    if (length <= LONGEST_LINE) parts.push(part);
    else parts = [];
  };
  for await (const chunk of createReadStream(file, { highWaterMark: 1024 * 1024 }) as AsyncIterable<Buffer>) {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      add(chunk.subarray(start, end));
      yield take();
      start = end + 1;
    }
    add(chunk.subarray(start));
    onBytes?.(chunk.length);
  }
  if (length > 0) yield take();
}

async function* batches(tunes: AsyncIterable<string>): AsyncGenerator<string[]> {
  let batch: string[] = [];
  let length = 0;
  for await (const tune of tunes) {
    batch.push(tune);
    length += tune.length;
    if (length < BATCH_BYTES) continue;
    yield batch;
    [batch, length] = [[], 0];
  }
  if (batch.length > 0) yield batch;
}

/** Sums up bytes read and passes the sum on. */
function reporter(onProgress: CorpusOptions['onProgress'], total: number, text: string): (bytes: number) => void {
  let done = 0;
  return (bytes) => {
    done += bytes;
    onProgress?.({ done, total, unit: 'bytes', text });
  };
}

/** Code points of a string: its length less one for each surrogate pair. */
function countChars(text: string): number {
  let chars = 0;
  for (let i = 0; i < text.length; i++, chars++) if (text.codePointAt(i)! > 0xffff) i++;
  return chars;
}
