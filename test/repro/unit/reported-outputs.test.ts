/** Outputs that count as a node of a cluster has reported them, whatever this host sees (planning/reported-outputs.ts). */
import { expect, test } from 'vitest';
import { folderOf, type ManifestEntry, parseManifest, type Scanned, sha256 } from '../../../lib/repro/hashing/index.ts';
import { ReportedOutputs } from '../../../lib/repro/planning/reported-outputs.ts';

const file = (path: string, text: string): ManifestEntry => ({ path, sha256: sha256(text), size: text.length });
const content = (text: string): Scanned => ({ content: { sha256: sha256(text), size: text.length } });
const notLookedAt = () => Promise.reject(new Error('this host was asked'));

test('an output, and what lies in it, count as reported; this host is not asked', async () => {
  const reported = new ReportedOutputs();
  reported.set('a.txt', content('new'));
  reported.set('made', folderOf([file('deep/x', 'x'), file('y', 'new y')]));
  expect(await reported.scan('a.txt', notLookedAt)).toEqual(content('new'));
  expect(await reported.scan('made/y', notLookedAt)).toEqual(content('new y'));
  expect((await reported.scan('made/deep', notLookedAt))?.content).toEqual(folderOf([file('x', 'x')]).content);
  expect(await reported.scan('made/gone', notLookedAt)).toBeUndefined();
});

test('a folder around outputs has them as reported, and its other files as this host sees them', async () => {
  const reported = new ReportedOutputs();
  reported.set('all/a', content('new'));
  reported.set('all/made', folderOf([file('y', 'new y')]));
  const here = folderOf([file('a', 'old'), file('made/gone', 'gone'), file('other', 'other')]);
  const found = await reported.scan('all', async () => here);
  expect(parseManifest(found!.manifest!)).toEqual([file('a', 'new'), file('made/y', 'new y'), file('other', 'other')]);
});

test('this host is asked about other paths, about links in a report, and after a report was dropped', async () => {
  const reported = new ReportedOutputs();
  reported.set('made', folderOf([{ path: 'link', link: '../elsewhere' }]));
  const here = async () => content('seen');
  expect(await reported.scan('b.txt', here)).toEqual(content('seen'));
  expect(await reported.scan('made/link/x', here)).toEqual(content('seen'));
  reported.drop('made');
  expect(await reported.scan('made', here)).toEqual(content('seen'));
});
