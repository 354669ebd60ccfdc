/** tokenizeCorpus: from splits to a tokenizer, a token store, statistics and metrics. */
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { END_OF_TEXT, loadTokenizer, TokenStore, tokenizeCorpus } from '../../lib/tokenizer/index.ts';

const directory = mkdtempSync(join(tmpdir(), 'corpus-'));
afterAll(() => rmSync(directory, { recursive: true }));
const at = (name: string) => join(directory, name);

const tune = (n: number) => `X:${n}\nK:C\nCDEF|G2${'CDEF'[n % 4]}2|\n`;
const line = (abc: unknown) => JSON.stringify({ id: 'x', abc });

function writeSplits(name: string, { train, val, test }: { train: string[]; val: string[]; test: string[] }): string {
  mkdirSync(at(name), { recursive: true });
  for (const [split, lines] of Object.entries({ train, val, test })) {
    writeFileSync(join(at(name), `${split}.jsonl`), lines.map((text) => `${text}\n`).join(''));
  }
  return at(name);
}

const splits = writeSplits('splits', {
  train: Array.from({ length: 20 }, (_, n) => line(tune(n))),
  val: [line(`é|${END_OF_TEXT}|\n`)],
  test: [line(tune(3)), line('A\u2028B')],
});

const each = [{ name: 'char' as const }, { name: 'bpe' as const, vocabularySize: 280 }, { name: 'music' as const }];
describe.each(each)('$name', (options) => {
  test('every tune can be decoded from the store, and ends with the special token', async () => {
    const out = at(options.name);
    const metrics = await tokenizeCorpus(splits, out, options);
    const tokenizer = loadTokenizer(join(out, 'tokenizer.json'));
    const store = TokenStore.open(out);
    expect(tokenizer.vocabularySize).toBe(metrics.vocabulary_size);
    expect(store.vocabularySize).toBe(metrics.vocabulary_size);
    expect(metrics.train).toMatchObject(store.totals('train'));
    store.documents('train').forEach(({ offset, tokens, bytes, chars }, n) => {
      const ids = store.window('train', offset, tokens);
      expect(ids.at(-1)).toBe(tokenizer.endOfText);
      expect(ids.indexOf(tokenizer.endOfText)).toBe(tokens - 1);
      expect(tokenizer.decode(ids)).toBe(tune(n));
      expect([bytes, chars]).toEqual([tune(n).length, tune(n).length]);
    });
    await store.close();
  });

  test('a tune whose text spells the special token has its id only at the end', async () => {
    const store = TokenStore.open(at(options.name));
    const ids = store.window('val', 0, store.totals('val').tokens);
    const { endOfText } = loadTokenizer(join(at(options.name), 'tokenizer.json'));
    expect(ids.indexOf(endOfText)).toBe(ids.length - 1);
    await store.close();
  });

  test('the store counts the bytes and characters of the text', async () => {
    const store = TokenStore.open(at(options.name));
    expect(store.totals('val')).toMatchObject({ bytes: 4 + END_OF_TEXT.length + 1, chars: 3 + END_OF_TEXT.length + 1 });
    await store.close();
  });

  test('the same input gives the same files, byte for byte', async () => {
    await tokenizeCorpus(splits, at('again'), { ...options, threads: 3 });
    for (const file of ['tokenizer.json', 'data.mdb']) {
      expect(readFileSync(join(at('again'), file)).equals(readFileSync(join(at(options.name), file)))).toBe(true);
    }
    rmSync(at('again'), { recursive: true });
  });
});

test('characters that only val and test contain are counted as unknown', async () => {
  const { train, val, test } = await tokenizeCorpus(splits, at('unknown'), { name: 'char' });
  // val: é, and the characters < n d o f t e x t > of <|endoftext|> that the tunes lack; test: A, B and U+2028
  expect([train.unknown_chars, val.unknown_chars, test.unknown_chars]).toEqual([0, 12, 3]);
});

test('bytes of lexemes that are not in the vocabulary are counted', async () => {
  const { train, val } = await tokenizeCorpus(splits, at('spelled'), { name: 'music', minFrequency: 20 });
  // In the training split only the fields X:0 to X:9 (3 bytes) and X:10 to X:19 (4 bytes) are rarer than 20.
  expect(train.spelled_bytes).toBe(10 * 3 + 10 * 4);
  // é has two bytes, and most lexemes of <|endoftext|> are not in the vocabulary.
  expect(val.spelled_bytes).toBeGreaterThan(2);
});

