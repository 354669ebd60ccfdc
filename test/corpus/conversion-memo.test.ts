/** The memo of conversions: only new files are converted, and the output is the same as without it. */
import { spawnSync } from 'node:child_process';
import { readFile, truncate, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { deflateRawSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { composePiece } from '../../lib/compose/index.ts';
import { convertCorpus } from '../../lib/corpus/index.ts';
import { readTree, testFolder, treeOf, writeTree } from './folders.ts';

const folder = testFolder();
const pieces = Object.fromEntries([1, 2, 3].map((seed) => [`${seed}.mid`, composePiece(seed)]));

/** Converts raw to the named folder with the memo. Returns the number of results that came from the memo. */
async function convert(abc: string, options: { grid?: number; memoBytes?: number } = {}): Promise<number> {
  let recalled = -1;
  await convertCorpus(folder.path('raw'), folder.path(abc), {
    memo: folder.path('memo'),
    onReused: (files) => {
      recalled = files;
    },
    ...options,
  });
  return recalled;
}

test('the stage converts only the new file, and its output and metrics equal those of a run without a memo', async () => {
  await writeTree(folder.path('raw'), { ...pieces, 'bad.mid': 'no music' });
  expect(await convert('first')).toBe(0);
  await writeTree(folder.path('raw'), { 'new.mid': composePiece(4), 'renamed/1.mid': pieces['1.mid'] });
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const flags = ['--memo', folder.path('memo'), '--metrics', folder.path('metrics.json')];
  const call = ['stages/start.mjs', 'stages/convert.ts', folder.path('raw'), folder.path('second'), ...flags];
  const { stdout, stderr } = spawnSync(process.execPath, call, { cwd: root, encoding: 'utf8' });
  expect(stdout + stderr).toBe('4 files had been converted before\n');
  const metrics = await convertCorpus(folder.path('raw'), folder.path('without'));
  expect(await readTree(folder.path('second'))).toEqual(await readTree(folder.path('without')));
  expect(await readFile(folder.path('metrics.json'), 'utf8')).toBe(`${JSON.stringify(metrics, null, 2)}\n`);
});

test('files are converted again if they changed or if the grid is another', async () => {
  await writeTree(folder.path('raw'), pieces);
  expect(await convert('abc')).toBe(0);
  await writeFile(folder.path('raw/2.mid'), composePiece(5));
  expect(await convert('abc')).toBe(2);
  expect(await convert('abc-8', { grid: 8 })).toBe(0);
  expect(await convert('abc-8', { grid: 8 })).toBe(3);
});

test('an entry that is truncated or altered on the disk is converted again', async () => {
  await writeTree(folder.path('raw'), pieces);
  await convert('abc');
  const [cut, empty, altered] = (await treeOf(folder.path('memo'))).map((path) => folder.path('memo', path));
  await truncate(cut, 100);
  await truncate(empty, 0);
  const other = deflateRawSync('{"notes":1,"warnings":[]}\nX:1\nK:C\nC|\n');
  await writeFile(altered, Buffer.concat([(await readFile(altered)).subarray(0, 32), other]));
  expect(await convert('again')).toBe(0);
  expect(await readTree(folder.path('again'))).toEqual(await readTree(folder.path('abc')));
  expect(await convert('again')).toBe(3);
});

test('two concurrent runs share the memo', async () => {
  await writeTree(folder.path('raw'), pieces);
  await Promise.all([convert('one'), convert('two')]);
  expect(await readTree(folder.path('one'))).toEqual(await readTree(folder.path('two')));
  expect(await treeOf(folder.path('memo'))).toHaveLength(3);
  expect(await convert('three')).toBe(3);
});

test('the memo stays below its limit, and a memo folder that cannot be written does not fail the run', async () => {
  await writeTree(folder.path('raw'), pieces);
  await convert('abc');
  const sizes = async () => Object.values(await readTree(folder.path('memo'))).map((entry) => entry.length);
  const total = (await sizes()).reduce((sum, size) => sum + size, 0);
  expect(await convert('abc', { memoBytes: total })).toBe(3);
  expect(await convert('abc', { memoBytes: total - 1 })).toBe(3);
  expect(await sizes()).toHaveLength(2);
  expect(await convert('abc', { memoBytes: 0 })).toBe(2);
  expect(await sizes()).toHaveLength(0);
  await writeTree(folder.path(), { taken: 'a file' });
  const metrics = await convertCorpus(folder.path('raw'), folder.path('abc'), { memo: folder.path('taken') });
  expect(metrics.converted).toBe(3);
});
