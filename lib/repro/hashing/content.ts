/**
 * What a file or folder holds, as a SHA-256. A folder's is that of its manifest: a line for each file in it, sorted by
 * path, with hash, size and executable bit, and a line for each empty folder. Looking is in scan.ts.
 */
import { createHash } from 'node:crypto';

export interface Content {
  /** Of the file, or of the folder's manifest. */
  sha256: string;
  /** bytes, of all files in it */
  size: number;
  /** Folders only: how many files are in it. */
  files?: number;
  /** Files only. */
  executable?: true;
}

/** A line of a manifest; an empty folder has no hash, and a path that ends with a slash. */
export interface ManifestEntry {
  path: string;
  sha256?: string;
  size?: number;
  executable?: true;
}

export interface Scanned {
  content: Content;
  /** Folders only: the text of the manifest. As objects, that of 100,000 files would take some 50 MB. */
  manifest?: string;
}

export function sameContent(a: Content | null | undefined, b: Content | null | undefined): boolean {
  if (!a || !b) return !a && !b;
  return a.sha256 === b.sha256 && (a.files === undefined) === (b.files === undefined) && a.executable === b.executable;
}

export function sha256(text: string | Uint8Array): string {
  return createHash('sha256').update(text).digest('hex');
}

export function manifestLine(path: string, sha256?: string, size?: number, executable?: boolean): string {
  if (sha256 === undefined) return `{"path":${JSON.stringify(path)}}\n`;
  return `{"path":${JSON.stringify(path)},"sha256":"${sha256}","size":${size}${executable ? ',"executable":true' : ''}}\n`;
}

export function parseManifest(text: string): ManifestEntry[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

/** A folder of these entries, which are sorted by path. */
export function folderOf(entries: readonly ManifestEntry[]): Required<Scanned> {
  const manifest = entries.map((e) => manifestLine(e.path, e.sha256, e.size, e.executable)).join('');
  const files = entries.filter((entry) => entry.sha256 !== undefined);
  const size = files.reduce((sum, { size }) => sum + size!, 0);
  return { content: { sha256: sha256(manifest), size, files: files.length }, manifest };
}

/** What a folder holds at `path` (relative to it); undefined when there is nothing. */
export function contentWithin(manifest: readonly ManifestEntry[], path: string): Content | undefined {
  const file = manifest.find((entry) => entry.path === path);
  if (file?.sha256 !== undefined)
    return { sha256: file.sha256, size: file.size!, ...(file.executable ? { executable: true } : {}) };
  const below = manifest.filter((entry) => entry.path.startsWith(`${path}/`));
  if (below.length === 0) return undefined;
  // The folder itself, if it is empty, is no line of its own manifest.
  const inside = below.map((entry) => ({ ...entry, path: entry.path.slice(path.length + 1) }));
  return folderOf(inside.filter((entry) => entry.path !== '')).content;
}
