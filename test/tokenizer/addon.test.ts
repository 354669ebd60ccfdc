import { appendFileSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const NATIVE = fileURLToPath(new URL('../../native', import.meta.url));
const project = mkdtempSync(join(tmpdir(), 'addon-'));
afterAll(() => rmSync(project, { recursive: true }));
const at = (path: string) => join(project, 'native', path);

/** A copy of native/bpe, asked about by a copy of native/built.mjs. */
let requireFresh: (name: string) => void;
beforeAll(async () => {
  cpSync(join(NATIVE, 'built.mjs'), at('built.mjs'));
  cpSync(join(NATIVE, 'bpe'), at('bpe'), { recursive: true });
  ({ requireFresh } = await import(/* @vite-ignore */ pathToFileURL(at('built.mjs')).href));
});

const isBuilt = existsSync(join(NATIVE, 'bpe/build/Release/bpe.node'));

test.skipIf(!isBuilt)('an addon is loaded while it is of the sources beside it, whatever their times', () => {
  expect(() => requireFresh('bpe')).not.toThrow();
  utimesSync(at('bpe/src/train.cpp'), new Date(), new Date());
  expect(() => requireFresh('bpe')).not.toThrow();
});

test.skipIf(!isBuilt)('an addon of other sources is refused, also where they are as old and as long', () => {
  const source = readFileSync(at('bpe/src/train.cpp'));
  appendFileSync(at('bpe/src/train.cpp'), ' ');
  expect(() => requireFresh('bpe')).toThrow(/^native\/bpe has changed since it was built.*run `npm run build`$/);
  cpSync(join(NATIVE, 'bpe/src/train.cpp'), at('bpe/src/train.cpp'));
  expect(readFileSync(at('bpe/src/train.cpp'))).toEqual(source);
  expect(() => requireFresh('bpe')).not.toThrow();
  cpSync(at('bpe/src/train.cpp'), at('bpe/src/new.cpp'));
  expect(() => requireFresh('bpe')).toThrow('native/bpe has changed');
  rmSync(at('bpe/src/new.cpp'));
});

test.skipIf(!isBuilt)(
  'one that was built by other means is refused; one that came without sources, or is none, is not asked about',
  () => {
    rmSync(at('bpe/build/Release/bpe.node.sources'));
    expect(() => requireFresh('bpe')).toThrow('native/bpe has changed');
    rmSync(at('bpe/binding.gyp'));
    expect(() => requireFresh('bpe')).not.toThrow();
    expect(() => requireFresh('nothing')).not.toThrow();
  },
);
