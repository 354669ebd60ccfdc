/**
 * Symbolic links in a folder.
 *
 *   a link that stays in the folder    counts as a link: what it leads to counts where it is
 *   a link to nothing                  counts as a link
 *   any other link                     counts as the file or folder that it leads to, because nothing else would show a
 *                                      change of that; so a link to a folder above it is a loop, and is refused
 */
import { isUtf8 } from 'node:buffer';
import { readlinkSync } from 'node:fs';

/**
 * Whether a link may lead outside of a folder. Only the form of its target counts: `..` may come first, but not after a
 * name, because that name may be a link itself. If no link of the folder leads outside by this rule, none does.
 *
 * @param path of the link, relative to the folder
 * @example leadsOutside('a/link', '../b/c') // false
 */
export function leadsOutside(path: string, target: unknown): boolean {
  if (typeof target !== 'string' || target === '' || target.startsWith('/') || target.includes('\0')) return true;
  const parts = target.split('/').filter((part) => part !== '' && part !== '.');
  const up = parts.findIndex((part) => part !== '..');
  const ups = up === -1 ? parts.length : up;
  return ups > path.split('/').length - 1 || parts.slice(ups).includes('..');
}

/**
 * The target of a symbolic link.
 *
 * @returns undefined if it is not UTF-8
 */
export function linkTarget(path: string): string | undefined {
  const bytes = readlinkSync(path, { encoding: 'buffer' });
  return isUtf8(bytes) ? bytes.toString('utf8') : undefined;
}
