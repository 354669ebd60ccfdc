/**
 * Downloads one file over http(s) into a folder. The file is streamed, verified, and resumed after a broken connection.
 *
 * A file that exists already and is unchanged is not downloaded again.
 *
 *   NAME             the file
 *   NAME.json        its address, size and SHA-256 at the first download; later downloads of that address must match
 *   NAME.part        the beginning of a download in progress
 *   NAME.part.json   its address, and the ETag or Last-Modified to resume it with
 *
 * @see RFC 9110, 13.1.5 (If-Range) and 14 (Range requests)
 */
import { createHash } from 'node:crypto';
import { closeSync, createReadStream, openSync, writeFileSync, writeSync } from 'node:fs';
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CorpusError, isFatal, reasonOf } from '../errors.ts';
import type { OnProgress } from '../progress.ts';

/** Options of `download`. */
export interface DownloadOptions {
  /** size and checksum that the file must have, if they are known */
  expected?: { bytes?: number; sha256?: string };
  onProgress?: OnProgress;
  /** largest file accepted, in bytes. Default 64 GiB */
  maxBytes?: number;
  /** milliseconds without a byte after which a connection counts as broken. Default 60,000 */
  idleTimeout?: number;
  /** consecutive attempts without a new byte after which the download fails. Default 5 */
  attempts?: number;
  /** milliseconds before the second attempt; doubled for each further one. Default 500 */
  backoff?: number;
}

/** A complete, verified file. */
export interface Download {
  path: string;
  bytes: number;
  /** in hexadecimal */
  sha256: string;
}

/** Content of NAME.json. */
interface DownloadRecord {
  url: string;
  bytes: number;
  sha256: string;
}

/** Content of NAME.part.json. */
interface PartRecord {
  url: string;
  /** ETag or Last-Modified, for If-Range */
  validator?: string;
}

/** HTTP statuses after which another attempt may succeed. */
const RETRYABLE_STATUSES = new Set([408, 425, 429, 500, 502, 503, 504]);

/** Errors of the network after which another attempt may succeed. */
const PASSING_ERRORS = new Set([
  'EAI_AGAIN',
  // A host that does not exist gives this error too. It is tried again, because macOS gives it without a network.
  'ENOTFOUND',
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'ENETDOWN',
  'ENETRESET',
  'ENETUNREACH',
]);

/**
 * Downloads a file, unless it exists already.
 *
 * @param folder created if missing
 * @throws CorpusError with the address and the reason: the server's answer, a wrong checksum, a limit, or a failure to write
 */
export async function download(url: string, folder: string, options: DownloadOptions = {}): Promise<Download> {
  const path = join(folder, fileNameOf(url));
  try {
    await mkdir(folder, { recursive: true });
    const record = await readRecord<DownloadRecord>(`${path}.json`);
    const expected = { ...(record?.url === url ? record : {}), ...options.expected };
    const kept = await digestOf(path);
    if (kept && matches(kept, expected) && (expected.sha256 || record)) return { path, ...kept };

    await fetchWhole(url, path, options);
    const fetched = (await digestOf(`${path}.part`))!;
    if (!matches(fetched, expected)) {
      await rm(`${path}.part`, { force: true });
      const then = options.expected?.sha256
        ? 'its publisher states'
        : `was first downloaded (${path}.json, remove it to accept this one)`;
      throw new CorpusError(
        `${url}: the downloaded file is not the one that ${then}: ${describeContent(fetched)}, instead of ${describeContent(expected)}`,
      );
    }
    await writeFile(`${path}.json`, `${JSON.stringify({ url, ...fetched }, null, 2)}\n`);
    await rename(`${path}.part`, path);
    await rm(`${path}.part.json`, { force: true });
    return { path, ...fetched };
  } catch (error) {
    if (error instanceof CorpusError) throw error;
    throw new CorpusError(`${path}: cannot be written: ${reasonOf(error)}`);
  }
}

/** Completes PATH.part, over as many connections as needed. */
async function fetchWhole(url: string, path: string, options: DownloadOptions): Promise<void> {
  const { attempts = 5, backoff = 500 } = options;
  let failures = 0;
  for (;;) {
    const before = await sizeOf(`${path}.part`);
    try {
      await fetchOnce(url, path, options);
      return;
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      failures = (await sizeOf(`${path}.part`)) > before ? 1 : failures + 1;
      if (failures >= attempts)
        throw new CorpusError(
          `${url}: ${error.message}, ${failures} times in a row${
            (await readPart(url, path)).bytes > 0 ? '; the part downloaded so far is kept' : ''
          }`,
        );
      await new Promise((resolve) => setTimeout(resolve, backoff * 2 ** (failures - 1)));
    }
  }
}

/**
 * Downloads over one connection: from the end of PATH.part if the server still has the same file, otherwise from the start.
 *
 * @throws ConnectionError if another attempt may succeed
 * @throws CorpusError if no further attempt can succeed
 */
