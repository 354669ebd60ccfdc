/** Files that are replaced in one step. */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isLeftover, removeLeftovers, temporaryPath, writeAtomically } from '../../../lib/repro/files/index.ts';
import { describeSystemError } from '../../../lib/repro/messages/index.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'repro-files-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

for (const fsync of [true, false]) {
  test(`a file is made, then replaced, and nothing else is left in the folder (fsync: ${fsync})`, () => {
    const file = join(folder, 'a.txt');
    writeAtomically(file, 'one', { fsync });
    writeAtomically(file, 'two', { fsync });
    expect(readFileSync(file, 'utf8')).toBe('two');
    expect(readdirSync(folder)).toEqual(['a.txt']);
  });
}

test('a file that is replaced keeps its permissions', () => {
  const file = join(folder, 'a.txt');
  writeFileSync(file, 'one');
  chmodSync(file, 0o640);
  writeAtomically(file, 'two', { fsync: false });
  expect(statSync(file).mode & 0o777).toBe(0o640);
});

test('a symbolic link stays, and the file it points to is written, even one that does not exist yet', () => {
  const [link, target] = [join(folder, 'link'), join(folder, 'target')];
  symlinkSync('target', link);
  for (const text of ['one', 'two']) {
    writeAtomically(link, text, { fsync: false });
    expect([readlinkSync(link), readFileSync(target, 'utf8')]).toEqual(['target', text]);
  }
});

test('a write that fails leaves nothing behind', () => {
  const file = join(folder, 'a.txt');
  symlinkSync('missing/b.txt', file);
  let error: unknown;
  try {
    writeAtomically(file, 'x', { fsync: false });
  } catch (thrown) {
    error = thrown;
  }
  // The file could not be opened, but it was to be written.
  expect(describeSystemError(error, folder)).toBe('a.txt cannot be written: there is no such file or folder');
  expect(readdirSync(folder)).toEqual(['a.txt']);
});

test('a temporary file is a leftover once its process has ended', () => {
  expect(isLeftover(temporaryPath('/p/file'))).toBe(false);
  expect(isLeftover(temporaryPath('/p/file').replace(`-${process.pid}-`, '-999999999-'))).toBe(true);
  expect(isLeftover('4711-9f86d081')).toBe(true);
});

test('a temporary file of another host is a leftover once it is older than a week, whatever runs here', () => {
  const path = join(folder, 'a.0123abcd-999999999-0123abcd.tmp');
  writeFileSync(path, '');
  expect(isLeftover(path)).toBe(false);
  const day = 24 * 3600;
  utimesSync(path, Date.now() / 1000, Date.now() / 1000 - 8 * day);
  expect(isLeftover(path)).toBe(true);
});

test('temporary files of processes that have ended are removed beside the named files, and no others', () => {
  const ended = spawnSync(process.execPath, ['-e', '']).pid;
  const others = [`b.${ended}-0123abcd.tmp`, `a.${process.pid}-0123abcd.tmp`, 'a.tmp', `a.${ended}-tmp`];
  for (const name of ['a', `a.${ended}-0123abcd.tmp`, ...others]) writeFileSync(join(folder, name), '');
  removeLeftovers([join(folder, 'a'), join(folder, 'missing/a')]);
  expect(readdirSync(folder).sort()).toEqual(['a', ...others].sort());
});
