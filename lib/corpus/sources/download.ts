/**
 * Downloads one file over http(s) into a folder of downloads: streamed, resumed by Range after a break, verified.
 *
 * What is there already and unchanged is not fetched again. Beside NAME lies NAME.json, the record: address, size and SHA-256 as
 * first downloaded; a later download of the same address must agree. NAME.part is a download under way.
 */
import { createHash } from 'node:crypto';
import { closeSync, createReadStream, openSync, writeFileSync, writeSync } from 'node:fs';
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CorpusError, isFatal, reasonOf } from '../errors.ts';
import type { OnProgress } from '../progress.ts';

export interface DownloadOptions {
  /** what the file must be, where known */
  expected?: { bytes?: number; sha256?: string };
  onProgress?: OnProgress;
  /** largest file taken, in bytes. Default 64 GiB */
  maxBytes?: number;
  /** milliseconds without a byte after which a connection counts as broken. Default 60,000 */
  idleTimeout?: number;
  /** attempts in a row that bring nothing new, before giving up. Default 5 */
  attempts?: number;
  /** milliseconds before the second attempt, doubled for each further one. Default 500 */
  backoff?: number;
}

export interface Download {
  path: string;
  bytes: number;
  sha256: string;
}

/** NAME.json */
interface DownloadRecord {
  url: string;
  bytes: number;
  sha256: string;
}

/** NAME.part.json: what the server said of the file that NAME.part is the beginning of. */
interface PartRecord {
  url: string;
  /** ETag or Last-Modified, for If-Range */
  validator?: string;
}

/** Answers after which trying again may help. */
const PASSING = new Set([408, 425, 429, 500, 502, 503, 504]);

