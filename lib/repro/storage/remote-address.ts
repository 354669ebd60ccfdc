/**
 * The address of a remote, as -r and .repro/config.yaml give it. This file alone decides which addresses are understood
 * and what each of them means.
 *
 *   /mnt/store   ../store   ./a:b   file:///mnt/store    a folder
 *   s3://bucket/store   ssh://host/store   host:/store    refused: repro reads and writes folders only
 *
 * An address with a colon before its first slash names a host, as for git and rsync. So `s3:/bucket` never becomes a
 * folder of that name.
 */
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ReproError } from '../messages/index.ts';

/** A remote that repro can copy to and from. */
export interface RemoteAddress {
  kind: 'folder';
  /** An absolute path. */
  folder: string;
}

const URL_SCHEME = /^([a-z][a-z0-9+.-]*):\/\//i;
const HOST = /^(?:[^/@]+@)?(?:\[[^/\]]*\]|[^/:]*):/;
const FOLDERS_ONLY = 'a remote is a folder, such as a mounted one: /mnt/store';

/**
 * Parses an address.
 *
 * @param base the folder to which a relative path is relative
 * @throws ReproError if it does not name a folder, with what would be right
 * @example parseRemoteAddress('../store', '/p/study') // { kind: 'folder', folder: '/p/store' }
 */
export function parseRemoteAddress(text: string, base: string): RemoteAddress {
  const refuse = (why: string): never => {
    throw new ReproError(`${JSON.stringify(text)} ${why}`);
  };
  if (text.trim() === '') refuse(`is not a remote; ${FOLDERS_ONLY}`);
  if (text.includes('\0')) refuse('has a NUL character, which no path can have');
  const scheme = URL_SCHEME.exec(text)?.[1].toLowerCase();
  if (scheme === 'file')
    return { kind: 'folder', folder: folderOfUrl(text) ?? refuse('is not a folder here; write /mnt/store') };
  if (scheme !== undefined) refuse(`is a URL (${scheme}:), which repro cannot copy to; ${FOLDERS_ONLY}`);
  if (/^([a-z]:)?\\/i.test(text)) refuse(`is a Windows path; ${FOLDERS_ONLY}`);
  if (/^\/\/[^/]/.test(text)) refuse(`names a share of another machine; ${FOLDERS_ONLY}`);
  if (HOST.test(text))
    refuse(
      `names another machine or service, which repro cannot copy to; ${FOLDERS_ONLY}; for a folder with a colon in its name write ./${text}`,
    );
  if (/^[~$]/.test(text))
    refuse(`starts with ${text[0]}, which only a shell replaces; write the whole path, or ./${text}`);
  return { kind: 'folder', folder: resolve(base, text) };
}

/** The path of a `file:` URL; undefined if it is on another machine, has a query, or is not valid. */
function folderOfUrl(text: string): string | undefined {
  try {
    return /[?#]/.test(text) ? undefined : fileURLToPath(text);
  } catch {
    return undefined;
  }
}
