/** Creates a temporary folder for each test, and reads and writes trees of files. */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { afterEach, beforeEach } from 'vitest';

/** Creates an empty folder before each test and removes it afterwards. */
export function testFolder(): { path(...names: string[]): string } {
  let root = '';
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'corpus-'));
  });
  afterEach(async () => {
    await rm(root, { recursive: true, force: true });
  });
  return { path: (...names) => join(root, ...names) };
}

/** Writes files, given by relative path, below a folder. */
export async function writeTree(root: string, files: Record<string, string | Uint8Array>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
  }
}

/** Lists the relative paths of all files below a folder, sorted. */
export async function treeOf(root: string): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(root, join(entry.parentPath ?? entry.path, entry.name)))
    .sort();
}

/** Reads all files below a folder, by relative path. The text is latin1, so that every byte is kept. */
export async function readTree(root: string): Promise<Record<string, string>> {
  const paths = await treeOf(root);
  const texts = await Promise.all(paths.map((path) => readFile(join(root, path), 'latin1')));
  return Object.fromEntries(paths.map((path, i) => [path, texts[i]]));
}
