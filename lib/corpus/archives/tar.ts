/**
 * Reads a tar stream entry by entry: POSIX ustar, pax (path, size) and GNU (long names, base-256 sizes).
 *
 * Nothing is written here and no name is trusted: see archive.ts. Sparse files and multi-volume archives are not read.
 */

import { CorpusError } from '../errors.ts';
import { ByteReader } from './bytes.ts';

export interface TarEntry {
  /** as the archive has it */
  path: string;
  kind: 'file' | 'folder' | 'link' | 'other';
  /** bytes of content */
  size: number;
  /** the content; taken at most once, and only before the next entry */
  content(): AsyncGenerator<Uint8Array>;
}

const BLOCK = 512;
/** A pax header or a long name above this is not one that a person's file has. */
const LONGEST_HEADER = 1 << 20;

const KINDS: Record<string, TarEntry['kind']> = {
  '0': 'file',
  '\0': 'file',
  '7': 'file',
  '1': 'link',
  '2': 'link',
  '5': 'folder',
};

/** @throws CorpusError where the stream is no tar archive, is damaged, or ends early */
export async function* readTar(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<TarEntry> {
  const reader = new ByteReader(chunks);
  let longName: string | undefined;
  let pax: Map<string, string> = new Map();
  for (;;) {
    const header = await reader.read(BLOCK);
    // The archive ends with zero blocks; many end without.
    if (header.length === 0 || header.every((byte) => byte === 0)) {
      // To the end of the stream, so that a checksum at its end is checked.
      await reader.skip(Number.POSITIVE_INFINITY);
      return;
    }
    if (header.length < BLOCK) throw new CorpusError('the tar archive ends early');
    if (!checksumFits(header)) {
      throw new CorpusError(reader.position === BLOCK ? 'it is no tar archive' : 'the tar archive is damaged');
    }
    const type = String.fromCharCode(header[156]);
    const size = pax.has('size') ? Number(pax.get('size')) : number(header, 124, 12);
    if (!Number.isSafeInteger(size) || size < 0)
      throw new CorpusError('the tar archive is damaged: an entry has no size');

    const padding = (BLOCK - (size % BLOCK)) % BLOCK;
    if (type === 'L' || type === 'K' || type === 'x' || type === 'g') {
      if (size > LONGEST_HEADER) throw new CorpusError('the tar archive is damaged: a header is too long');
      const body = await reader.read(size);
      if (body.length < size) throw new CorpusError('the tar archive ends early');
      await reader.skip(padding);
      if (type === 'L') longName = text(body, 0, body.length);
      if (type === 'x') pax = paxRecords(body);
      continue;
    }

    const name = text(header, 0, 100);
    const isUstar = text(header, 257, 5) === 'ustar';
    const prefix = isUstar && header[262] === 0 ? text(header, 345, 155) : '';
    const path = pax.get('path') ?? longName ?? (prefix ? `${prefix}/${name}` : name);
    longName = undefined;
    pax = new Map();
    const kind = type === '0' && path.endsWith('/') ? 'folder' : (KINDS[type] ?? 'other');
    // Links have no content, whatever size they state.
    const length = kind === 'file' || kind === 'other' ? size : 0;
    let taken = 0;
    async function* content(): AsyncGenerator<Uint8Array> {
      for await (const piece of reader.pieces(length - taken)) {
        taken += piece.length;
        yield piece;
      }
      if (taken < length) throw new CorpusError('the tar archive ends early');
    }
    yield { path, kind, size: length, content };
    const rest = length - taken;
    if ((await reader.skip(rest)) < rest) throw new CorpusError('the tar archive ends early');
    if (length > 0) await reader.skip(padding);
  }
}

/** The header's bytes summed, its checksum field counting as spaces. */
function checksumFits(header: Uint8Array): boolean {
  let sum = 0;
  for (let i = 0; i < BLOCK; i++) sum += i >= 148 && i < 156 ? 32 : header[i];
  return sum === number(header, 148, 8);
}

/** Octal digits, or GNU's base 256 with the first bit set. */
function number(header: Uint8Array, at: number, length: number): number {
  const field = header.subarray(at, at + length);
  if (field[0] & 0x80) {
    let value = field[0] & 0x7f;
    for (const byte of field.subarray(1)) value = value * 256 + byte;
    return value;
  }
  const digits = text(header, at, length).trim();
  if (digits === '') return 0;
  return /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number.NaN;
}

function text(bytes: Uint8Array, at: number, length: number): string {
  const field = bytes.subarray(at, at + length);
  const end = field.indexOf(0);
  return Buffer.from(end < 0 ? field : field.subarray(0, end)).toString('utf8');
}

/** "LENGTH KEY=VALUE\n", LENGTH counting the whole record in bytes. */
function paxRecords(body: Uint8Array): Map<string, string> {
  const records = new Map<string, string>();
  for (let at = 0; at < body.length; ) {
    const space = body.indexOf(0x20, at);
    const length = space < 0 ? Number.NaN : Number(text(body, at, space - at));
    if (!Number.isSafeInteger(length) || length <= space - at || at + length > body.length) break;
    const record = Buffer.from(body.subarray(space + 1, at + length - 1)).toString('utf8');
    const equals = record.indexOf('=');
    if (equals > 0) records.set(record.slice(0, equals), record.slice(equals + 1));
    at += length;
  }
  return records;
}
