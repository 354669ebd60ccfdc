/** The record of looks at files, and the fresh stamp that is made from it. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { freshHeader } from '../../../lib/repro/freshness/index.ts';
import { readNames } from '../../../lib/repro/hashing/folder-names.ts';
import { StatSnapshot } from '../../../lib/repro/hashing/stat-snapshot.ts';
import { writeFreshStamp } from '../../../lib/repro/hashing/write-fresh-stamp.ts';

/** Milliseconds until the times of a file that has just been written are settled. */
const SETTLED = 60;

let root: string;
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'repro-stamp-'));
  mkdirSync(join(root, 'data'));
  for (const file of ['a.txt', 'b.txt', 'data/c.txt']) writeFileSync(join(root, file), file);
  await pause(SETTLED);
});
afterEach(() => rmSync(root, { recursive: true }));

/** A stamp after these looks, of a pipeline with one stage. */
function stampAfter(look: (snapshot: StatSnapshot) => void): void {
  const snapshot = new StatSnapshot();
  look(snapshot);
  writeFreshStamp(root, snapshot, { by: 'build', stages: 1 });
}

const looks: { [method: string]: (snapshot: StatSnapshot) => void } = {
  stat: (snapshot) => snapshot.stat(join(root, 'a.txt')),
  read: (snapshot) => snapshot.read(join(root, 'a.txt')),
  statEntries: (snapshot) => [...snapshot.statEntries(root, readNames(root), (name) => name === '.repro')],
};

for (const [method, look] of Object.entries(looks)) {
  test(`${method} records the file: the stamp holds until it changes`, () => {
    stampAfter(look);
    expect(freshHeader(root, 'build')?.stages).toBe(1);
    writeFileSync(join(root, 'a.txt'), 'changed');
    expect(freshHeader(root, 'build')).toBe(undefined);
  });
}

test('a file that was missing is recorded too: the stamp ends when it appears', () => {
  stampAfter((snapshot) => expect(snapshot.read(join(root, 'new.txt'))).toBe(undefined));
  expect(freshHeader(root, 'build')?.stages).toBe(1);
  writeFileSync(join(root, 'new.txt'), '');
  expect(freshHeader(root, 'build')).toBe(undefined);
});

test('list records the folder: the stamp ends when a name appears in it', () => {
  stampAfter((snapshot) => expect(snapshot.list(join(root, 'data'))).toEqual(['c.txt']));
  expect(freshHeader(root, 'build')?.stages).toBe(1);
  writeFileSync(join(root, 'data/d.txt'), '');
  expect(freshHeader(root, 'build')).toBe(undefined);
});

test('there is no stamp if a file changed between two looks', async () => {
  const snapshot = new StatSnapshot();
  snapshot.stat(join(root, 'a.txt'));
  writeFileSync(join(root, 'a.txt'), 'changed');
  await pause(SETTLED);
  snapshot.stat(join(root, 'a.txt'));
  writeFreshStamp(root, snapshot, { by: 'build', stages: 1 });
  expect(freshHeader(root, 'build')).toBe(undefined);
});

test('there is no stamp if a file changed a moment ago', () => {
  writeFileSync(join(root, 'a.txt'), 'changed');
  stampAfter((snapshot) => snapshot.stat(join(root, 'a.txt')));
  expect(freshHeader(root, 'build')).toBe(undefined);
});

test('a stamp of another build of repro does not count', () => {
  stampAfter((snapshot) => snapshot.stat(join(root, 'a.txt')));
  expect(freshHeader(root, 'other build')).toBe(undefined);
});
