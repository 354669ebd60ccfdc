/**
 * The content of a file or folder, as a SHA-256. For a folder it is the hash of its manifest. The manifest has one
 * line for each file, sorted by path, with hash, size and executable bit, and one line for each empty folder.
 * content-hasher.ts finds the content at a path.
 */
import { createHash } from 'node:crypto';

/** The content of a file or folder. */
export interface Content {
  /** Hash of the file, or of the folder's manifest. */
  sha256: string;
  /** Bytes; for a folder, of all its files. */
  size: number;
  /** Folders only: the number of files. */
  files?: number;
  /** Files only: present if the owner may execute the file. */
  executable?: true;
}

/** A line of a manifest. An empty folder has no hash, and its path ends with a slash. */
export interface ManifestEntry {
  path: string;
  sha256?: string;
  size?: number;
  executable?: true;
}

/** The content at a path. */
export interface Scanned {
  content: Content;
  /** Folders only: the manifest as text. As objects, the entries of 100,000 files would take about 50 MB. */
  manifest?: string;
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
 * Checks a manifest that was not made here, such as one from a remote.
 *
 * @returns a message if an entry leads outside of the folder or its hash is not a SHA-256; otherwise undefined
 */
export function manifestProblem(entries: readonly ManifestEntry[]): string | undefined {
  for (const { path, sha256 } of entries) {
    // The path of an empty folder ends with a slash.
    const parts = typeof path === 'string' ? path.replace(sha256 === undefined ? /\/$/ : '', '').split('/') : [''];
    if (parts.some((part) => part === '' || part === '.' || part === '..' || part.includes('\0')))
      return `its list of files has the path ${JSON.stringify(path)}, which is not inside of it`;
    if (sha256 !== undefined && !isSha256(sha256)) return `its list of files has a hash that is not a SHA-256`;
  }
  return undefined;
}

/** The content and manifest of a folder with these entries, which must be sorted by path. */
export function folderOf(entries: readonly ManifestEntry[]): Required<Scanned> {
  const manifest = entries.map((e) => manifestLine(e.path, e.sha256, e.size, e.executable)).join('');
  const files = entries.filter((entry) => entry.sha256 !== undefined);
  const size = files.reduce((sum, { size }) => sum + size!, 0);
  return { content: { sha256: sha256(manifest), size, files: files.length }, manifest };
}

/** The content at `path` inside a folder, relative to it; undefined if there is nothing. */
export function contentWithin(manifest: readonly ManifestEntry[], path: string): Content | undefined {
  const file = manifest.find((entry) => entry.path === path);
  if (file?.sha256 !== undefined)
    return { sha256: file.sha256, size: file.size!, ...(file.executable ? { executable: true } : {}) };
  const below = manifest.filter((entry) => entry.path.startsWith(`${path}/`));
  if (below.length === 0) return undefined;
  // An empty folder's own line is not part of its manifest.
  const inside = below.map((entry) => ({ ...entry, path: entry.path.slice(path.length + 1) }));
  return folderOf(inside.filter((entry) => entry.path !== '')).content;
}
