/**
 * A folder of files in memory, with the content hashes that the manual promises: the SHA-256 of a file, and for a folder
 * that of its manifest. Nothing here comes from lib/repro, so that the test does not repeat a fault of it.
 */
import { createHash } from 'node:crypto';
import { chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** A file. */
export interface FileNode {
  text: string;
  executable: boolean;
}

/** The content of a file or folder, as in the lock. */
export interface Content {
  sha256: string;
  size: number;
  files?: number;
  executable?: true;
}

/** The files and folders at a path, relative to it; the path '' is the file or folder itself. */
export type Subtree = ReadonlyMap<string, FileNode | 'folder'>;

/** SHA-256 of a text. */
export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** Whether two contents are the same file or folder. */
export function isSame(a: Content | null | undefined, b: Content | null | undefined): boolean {
  if (!a || !b) return !a && !b;
  return a.sha256 === b.sha256 && (a.files === undefined) === (b.files === undefined) && a.executable === b.executable;
}

/** Whether `inner` is `outer` or lies in it. */
export function within(outer: string, inner: string): boolean {
  return inner === outer || inner.startsWith(`${outer}/`);
}

/** Whether one of the paths contains the other. */
export function touches(a: string, b: string): boolean {
  return within(a, b) || within(b, a);
}

/** The folder of a path; '.' for the root. */
export function parentOf(path: string): string {
  return path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '.';
}

/** Files and folders by path. Paths are relative and normalised. */
export class Tree {
  readonly #nodes = new Map<string, FileNode | 'folder'>();

  /**
   * Reads a folder of the disk.
   *
   * @param skip names in it that are left out
   */
  static fromDisk(root: string, skip: readonly string[] = []): Tree {
    const tree = new Tree();
    const add = (path: string) => {
      for (const name of readdirSync(join(root, path)).sort()) {
        const own = path === '' ? name : `${path}/${name}`;
        if (skip.includes(own)) continue;
        const stat = lstatSync(join(root, own));
        if (stat.isDirectory()) {
          tree.#nodes.set(own, 'folder');
          add(own);
        } else {
          const executable = (stat.mode & 0o100) !== 0;
          tree.#nodes.set(own, { text: readFileSync(join(root, own), 'utf8'), executable });
        }
      }
    };
    add('');
    return tree;
  }

  /** The paths of all files and folders. */
  get paths(): string[] {
    return [...this.#nodes.keys()].sort();
  }

  /** The paths of all files. */
  get filePaths(): string[] {
    return this.paths.filter((path) => this.#nodes.get(path) !== 'folder');
  }

  has(path: string): boolean {
    return this.#nodes.has(path);
  }

  isFolder(path: string): boolean {
    return this.#nodes.get(path) === 'folder';
  }

  /** The file at a path; undefined if there is none. */
  file(path: string): FileNode | undefined {
    const node = this.#nodes.get(path);
    return node === 'folder' ? undefined : node;
  }

  /** The text of a file; '' if there is none. */
  text(path: string): string {
    return this.file(path)?.text ?? '';
  }

  /** Writes a file as a shell would: the mode of a file that exists stays. */
  write(path: string, text: string, executable?: boolean): void {
    const old = this.file(path);
    this.addFolder(dirname(path));
    this.#nodes.set(path, { text, executable: executable ?? old?.executable ?? false });
  }

  /** Adds a folder and those above it. */
  addFolder(path: string): void {
    if (path === '.' || this.#nodes.has(path)) return;
    this.addFolder(dirname(path));
    this.#nodes.set(path, 'folder');
  }

  /** Removes a file, or a folder with all that is in it. */
  remove(path: string): void {
    for (const name of this.#nodes.keys()) if (within(path, name)) this.#nodes.delete(name);
  }

  /** What is at a path and below it. */
  subtree(path: string): Subtree {
    const found = new Map<string, FileNode | 'folder'>();
    for (const [name, node] of this.#nodes)
      if (within(path, name)) found.set(name.slice(path.length).replace(/^\//, ''), node);
    return found;
  }

  /** Puts a subtree at a path, where nothing may be. */
  graft(path: string, subtree: Subtree): void {
    this.addFolder(dirname(path));
    for (const [name, node] of subtree) this.#nodes.set(name === '' ? path : `${path}/${name}`, node);
  }

  /** The content at a path; undefined if there is nothing. */
  content(path: string): Content | undefined {
    const node = this.#nodes.get(path);
    return node === undefined ? undefined : contentOf(this.subtree(path));
  }

  copy(): Tree {
    const copy = new Tree();
    for (const [path, node] of this.#nodes) copy.#nodes.set(path, node);
    return copy;
  }

  /**
   * Brings a folder of the disk from the state `from` to this one, touching only what differs.
   *
   * @param isReplacing whether files are replaced, as most editors do, and not written in place
   */
  toDisk(root: string, from: Tree, isReplacing = false): void {
    for (const path of from.paths)
      if (!this.has(path) || this.isFolder(path) !== from.isFolder(path))
        rmSync(join(root, path), { recursive: true, force: true });
    for (const path of this.paths) {
      const node = this.#nodes.get(path)!;
      if (node === 'folder') mkdirSync(join(root, path), { recursive: true });
      else {
        const old = from.file(path);
        if (old?.text === node.text && old.executable === node.executable) continue;
        mkdirSync(dirname(join(root, path)), { recursive: true });
        if (isReplacing) rmSync(join(root, path), { force: true });
        writeFileSync(join(root, path), node.text);
        chmodSync(join(root, path), node.executable ? 0o755 : 0o644);
      }
    }
  }

  /** One line for each path that differs from another tree. */
  differences(other: Tree): string[] {
    const describe = (node: FileNode | 'folder' | undefined) =>
      node === undefined ? 'nothing' : node === 'folder' ? 'a folder' : JSON.stringify(node);
    return [...new Set([...this.paths, ...other.paths])]
      .map((path) => [path, describe(this.#nodes.get(path)), describe(other.#nodes.get(path))])
      .filter(([, own, its]) => own !== its)
      .map(([path, own, its]) => `${path}: ${own}, but ${its}`);
  }
}

/** The content of a subtree: of a file, or the manifest's of a folder. */
export function contentOf(subtree: Subtree): Content {
  const own = subtree.get('')!;
  if (own !== 'folder') {
    const content: Content = { sha256: sha256(own.text), size: Buffer.byteLength(own.text) };
    return own.executable ? { ...content, executable: true } : content;
  }
  const files = [...subtree.values()].filter((node) => node !== 'folder');
  const size = files.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0);
  return { sha256: sha256(manifestOf(subtree)), size, files: files.length };
}

/** The manifest of a folder: a line for each file and each empty folder, in the order of a walk. */
export function manifestOf(subtree: Subtree): string {
  const linesOf = (prefix: string): string => {
    const names = [...subtree.keys()].filter((path) => path.startsWith(prefix) && path !== '');
    const items = names
      .filter((path) => !path.slice(prefix.length).includes('/'))
      .map((path) => (subtree.get(path) === 'folder' ? `${path}/` : path))
      .sort();
    if (items.length === 0 && prefix !== '') return `${JSON.stringify({ path: prefix })}\n`;
    return items
      .map((path) => {
        if (path.endsWith('/')) return linesOf(path);
        const { text, executable } = subtree.get(path) as FileNode;
        const entry = { path, sha256: sha256(text), size: Buffer.byteLength(text) };
        return `${JSON.stringify(executable ? { ...entry, executable } : entry)}\n`;
      })
      .join('');
  };
  return linesOf('');
}
