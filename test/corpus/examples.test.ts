/** The data set that ships in examples/: its pieces have no problem, and the default study can use them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { convertCorpus, fetchDataset, splitCorpus } from '../../lib/corpus/index.ts';
import { checkAbc, parseAbc } from '../../lib/music/index.ts';
import { testFolder } from './folders.ts';

const folder = testFolder();
const root = resolve(fileURLToPath(import.meta.url), '../../..');
const examples = join(root, 'examples');
const names = readdirSync(examples).filter((name) => name.endsWith('.abc'));
const read = (name: string) => readFileSync(join(examples, name), 'utf8');

test.each(names)('%s has no problem, a title and a composer, and is in the README', (name) => {
  const abc = read(name);
  expect(checkAbc(abc)).toEqual([]);
  const letters = parseAbc(abc).fields.map(({ letter }) => letter);
  expect(letters).toEqual(expect.arrayContaining(['T', 'C']));
  expect(read('README.md')).toContain(`\`${name}\``);
});

test('the default study keeps all pieces, and each split has some', async () => {
  expect(names.length).toBeGreaterThanOrEqual(20);
  const { split } = parse(readFileSync(join(root, 'params.yaml'), 'utf8'));
  const { files, source } = await fetchDataset('examples', folder.path('raw'));
  expect(source).toEqual({ kind: 'folder', path: 'examples' });
  const { converted, failed, warnings } = await convertCorpus(folder.path('raw'), folder.path('abc'), { workers: 0 });
  expect({ files, converted, failed, warnings }).toEqual({
    files: names.length,
    converted: names.length,
    failed: [],
    warnings: {},
  });
  const metrics = await splitCorpus(folder.path('abc'), folder.path('splits'), {
    fractions: split.fractions,
    seed: split.seed,
  });
  expect(metrics.kept).toBe(names.length);
  for (const { tunes } of Object.values(metrics.splits)) expect(tunes).toBeGreaterThanOrEqual(2);
});
