/** The tokenize stage and export-bin as processes. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadTokenizer, TokenStore } from '../../lib/tokenizer/index.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'tokenize-'));
const at = (name: string) => join(directory, name);
afterAll(() => rmSync(directory, { recursive: true }));

const tune = (n: number) => `X:1\nM:4/4\nL:1/8\nK:C\n[V:1]C2D2 ${'EFGA'[n % 4]}4|z8|\n`;

beforeAll(() => {
  mkdirSync(at('splits'));
  for (const [split, count] of [
    ['train', 12],
    ['val', 2],
    ['test', 2],
  ] as const) {
    const lines = Array.from({ length: count }, (_, n) => `${JSON.stringify({ id: `${n}`, abc: tune(n) })}\n`);
    writeFileSync(join(at('splits'), `${split}.jsonl`), lines.join(''));
  }
});

const tokenize = (tokenizer: string) =>
  execa(
    'node',
    ['stages/start.mjs', 'stages/tokenize.ts', at('splits'), at(tokenizer), '--tokenizer', tokenizer].concat([
      '--metrics',
      at(`${tokenizer}.json`),
    ]),
    { cwd: ROOT, reject: false },
  );

test('the tokenize stage encodes with the music tokenizer, and decoding restores the tunes', async () => {
  expect((await tokenize('music')).stderr).toBe('');
  const metrics = JSON.parse(readFileSync(at('music.json'), 'utf8'));
  // The notes E to A occur three times each, which is below the minimum frequency of 5 in params.yaml.
  expect(metrics).toMatchObject({
    tokenizer: 'music',
    train: { documents: 12, spelled_bytes: 12 },
    dropped: { lines: 0 },
  });
  const tokenizer = loadTokenizer(join(at('music'), 'tokenizer.json'));
  const store = TokenStore.open(at('music'));
  store.documents('train').forEach(({ offset, tokens }, n) => {
    expect(tokenizer.decode(store.window('train', offset, tokens))).toBe(tune(n));
  });
  await store.close();
});

test('export-bin writes the ids as plain binary files', async () => {
  const exported = (tokens: string) =>
    execa('node', ['stages/start.mjs', 'stages/by-hand/export-bin.ts', at(tokens), at('bin')], {
      cwd: ROOT,
      reject: false,
    });
  await tokenize('char');
  expect(await exported('char')).toMatchObject({ exitCode: 0, stderr: '' });
  const store = TokenStore.open(at('char'));
  const { tokens } = store.totals('val');
  const bytes = readFileSync(join(at('bin'), 'val.bin'));
  expect(Array.from({ length: tokens }, (_, i) => bytes.readUInt16LE(2 * i))).toEqual([
    ...store.window('val', 0, tokens),
  ]);
  expect(bytes).toHaveLength(2 * tokens);
  await store.close();
  const again = await exported('char');
  expect([again.exitCode, again.stderr]).toEqual([
    1,
    expect.stringMatching(/^export-bin: .*bin is not empty; name another folder/),
  ]);
  const missing = await exported('nowhere');
  expect([missing.exitCode, missing.stderr]).toEqual([1, expect.stringMatching(/^export-bin: .*nowhere.*\n?$/)]);
});

test('an unknown tokenizer is refused, and the message lists the known ones', async () => {
  const { exitCode, stderr } = await tokenize('words');
  expect(exitCode).toBe(1);
  expect(stderr).toBe('tokenize: --tokenizer is words; it must be char, bpe or music');
});
