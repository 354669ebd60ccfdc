/**
 * The modules behind a code entry: a remembered closure is used only while every import still means the same module.
 */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ContentHasher, ModuleGraph, openState, parseManifest, type State } from '../../../lib/repro/hashing/index.ts';

/** Milliseconds until the times of a file that has just been written are settled, so that its closure is remembered. */
const SETTLED = 60;

let root: string;
let state: State;
beforeEach(async () => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'repro-modules-')));
  state = await openState(root, { write: false });
  write('main.ts', "import { size } from './util';\nconsole.log(size);\n");
  write('util/index.ts', 'export const size = 1;\n');
  await pause(SETTLED);
});
afterEach(() => rmSync(root, { recursive: true }));

function write(file: string, text: string): void {
  mkdirSync(dirname(join(root, file)), { recursive: true });
  writeFileSync(join(root, file), text);
}

/** The modules of main.ts as a new call of repro finds them, with the memory of the calls before it. */
async function modules(): Promise<string[]> {
  const graph = new ModuleGraph(root, state, new ContentHasher(root, state));
  const closure = (await graph.closures(['main.ts'])).get('main.ts')!;
  return parseManifest(closure.manifest).map(({ path }) => path);
}

test('a closure is remembered: a second call finds the same modules', async () => {
  expect(await modules()).toEqual(['main.ts', 'util/index.ts']);
  expect(state.memos.get('code main.ts')).toContain('util/index.ts');
  expect(await modules()).toEqual(['main.ts', 'util/index.ts']);
});

test('a new file that takes over an import is noticed', async () => {
  await modules();
  write('util.ts', 'export const size = 2;\n');
  expect(await modules()).toEqual(['main.ts', 'util.ts']);
});

test('a new extension that takes over an import is noticed', async () => {
  await modules();
  write('util/index.tsx', 'export const size = 2;\n');
  expect(await modules()).toEqual(['main.ts', 'util/index.tsx']);
});

test('a package.json that redirects an import is noticed, when it appears and when it changes', async () => {
  write('util/other.ts', 'export const size = 3;\n');
  await pause(SETTLED);
  await modules();
  write('util/package.json', '{"main": "./other.ts"}');
  expect(await modules()).toEqual(['main.ts', 'util/other.ts']);
  await pause(SETTLED);
  await modules();
  write('util/package.json', '{"main": "./index.ts"}');
  expect(await modules()).toEqual(['main.ts', 'util/index.ts']);
});

test('a tsconfig.json that redirects an import is noticed', async () => {
  write('main.ts', "import { size } from '#size';\nconsole.log(size);\n");
  write('util/other.ts', 'export const size = 3;\n');
  write('tsconfig.json', '{"compilerOptions": {"paths": {"#size": ["./util/index.ts"]}}}');
  await pause(SETTLED);
  expect(await modules()).toEqual(['main.ts', 'util/index.ts']);
  write('tsconfig.json', '{"compilerOptions": {"paths": {"#size": ["./util/other.ts"]}}}');
  expect(await modules()).toEqual(['main.ts', 'util/other.ts']);
});

test('removing a module is an error that names the import', async () => {
  await modules();
  rmSync(join(root, 'util'), { recursive: true });
  await expect(modules()).rejects.toThrow('./util');
});

test('a package that is a link to a folder of the project is code of the project; an installed one is not', async () => {
  write(
    'main.ts',
    "import { size } from '@me/sizes';\nimport { big } from 'big';\nimport { read } from 'node:fs';\nimport 'missing';\nconsole.log(size, big, read);\n",
  );
  write('packages/sizes/package.json', '{"name": "@me/sizes", "exports": "./index.ts"}');
  write('packages/sizes/index.ts', "import { one } from './one.ts';\nexport const size = one;\n");
  write('packages/sizes/one.ts', 'export const one = 1;\n');
  write('packages/other/package.json', '{"name": "@me/sizes", "exports": "./index.ts"}');
  write('packages/other/index.ts', 'export const size = 2;\n');
  write('node_modules/big/package.json', '{"name": "big", "main": "index.js"}');
  write('node_modules/big/index.js', 'exports.big = 1;\n');
  mkdirSync(join(root, 'node_modules/@me'));
  const link = join(root, 'node_modules/@me/sizes');
  symlinkSync('../../packages/sizes', link);
  await pause(SETTLED);
  const followed = ['main.ts', 'packages/sizes/index.ts', 'packages/sizes/one.ts'];
  expect(await modules()).toEqual(followed);
  expect(state.memos.get('code main.ts')).toContain('packages/sizes');
  expect(await modules()).toEqual(followed);
  rmSync(link);
  symlinkSync('../../packages/other', link);
  expect(await modules()).toEqual(['main.ts', 'packages/other/index.ts']);
  rmSync(link);
  expect(await modules()).toEqual(['main.ts']);
});
