/** The tokenizer with one token per note, duration, rest, bar line or field. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { CharTokenizer, loadTokenizer, MusicTokenizer } from '../../lib/tokenizer/index.ts';
import { scrambled, seeded } from './implementations.ts';

const directory = mkdtempSync(join(tmpdir(), 'music-'));
afterAll(() => rmSync(directory, { recursive: true }));
const file = (name: string) => join(directory, name);

const TUNE = 'X:1\nM:4/4\nL:1/8\nK:Fm\n%%MIDI program 73\n[V:1]^F,3/2z|(3ABc [CE_G]2-|Z4|]\n';

/** Returns the names of the tokens of a text, as in tokenizer.json. */
function names(tokenizer: MusicTokenizer, text: string): string[] {
  tokenizer.save(file('names.json'));
  const { vocab } = JSON.parse(readFileSync(file('names.json'), 'utf8')).model;
  const byId = Object.fromEntries(Object.entries(vocab).map(([name, id]) => [id, name]));
  return Array.from(tokenizer.encode(text), (id) => byId[id]);
}

test('each note, duration, rest, bar line and field is one token', async () => {
  const tokenizer = await MusicTokenizer.train([TUNE]);
  const body = TUNE.slice(TUNE.indexOf('[V:1]'));
  expect(names(tokenizer, TUNE.slice(0, -body.length))).toEqual(
    'X:1,\n,M:4/4,\n,L:1/8,\n,K:Fm,\n,%%MIDI program 73,\n'.split(','),
  );
  expect(names(tokenizer, body)).toEqual([
    ...['[V:1]', '^F,', 'DUR:3/2', 'z', '|', '(3', 'A', 'B', 'c', ' '],
    ...['[', 'C', 'E', '_G', ']', 'DUR:2', '-', '|', 'Z', 'DUR:4', '|]', '\n'],
  ]);
});

test('ids are ordered: special tokens, bytes, lexemes by frequency', async () => {
  const tokenizer = await MusicTokenizer.train(['AAB|AB|']);
  tokenizer.save(file('order.json'));
  const json = JSON.parse(readFileSync(file('order.json'), 'utf8'));
  expect(json.added_tokens.map(({ content }: { content: string }) => content)).toEqual(
    '<PAD> <UNK> <START> <END> <SEP>'.split(' '),
  );
  const { '<0x00>': first, '<0xFF>': last, A, B, '|': bar } = json.model.vocab;
  expect([first, last, A, B, bar, tokenizer.vocabularySize, tokenizer.endOfText]).toEqual([
    5, 260, 261, 262, 263, 264, 3,
  ]);
});

test('a lexeme rarer than the minimum frequency is encoded as bytes, and decoding restores it', async () => {
  const tokenizer = await MusicTokenizer.train(['AB|A^c|'], { minFrequency: 2 });
  expect(names(tokenizer, 'A^c|')).toEqual(['A', '<0x5E>', '<0x63>', '|']);
  expect(tokenizer.decode(tokenizer.encode('A^c|'))).toBe('A^c|');
});

test('a number is a duration only after a note or rest', async () => {
  const tokenizer = await MusicTokenizer.train(['A2|2']);
  expect(names(tokenizer, 'A2|2')).toEqual(['A', 'DUR:2', '|', '2']);
  expect(tokenizer.decode(tokenizer.encode('A2|2DUR:2'))).toBe('A2|2DUR:2');
});

test('decoding restores any bytes', async () => {
  const draw = seeded(5);
  const tokenizer = await MusicTokenizer.train([TUNE, 'T:é\n"ü"A|'], { minFrequency: 1 });
  for (let round = 0; round < 300; round++) {
    const bytes = Uint8Array.from({ length: draw(200) }, () => draw(256));
    expect(tokenizer.decodeBytes(tokenizer.encode(bytes))).toEqual(bytes);
    const text = scrambled(draw, 'ABc^_,\'2/|[]:(3"!%zZX-&\n é日\0<>', draw(200));
    expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
  }
});

test('text that spells a special token or a byte token is encoded as its characters', async () => {
  const spelled = '<END><0x41><PAD>|';
  const tokenizer = await MusicTokenizer.train([spelled]);
  expect(Math.min(...tokenizer.encode(spelled))).toBeGreaterThanOrEqual(5);
  expect(tokenizer.decode(tokenizer.encode(spelled))).toBe(spelled);
  expect(tokenizer.decode([0, 2, ...tokenizer.encode('A|'), 3, 4])).toBe('A|');
});

test('the time is linear for texts that repeat an unclosed bracket, quote or field', async () => {
  const tokenizer = await MusicTokenizer.train(['A|']);
  for (const part of ['[A:', '"', '!a', ':', '(3:', '%']) {
    const text = part.repeat(100_000);
    expect(tokenizer.decode(tokenizer.encode(text)) === text).toBe(true);
  }
});

test('a saved tokenizer loads with the same ids', async () => {
  const tokenizer = await MusicTokenizer.train([TUNE]);
  tokenizer.save(file('tokenizer.json'));
  const loaded = loadTokenizer(file('tokenizer.json'));
  expect(loaded).toBeInstanceOf(MusicTokenizer);
  expect(loaded.encode(TUNE)).toEqual(tokenizer.encode(TUNE));
  expect(loaded.vocabularySize).toBe(tokenizer.vocabularySize);
});

test('loading refuses a vocabulary with a token that is not a lexeme, and names the file', async () => {
  (await MusicTokenizer.train([TUNE])).save(file('changed.json'));
  const json = JSON.parse(readFileSync(file('changed.json'), 'utf8'));
  json.model.vocab['AB|'] = Object.keys(json.model.vocab).length;
  writeFileSync(file('changed.json'), JSON.stringify(json));
  expect(() => loadTokenizer(file('changed.json'))).toThrow(/changed\.json: not a music vocabulary of this project/);
  (await CharTokenizer.train(['A'])).save(file('char.json'));
  expect(() => MusicTokenizer.load(file('char.json'))).toThrow(/char\.json: not a music vocabulary/);
});

test('an empty corpus, a minimum frequency of 0 and an id outside the vocabulary are refused', async () => {
  await expect(MusicTokenizer.train([''])).rejects.toThrow('the corpus is empty: there is no text to take tokens from');
  await expect(MusicTokenizer.train(['A'], { minFrequency: 0 })).rejects.toThrow('a minimum frequency of 0');
  const tokenizer = await MusicTokenizer.train(['A']);
  expect(() => tokenizer.decode([262])).toThrow('no token has the id 262: this vocabulary has 262, 0 to 261');
});
