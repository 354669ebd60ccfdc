/** Data sets that need no network: the synthetic one, and folders. */
import { chmod, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { composePiece } from '../../lib/compose/index.ts';
import { fetchDataset, KNOWN_DATASETS } from '../../lib/corpus/index.ts';
import { tar, zip } from './archive-builder.ts';
import { readTree, testFolder, treeOf, writeTree } from './folders.ts';

const folder = testFolder();
const midi = composePiece(1);
const root = process.getuid?.() === 0;

describe('synthetic', () => {
  test('composes the given number of pieces; a piece depends on the seed and not on the number of pieces', async () => {
    const compose = (name: string, pieces: number, seed: number) =>
      fetchDataset('synthetic', folder.path(name), { synthetic: { pieces, seed } });
    const { files, source, skipped } = await compose('a', 3, 1);
    expect({ files, source, skipped }).toEqual({
      files: 3,
      source: { kind: 'synthetic', pieces: 3, seed: 1 },
      skipped: [],
    });
    await compose('b', 4, 1);
    await compose('c', 3, 2);
    const [a, b, c] = [
      await readTree(folder.path('a')),
      await readTree(folder.path('b')),
      await readTree(folder.path('c')),
    ];
    expect(Object.keys(a)).toEqual(['00001.mid', '00002.mid', '00003.mid']);
    expect(b).toMatchObject(a);
    expect(Object.keys(a).filter((path) => a[path] === c[path])).toEqual([]);
    expect(a['00001.mid'].slice(0, 4)).toBe('MThd');
  });

  test('reports its progress', async () => {
    const seen: unknown[] = [];
    const synthetic = { pieces: 2, seed: 1 };
    await fetchDataset('synthetic', folder.path('a'), { synthetic, onProgress: (progress) => seen.push(progress) });
    expect(seen).toEqual([
      { done: 1, total: 2, unit: 'pieces' },
      { done: 2, total: 2, unit: 'pieces' },
    ]);
  });
});

describe('a folder', () => {
  test('gives its MIDI files of every file extension, in their folders, and counts the other files', async () => {
    await writeTree(folder.path('mine'), {
      'a.mid': midi,
      'deep/er/B.MIDI': midi,
      'c.KAR': midi,
      'd.rmi': 'no music, but that is found out later',
      'readme.md': 'text',
      '._a.mid': 'what macOS leaves behind',
    });
    const { source, files, others, skipped, bytes } = await fetchDataset(folder.path('mine'), folder.path('raw'));
    expect(await treeOf(folder.path('raw'))).toEqual(['a.mid', 'c.KAR', 'd.rmi', 'deep/er/B.MIDI']);
    expect({ files, others, skipped }).toEqual({ files: 4, others: 2, skipped: [] });
    expect(bytes).toBe(3 * midi.length + 37);
    expect(source).toEqual({ kind: 'folder', path: folder.path('mine') });
  });

  test('gives its ABC and MusicXML files too, and says what converts other files of music', async () => {
    await writeTree(folder.path('mine'), {
      'a.mid': midi,
      'b/c.ABC': 'X:1',
      'd.krn': '',
      'e/f.krn': '',
      g: '',
      'h.mscz': '',
    });
    const { files, passed_over, advice } = await fetchDataset(folder.path('mine'), folder.path('raw'));
    expect({ files, passed_over }).toEqual({ files: 2, passed_over: { '.krn': 2, '.mscz': 1, 'no ending': 1 } });
    expect(advice).toEqual([
      '2 .krn files were passed over (Humdrum: convert it to MIDI with hum2mid (Humdrum Extras) or verovio)',
      '1 .mscz file was passed over (MuseScore: convert it to MusicXML with `mscore -o tune.mxl tune.mscz`)',
    ]);
    await writeTree(folder.path('kern'), { 'd.krn': '' });
    await expect(fetchDataset(folder.path('kern'), folder.path('raw2'))).rejects.toThrow(/1 \.krn file was .*Humdrum/);
    const tunes = folder.path('mine/b/c.ABC');
    expect(await fetchDataset(tunes, folder.path('raw3'))).toMatchObject({ files: 1, source: { kind: 'archive' } });
    // A compressed MusicXML file is one score, not an archive of others.
    const mxl = zip([{ path: 'x.xml', content: Buffer.from('<score-partwise/>') }]);
    await writeTree(folder.path('scores'), { 'a.mxl': mxl, 'b.musicxml': '<score-partwise/>' });
    for (const name of ['a.mxl', 'b.musicxml']) {
      await fetchDataset(folder.path('scores', name), folder.path(`raw-${name}`));
      expect(await treeOf(folder.path(`raw-${name}`))).toEqual([name]);
    }
    await writeFile(folder.path('scores.zip'), zip([{ path: 's/a.mxl', content: mxl }]));
    await fetchDataset(folder.path('scores.zip'), folder.path('raw5'));
    expect(await treeOf(folder.path('raw5'))).toEqual(['s/a.mxl']);
    await expect(fetchDataset(folder.path('mine/h.mscz'), folder.path('raw4'))).rejects.toThrow(/MuseScore/);
  });

  test('and an archive give at most maxFiles files, the same ones each time; a larger limit adds to them', async () => {
    const paths = Array.from({ length: 12 }, (_, i) => `${i % 3}/${i}.mid`);
    await writeTree(folder.path('mine'), Object.fromEntries(paths.map((path) => [path, midi])));
    await writeFile(folder.path('mine.tar'), tar(paths.map((path) => ({ path, content: midi }))));
    const take = async (from: string, maxFiles: number) => {
      const { files, bytes, left_out } = await fetchDataset(folder.path(from), folder.path(from + maxFiles), {
        maxFiles,
      });
      expect({ files, bytes, left_out }).toEqual({
        files: maxFiles,
        bytes: maxFiles * midi.length,
        left_out: 12 - maxFiles,
      });
      return treeOf(folder.path(from + maxFiles));
    };
    const [two, five] = [await take('mine', 2), await take('mine', 5)];
    expect(five).toEqual(expect.arrayContaining(two));
    expect(five).not.toEqual(paths.sort().slice(0, 5));
    expect(await take('mine.tar', 2)).toEqual(two);
    expect((await readdir(folder.path('mine.tar2'))).length).toBe(new Set(two.map((path) => path[0])).size);
  });

  test('is copied, so editing a copy does not change the original', async () => {
    await writeTree(folder.path('mine'), { 'a.mid': midi });
    await fetchDataset(folder.path('mine'), folder.path('raw'));
    await writeFile(folder.path('raw/a.mid'), 'edited');
    expect(new Uint8Array(await readFile(folder.path('mine/a.mid')))).toEqual(midi);
    expect((await stat(folder.path('raw/a.mid'))).ino).not.toBe((await stat(folder.path('mine/a.mid'))).ino);
  });

  test('links to files are copied; links to folders, broken links and names that are not UTF-8 are skipped', async () => {
    await writeTree(folder.path(), { 'elsewhere/a.mid': midi });
    await mkdir(folder.path('mine'));
    await symlink('../elsewhere/a.mid', folder.path('mine/linked.mid'));
    await symlink('../elsewhere', folder.path('mine/folder.mid'));
    await symlink('../nowhere.mid', folder.path('mine/broken.mid'));
    await writeFile(Buffer.from(`${folder.path('mine')}/caf\xe9.mid`, 'latin1'), midi);
    const { files, skipped } = await fetchDataset(folder.path('mine'), folder.path('raw'));
    expect(files).toBe(1);
    expect(skipped).toEqual([
      { path: 'broken.mid', reason: 'there is no such file' },
      { path: 'caf\ufffd.mid', reason: 'has a name that is not UTF-8; rename it' },
      { path: 'folder.mid', reason: 'is not a file' },
    ]);
  });

  test.skipIf(root)('an unreadable file is skipped, and an unreadable folder is an error', async () => {
    await writeTree(folder.path('mine'), { 'a.mid': midi, 'b.mid': midi });
    await chmod(folder.path('mine/b.mid'), 0);
    const { files, skipped } = await fetchDataset(folder.path('mine'), folder.path('raw'));
    expect({ files, skipped }).toEqual({ files: 1, skipped: [{ path: 'b.mid', reason: 'permission denied' }] });
    await chmod(folder.path('mine'), 0);
    await expect(fetchDataset(folder.path('mine'), folder.path('raw2'))).rejects.toThrow(/mine: .*permission denied/);
    await chmod(folder.path('mine'), 0o755);
  });

  test('that has no MIDI file, is missing, or contains its own output gives an error of one sentence', async () => {
    await writeTree(folder.path('mine'), { 'a.txt': '', 'b.mp3': '' });
    await expect(fetchDataset(folder.path('mine'), folder.path('raw'))).rejects.toThrow(
      /mine: contains no usable music file \(\.mid, \.midi, \.kar, \.rmi, .* or \.xml\), among 2 files; 1 \.mp3 file was passed over/,
    );
    await expect(fetchDataset(folder.path('gone'), folder.path('raw'))).rejects.toThrow(
      /gone: there is no folder, archive or data set of that name; the known data sets are synthetic, examples, lakh-matched/,
    );
    await writeTree(folder.path('mine'), { 'a.mid': midi });
    await expect(fetchDataset(folder.path('mine'), folder.path('mine/raw'))).rejects.toThrow(
      /is inside the folder of the data set/,
    );
  });

  test('is not copied into a folder with other files, which stay unchanged', async () => {
    await writeTree(folder.path(), { 'mine/a.mid': midi, 'raw/precious.mid': 'mine' });
    await expect(fetchDataset(folder.path('mine'), folder.path('raw'))).rejects.toThrow(
      /raw: holds precious\.mid already; name an empty folder, or empty this one first/,
    );
    expect(await readTree(folder.path('raw'))).toEqual({ 'precious.mid': 'mine' });
  });

  test('is copied over its own files from an earlier run', async () => {
    await writeTree(folder.path(), { 'mine/a.mid': midi, 'raw/a.mid': 'old' });
    await fetchDataset(folder.path('mine'), folder.path('raw'));
    expect(new Uint8Array(await readFile(folder.path('raw/a.mid')))).toEqual(midi);
  });
});

test('every known data set has an address, a licence, what to expect, and a checksum of the right form if any', () => {
  expect(KNOWN_DATASETS.map(({ name }) => name)).toEqual([
    'lakh-matched',
    'lakh-clean',
    'maestro',
    'nottingham',
    'pop909',
  ]);
  for (const { url, licence, homepage, expect: expectation, sha256 } of KNOWN_DATASETS) {
    expect(expectation).toMatch(/songs|performances|tunes/);
    expect(new URL(url).pathname).toMatch(/\.(tar\.gz|zip)$/);
    expect(licence).toMatch(/^(CC|GPL|MIT)/);
    expect(URL.canParse(homepage)).toBe(true);
    if (sha256 !== undefined) expect(sha256).toMatch(/^[0-9a-f]{64}$/);
  }
});
