/**
 * Reads a tar stream entry by entry: POSIX ustar, pax (path, size) and GNU (long names, base-256 sizes).
 *
 * This file does not write anything and does not check names; archive.ts does both. Sparse files and multi-volume
 * archives are not supported.
 *
 * @see POSIX.1-2017, pax, "ustar Interchange Format" and "pax Extended Header"; GNU tar manual, "Basic Tar Format"
 */
import { CorpusError } from '../errors.ts';
import { ByteReader, decodeName } from './bytes.ts';

/** One entry of a tar archive. */
export interface TarEntry {
  /** as written in the archive; not checked */
  path: string;
  kind: 'file' | 'folder' | 'link' | 'other';
  /** bytes of content */
  size: number;
  /** Yields the content. Call it at most once, and before the next entry is read. */
  content(): AsyncGenerator<Uint8Array>;
}

const BLOCK_BYTES = 512;
/** Limit for a pax header or a GNU long name. They are far smaller in archives that are not hostile. */
const MAX_EXTENDED_HEADER_BYTES = 1 << 20;

/** Type flags of the header. '7' is a contiguous file, which is read as a file. */
const KINDS: Record<string, TarEntry['kind']> = {
  '0': 'file',
  '\0': 'file',
  '7': 'file',
  '1': 'link',
  '2': 'link',
  '5': 'folder',
};

/**
 * Reads the entries of a tar archive in their order.
 *
 * @param chunks the archive, uncompressed
 * @throws CorpusError if the stream is not a tar archive, is damaged, or ends early
 */
export async function* readTar(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<TarEntry> {
  const reader = new ByteReader(chunks);
  let longName: string | undefined;
  let pax: Map<string, string> = new Map();
  for (;;) {
    const header = await reader.read(BLOCK_BYTES);
    // An archive ends with zero blocks, but many programs leave them out.
    if (header.length === 0 || header.every((byte) => byte === 0)) {
      // Read to the end, so that gzip verifies its checksum there.
      await reader.skip(Number.POSITIVE_INFINITY);
      return;
    }
    if (header.length < BLOCK_BYTES) throw new CorpusError('the tar archive ends early');
    if (!checksumFits(header)) {
      throw new CorpusError(reader.position === BLOCK_BYTES ? 'it is not a tar archive' : 'the tar archive is damaged');
    }
    const type = String.fromCharCode(header[156]);
    const size = pax.has('size') ? Number(pax.get('size')) : number(header, 124, 12);
    if (!Number.isSafeInteger(size) || size < 0)
      throw new CorpusError('the tar archive is damaged: an entry has no size');

    const padding = (BLOCK_BYTES - (size % BLOCK_BYTES)) % BLOCK_BYTES;
    if (type === 'L' || type === 'K' || type === 'x' || type === 'g') {
      if (size > MAX_EXTENDED_HEADER_BYTES) throw new CorpusError('the tar archive is damaged: a header is too long');
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
    // Links have no content, even if their header states a size.
    const length = kind === 'file' || kind === 'other' ? size : 0;
    let taken = 0;
    async function* content(): AsyncGenerator<Uint8Array> {
      for await (const piece of reader.chunks(length - taken)) {
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

/** Whether the checksum is right: the sum of the header's bytes, with the checksum field counted as spaces. */
function checksumFits(header: Uint8Array): boolean {
  let sum = 0;
  for (let i = 0; i < BLOCK_BYTES; i++) sum += i >= 148 && i < 156 ? 32 : header[i];
  return sum === number(header, 148, 8);
}

/** Reads a number field: octal digits, or GNU's base 256 if the first bit is set. NaN if it is neither. */
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

/** Reads a text field, which ends at its first zero byte. */
function text(bytes: Uint8Array, at: number, length: number): string {
  const field = bytes.subarray(at, at + length);
  const end = field.indexOf(0);
  return decodeName(end < 0 ? field : field.subarray(0, end));
}

/** Parses pax records, "LENGTH KEY=VALUE\n". LENGTH counts the bytes of the whole record, its own digits included. */
function paxRecords(body: Uint8Array): Map<string, string> {
  const records = new Map<string, string>();
  for (let at = 0; at < body.length; ) {
    const space = body.indexOf(0x20, at);
    const length = space < 0 ? Number.NaN : Number(text(body, at, space - at));
    if (!Number.isSafeInteger(length) || length <= space - at || at + length > body.length) break;
    const record = decodeName(body.subarray(space + 1, at + length - 1));
    const equals = record.indexOf('=');
    if (equals > 0) records.set(record.slice(0, equals), record.slice(equals + 1));
    at += length;
  }
  return records;
}
