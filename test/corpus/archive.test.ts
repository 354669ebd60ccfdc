/** Valid archives are unpacked completely. The attacks in hostile archives are reported and have no effect. */
import { lstat, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { composePiece } from '../../lib/compose/index.ts';
import { fetchDataset } from '../../lib/corpus/index.ts';
import { paxRecord, tar, zip } from './archive-builder.ts';
import { testFolder, treeOf } from './folders.ts';

const folder = testFolder();
const midi = composePiece(1);

async function unpack(name: string, bytes: Uint8Array, limits = {}) {
  await mkdir(folder.path('in'), { recursive: true });
  await writeFile(folder.path('in', name), bytes);
  return fetchDataset(folder.path('in', name), folder.path('raw'), { limits });
}

describe('valid archives', () => {
  const members = [
    { path: 'songs/', type: '5' },
    { path: 'songs/a.mid', content: midi },
    { path: './songs/deep/B.MIDI', content: midi },
    { path: 'songs/readme.txt', content: Buffer.from('no music') },
    { path: '__MACOSX/songs/._a.mid', content: Buffer.from('no music either') },
  ];
  const zipMembers = members.filter(({ type }) => type === undefined);

  test.each([
    ['x.tar.gz', gzipSync(tar(members))],
    ['x.tgz', gzipSync(tar(members))],
    ['x.tar', tar(members)],
    ['x.zip', zip([{ path: 'songs/' }, ...zipMembers])],
    ['stored.zip', zip(zipMembers.map((member) => ({ ...member, stored: true })))],
    ['large.zip', zip(zipMembers.map((member) => ({ ...member, zip64: true })))],
    ['a name that says nothing', gzipSync(tar(members))],
  ])('%s: MIDI files are unpacked into their folders, other files are counted', async (name, bytes) => {
    const { files, bytes: size, others, skipped } = await unpack(name, bytes);
    expect({ files, size, others, skipped }).toEqual({ files: 2, size: 2 * midi.length, others: 2, skipped: [] });
    expect(await treeOf(folder.path('raw'))).toEqual(['songs/a.mid', 'songs/deep/B.MIDI']);
    expect(new Uint8Array(await readFile(folder.path('raw/songs/a.mid')))).toEqual(midi);
  });

  test('long names in pax and GNU headers are read, and Latin-1 names stay different', async () => {
    const long = (letter: string) => `${letter.repeat(120)}/${letter.repeat(90)}/ü.mid`;
    const bytes = tar([
      { path: 'pax', type: 'x', content: paxRecord('path', long('p')) },
      { path: 'short.mid', content: midi },
      { path: '././@LongLink', type: 'L', content: Buffer.from(`${long('g')}\0`) },
      { path: 'short.mid', content: midi },
      { path: 'last.mid', content: midi },
      ...['caf\xe8.mid', 'caf\xe9.mid'].flatMap((name) => [
        { path: '././@LongLink', type: 'L', content: Buffer.from(`${name}\0`, 'latin1') },
        { path: 'short.mid', content: midi },
      ]),
    ]);
    await unpack('long.tar.gz', gzipSync(bytes));
    expect(await treeOf(folder.path('raw'))).toEqual(['caf\xe8.mid', 'caf\xe9.mid', long('g'), 'last.mid', long('p')]);
  });

  test('a tar with bytes after its end, without an end, or with a link that states a size is read', async () => {
    const whole = tar([
      { path: 'link.mid', type: '1', linkTo: 'a.mid', statedSize: 5000 },
      { path: 'a.mid', content: midi },
    ]);
    const withoutEnd = whole.subarray(0, -1024);
    for (const bytes of [whole, withoutEnd, Buffer.concat([whole, Buffer.alloc(600, 7)])]) {
      const { files, skipped } = await fetchArchive(gzipSync(bytes));
      expect({ files, skipped }).toEqual({ files: 1, skipped: [{ path: 'link.mid', reason: 'is a link' }] });
    }
  });

  let archives = 0;
  const fetchArchive = async (bytes: Uint8Array) => {
    archives++;
    await writeFile(folder.path(`${archives}.tar.gz`), bytes);
    return fetchDataset(folder.path(`${archives}.tar.gz`), folder.path(`raw-${archives}`));
  };

  test('a single MIDI file is a data set with one file', async () => {
    const { files } = await unpack('one.mid', midi);
    expect(files).toBe(1);
    expect(await treeOf(folder.path('raw'))).toEqual(['one.mid']);
  });
});

describe('hostile archives', () => {
  test.each([
    ['../out.mid', 'its path leads out of the folder'],
    ['a/../../out.mid', 'its path leads out of the folder'],
    ['..\\out.mid', 'its path leads out of the folder'],
    ['/tmp/corpus-out.mid', 'its path is not relative'],
    ['C:\\out.mid', 'its path is not relative'],
    [`${'n'.repeat(300)}.mid`, 'its name is too long'],
  ])('a path that leads out of the folder, %s, is reported and not written', async (path, reason) => {
    const header = { path: 'x', type: 'x', content: paxRecord('path', path) };
    const good = { path: 'good.mid', content: midi };
    const asTar = await unpack('x.tar.gz', gzipSync(tar([header, { path: 'y.mid', content: midi }, good])));
    expect(asTar.skipped).toEqual([{ path: path.replaceAll('\\', '/'), reason }]);
    expect(await treeOf(folder.path())).toEqual(['in/x.tar.gz', 'raw/good.mid']);
  });

  test('a path in a zip that leads out of the folder, or has a zero byte, is reported and not written', async () => {
    const { files, skipped } = await unpack(
      'x.zip',
      zip([
        { path: '../out.mid', content: midi },
        { path: '..\\out.mid', content: midi },
        { path: 'good.mid', content: midi },
        { path: 'zero\0.mid', content: midi },
      ]),
    );
    expect(files).toBe(1);
    expect(skipped.map(({ reason }) => reason)).toEqual([
      'its path leads out of the folder',
      'its path leads out of the folder',
      'its name has a zero byte',
    ]);
    expect(await treeOf(folder.path())).toEqual(['in/x.zip', 'raw/good.mid']);
  });

  test('links and devices are not created, so nothing is written through them', async () => {
    const { files, skipped } = await unpack(
      'links.tar',
      tar([
        { path: 'soft.mid', type: '2', linkTo: '/etc/passwd' },
        { path: 'hard.mid', type: '1', linkTo: '../in/links.tar' },
        { path: 'device.mid', type: '3' },
        { path: 'folder', type: '2', linkTo: '..' },
        { path: 'folder/inside.mid', content: midi },
      ]),
    );
    expect(skipped).toEqual([
      { path: 'soft.mid', reason: 'is a link' },
      { path: 'hard.mid', reason: 'is a link' },
      { path: 'device.mid', reason: 'is not a regular file' },
    ]);
    expect(files).toBe(1);
    expect((await lstat(folder.path('raw/folder'))).isDirectory()).toBe(true);
    expect(await treeOf(folder.path())).toEqual(['in/links.tar', 'raw/folder/inside.mid']);
    const asZip = zip([{ path: 'soft.mid', content: Buffer.from('/etc/passwd'), unixMode: 0o120777 }]);
    await expect(fetchOf('links.zip', asZip)).rejects.toThrow(/no usable music file.*soft\.mid is a link/);
  });

  const fetchOf = async (name: string, bytes: Uint8Array, limits = {}) => {
    await writeFile(folder.path(name), bytes);
    return fetchDataset(folder.path(name), folder.path(`raw-${name}`), { limits });
  };

  test('the first of two entries with the same path is kept, and entries below a file are skipped', async () => {
    const { files, skipped } = await unpack(
      'twice.tar',
      tar([
        { path: 'a.mid', content: midi },
        { path: 'a.mid', content: Buffer.from('another') },
        { path: 'a.mid/b.mid', content: midi },
      ]),
    );
    expect(files).toBe(1);
    expect(skipped.map(({ path }) => path)).toEqual(['a.mid', 'a.mid/b.mid']);
    expect(new Uint8Array(await readFile(folder.path('raw/a.mid')))).toEqual(midi);
  });

  test('an archive bomb is refused by its ratio, even if most of it is not MIDI', async () => {
    const zeros = Buffer.alloc(17 * 2 ** 20);
    const bomb = gzipSync(
      tar([
        { path: 'zeros.bin', content: zeros },
        { path: 'a.mid', content: midi },
      ]),
    );
    await expect(unpack('bomb.tar.gz', bomb)).rejects.toThrow(/bomb\.tar\.gz: unpacks to more than 100 times its size/);
    const zipped = zip([{ path: 'a.mid', content: zeros, statedCrc: 0 }]);
    await expect(fetchOf('bomb.zip', zipped)).rejects.toThrow(/unpacks to more than 100 times its size/);
    expect(await treeOf(folder.path('raw'))).toEqual([]);
    expect(await treeOf(folder.path('raw-bomb.zip'))).toEqual([]);
  });

  test('an archive beyond the limits of files or bytes is refused, and a file that is too large is skipped', async () => {
    const two = tar([
      { path: 'a.mid', content: midi },
      { path: 'b.mid', content: midi },
    ]);
    const three = tar(['a.mid', 'x/y/b.mid', 'x/c.mid'].map((path) => ({ path, content: midi })));
    await expect(fetchOf('count.tar', three, { files: 2 })).rejects.toThrow(/more than 2 music files/);
    // What was unpacked before the refusal is gone, with its folders.
    expect(await readdir(folder.path('raw-count.tar'))).toEqual([]);
    await expect(fetchOf('bytes.tar', two, { bytes: midi.length + 1 })).rejects.toThrow(/more than \d+ bytes: refused/);
    const mixed = tar([
      { path: 'a.mid', content: midi },
      { path: 'b.mid', content: Buffer.concat([midi, midi]) },
    ]);
    const { files, skipped } = await fetchOf('file.tar', mixed, { fileBytes: midi.length });
    expect({ files, skipped }).toEqual({
      files: 1,
      skipped: [{ path: 'b.mid', reason: `is larger than ${midi.length} bytes` }],
    });
  });

  test('a zip entry that is larger than stated, encrypted or of an unknown method is skipped, and the others are unpacked', async () => {
    const { files, skipped } = await unpack(
      'odd.zip',
      zip([
        { path: 'liar.mid', content: Buffer.alloc(5000), statedSize: 10 },
        { path: 'crc.mid', content: midi, statedCrc: 1 },
        { path: 'secret.mid', content: midi, flags: 1 },
        { path: 'bzip2.mid', content: midi, method: 12 },
        { path: 'good.mid', content: midi },
      ]),
      { fileBytes: 100_000 },
    );
    expect(files).toBe(1);
    expect(skipped).toEqual([
      { path: 'liar.mid', reason: 'is damaged: its checksum differs' },
      { path: 'crc.mid', reason: 'is damaged: its checksum differs' },
      { path: 'secret.mid', reason: 'is encrypted' },
      { path: 'bzip2.mid', reason: 'is compressed by method 12, which is not read' },
    ]);
    expect(await treeOf(folder.path('raw'))).toEqual(['good.mid']);
  });

  test('a file that is truncated, damaged or not an archive gives a message of one line with its name', async () => {
    const whole = tar([
      { path: 'a.mid', content: midi },
      { path: 'b.mid', content: midi },
    ]);
    const zipped = zip([{ path: 'a.mid', content: midi }]);
    const garbled = Buffer.from(whole);
    garbled.fill(0x55, 512 + Math.ceil(midi.length / 512) * 512, undefined);
    for (const [name, bytes, reason] of [
      ['cut.tar', whole.subarray(0, 1000), /cut\.tar: the tar archive ends early/],
      ['cut.tar.gz', gzipSync(whole).subarray(0, -100), /cut\.tar\.gz: unexpected end of file/],
      ['damaged.tar', garbled, /damaged\.tar: the tar archive is damaged/],
      ['cut.zip', zipped.subarray(0, 200), /cut\.zip: it is not a zip archive, or it ends early/],
      [
        'text.gz',
        gzipSync('only text, and more of it than a header has'.repeat(20)),
        /text\.gz: it is not a tar archive/,
      ],
      ['text.zip', Buffer.from('PK but only text'), /text\.zip: it is not a zip archive/],
      ['page.zip', Buffer.from('<html>not found</html>'), /\.abc, .*\.xml\), although its name says so$/],
      ['page.html', Buffer.from('<html>not found</html>'), /page\.html: is neither a supported archive/],
      ['empty.tar.gz', gzipSync(tar([])), /empty\.tar\.gz: contains no usable music file/],
      ['nothing', Buffer.alloc(0), /nothing: is neither a supported archive/],
    ] as const) {
      const error = await fetchOf(name, bytes).then(
        () => expect.fail(`${name} was accepted`),
        (caught) => caught,
      );
      expect(error.message).toMatch(reason);
      expect(error.message).not.toContain('\n');
      expect(error.name).toBe('CorpusError');
    }
  });
});