test('statistics give the frequencies of ids and the lengths of tunes', async () => {
  const { statistics, train, vocabulary_size, unused_ids } = await tokenizeCorpus(splits, at('statistics'), {
    name: 'char',
  });
  // The most frequent characters occur three times in each of the 20 tunes.
  expect(statistics.frequency[0]).toEqual({ rank: 1, count: 60 });
  expect(statistics.frequency.at(-1)?.rank).toBe(vocabulary_size - unused_ids);
  expect(statistics.vocabulary_use).toBeCloseTo(1 - unused_ids / vocabulary_size);
  expect(statistics.entropy).toBeGreaterThan(3);
  const tunes = statistics.tokens_per_tune.reduce((sum, bin) => sum + bin.tunes, 0);
  expect(tunes).toBe(train.documents + 1 + 2);
  // The shortest tune is A\u2028B and its end.
  expect(statistics.tokens_per_tune[0]).toEqual({ tokens: 4, tunes: 1 });
});

test('the metrics count the ids that are missing if the corpus is too small for the vocabulary', async () => {
  const metrics = await tokenizeCorpus(splits, at('short'), { name: 'bpe', vocabularySize: 5000 });
  expect(metrics.vocabulary_size + metrics.vocabulary_missing).toBe(5000);
  expect(metrics.vocabulary_missing).toBeGreaterThan(4000);
});

test('lines that hold no tune are skipped and described', async () => {
  const bad = writeSplits('bad', {
    train: [line(tune(1)), '{"abc": ', line(7), '', line(''), line(tune(2))],
    val: ['null'],
    test: [],
  });
  const metrics = await tokenizeCorpus(bad, at('bad-out'), { name: 'char' });
  expect(metrics.train.documents).toBe(2);
  expect(metrics.dropped).toEqual({
    lines: 4,
    examples: [
      { file: 'train.jsonl', line: 2, why: 'not JSON' },
      { file: 'train.jsonl', line: 3, why: 'no "abc" that is a string' },
      { file: 'train.jsonl', line: 5, why: '"abc" is empty' },
      { file: 'val.jsonl', line: 1, why: 'no "abc" that is a string' },
    ],
  });
});

test('a line of invalid UTF-8 or of more than 256 MiB is skipped and described', async () => {
  const dir = writeSplits('huge', { train: [line(tune(1))], val: [], test: [] });
  appendFileSync(join(dir, 'val.jsonl'), Buffer.from(`${line('A\u00e9|')}\n`, 'latin1'));
  // A sparse file: the zeros take no space on the disk.
  truncateSync(join(dir, 'train.jsonl'), 270 * 1024 * 1024);
  appendFileSync(join(dir, 'train.jsonl'), `\n${line(tune(2))}\n`);
  const metrics = await tokenizeCorpus(dir, at('huge-out'), { name: 'char' });
  expect(metrics.train.documents).toBe(2);
  expect(metrics.dropped.examples).toEqual([
    { file: 'train.jsonl', line: 2, why: 'longer than 268435456 bytes' },
    { file: 'val.jsonl', line: 1, why: 'not UTF-8' },
  ]);
});

test('missing or empty splits and an impossible vocabulary are refused, and no store is left', async () => {
  await expect(tokenizeCorpus(at('nowhere'), at('out'), { name: 'char' })).rejects.toThrow(
    `${join(at('nowhere'), 'train.jsonl')}: no such file; the split stage writes train, val and test.jsonl`,
  );
  const empty = writeSplits('empty', { train: [], val: [], test: [] });
  for (const options of [{ name: 'char' as const }, { name: 'bpe' as const, vocabularySize: 300 }]) {
    await expect(tokenizeCorpus(empty, at('out'), options)).rejects.toThrow(/train\.jsonl: the corpus is empty/);
  }
  await expect(tokenizeCorpus(splits, at('out'), { name: 'bpe', vocabularySize: 99 })).rejects.toThrow(
    'a BPE vocabulary of 99 is not possible',
  );
  expect(() => TokenStore.open(at('out'))).toThrow('no token store here');
});

test('progress is reported in bytes and merges, up to the last', async () => {
  const seen: string[] = [];
  await tokenizeCorpus(splits, at('progress'), {
    name: 'bpe',
    vocabularySize: 270,
    onProgress: ({ done, total, unit, text }) => seen.push(`${text} ${done === total ? 'all' : 'some'} ${unit}`),
  });
  expect(seen).toContain('bpe: reading all bytes');
  expect(seen).toContain('bpe: merging all merges');
  expect(seen.at(-1)).toBe('bpe: encoding all bytes');
});
