/** Downloads from a local server that breaks connections, sends wrong headers, redirects and refuses. */
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from 'vitest';
import { composePiece } from '../../lib/compose/index.ts';
import { fetchDataset } from '../../lib/corpus/index.ts';
import { type DownloadOptions, download } from '../../lib/corpus/sources/download.ts';
import { tar } from './archive-builder.ts';
import { type FileServer, sendFile, serve } from './file-server.ts';
import { testFolder, treeOf } from './folders.ts';

const folder = testFolder();
const bytes = randomBytes(300_000);
let server: FileServer | undefined;

afterEach(async () => {
  await server?.close();
  server = undefined;
});

async function serving(answer: Parameters<typeof serve>[0]): Promise<FileServer> {
  await server?.close();
  server = await serve(answer);
  return server;
}

const get = (url: string, options: DownloadOptions = {}) =>
  download(url, folder.path('downloads'), { backoff: 0, attempts: 3, ...options });
const readDownload = (name: string) => readFile(folder.path('downloads', name));

describe('a download', () => {
  test('is complete, reports its progress, and is not downloaded again', async () => {
    const { url, ranges } = await serving((request, response) => sendFile(request, response, bytes));
    const seen: number[] = [];
    const file = await get(`${url}/a/set.tar.gz?x=1`, { onProgress: ({ done, total }) => seen.push(done / total!) });
    expect((await readDownload('set.tar.gz')).equals(bytes)).toBe(true);
    expect(file.bytes).toBe(bytes.length);
    expect(seen.at(-1)).toBe(1);
    expect(await get(`${url}/a/set.tar.gz?x=1`)).toEqual(file);
    expect(ranges).toEqual(['']);
    expect(await treeOf(folder.path('downloads'))).toEqual(['set.tar.gz', 'set.tar.gz.json']);
  });

  test('resumes by Range after every broken connection', async () => {
    const { url, ranges } = await serving((request, response, count) =>
      sendFile(request, response, bytes, { breakAfter: count < 5 ? 60_000 : undefined }),
    );
    await get(`${url}/set.bin`);
    expect((await readDownload('set.bin')).equals(bytes)).toBe(true);
    expect(ranges).toEqual(['', 'bytes=60000-', 'bytes=120000-', 'bytes=180000-', 'bytes=240000-']);
  });

  test('is resumed by a later run', async () => {
    const first = await serving((request, response) => sendFile(request, response, bytes, { breakAfter: 0 }));
    let share = 100_000;
    await first.close();
    const { url, ranges } = await serving((request, response) => {
      sendFile(request, response, bytes, { breakAfter: share });
      share = 0;
    });
    await expect(get(`${url}/set.bin`)).rejects.toThrow(
      /after 100000 of 300000 bytes.*3 times in a row; the part downloaded so far is kept/,
    );
    share = bytes.length;
    await get(`${url}/set.bin`);
    expect((await readDownload('set.bin')).equals(bytes)).toBe(true);
    expect(ranges.at(-1)).toBe('bytes=100000-');
  });

  test('starts over if the file has changed or the server does not support Range', async () => {
    const newer = randomBytes(200_000);
    const { url } = await serving((request, response, count) => {
      if (count === 1) sendFile(request, response, bytes, { breakAfter: 50_000 });
      else sendFile(request, response, newer, { etag: '"v2"' });
    });
    await get(`${url}/changed.bin`);
    expect((await readDownload('changed.bin')).equals(newer)).toBe(true);

    const { url: plain, ranges } = await serving((_request, response, count) => {
      response.writeHead(200, { 'content-length': bytes.length });
      if (count > 1) response.end(bytes);
      else response.write(bytes.subarray(0, 50_000), () => response.destroy());
    });
    await get(`${plain}/plain.bin`);
    expect((await readDownload('plain.bin')).equals(bytes)).toBe(true);
    expect(ranges).toEqual(['', '']);
  });

  test('detects a wrong Content-Length and a range that it did not request', async () => {
    const { url } = await serving((_request, response) => {
      response.writeHead(200, { 'content-length': bytes.length + 5000, etag: '"v1"' });
      response.write(bytes, () => response.destroy());
    });
    await expect(get(`${url}/lie.bin`)).rejects.toThrow(/after 300000 of 305000 bytes/);

    const { url: shifted } = await serving((request, response, count) => {
      if (count === 1) return sendFile(request, response, bytes, { breakAfter: 50_000 });
      response.writeHead(206, { 'content-range': `bytes 10-299999/300000`, etag: '"v1"' });
      response.end(bytes.subarray(10));
    });
    await expect(get(`${shifted}/shifted.bin`)).rejects.toThrow(/another range than the requested one/);
  });

  test('follows redirects', async () => {
    const { url } = await serving((request, response) => {
      if (request.url === '/from.zip') response.writeHead(302, { location: '/to' }).end();
      else sendFile(request, response, bytes);
    });
    await get(`${url}/from.zip`);
    expect((await readDownload('from.zip')).equals(bytes)).toBe(true);
  });

  test('is tried again after status 503, and not after 404', async () => {
    const busy = await serving((request, response, count) => {
      if (count < 3) response.writeHead(503).end();
      else sendFile(request, response, bytes);
    });
    await get(`${busy.url}/set.bin`);
    expect((await readDownload('set.bin')).equals(bytes)).toBe(true);

    const missing = await serving((_request, response) => response.writeHead(404).end());
    await expect(get(`${missing.url}/none.bin`)).rejects.toThrow(/none\.bin: the server answered 404 Not Found/);
    expect(missing.ranges).toHaveLength(1);
  });

  test.each([
    ['a redirect loop', '/set.bin', /set\.bin: cannot be downloaded \(redirect count exceeded/],
    [
      'a redirect to another scheme',
      'ftp://127.0.0.1/set.bin',
      /set\.bin: cannot be downloaded \(.*scheme must be a HTTP\(S\) scheme/,
    ],
    ['a redirect to no address', 'http://[', /set\.bin: cannot be downloaded \(Invalid URL\)/],
  ])('is not tried again after %s', async (_, location, message) => {
    const { url, ranges } = await serving((_request, response) => response.writeHead(302, { location }).end());
    await expect(get(`${url}/set.bin`)).rejects.toThrow(message);
    // fetch follows at most 20 redirects.
    expect(ranges.length).toBeLessThanOrEqual(21);
  });

  test('is not tried again if the server does not speak TLS', async () => {
    let connections = 0;
    const plain = createServer((socket) => {
      connections++;
      socket.on('error', () => {}).end('HTTP/1.1 400 Bad Request\r\n\r\n');
    });
    await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve));
    const { port } = plain.address() as AddressInfo;
    await expect(get(`https://127.0.0.1:${port}/set.bin`)).rejects.toThrow(/set\.bin: cannot be downloaded \(/);
    expect(connections).toBe(1);
    plain.close();
  });

  test('that brought nothing has no part that is kept', async () => {
    const { url, ranges } = await serving((_request, response) => response.destroy());
    await expect(get(`${url}/set.bin`)).rejects.toThrow(/3 times in a row$/);
    expect(ranges).toHaveLength(3);
  });

  test('fails if the server sends no data for longer than the idle timeout', async () => {
    const { url } = await serving((_request, response) => {
      response.writeHead(200, { 'content-length': 10 });
      response.write('half');
    });
    await expect(get(`${url}/slow.bin`, { idleTimeout: 50, attempts: 1 })).rejects.toThrow(/no data for 0\.05 s/);
  });

  test('stops at the limit of bytes, with and without a Content-Length', async () => {
    const { url } = await serving((request, response) => {
      if (request.url === '/announced') sendFile(request, response, bytes);
      else response.writeHead(200).end(bytes);
    });
    await expect(get(`${url}/announced`, { maxBytes: 1000 })).rejects.toThrow(/has 300000 bytes, more than the 1000/);
    await expect(get(`${url}/chunked`, { maxBytes: 1000 })).rejects.toThrow(/more than the 1000 bytes allowed/);
  });

  test('reports a host that refuses the connection, and an invalid address', async () => {
    const { url, close } = await serve(() => {});
    await close();
    await expect(get(`${url}/x`, { attempts: 1 })).rejects.toThrow(/refused the connection/);
    await expect(fetchDataset('http://', folder.path('raw'))).rejects.toThrow(/http:\/\/: is not an address/);
    // The password is not repeated.
    await expect(fetchDataset('https://me:secret@example.org/a.zip', folder.path('raw'))).rejects.toThrow(
      /^https:\/\/example\.org\/a\.zip: an address with a user or password cannot be downloaded/,
    );
  });
});

describe('a downloaded file is verified', () => {
  test('against the checksum of its publisher', async () => {
    const { url } = await serving((request, response) => sendFile(request, response, bytes));
    const expected = { sha256: 'ab'.repeat(32) };
    await expect(get(`${url}/set.bin`, { expected })).rejects.toThrow(
      /not the one that its publisher states.*instead of SHA-256 abab/,
    );
    expect(await treeOf(folder.path('downloads'))).not.toContain('set.bin');
  });

  test('against the first download, if no checksum is published', async () => {
    let content = bytes;
    const { url } = await serving((request, response) =>
      sendFile(request, response, content, { etag: `"${content.length}"` }),
    );
    const first = await get(`${url}/set.bin`);
    expect(JSON.parse(String(await readDownload('set.bin.json')))).toEqual({
      url: `${url}/set.bin`,
      bytes: bytes.length,
      sha256: first.sha256,
    });
    await writeFile(folder.path('downloads/set.bin'), 'damaged on the disk');
    content = randomBytes(1000);
    await expect(get(`${url}/set.bin`)).rejects.toThrow(
      /not the one that was first downloaded .*set\.bin\.json, remove it/,
    );
    content = bytes;
    expect(await get(`${url}/set.bin`)).toEqual(first);
    expect((await readDownload('set.bin')).equals(bytes)).toBe(true);
  });
});

test('a data set given by URL is downloaded into a folder next to the output and unpacked, and its source is recorded', async () => {
  const archive = gzipSync(tar([{ path: 'a/1.mid', content: composePiece(1) }]));
  const { url, ranges } = await serving((request, response) => sendFile(request, response, archive));
  const { source, files } = await fetchDataset(`${url}/set.tgz`, folder.path('data/raw'));
  expect(files).toBe(1);
  expect(source).toMatchObject({ kind: 'url', url: `${url}/set.tgz`, bytes: archive.length });
  expect(await treeOf(folder.path('data'))).toEqual(['downloads/set.tgz', 'downloads/set.tgz.json', 'raw/a/1.mid']);
  await fetchDataset(`${url}/set.tgz`, folder.path('data/again'));
  expect(ranges).toHaveLength(1);
});

test('a download that is not music names its address, and the files to remove before the next attempt', async () => {
  const page = Buffer.from('<html>Sign in</html>');
  const { url } = await serving((request, response) => sendFile(request, response, page));
  const path = folder.path('data/downloads/set.zip');
  await expect(fetchDataset(`${url}/set.zip`, folder.path('data/raw'))).rejects.toThrow(
    `although its name says so (the file that ${url}/set.zip gave; remove ${path} and ${path}.json to download it again)`,
  );
});
