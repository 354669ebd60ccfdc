/** The check that a native addon was built from the sources beside it (native/built.mjs). */
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const NATIVE = fileURLToPath(new URL('../../native', import.meta.url));
const project = mkdtempSync(join(tmpdir(), 'addon-'));
afterAll(() => rmSync(project, { recursive: true }));
const at = (path: string) => join(project, 'native', path);

type Built = typeof import('../../native/built.mjs');
/** Functions from a copy of native/built.mjs, which look at the copy of native/bpe in the same folder. */
let requireFresh: Built['requireFresh'];
let prebuildDigestOf: Built['prebuildDigestOf'];
let prebuildsOf: Built['prebuildsOf'];
let stampOf: Built['stampOf'];
beforeAll(async () => {
  cpSync(join(NATIVE, 'built.mjs'), at('built.mjs'));
  cpSync(join(NATIVE, 'bpe'), at('bpe'), { recursive: true });
  ({ requireFresh, prebuildDigestOf, prebuildsOf, stampOf } = await import(
    /* @vite-ignore */ pathToFileURL(at('built.mjs')).href
  ));
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

test('a prebuilt addon is checked the same way where nothing was built', () => {
  cpSync(join(NATIVE, 'bpe/binding.gyp'), at('bpe/binding.gyp'));
  rmSync(at('bpe/build'), { recursive: true, force: true });
  rmSync(at('bpe/prebuilds'), { recursive: true, force: true });
  expect(() => requireFresh('bpe')).not.toThrow();
  mkdirSync(join(project, prebuildsOf('bpe')), { recursive: true });
  expect(() => requireFresh('bpe')).toThrow('native/bpe has changed');
  writeFileSync(stampOf(join(project, prebuildsOf('bpe'))), prebuildDigestOf('bpe'));
  expect(() => requireFresh('bpe')).not.toThrow();
  appendFileSync(at('bpe/src/train.cpp'), ' ');
  expect(() => requireFresh('bpe')).toThrow('native/bpe has changed');
});
