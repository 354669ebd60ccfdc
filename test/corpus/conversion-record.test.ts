/** With the record of a run, only music files that changed are converted, and the result is that of a run from nothing. */
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { beforeEach, describe, expect, test } from 'vitest';
import { composePiece } from '../../lib/compose/index.ts';
import { convertCorpus } from '../../lib/corpus/index.ts';
import { readTree, testFolder, writeTree } from './folders.ts';

const folder = testFolder();

/** A collection with one tune for each text. */
function tunes(...notes: string[]): string {
  return notes.map((text, i) => `X:${i + 1}\nL:1/4\nK:C\n${text}|\n\n`).join('');
}

const FILES: { [path: string]: string | Uint8Array } = {
  'a/one.mid': composePiece(1),
  'a/two.mid': composePiece(2),
  'b/book.abc': tunes('CDEF', 'hello world', 'GABc'),
  'b/single.abc': tunes('C'),
  'bad.mid': 'no music',
  'c/only.mid': composePiece(3),
};

/** Converts what is in `raw`, as far as it differs from `before`, into `abc` beside `record`. */
async function convertChanges(before: { [path: string]: string }) {
  const now = await readTree(folder.path('raw'));
  const changed = new Set(Object.keys(now).filter((path) => now[path] !== before[path]));
  let kept = -1;
  const metrics = await convertCorpus(folder.path('raw'), folder.path('abc'), {
    workers: 0,
    record: { path: folder.path('record'), changed },
    onKept: (files) => {
      kept = files;
    },
  });
  return { kept, made: [await allIn('abc'), await readFile(folder.path('record'), 'utf8'), metrics] };
}

/** The files and folders in a folder, with the texts of the files. */
async function allIn(name: string) {
  const names = await readdir(folder.path(name), { recursive: true });
  return { names: names.sort(), texts: await readTree(folder.path(name)) };
}

async function fromNothing() {
  await rm(folder.path('new'), { recursive: true, force: true });
  const metrics = await convertCorpus(folder.path('raw'), folder.path('new'), {
    workers: 0,
    record: { path: folder.path('new-record') },
  });
  return [await allIn('new'), await readFile(folder.path('new-record'), 'utf8'), metrics];
}

describe('the result is that of a run from nothing', () => {
  beforeEach(async () => {
    await writeTree(folder.path('raw'), FILES);
    await convertChanges({});
  });

  test.each<[what: string, files: { [path: string]: string | Uint8Array | undefined }, kept: number]>([
    ['if nothing changed', {}, 5],
    ['if a file changed', { 'a/one.mid': composePiece(5) }, 4],
    ['if a file was added', { 'a/new.mid': composePiece(5), 'd/e/f.abc': tunes('E') }, 5],
    ['if the only file of a folder was removed', { 'c/only.mid': undefined }, 4],
    ['if a collection has fewer tunes', { 'b/book.abc': tunes('CDEF', 'GABc') }, 4],
    ['if a collection has one tune', { 'b/book.abc': tunes('CDEF') }, 4],
    ['if a single tune becomes a collection', { 'b/single.abc': tunes('C', 'D') }, 4],
    ['if no tune of a collection can be read any more', { 'b/book.abc': tunes('hello world', 'good bye') }, 4],
    ['if a file cannot be read any more', { 'c/only.mid': 'no music' }, 4],
    ['if a file can be read now', { 'bad.mid': composePiece(5) }, 5],
    // Its ABC file takes the name, and a/one.mid becomes a/one.mid.abc.
    ['if a new file takes the name of another one', { 'a/one.kar': composePiece(5) }, 4],
    ['if a new file takes the name of a tune', { 'b/book/0001.abc': tunes('E') }, 4],
  ])('%s', async (_, files, kept) => {
    const before = await readTree(folder.path('raw'));
    for (const [path, content] of Object.entries(files)) {
      if (content === undefined) await rm(folder.path('raw', path));
      else await writeTree(folder.path('raw'), { [path]: content });
    }
    const changes = await convertChanges(before);
    expect(changes.kept).toBe(kept);
    expect(changes.made).toEqual(await fromNothing());

    const after = await readTree(folder.path('raw'));
    await writeTree(folder.path('raw'), FILES);
    for (const path of Object.keys(files)) if (!(path in FILES)) await rm(folder.path('raw', path));
    expect((await convertChanges(after)).made).toEqual(await fromNothing());
  });

  test('if the record is damaged: every file is converted', async () => {
    await writeFile(folder.path('record'), '{"path":"a/one.mid","tu');
    const { kept, made } = await convertChanges(await readTree(folder.path('raw')));
    expect(kept).toBe(0);
    expect(made).toEqual(await fromNothing());
  });
});
