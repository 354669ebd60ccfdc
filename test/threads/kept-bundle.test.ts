/** Bundles that are kept in node_modules/.cache/bundles, as programs and threads of the study use them. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { keptBundle } from '../../lib/threads/kept-bundle.mjs';

let folder: string;
/** Names the bundles of this test, so that they can be removed. */
let name: string;
let kept: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kept-bundle-'));
  name = folder.slice(folder.lastIndexOf('/') + 1);
  write('main.ts', `import { word } from './word.ts'; console.log(word);`);
  write('word.ts', `export const word: string = 'first';`);
});
afterEach(() => {
  for (const file of readdirSync(kept)) if (file.startsWith(name)) rmSync(join(kept, file));
  rmSync(folder, { recursive: true });
});

const write = (file: string, text: string) => writeFileSync(join(folder, file), text);

/** Bundles main.ts. `isNew`: whether the bundle was made by this call. */
async function bundle(): Promise<{ path: string; text: string; isNew: boolean }> {
  const before = kept === undefined ? [] : statsOf(kept);
  const made = await keptBundle(name, { entryPoints: [join(folder, 'main.ts')], format: 'esm', logLevel: 'silent' });
  kept = dirname(made.path);
  expect(readFileSync(made.path, 'utf8')).toBe(made.text);
  return { ...made, isNew: statsOf(kept).join() !== before.join() };
}

/** Inode and time of each file of this test's bundles. */
function statsOf(kept: string): string[] {
  const files = readdirSync(kept).filter((file) => file.startsWith(name));
  return files.map((file) => `${file} ${statSync(join(kept, file)).ino} ${statSync(join(kept, file)).mtimeMs}`);
}

test('a bundle is kept, and made again if a source that it imports has changed', async () => {
  const first = await bundle();
  expect(first).toMatchObject({ isNew: true, text: expect.stringContaining('"first"') });
  expect(await bundle()).toEqual({ ...first, isNew: false });
  write('word.ts', `export const word: string = 'second';`);
  expect(await bundle()).toMatchObject({ isNew: true, text: expect.stringContaining('"second"') });
  write('word.ts', `export const word: string = 'first';`);
  expect(await bundle()).toEqual({ ...first, isNew: false });
});

test('a source that is removed is an error, although the bundle was kept', async () => {
  await bundle();
  rmSync(join(folder, 'word.ts'));
  await expect(bundle()).rejects.toThrow(/word\.ts/);
});

test('a damaged bundle is made again', async () => {
  const { path, text } = await bundle();
  writeFileSync(path, text.replace('first', 'worst'));
  expect(await bundle()).toMatchObject({ path, text, isNew: true });
  writeFileSync(path, '');
  expect(await bundle()).toMatchObject({ path, text, isNew: true });
});
