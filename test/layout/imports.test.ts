/**
 * The layout rules of docs/architecture.md: a folder is entered by its index.ts only, imports run downward, and a lib
 * imports only the libs it is allowed to. A new folder must be added to the table below.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const ROOT = resolve(fileURLToPath(import.meta.url), '../../..');

/** Each lib: the other libs it may import, and its folders and single files from the top level down. */
const LIBS: { [lib: string]: { libs: string[]; levels: string[] } } = {
  repro: {
    libs: [],
    levels: [
      'cli',
      'import-dvc',
      'results',
      'execution',
      'slurm',
      'making',
      'forecast',
      'attempts',
      'planning',
      'storage',
      'workspace',
      'hosts',
      'processes',
      'stage-api',
      'edits',
      'graph',
      'pipeline',
      'shell',
      'hashing',
      'documents',
      'files',
      'programs',
      'freshness',
      'messages',
    ],
  },
  music: {
    libs: [],
    levels: [
      'trim.ts',
      'transpose-abc.ts',
      'rewrite-abc.ts',
      'abc-to-midi.ts',
      'musicxml-to-abc.ts',
      'midi-to-abc.ts',
      'analysis',
      'dialect',
      'musicxml',
      'abc',
      'quantise',
      'midi',
      'model',
    ],
  },
  compose: { libs: [], levels: [] },
  corpus: {
    libs: ['music', 'compose', 'threads'],
    levels: [
      'splitting',
      'conversion',
      'workers',
      'sources',
      'archives',
      'folder.ts',
      'formats.ts',
      'progress.ts',
      'errors.ts',
    ],
  },
  tokenizer: {
    libs: [],
    levels: [
      'corpus.ts',
      'load.ts',
      'text-constraint.ts',
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
  models: { libs: [], levels: [] },
  engine: { libs: ['models'], levels: ['open.ts', 'training', 'data', 'native', 'gpu', 'tfjs', 'interface'] },
  scaling: { libs: [], levels: ['study', 'analysis', 'token-law', 'size-law', 'tables', 'numbers', 'errors.ts'] },
  plots: { libs: ['scaling'], levels: ['output', 'laws', 'runs', 'data', 'style'] },
  threads: { libs: [], levels: [] },
  report: {
    libs: ['music', 'scaling', 'plots'],
    levels: ['report.ts', 'page.ts', 'sections', 'plots', 'text', 'data.ts', 'samples', 'html.ts', 'errors.ts'],
  },
};

/** Folders inside a folder of a lib that have an order of their own, from the top level down. */
const INNER: { [folder: string]: string[] } = {
  'lib/engine/gpu': ['model', 'networks', 'launches', 'device'],
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

/**
 * "lib/repro/cli/commands/run.ts" → { lib: "repro", folder: "cli" }; for a file beside index.ts, `folder` is the file.
 */
function placeOf(path: string): { lib: string; folder: string } {
  const [, lib, folder] = path.split('/');
  return { lib, folder };
}

const imports = importsIn('lib');

test('every folder of lib is in the table, and every folder in the table exists', () => {
  expect(readdirSync(join(ROOT, 'lib')).sort()).toEqual(Object.keys(LIBS).sort());
  for (const [lib, { levels }] of Object.entries(LIBS)) {
    const folders = readdirSync(join(ROOT, 'lib', lib), { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && entry.name !== 'client')
      .map(({ name }) => name);
    expect(folders.sort(), lib).toEqual(levels.filter((folder) => !folder.endsWith('.ts')).sort());
  }
});

test('a folder is entered by its index.ts only', () => {
  const wrong = imports.filter(({ from, to }) => {
    const [a, b] = [placeOf(from), placeOf(to)];
    if (a.lib !== b.lib) return to !== `lib/${b.lib}/index.ts` && to.startsWith('lib/');
    return a.folder !== b.folder && !b.folder.endsWith('.ts') && to !== `lib/${b.lib}/${b.folder}/index.ts`;
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

  for (const [lib, { levels }] of Object.entries(LIBS)) {
    if (levels.length === 0) continue;
    test(`in lib/${lib} from each level to those below it`, () => {
      const wrong = imports.filter(({ from, to }) => {
        const [a, b] = [placeOf(from), placeOf(to)];
        if (a.lib !== lib || b.lib !== lib || a.folder === b.folder || a.folder === 'index.ts') return false;
        return (
          !levels.includes(a.folder) ||
          !levels.includes(b.folder) ||
          levels.indexOf(a.folder) > levels.indexOf(b.folder)
        );
      });
      expect(wrong).toEqual([]);
    });
  }
});

test.each(Object.entries(INNER))('inside %s, imports run downward', (folder, levels) => {
  const within = (path: string) => path.slice(folder.length + 1).split('/')[0];
  const folders = readdirSync(join(ROOT, folder), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  expect(folders.map(({ name }) => name).sort()).toEqual([...levels].sort());
  const wrong = imports.filter(({ from, to }) => {
    if (![from, to].every((path) => path.startsWith(`${folder}/`)) || within(from) === 'index.ts') return false;
    return levels.indexOf(within(from)) > levels.indexOf(within(to));
  });
  expect(wrong).toEqual([]);
});

test('no files import each other in a circle, not even types', () => {
  const below = new Map<string, string[]>();
  for (const { from, to } of [...imports, ...importsIn('stages')]) below.set(from, [...(below.get(from) ?? []), to]);
  const ended = new Set<string>();
  /** The first circle below a file; `above` are the files that lead to it. */
  const circleFrom = (file: string, above: string[]): string[] | undefined => {
    if (above.includes(file)) return [...above.slice(above.indexOf(file)), file];
    if (ended.has(file)) return undefined;
    for (const to of below.get(file) ?? []) {
      const circle = circleFrom(to, [...above, file]);
      if (circle) return circle;
    }
    ended.add(file);
    return undefined;
  };
  for (const file of below.keys()) expect(circleFrom(file, [])).toBeUndefined();
});

test('stages and benches import libs by their index.ts, and nothing in lib imports a stage', () => {
  const stageImports = importsIn('stages').filter(({ to }) => to.startsWith('lib/'));
  expect(stageImports.filter(({ to }) => !/^lib\/[^/]+\/index\.ts$/.test(to))).toEqual([]);
  expect(imports.filter(({ to }) => to.startsWith('stages/'))).toEqual([]);
});
