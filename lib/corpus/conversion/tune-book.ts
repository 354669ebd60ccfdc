/**
 * Finds the tunes of an ABC file. A file of a collection has many, each beginning with X:, and perhaps fields before the
 * first of them that apply to all (standard 2.1, §2.2.3).
 *
 * Files are in UTF-8, UTF-16 with a byte order mark, or Latin-1, with line ends of any system.
 */

/** A part of an ABC file that holds whole tunes. */
export interface TuneRange {
  /** bytes of the file */
  from: number;
  to: number;
  /** number of tunes in it */
  tunes: number;
}

/** Ranges are as long as this, or one tune longer, so that several threads can share a large file. In bytes. */
const RANGE_BYTES = 1 << 19;
const [X, COLON, NEWLINE, RETURN] = [0x58, 0x3a, 0x0a, 0x0d];

/**
 * Finds the tunes of a file.
 *
 * @returns the range of the fields before the first tune, and ranges that hold all tunes. A file without X: is one tune
 */
export function findTunes(bytes: Uint8Array): { header: TuneRange; ranges: TuneRange[] } {
  const none = { from: 0, to: 0, tunes: 0 };
  if (isUtf16(bytes)) {
    const tunes = splitTunes(decodeAbc(bytes)).length;
    return { header: none, ranges: [{ from: 0, to: bytes.length, tunes }] };
  }
  const starts: number[] = [];
  for (let at = bytes.indexOf(X); at >= 0; at = bytes.indexOf(X, at + 1)) {
    // Files that were joined have byte order marks within them.
    const lineAt = bytes[at - 1] === 0xbf && bytes[at - 2] === 0xbb && bytes[at - 3] === 0xef ? at - 3 : at;
    const before = lineAt === 0 ? NEWLINE : bytes[lineAt - 1];
    if (bytes[at + 1] === COLON && (before === NEWLINE || before === RETURN)) starts.push(at);
  }
  if (starts.length === 0) return { header: none, ranges: [{ from: 0, to: bytes.length, tunes: 1 }] };
  const ranges: TuneRange[] = [];
  for (const [i, from] of starts.entries()) {
    const to = starts[i + 1] ?? bytes.length;
    const last = ranges.at(-1);
    if (last === undefined || last.to - last.from >= RANGE_BYTES) ranges.push({ from, to, tunes: 1 });
    else Object.assign(last, { to, tunes: last.tunes + 1 });
  }
  return { header: { from: 0, to: starts[0], tunes: 0 }, ranges };
}

/** Splits a text into its tunes. Text before the first X: is not part of any. */
export function splitTunes(text: string): string[] {
  const tunes = text.replace(/^\uFEFF/gm, '').split(/(?<=^|[\r\n])(?=X:)/);
  return tunes.length === 1 || tunes[0].startsWith('X:') ? tunes : tunes.slice(1);
}

/** The fields and directives at the beginning of a file, up to an empty line. They apply to all of its tunes. */
export function fileHeader(text: string): string {
  const lines = text.replace(/^\uFEFF/gm, '').split(/\r\n|\n|\r/);
  const from = lines.findIndex((line) => /^[A-Za-z]:/.test(line) || line.startsWith('%%'));
  if (from < 0) return '';
  const rest = lines.slice(from);
  const end = rest.findIndex((line) => line.trim() === '');
  const fields = rest.slice(0, end < 0 ? rest.length : end).filter((line) => /^(?:[A-Za-z]:|%%)/.test(line));
  return fields.map((line) => `${line}\n`).join('');
}

function isUtf16(bytes: Uint8Array): boolean {
  return (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
}

/** Decodes ABC: UTF-16 with a byte order mark, UTF-8, or otherwise Latin-1. */
export function decodeAbc(bytes: Uint8Array): string {
  if (isUtf16(bytes)) return new TextDecoder(bytes[0] === 0xff ? 'utf-16le' : 'utf-16be').decode(bytes);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder('latin1').decode(bytes);
  }
}