/** @throws CorpusError with the address and what happened */
export async function download(url: string, folder: string, options: DownloadOptions = {}): Promise<Download> {
  const path = join(folder, nameOf(url));
  try {
    await mkdir(folder, { recursive: true });
    const record = await readRecord<DownloadRecord>(`${path}.json`);
    const expected = { ...(record?.url === url ? record : {}), ...options.expected };
    const kept = await digestOf(path);
    if (kept && fits(kept, expected) && (expected.sha256 || record)) return { path, ...kept };

    await fetchWhole(url, path, options);
    const fetched = (await digestOf(`${path}.part`))!;
    if (!fits(fetched, expected)) {
      await rm(`${path}.part`, { force: true });
      const then = options.expected?.sha256
        ? 'its publisher states'
        : `was first downloaded (${path}.json, remove it to accept this one)`;
      throw new CorpusError(
        `${url}: what came is not what ${then}: ${describeContent(fetched)}, instead of ${describeContent(expected)}`,
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

/** Brings PATH.part to its full length, over as many connections as it takes. */
async function fetchWhole(url: string, path: string, options: DownloadOptions): Promise<void> {
  const { attempts = 5, backoff = 500 } = options;
  let failures = 0;
  for (;;) {
    const before = await sizeOf(`${path}.part`);
    try {
      await fetchOnce(url, path, options);
      return;
    } catch (error) {
      if (!(error instanceof Broken)) throw error;
      failures = (await sizeOf(`${path}.part`)) > before ? 1 : failures + 1;
      if (failures >= attempts)
        throw new CorpusError(`${url}: ${error.message}, ${failures} times in a row; what came is kept`);
      await new Promise((resolve) => setTimeout(resolve, backoff * 2 ** (failures - 1)));
    }
  }
}

/** One connection: from the start, or from where PATH.part ends if the server still has the same file. */
async function fetchOnce(url: string, path: string, options: DownloadOptions): Promise<void> {
  const { maxBytes = 64 * 2 ** 30, idleTimeout = 60_000, onProgress = () => {} } = options;
  const part = await readRecord<PartRecord>(`${path}.part.json`);
  const have = part?.url === url && part.validator ? await sizeOf(`${path}.part`) : 0;
  const headers: Record<string, string> = { 'accept-encoding': 'identity' };
  if (have > 0) Object.assign(headers, { range: `bytes=${have}-`, 'if-range': part!.validator! });

  const abort = new AbortController();
  let timer = setTimeout(() => abort.abort(), idleTimeout);
  const alive = () => {
    clearTimeout(timer);
    timer = setTimeout(() => abort.abort(), idleTimeout);
  };
  try {
    const response = await fetch(url, { headers, signal: abort.signal }).catch((error) => {
      throw broken(error, abort.signal, idleTimeout);
    });
    if (url.startsWith('https:') && !response.url.startsWith('https:')) {
      throw new CorpusError(`${url}: leads to ${response.url}, which is not encrypted: refused`);
    }
    if (response.status === 416) {
      // There is nothing after what we have, or our part belongs to another file: begin anew.
      await rm(`${path}.part`, { force: true });
      throw new Broken('the server would not go on where it broke off');
    }
    if (PASSING.has(response.status)) throw new Broken(`the server answered ${response.status} ${response.statusText}`);
    if (!response.ok || !response.body) {
      throw new CorpusError(`${url}: the server answered ${response.status} ${response.statusText}`);
    }
    const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get('content-range') ?? '');
    const from = response.status === 206 && range && Number(range[1]) === have ? have : 0;
    if (response.status === 206 && from !== have) throw new Broken('the server sent another range than was asked for');
    const length = response.headers.get('content-length');
    const total = range ? Number(range[2]) || undefined : length === null ? undefined : from + Number(length);
    if ((total ?? 0) > maxBytes) throw new CorpusError(`${url}: has ${total} bytes, more than the ${maxBytes} allowed`);

    const validator =
      response.headers.get('etag')?.replace(/^W\/.*/, '') || response.headers.get('last-modified') || undefined;
    // Written at once: while a write is awaited, a connection that breaks takes what it had already brought with it.
    writeFileSync(`${path}.part.json`, JSON.stringify({ url, validator } satisfies PartRecord));
    const file = openSync(`${path}.part`, from > 0 ? 'a' : 'w');
    let size = from;
    try {
      for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
        alive();
        size += chunk.length;
        if (size > maxBytes) throw new CorpusError(`${url}: has more than the ${maxBytes} bytes allowed`);
        for (let at = 0; at < chunk.length; ) at += writeSync(file, chunk, at);
        onProgress({ done: size, total, unit: 'bytes', text: nameOf(url) });
      }
    } catch (error) {
      if (error instanceof CorpusError || isFatal(error)) throw error;
      throw broken(error, abort.signal, idleTimeout, `after ${size} of ${total ?? 'unknown'} bytes`);
    } finally {
      closeSync(file);
    }
    if (total !== undefined && size !== total) throw new Broken(`the connection ended after ${size} of ${total} bytes`);
  } finally {
    clearTimeout(timer);
  }
}

/** The connection failed in a way that another may not. */
class Broken extends Error {}

function broken(error: unknown, signal: AbortSignal, idleTimeout: number, where = ''): Error {
  if (signal.aborted) return new Broken(`nothing came for ${idleTimeout / 1000} s${where && ` ${where}`}`);
  const cause = (error as Error).cause as NodeJS.ErrnoException | undefined;
  const { code } = cause ?? {};
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return new Broken('its host is not found; is there a network?');
  if (code === 'ECONNREFUSED') return new Broken('its host refuses the connection');
  if (code === 'ERR_INVALID_URL') return new CorpusError(`${(error as Error).message}: not an address`);
  return new Broken(`the connection broke${where && ` ${where}`} (${cause?.message ?? (error as Error).message})`);
}

/** The last part of the address that is a name, made safe as a file name. */
export function nameOf(url: string): string {
  const names = new URL(url).pathname.split('/').filter((name) => name !== '');
  const name = (names.at(-1) ?? new URL(url).hostname).replace(/%[0-9a-f]{2}|[^\w.+-]/gi, '_').slice(-120);
  return name.replace(/^\.+/, '_');
}

function fits(file: { bytes: number; sha256: string }, expected: { bytes?: number; sha256?: string }): boolean {
  return (expected.bytes ?? file.bytes) === file.bytes && (expected.sha256 ?? file.sha256) === file.sha256;
}

function describeContent({ bytes, sha256 }: { bytes?: number; sha256?: string }): string {
  return [bytes !== undefined && `${bytes} bytes`, sha256 !== undefined && `SHA-256 ${sha256}`]
    .filter(Boolean)
    .join(', ');
}

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

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0;
}

/** A record that is missing or damaged says nothing. */
async function readRecord<T>(path: string): Promise<T | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch {
    return undefined;
  }
}
