/**
 * The layout rules of docs/architecture.md: a folder is entered by its index.ts only, imports run downward, and a lib
 * imports only the libs it is allowed to. A new folder must be added to the table below.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const ROOT = resolve(fileURLToPath(import.meta.url), '../../..');

/** Each lib: the other libs it may import, and its folders and single files from the top floor down. */
const LIBS: { [lib: string]: { libs: string[]; floors: string[] } } = {
  repro: {
    libs: [],
    floors: [
      'cli',
      'results',
      'execution',
      'planning',
      'storage',
      'processes',
      'stage-api',
      'pipeline',
      'hashing',
      'documents',
      'files',
      'messages',
    ],
  },
  music: {
    libs: [],
    floors: [
      'trim.ts',
      'transpose-abc.ts',
      'abc-to-midi.ts',
      'midi-to-abc.ts',
      'analysis',
      'abc',
      'quantise',
      'midi',
      'model',
    ],
  },
  compose: { libs: [], floors: [] },
  corpus: {
    libs: ['music', 'compose', 'threads'],
    floors: ['splitting', 'conversion', 'workers', 'sources', 'archives', 'folder.ts', 'progress.ts', 'errors.ts'],
  },
  tokenizer: {
    libs: [],
    floors: [
      'corpus.ts',
      'load.ts',
      'statistics.ts',
      'bpe',
      'char-tokenizer.ts',
      'music',
      'store',
      'tokenizer-file.ts',
      'documents.ts',
      'tokenizer.ts',
      'errors.ts',
    ],
  },
  models: { libs: [], floors: [] },
  engine: { libs: ['models'], floors: ['open.ts', 'training', 'data', 'native', 'tfjs', 'interface'] },
  scaling: { libs: [], floors: [] },
  plots: { libs: ['scaling'], floors: [] },
  threads: { libs: [], floors: [] },
  report: { libs: ['music', 'scaling', 'plots'], floors: [] },
};

interface Import {
  from: string;
  to: string;
}

/** Relative imports between TypeScript files below `folder`, as paths from the project's folder. */
function importsIn(folder: string): Import[] {
  const files = readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).filter((f) => f.endsWith('.ts'));
  return files.flatMap((name) => {
    const from = join(folder, name);
    const text = readFileSync(join(ROOT, from), 'utf8');
    const specifiers = [...text.matchAll(/\b(?:from|import)\s*\(?\s*'(\.[^']*\.ts)'/g)].map(
      ([, specifier]) => specifier,
    );
    return specifiers.map((specifier) => ({ from, to: relative(ROOT, resolve(ROOT, dirname(from), specifier)) }));
  });
}

/** "lib/repro/cli/commands/run.ts" → { lib: "repro", room: "cli" }; the room of a file beside index.ts is the file. */
function placeOf(path: string): { lib: string; room: string } {
  const [, lib, room] = path.split('/');
  return { lib, room };
}

const imports = importsIn('lib');

test('every folder of lib is in the table, and every folder in the table exists', () => {
  expect(readdirSync(join(ROOT, 'lib')).sort()).toEqual(Object.keys(LIBS).sort());
  for (const [lib, { floors }] of Object.entries(LIBS)) {
    const folders = readdirSync(join(ROOT, 'lib', lib), { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && entry.name !== 'client')
      .map(({ name }) => name);
    expect(folders.sort(), lib).toEqual(floors.filter((room) => !room.endsWith('.ts')).sort());
  }
});

test('a folder is entered by its index.ts only', () => {
  const wrong = imports.filter(({ from, to }) => {
    const [a, b] = [placeOf(from), placeOf(to)];
    if (a.lib !== b.lib) return to !== `lib/${b.lib}/index.ts` && to.startsWith('lib/');
    return a.room !== b.room && !b.room.endsWith('.ts') && to !== `lib/${b.lib}/${b.room}/index.ts`;
  });
  expect(wrong).toEqual([]);
});

test('a file does not import the index.ts of its own folder', () => {
  const wrong = imports.filter(({ from, to }) => to.endsWith('/index.ts') && from.startsWith(`${dirname(to)}/`));
  expect(wrong).toEqual([]);
});

describe('imports run downward', () => {
  test('a lib imports only the libs it is allowed to', () => {
    const wrong = imports.filter(({ from, to }) => {
      const [a, b] = [placeOf(from), placeOf(to)];
      return to.startsWith('lib/') && a.lib !== b.lib && !LIBS[a.lib].libs.includes(b.lib);
    });
    expect(wrong).toEqual([]);
  });

  for (const [lib, { floors }] of Object.entries(LIBS)) {
    if (floors.length === 0) continue;
    test(`in lib/${lib} from each floor to those below it`, () => {
      const wrong = imports.filter(({ from, to }) => {
        const [a, b] = [placeOf(from), placeOf(to)];
        if (a.lib !== lib || b.lib !== lib || a.room === b.room || a.room === 'index.ts') return false;
        return !floors.includes(a.room) || !floors.includes(b.room) || floors.indexOf(a.room) > floors.indexOf(b.room);
      });
      expect(wrong).toEqual([]);
    });
  }
});

test('stages and benches import libs by their index.ts, and nothing in lib imports a stage', () => {
  const stageImports = importsIn('stages').filter(({ to }) => to.startsWith('lib/'));
  expect(stageImports.filter(({ to }) => !/^lib\/[^/]+\/index\.ts$/.test(to))).toEqual([]);
  expect(imports.filter(({ to }) => to.startsWith('stages/'))).toEqual([]);
});
