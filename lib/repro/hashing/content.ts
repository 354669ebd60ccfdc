/**
 * The content of a file or folder, as a SHA-256. For a folder it is the hash of its manifest. The manifest has one
 * line for each file, sorted by path, with hash, size and executable bit, one line for each empty folder, and one for
 * each symbolic link that counts as a link (see links.ts). content-hasher.ts finds the content at a path.
 */
import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import { leadsOutside } from './links.ts';

/** The content of a file or folder. */
export interface Content {
  /** Hash of the file, or of the folder's manifest. */
  sha256: string;
  /** Bytes; for a folder, of all its files. */
  size: number;
  /** Folders only: the number of files and links. */
  files?: number;
  /** Files only: present if the owner may execute the file. */
  executable?: true;
}

/** A line of a manifest. An empty folder has neither hash nor link, and its path ends with a slash. */
export interface ManifestEntry {
  path: string;
  sha256?: string;
  size?: number;
  executable?: true;
  /** The target of a symbolic link. */
  link?: string;
}

/** The content at a path. */
export interface Scanned {
  content: Content;
  /** Folders only: the manifest as text. As objects, the entries of 100,000 files would take about 50 MB. */
  manifest?: string;
  /** Folders only: paths in it that do not count, because an ignore file or a default pattern says so. */
  ignored?: readonly string[];
}

/** Whether both are missing, or have the same hash, kind and executable bit. */
export function sameContent(a: Content | null | undefined, b: Content | null | undefined): boolean {
  if (!a || !b) return !a && !b;
  return a.sha256 === b.sha256 && (a.files === undefined) === (b.files === undefined) && a.executable === b.executable;
}

/** The SHA-256 in hexadecimal digits; text is encoded as UTF-8. */
export function sha256(text: string | Uint8Array): string {
  return createHash('sha256').update(text).digest('hex');
}

/** One line of a manifest, with its newline; without `sha256`, that of an empty folder. */
export function manifestLine(path: string, sha256?: string, size?: number, executable?: boolean): string {
  if (sha256 === undefined) return `{"path":${JSON.stringify(path)}}\n`;
  return `{"path":${JSON.stringify(path)},"sha256":"${sha256}","size":${size}${executable ? ',"executable":true' : ''}}\n`;
}

/** The line of a symbolic link. */
export function linkLine(path: string, link: string): string {
  return `{"path":${JSON.stringify(path)},"link":${JSON.stringify(link)}}\n`;
}

/** The entries of a manifest. */
export function parseManifest(text: string): ManifestEntry[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

/** Whether a text has the form of a SHA-256. Other texts must not become part of a path in the cache. */
export function isSha256(text: unknown): text is string {
  return typeof text === 'string' && /^[0-9a-f]{64}$/.test(text);
}

/**
 * Checks a manifest before its files are written: it may come from a remote.
 *
 * @returns a message if an entry or a link leads outside of the folder or a hash is not a SHA-256; otherwise undefined
 */
export function manifestProblem(entries: readonly ManifestEntry[]): string | undefined {
  const links = new Set<string>();
  for (const { path, sha256, link } of entries) {
    // The path of an empty folder ends with a slash.
    const isFolder = sha256 === undefined && link === undefined;
    const parts = typeof path === 'string' ? path.replace(isFolder ? /\/$/ : '', '').split('/') : [''];
    if (parts.some((part) => part === '' || part === '.' || part === '..' || part.includes('\0')))
      return `its list of files has the path ${JSON.stringify(path)}, which is not inside of it`;
    if (sha256 !== undefined && !isSha256(sha256)) return `its list of files has a hash that is not a SHA-256`;
    if (link === undefined) continue;
    if (sha256 !== undefined || leadsOutside(path, link))
      return `its symbolic link ${JSON.stringify(path)} to ${JSON.stringify(link)} leads outside of it`;
    links.add(path);
  }
  if (links.size === 0) return undefined;
  // A file would be written through a link that has its path, or that is a folder above it.
  const seen = new Set<string>();
  for (const { path } of entries) {
    const above = path.split('/').slice(0, -1);
    const isThrough = above.some((_, i) => links.has(above.slice(0, i + 1).join('/')));
    if (isThrough || seen.has(path))
      return `its list of files has the path ${JSON.stringify(path)} twice, or inside of a symbolic link`;
    seen.add(path);
  }
  return undefined;
}

/** The content and manifest of a folder with these entries, which must be sorted by path. */
export function folderOf(entries: readonly ManifestEntry[]): { content: Content; manifest: string } {
  const manifest = entries.map(lineOf).join('');
  const files = entries.filter(({ sha256, link }) => sha256 !== undefined || link !== undefined);
  const size = files.reduce((sum, { size = 0 }) => sum + size, 0);
  return { content: { sha256: sha256(manifest), size, files: files.length }, manifest };
}

function lineOf({ path, sha256, size, executable, link }: ManifestEntry): string {
  return link === undefined ? manifestLine(path, sha256, size, executable) : linkLine(path, link);
}

/**
 * The content at `path` inside a folder, relative to it. Its symbolic links are followed.
 *
 * @returns undefined if there is nothing, or if a part of the folder holds links, which may lead out of this part
 */
export function contentWithin(manifest: readonly ManifestEntry[], path: string): Content | undefined {
  const target = followLinks(manifest, path);
  if (target !== path) return target === undefined ? undefined : contentWithin(manifest, target);
  const file = manifest.find((entry) => entry.path === path);
  if (file?.sha256 !== undefined)
    return { sha256: file.sha256, size: file.size!, ...(file.executable ? { executable: true } : {}) };
  const below = manifest.filter((entry) => entry.path.startsWith(`${path}/`));
  if (below.length === 0 || below.some(({ link }) => link !== undefined)) return undefined;
  // An empty folder's own line is not part of its manifest.
  const inside = below.map((entry) => ({ ...entry, path: entry.path.slice(path.length + 1) }));
  return folderOf(inside.filter((entry) => entry.path !== '')).content;
}

/** The most links that one path may lead through, as in Linux. */
const MAX_LINKS = 40;

/** The path that `path` leads to; undefined if it leads round in a circle or outside. */
function followLinks(manifest: readonly ManifestEntry[], path: string): string | undefined {
  const links = new Map(manifest.flatMap((entry) => (entry.link === undefined ? [] : [[entry.path, entry.link]])));
  let at = path;
  for (let followed = 0; links.size > 0 && followed < MAX_LINKS; followed++) {
    const parts = at.split('/');
    const end = parts.findIndex((_, i) => links.has(parts.slice(0, i + 1).join('/'))) + 1;
    if (end === 0) return at;
    const link = parts.slice(0, end).join('/');
    if (leadsOutside(link, links.get(link))) return undefined;
    at = posix.join(posix.dirname(link), links.get(link)!, ...parts.slice(end));
    if (at.endsWith('/')) at = at.slice(0, -1);
  }
  return links.size > 0 ? undefined : at;
}
