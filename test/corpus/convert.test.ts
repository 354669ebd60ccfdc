/**
 * Converts folders of MIDI, ABC and MusicXML files to tunes of the dialect. The result is the same on any number of threads, and a bad file does not stop
 * the others.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { composePiece } from '../../lib/compose/index.ts';
import { abcPaths } from '../../lib/corpus/conversion/plan-files.ts';
import { findTunes, splitTunes } from '../../lib/corpus/conversion/tune-book.ts';
import { convertCorpus, splitCorpus } from '../../lib/corpus/index.ts';
import { runTasks } from '../../lib/corpus/workers/workers.ts';
import { midiToAbc } from '../../lib/music/index.ts';
import { random } from '../music/fuzz.ts';
import { midi, notes } from '../music/midi-bytes.ts';
import { attributes, score, notes as xmlNotes } from '../music/musicxml-text.ts';
import { zip } from './archive-builder.ts';
import { readTree, testFolder, treeOf, writeTree } from './folders.ts';
import { BEGUN, GO_ON } from './misbehaving-task.ts';

const folder = testFolder();

test('x/y.mid becomes x/y.abc, as lib/music converts it with this grid and layout', async () => {
  const midi = composePiece(3);
  await writeTree(folder.path('raw'), { 'x/y.mid': midi, 'z.MIDI': composePiece(4), 'notes.txt': '' });
  const metrics = await convertCorpus(folder.path('raw'), folder.path('abc'), { grid: 8, layout: 'voices' });
  expect(await treeOf(folder.path('abc'))).toEqual(['x/y.abc', 'z.abc']);
  const { abc, notes } = midiToAbc(midi, { grid: 8, layout: 'voices' });
  expect(await readFile(folder.path('abc/x/y.abc'), 'utf8')).toBe(abc);
  expect(metrics).toMatchObject({ files: 2, converted: 2, failed: [], warnings: {} });
  expect(metrics.notes).toBe(notes + midiToAbc(composePiece(4)).notes);
});

test('each tune of an ABC file becomes a file, with the fields of the file header; other files are counted', async () => {
  const tunes = [
    'X:1\nT:Né à Lyon\nK:C\nCDE|\n\nA bad cafe.\n\n',
    'X:7\nM:4/4\nK:G % two sections\n|:"Am"GABc:|\n',
    'X:7\nK:C\nhello world|\nC|\n',
    'X:8\nK:C foo=3\nCD|E3|\n',
  ];
  await writeTree(folder.path('raw'), {
    'a/many.abc': Buffer.from(`\ufeffM:3/4\r\nL:1/4\r\n\r\nfree text\r\n${tunes.join('').replaceAll('\n', '\r\n')}`),
    'a/one.ABC': Buffer.from(`X:1\rT:Ni\xf1a\rL:1/4\rK:F\rB|\r`, 'latin1'),
    'b.abc': Buffer.from('\ufeffX:1\nL:1/4\nK:D\nFc|\nX:2\nL:1/4\nK:C\nF|\n', 'utf16le'),
    'many.mid': composePiece(1),
    'c.krn': '**kern',
    readme: '',
  });
  const metrics = await convertCorpus(folder.path('raw'), folder.path('abc'));
  const texts = await readTree(folder.path('abc'));
  expect(Object.keys(texts)).toEqual([
    'a/many/0001.abc',
    'a/many/0002.abc',
    'a/many/0004.abc',
    'a/one.abc',
    'b/0001.abc',
    'b/0002.abc',
    'many.abc',
  ]);
  const start = 'X:1\nM:4/4\nL:1/4\nQ:1/4=120\n';
  expect(texts['a/many/0001.abc']).toBe('X:1\nM:3/4\nL:1/4\nQ:1/4=120\nK:C\nCDE|\n');
  expect(texts['a/many/0002.abc']).toBe(`${start}K:G\nGABc|GABc|\n`);
  expect(texts['a/one.abc']).toContain('K:F\nB|');
  expect(texts['b/0001.abc']).toContain('K:D\nFc|');
  const { files, tunes: found, converted, failed, warnings, passed_over } = metrics;
  expect({ files, found, converted, passed_over }).toEqual({
    files: 4,
    found: 8,
    converted: 7,
    passed_over: { '.krn': 1, 'no ending': 1 },
  });
  expect(failed).toEqual([{ path: 'a/many.abc#3', reason: 'line 3, column 1: this line is text and not music' }]);
  expect(warnings).toEqual({
    'K: has the unknown word "…", passed over': {
      count: 1,
      examples: [{ path: 'a/many.abc#4', warning: 'K: has the unknown word "foo=3", passed over' }],
    },
  });
  await expect(splitCorpus(folder.path('raw/a'), folder.path('splits'))).rejects.toThrow(
    /many: has 4 tunes; `convert` makes a file of each tune/,
  );
});

describe('MusicXML', () => {
  const xml = score([attributes(1, '4/4', '0 major') + xmlNotes('C4 1, E4 1, G4 2')]);
  const abc = 'X:1\nM:4/4\nL:1/4\nQ:1/4=120\nK:C\nCEG2|\n';
  const container = (path: string) => `<container><rootfiles><rootfile full-path="${path}"/></rootfiles></container>`;
  const mxl = (files: Record<string, string | Buffer>) =>
    zip(Object.entries(files).map(([path, content]) => ({ path, content: Buffer.from(content) })));

  test('is converted from plain and compressed files, in any encoding, whatever their names', async () => {
    const latin = xml.replace('UTF-8', 'ISO-8859-1').replace('<part-name>x', '<part-name>Fl\xf6te');
    const twoScores = { 'a.xml': '<other/>', 'b/c.musicxml': xml };
    await writeTree(folder.path('raw'), {
      'a/plain.musicxml': xml,
      'a/named.mxl': mxl({ 'META-INF/container.xml': container('b/c.musicxml'), ...twoScores }),
      'a/first.mxl': mxl({ 'META-INF/manifest.xml': '<x/>', 'deep/x.XML': xml }),
      'latin.xml': Buffer.from(latin, 'latin1'),
      'utf16.xml': Buffer.from(`\ufeff${xml.replace('UTF-8', 'UTF-16')}`, 'utf16le'),
      'zipped.xml': mxl({ 'x.xml': xml }),
      'unzipped.mxl': xml,
      'META-INF/container.xml': container('x'),
    });
    const metrics = await convertCorpus(folder.path('raw'), folder.path('abc'), { workers: 0 });
    expect(metrics).toMatchObject({ files: 7, tunes: 7, converted: 7, failed: [], passed_over: { '.xml': 1 } });
    const texts = await readTree(folder.path('abc'));
    expect(Object.keys(texts).sort()).toEqual([
      'a/first.abc',
      'a/named.abc',
      'a/plain.abc',
      'latin.abc',
      'unzipped.abc',
      'utf16.abc',
      'zipped.abc',
    ]);
    expect(new Set(Object.values(texts))).toEqual(new Set([abc]));
  });

  test('that cannot be read is named with the reason', async () => {
    await writeTree(folder.path('raw'), {
      'good.mxl': mxl({ 'x.xml': xml }),
      'bomb.mxl': mxl({ 'x.xml': ' '.repeat(33 * 2 ** 20) }),
      'cut.mxl': mxl({ 'x.xml': xml }).subarray(0, 200),
      'encoding.xml': xml.replace('UTF-8', 'EBCDIC-X'),
      'none.mxl': mxl({ 'readme.txt': '' }),
      'other.xml': '<project/>',
      'wrong.musicxml': xml.replace('<duration>2', '<duration>two'),
    });
    const { converted, failed } = await convertCorpus(folder.path('raw'), folder.path('abc'), { workers: 1 });
    expect(converted).toBe(1);
    expect(failed).toEqual([
      { path: 'bomb.mxl', reason: 'has a text of more than 33554432 bytes, the limit for MusicXML' },
      { path: 'cut.mxl', reason: expect.stringContaining('zip archive') },
      { path: 'encoding.xml', reason: 'is in the encoding "EBCDIC-X", which is unknown' },
      { path: 'none.mxl', reason: 'is an archive without a MusicXML score' },
      { path: 'other.xml', reason: expect.stringContaining('the root element is <project>') },
      { path: 'wrong.musicxml', reason: 'line 11: <duration> has "two" in place of a number' },
    ]);
  });
});

test('the tunes of a large collection are found in parts of the file', () => {
  const tune = (i: number) => `X:${i}\nK:C\n${'C'.repeat(2000)}|\n`;
  const bytes = Buffer.from(`L:1/4\n\n${Array.from({ length: 600 }, (_, i) => tune(i)).join('\n')}`);
  const { header, ranges } = findTunes(bytes);
  expect([ranges.length, ranges.reduce((sum, { tunes }) => sum + tunes, 0), header.to]).toEqual([3, 600, 7]);
  expect(ranges.map(({ from }) => bytes.toString('latin1', from, from + 2))).toEqual(['X:', 'X:', 'X:']);
  expect(ranges.flatMap(({ from, to }) => splitTunes(bytes.toString('latin1', from, to))).length).toBe(600);
});

test('byte order marks stand before tunes where files were joined', () => {
  const tune = (i: number) => `\uFEFFX:${i}\nL:1/4\nK:C\nCDEF|\n`;
  const text = tune(1) + tune(2);
  const { ranges } = findTunes(Buffer.from(text));
  expect(ranges.reduce((sum, { tunes }) => sum + tunes, 0)).toBe(2);
  expect(splitTunes(text)).toEqual([tune(1).slice(1), tune(2).slice(1)]);
});

test('unreadable files are listed in order with the reason and the others converted, with and without threads', async () => {
  await writeTree(folder.path('raw'), {
    ...Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`good/${i}.mid`, composePiece(i)])),
    'bad/empty.mid': '',
    'bad/text.mid': 'this is no music',
    'bad/cut.mid': composePiece(1).subarray(0, 20),
  });
  const alone = await convertCorpus(folder.path('raw'), folder.path('abc'), { workers: 0 });
  const seen: number[] = [];
  const threaded = await convertCorpus(folder.path('raw'), folder.path('abc-threaded'), {
    workers: 2,
    onProgress: ({ done }) => seen.push(done),
  });
  expect(alone.converted).toBe(40);
  expect(alone.failed.map(({ path }) => path)).toEqual(['bad/cut.mid', 'bad/empty.mid', 'bad/text.mid']);
  expect(
    alone.failed.map(({ reason }) => reason).every((reason) => /^[a-z].*[a-z]/.test(reason) && !reason.includes('\n')),
  ).toBe(true);
  expect(threaded).toEqual(alone);
  expect(await readTree(folder.path('abc-threaded'))).toEqual(await readTree(folder.path('abc')));
  expect(seen).toEqual(Array.from({ length: 43 }, (_, i) => i + 1));
});

test('if a MIDI file becomes unreadable, its old ABC file is removed', async () => {
  await writeTree(folder.path('raw'), { 'a.mid': composePiece(1), 'b.mid': composePiece(2) });
  await convertCorpus(folder.path('raw'), folder.path('abc'));
  await writeFile(folder.path('raw/b.mid'), 'broken since');
  await convertCorpus(folder.path('raw'), folder.path('abc'));
  expect(await treeOf(folder.path('abc'))).toEqual(['a.abc']);
});

test('files whose notes are not on the beat are counted, and can be left out', async () => {
  const next = random(1);
  const played = Array.from({ length: 40 }, (_, i) => [60 + (i % 7), i * 240 + Math.floor(200 * next()), 100]);
  await writeTree(folder.path('raw'), {
    'a.mid': composePiece(1),
    'played.mid': midi(notes(played as [number, number, number][])),
  });
  const convert = (performances: 'keep' | 'skip') =>
    convertCorpus(folder.path('raw'), folder.path('abc'), { workers: 0, performances });
  const metrics = await convert('keep');
  expect(metrics.converted).toBe(2);
  expect(metrics.performances).toEqual({ files: 1, skipped: 0, examples: ['played.mid'] });
  expect(await convert('skip')).toMatchObject({ converted: 1, performances: { files: 1, skipped: 1 } });
  expect(await treeOf(folder.path('abc'))).toEqual(['a.abc']);
});

test('MIDI files whose names differ only in ending or case get different ABC files', () => {
  expect(abcPaths(['a.kar', 'a.mid', 'A.midi', 'b/a.mid', 'no-ending/c.mid'])).toEqual([
    'a.abc',
    'a.mid.abc',
    'A.midi.abc',
    'b/a.abc',
    'no-ending/c.abc',
  ]);
});

test('a folder that has no readable MIDI file, or is missing, gives an error of one sentence', async () => {
  await writeTree(folder.path(), { 'none/a.txt': '', 'bad/a.mid': 'x', 'bad/b.mid': '' });
  const convert = (name: string) => convertCorpus(folder.path(name), folder.path(`${name}-abc`));
  await expect(convert('none')).rejects.toThrow(/none: contains no music file \(.*\)$/);
  await expect(convert('gone')).rejects.toThrow(/gone: there is no such folder$/);
  await expect(convert('bad')).rejects.toThrow(/bad: none of its 2 music files could be read; a\.mid: /);
});

const task = new URL('./misbehaving-task.ts', import.meta.url);

test('a full disk stops the run immediately', async () => {
  const items = [...Array(20).fill('fine'), 'full', ...Array(200).fill('fine')];
  for (const threads of [0, 2]) {
    const seen: string[] = [];
    const run = runTasks<string, null, string>(task, items, null, { threads, onDone: (item) => seen.push(item) });
    await expect(run).rejects.toThrow(/^out\/a\.abc: cannot be written: the disk is full$/);
    expect(seen.length).toBeLessThan(items.length - 1);
  }
});

test('a task that hangs, exhausts its memory or ends its thread fails its own item only', async () => {
  const items = ['fine', 'hang', 'fine', 'throw', 'exit', 'fine', 'exhaust', 'fine'];
  const outcomes = await runTasks<string, null, string>(task, items, null, { threads: 1, timeout: 2000, heap: 32 });
  expect(outcomes).toEqual([
    { result: 'fine' },
    { failed: 'took more than 2 s' },
    { result: 'fine' },
    { failed: 'on purpose' },
    { failed: 'its thread ended unexpectedly' },
    { result: 'fine' },
    { failed: 'needs more than 32 MiB' },
    { result: 'fine' },
  ]);
});

test('a result that arrives before the timeout is accepted even if it is read later, and the next item does not fail', async () => {
  const shared = new Int32Array(new SharedArrayBuffer(8));
  const release = (items: number) => {
    Atomics.store(shared, GO_ON, items);
    Atomics.notify(shared, GO_ON);
  };
  const timeout = 1000;
  const run = runTasks<string, Int32Array, string>(task, ['wait', 'wait', 'fine'], shared, { threads: 1, timeout });
  while (Atomics.load(shared, BEGUN) < 1) await setImmediate();
  // The `started` message of the first item was sent before. It is read within a turn of the event loop, and starts the
  // timer.
  await setImmediate();
  await setImmediate();
  // This thread is busy until the timeout has passed. Meanwhile the worker finishes the first item and begins the
  // second.
  release(1);
  const over = Date.now() + 1.1 * timeout;
  while (Date.now() < over || Atomics.load(shared, BEGUN) < 2);
  for (let turn = 0; turn < 10; turn++) await setImmediate();
  release(2);
  expect(await run).toEqual([{ result: 'wait' }, { result: 'wait' }, { result: 'fine' }]);
});
