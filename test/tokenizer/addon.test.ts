/** The check that a native addon was built from the sources beside it (native/built.mjs). */
import { appendFileSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const NATIVE = fileURLToPath(new URL('../../native', import.meta.url));
const project = mkdtempSync(join(tmpdir(), 'addon-'));
afterAll(() => rmSync(project, { recursive: true }));
const at = (path: string) => join(project, 'native', path);

/** requireFresh from a copy of native/built.mjs, which checks the copy of native/bpe in the same folder. */
let requireFresh: (name: string) => void;
beforeAll(async () => {
  cpSync(join(NATIVE, 'built.mjs'), at('built.mjs'));
  cpSync(join(NATIVE, 'bpe'), at('bpe'), { recursive: true });
  ({ requireFresh } = await import(/* @vite-ignore */ pathToFileURL(at('built.mjs')).href));
});

const isBuilt = existsSync(join(NATIVE, 'bpe/build/Release/bpe.node'));

test.skipIf(!isBuilt)(
  'an addon built from the sources beside it is accepted, whatever their modification times',
  () => {
    expect(() => requireFresh('bpe')).not.toThrow();
    utimesSync(at('bpe/src/train.cpp'), new Date(), new Date());
    expect(() => requireFresh('bpe')).not.toThrow();
  },
);

test.skipIf(!isBuilt)('an addon is refused if a source was changed or added since it was built', () => {
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
  'an addon without a digest of its sources is refused; an addon without sources, or a missing addon, is not checked',
  () => {
    rmSync(at('bpe/build/Release/bpe.node.sources'));
    expect(() => requireFresh('bpe')).toThrow('native/bpe has changed');
    rmSync(at('bpe/binding.gyp'));
    expect(() => requireFresh('bpe')).not.toThrow();
    expect(() => requireFresh('nothing')).not.toThrow();
  },
);
