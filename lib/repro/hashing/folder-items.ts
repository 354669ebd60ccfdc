/** The kind of an entry of a folder: a file, a folder or a symbolic link. Anything else is refused by name. */
import type { BigIntStats } from 'node:fs';
import { isExecutable } from '../freshness/index.ts';
import { ReproError } from '../messages/index.ts';
import type { FoundFile } from './file-readers.ts';
import { escapedName } from './folder-names.ts';
import { IGNORE_FILE } from './ignore-rules.ts';
import { leadsOutside, linkTarget } from './links.ts';
import type { FolderEntry } from './stat-snapshot.ts';

/** An entry of a folder. */
export interface Item extends FoundFile {
  /** Sort key in the manifest. The key of a folder ends with a slash, so that its files come after `a.txt`. */
  key: string;
  /** Folders only: see `folderId`. Used to find a link that leads back to a folder above. */
  folder: string | undefined;
  /** Whether a symbolic link is followed to get there. */
  isLinked: boolean;
  /** The target of a symbolic link that counts as a link. */
  link: string | undefined;
  /** The file's hash, if it may be remembered. */
  remember: string | undefined;
}

/**
 * The item of an entry.
 *
 * @param prefix the path of its folder in the manifest: '' or `a/b/`
 * @param isBehindLink whether the walk has come to its folder through a symbolic link; all links are then followed
 * @param show the path as messages show it, from an absolute one
 * @returns undefined for a file that has just vanished
 * @throws ReproError if it has a name that is not UTF-8, or is neither a file nor a folder nor a link
 */
export function itemOf(
  { name, absolute, stat, isLink, notUtf8, signature }: FolderEntry,
  prefix: string,
  isBehindLink: boolean,
  show: (absolute: string) => string,
): Item | undefined {
  if (notUtf8 !== undefined) {
    const shown = show(`${absolute.slice(0, -name.length)}${escapedName(notUtf8)}`);
    throw new ReproError(`${shown} has a name that is not UTF-8; rename it, or leave it out in ${IGNORE_FILE}`);
  }
  if (stat === undefined && !isLink) return undefined;
  const link = isLink ? countedTarget(absolute, stat, prefix + name, isBehindLink, show) : undefined;
  const isFolder = link === undefined && stat!.isDirectory();
  if (link === undefined && !isFolder && !stat!.isFile()) {
    const what = `${show(absolute)} is ${describeKind(stat!)}, which has no content to compare`;
    throw new ReproError(`${what}; remove it, or leave it out in ${IGNORE_FILE}`);
  }
  // One literal for all items: copies with `...` took two seconds for 100,000 files.
  return {
    key: isFolder ? `${name}/` : name,
    absolute,
    signature,
    size: stat === undefined ? 0 : Number(stat.size),
    executable: stat !== undefined && isExecutable(stat),
    folder: isFolder ? folderId(stat!) : undefined,
    isLinked: isLink,
    link,
    remember: undefined,
  };
}

/** The target of a symbolic link that is recorded as a link; undefined if repro follows the link. */
function countedTarget(
  absolute: string,
  stat: BigIntStats | undefined,
  path: string,
  isBehindLink: boolean,
  show: (absolute: string) => string,
): string | undefined {
  const target = linkTarget(absolute);
  if (stat === undefined && target === undefined)
    throw new ReproError(`${show(absolute)} is a symbolic link to nothing, with a target that is not UTF-8; remove it`);
  if (target === undefined) return undefined;
  return stat === undefined || (!isBehindLink && !leadsOutside(path, target)) ? target : undefined;
}

/** Tells a folder from any other, whatever its path. */
export function folderId({ dev, ino }: BigIntStats): string {
  return `${dev}:${ino}`;
}

/** Names the kind of a path that is neither a file nor a folder. */
export function describeKind(stat: BigIntStats): string {
  if (stat.isFIFO()) return 'a FIFO';
  if (stat.isSocket()) return 'a socket';
  return 'a device';
}
