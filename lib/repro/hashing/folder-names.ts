/**
 * The names in a folder. Linux allows any bytes in a name, but a manifest, the lock and pipeline.yaml hold text. So a name
 * that is not UTF-8 is found and refused; Node alone would return a text that stands for no file.
 */
import { isUtf8 } from 'node:buffer';
import { readdirSync } from 'node:fs';

/** Node puts this character in place of bytes that are not UTF-8. A name may also contain it. */
const REPLACEMENT = '\ufffd';

/** The names in a folder. */
export interface FolderNames {
  names: readonly string[];
  /** The bytes of each name that is not UTF-8, by the text in `names`. */
  notUtf8: ReadonlyMap<string, Buffer>;
}

const NONE: ReadonlyMap<string, Buffer> = new Map();

/** @throws Error of node:fs if the folder cannot be read */
export function readNames(folder: string): FolderNames {
  const names = readdirSync(folder);
  if (!names.some((name) => name.includes(REPLACEMENT))) return { names, notUtf8: NONE };
  const raw = readdirSync(folder, { encoding: 'buffer' });
  const bad = raw.filter((bytes) => !isUtf8(bytes));
  return {
    names: raw.map((bytes) => bytes.toString('utf8')),
    notUtf8: new Map(bad.map((bytes) => [bytes.toString('utf8'), bytes])),
  };
}

/**
 * A name as messages show it.
 *
 * @example escapedName(Buffer.from('caf\xe9', 'latin1')) // 'caf\\xe9'
 */
export function escapedName(bytes: Buffer): string {
  return bytes
    .toString('latin1')
    .replace(/[^ -~]/g, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
