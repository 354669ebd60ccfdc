/** The tokenizer with one token per character. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { CharTokenizer, END_OF_TEXT, loadTokenizer, UNKNOWN } from '../../lib/tokenizer/index.ts';

const directory = mkdtempSync(join(tmpdir(), 'char-'));
afterAll(() => rmSync(directory, { recursive: true }));
const file = (name: string) => join(directory, name);

test('each character has an id, in the order of code points, after the two special tokens', async () => {
  const tokenizer = await CharTokenizer.train(['CA|\n', new TextEncoder().encode('é😀')]);
  expect(tokenizer.vocabularySize).toBe(8);
  expect([...tokenizer.encode('\nAC|é😀')]).toEqual([2, 3, 4, 5, 6, 7]);
  expect(tokenizer.decode([0, 3, 4, 0])).toBe('AC');
});

test('bytes and text have the same ids, and decoding restores them', async () => {
  const text = '\ufeffK:C\r\n|é|日本|😀\0|';
  const tokenizer = await CharTokenizer.train([text]);
  const bytes = new TextEncoder().encode(text);
  expect(tokenizer.encode(bytes)).toEqual(tokenizer.encode(text));
  expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
  expect(tokenizer.decodeBytes(tokenizer.encode(text))).toEqual(bytes);
});

test('characters that training did not see are encoded as <unk> and decode to U+FFFD', async () => {
  const tokenizer = await CharTokenizer.train(['ABC']);
  expect([...tokenizer.encode('AxC😀')]).toEqual([2, tokenizer.unknown, 4, tokenizer.unknown]);
  expect(tokenizer.decode(tokenizer.encode('AxC'))).toBe('A\ufffdC');
});

test('lone surrogates and invalid UTF-8 are encoded as U+FFFD', async () => {
  const tokenizer = await CharTokenizer.train(['A\ud800']);
  expect([...tokenizer.encode('\udc00A')]).toEqual([3, 2]);
  expect([...tokenizer.encode(Uint8Array.of(0xff, 0x41))]).toEqual([3, 2]);
});

test('text that spells a special token is encoded as characters', async () => {
  const spelled = END_OF_TEXT + UNKNOWN;
  const tokenizer = await CharTokenizer.train([spelled]);
  expect(tokenizer.encode(spelled)).toHaveLength(spelled.length);
  expect(tokenizer.decode(tokenizer.encode(spelled))).toBe(spelled);
});

test('a saved tokenizer loads with the same ids, including digits, quotes and control characters', async () => {
  const tokenizer = await CharTokenizer.train(['C2"\\/3 |9é😀\n\0']);
  tokenizer.save(file('tokenizer.json'));
  const loaded = loadTokenizer(file('tokenizer.json'));
  expect(loaded).toBeInstanceOf(CharTokenizer);
  expect(loaded.encode('C3é|9')).toEqual(tokenizer.encode('C3é|9'));
  tokenizer.saveVocabulary(file('vocab.json'));
  const vocabulary = JSON.parse(readFileSync(file('vocab.json'), 'utf8'));
  expect(vocabulary['2']).toBe(tokenizer.encode('2')[0]);
  expect(vocabulary[UNKNOWN]).toBe(1);
});

test('an empty corpus is refused', async () => {
  await expect(CharTokenizer.train([''])).rejects.toThrow(
    'the corpus is empty: there is no text to take characters from',
  );
});

test('an id outside the vocabulary is refused', async () => {
  const tokenizer = await CharTokenizer.train(['A']);
  expect(() => tokenizer.decode([3])).toThrow('no token has the id 3: this vocabulary has 3, 0 to 2');
});

test('loading refuses a vocabulary with tokens of several characters, and names the file', async () => {
  const tokenizer = await CharTokenizer.train(['A']);
  tokenizer.save(file('words.json'));
  writeFileSync(file('words.json'), readFileSync(file('words.json'), 'utf8').replace('"A"', '"word"'));
  expect(() => loadTokenizer(file('words.json'))).toThrow(/words\.json: not a character vocabulary/);
});