async function fetchOnce(url: string, path: string, options: DownloadOptions): Promise<void> {
  const { maxBytes = 64 * 2 ** 30, idleTimeout = 60_000, onProgress = () => {} } = options;
  const { bytes: present, validator: ifRange } = await readPart(url, path);
  const headers: Record<string, string> = { 'accept-encoding': 'identity' };
  if (present > 0) Object.assign(headers, { range: `bytes=${present}-`, 'if-range': ifRange! });

  const abort = new AbortController();
  let timer = setTimeout(() => abort.abort(), idleTimeout);
  const restartTimer = () => {
    clearTimeout(timer);
    timer = setTimeout(() => abort.abort(), idleTimeout);
  };
  try {
    const response = await fetch(url, { headers, signal: abort.signal }).catch((error) => {
      if (abort.signal.aborted || maySucceedLater(error)) throw connectionError(error, abort.signal, idleTimeout);
      const { message } = ((error as Error).cause ?? error) as Error;
      throw new CorpusError(`${url}: cannot be downloaded (${message.trim()})`);
    });
    if (url.startsWith('https:') && !response.url.startsWith('https:')) {
      throw new CorpusError(`${url}: redirects to ${response.url}, which is not encrypted: refused`);
    }
    if (response.status === 416) {
      // 416 Range Not Satisfiable: the part on disk is as long as the file, or belongs to another file. Start again.
      await rm(`${path}.part`, { force: true });
      throw new ConnectionError('the server refused to resume the download');
    }
    if (RETRYABLE_STATUSES.has(response.status))
      throw new ConnectionError(`the server answered ${response.status} ${response.statusText}`);
    if (!response.ok || !response.body) {
      throw new CorpusError(`${url}: the server answered ${response.status} ${response.statusText}`);
    }
    const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get('content-range') ?? '');
    const from = response.status === 206 && range && Number(range[1]) === present ? present : 0;
    if (response.status === 206 && from !== present)
      throw new ConnectionError('the server sent another range than the requested one');
    const length = response.headers.get('content-length');
    const total = range ? Number(range[2]) || undefined : length === null ? undefined : from + Number(length);
    if ((total ?? 0) > maxBytes) throw new CorpusError(`${url}: has ${total} bytes, more than the ${maxBytes} allowed`);

    const validator =
      response.headers.get('etag')?.replace(/^W\/.*/, '') || response.headers.get('last-modified') || undefined;
    // Synchronous writes: if the connection broke during an awaited write, the chunks already received would be lost.
    writeFileSync(`${path}.part.json`, JSON.stringify({ url, validator } satisfies PartRecord));
    const file = openSync(`${path}.part`, from > 0 ? 'a' : 'w');
    let size = from;
    try {
      for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
        restartTimer();
        size += chunk.length;
        if (size > maxBytes) throw new CorpusError(`${url}: has more than the ${maxBytes} bytes allowed`);
        for (let at = 0; at < chunk.length; ) at += writeSync(file, chunk, at);
        onProgress({ done: size, total, unit: 'bytes', text: fileNameOf(url) });
      }
    } catch (error) {
      if (error instanceof CorpusError || isFatal(error)) throw error;
      throw connectionError(error, abort.signal, idleTimeout, `after ${size} of ${total ?? 'unknown'} bytes`);
    } finally {
      closeSync(file);
    }
    if (total !== undefined && size !== total)
      throw new ConnectionError(`the connection ended after ${size} of ${total} bytes`);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Whether an error of fetch before an answer may pass by itself. A redirect loop, an address that fetch does not take and a
 * certificate that is not trusted do not.
 */
function maySucceedLater(error: unknown): boolean {
  const { code } = ((error as Error).cause ?? {}) as NodeJS.ErrnoException;
  return code !== undefined && (PASSING_ERRORS.has(code) || /^UND_ERR_(SOCKET|\w+_TIMEOUT)$/.test(code));
}

/** The beginning of a download of this address that can be resumed: its size, 0 if there is none, and its validator. */
async function readPart(url: string, path: string): Promise<{ bytes: number; validator?: string }> {
  const part = await readRecord<PartRecord>(`${path}.part.json`);
  if (part?.url !== url || !part.validator) return { bytes: 0 };
  return { bytes: await sizeOf(`${path}.part`), validator: part.validator };
}

/** Thrown if the connection failed and another attempt may succeed. */
class ConnectionError extends Error {}

/** Translates an error of fetch or of the body's stream. `where` describes how much had been received. */
function connectionError(error: unknown, signal: AbortSignal, idleTimeout: number, where = ''): Error {
  if (signal.aborted) return new ConnectionError(`no data for ${idleTimeout / 1000} s${where && ` ${where}`}`);
  const cause = (error as Error).cause as NodeJS.ErrnoException | undefined;
  const { code } = cause ?? {};
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return new ConnectionError('its host was not found; check the name and the network');
  if (code === 'ECONNREFUSED') return new ConnectionError('its host refused the connection');
  return new ConnectionError(
    `the connection broke${where && ` ${where}`} (${cause?.message ?? (error as Error).message})`,
  );
}

/** A file name for an address: the last part of its path, or the host, with unsafe characters replaced by "_". */
export function fileNameOf(url: string): string {
  const names = new URL(url).pathname.split('/').filter((name) => name !== '');
  const name = (names.at(-1) ?? new URL(url).hostname).replace(/%[0-9a-f]{2}|[^\w.+-]/gi, '_').slice(-120);
  return name.replace(/^\.+/, '_');
}

function matches(file: { bytes: number; sha256: string }, expected: { bytes?: number; sha256?: string }): boolean {
  return (expected.bytes ?? file.bytes) === file.bytes && (expected.sha256 ?? file.sha256) === file.sha256;
}

/** Describes content as "N bytes, SHA-256 …", with the parts that are known. */
function describeContent({ bytes, sha256 }: { bytes?: number; sha256?: string }): string {
  return [bytes !== undefined && `${bytes} bytes`, sha256 !== undefined && `SHA-256 ${sha256}`]
    .filter(Boolean)
    .join(', ');
}

/** Size and SHA-256 of a file; undefined if there is none. */
async function digestOf(path: string): Promise<{ bytes: number; sha256: string } | undefined> {
  if (!(await stat(path).catch(() => undefined))?.isFile()) return undefined;
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return { bytes, sha256: hash.digest('hex') };
}

/** Size of a file in bytes; 0 if there is none. */
async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0;
}

/** Reads a record. A damaged one counts as missing. */
async function readRecord<T>(path: string): Promise<T | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch {
    return undefined;
  }
}
