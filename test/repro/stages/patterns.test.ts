/** Patterns among `deps`: `src/*.py` stands for the files that match. */
import { afterEach, expect, test } from 'vitest';
import { project, removeProjects } from '../project.ts';

afterEach(removeProjects);

const PIPELINE = `
stages:
  count: {cmd: 'cat src/*.txt > out.txt', deps: [src/*.txt], outs: [out.txt]}
`;

test('a stage is stale if a file that matches changes, is added or is removed, and by no other file', async () => {
  const made = project({ 'pipeline.yaml': PIPELINE, 'src/a.txt': 'a', 'src/b.txt': 'b', 'src/c.md': 'c' });
  expect(await made.outcomes()).toEqual({ count: 'ran' });
  expect((await made.repro()).stdout).toBe('everything is up to date (1 stage)\n');
  made.write('src/c.md', 'other');
  made.write('src/sub/d.txt', 'deeper');
  made.write('src/.hidden.txt', 'hidden');
  expect(await made.stale()).toEqual({});
  made.write('src/a.txt', 'A');
  expect((await made.repro()).stdout).toContain('> count  src/a.txt changed');
  made.write('src/e.txt', 'e');
  expect(await made.outcomes()).toEqual({ count: 'ran' });
  expect(made.read('out.txt')).toBe('Abe');
  made.remove('src/b.txt');
  expect((await made.stale()).count.reasons.map(({ path }) => path)).toEqual(['src/*.txt']);
  expect(await made.outcomes()).toEqual({ count: 'ran' });
  // Back to files that were there before.
  made.write('src/b.txt', 'b');
  expect(await made.outcomes()).toEqual({ count: 'restored' });
  expect((await made.repro('show', 'count')).stdout).toContain('  reads      src/*.txt\n');
});

test('** matches in all folders below, and what .reproignore leaves out does not match', async () => {
  const made = project({
    'pipeline.yaml': `stages:\n  count: {cmd: 'find . -name "*.txt" | wc -l > out.txt', deps: ['**/*.txt'], outs: [out.txt]}\n`,
    'a.txt': '',
    'x/y/b.txt': '',
    'tmp/c.txt': '',
    '.reproignore': '/tmp/\n',
  });
  await made.outcomes();
  expect(Object.keys(made.lock().stages.count.deps)).toEqual(['**/*.txt', 'a.txt', 'x/y/b.txt']);
  // The output matches too, but a stage does not read its own.
  expect(await made.outcomes()).toEqual({});
});

test('outputs match by their definition, so a pattern orders stages', async () => {
  const made = project({
    'pipeline.yaml': `
stages:
  all: {cmd: 'cat m/*.json > all', deps: [m/*.json], outs: [all]}
  one: {matrix: {n: "\${ns}"}, cmd: 'mkdir -p m; echo \${item.n} > m/\${item.n}.json', outs: ['m/\${item.n}.json'], params: [x]}
`,
    'params.yaml': 'ns: [1, 2]\nx: 1\n',
  });
  expect(await made.outcomes()).toEqual({ 'one@1': 'ran', 'one@2': 'ran', all: 'ran' });
  expect(made.read('all')).toBe('1\n2\n');
  expect((await made.repro('dag')).stdout).toBe('one (2)\nall  ←  one\n');
  expect(await made.outcomes()).toEqual({});
  // A removed cell's file does not match any more, although it is still there.
  made.write('params.yaml', 'ns: [1]\nx: 1\n');
  expect((await made.stale()).all.reasons.map(({ path }) => path)).toEqual(['m/*.json']);
});

test('an incremental stage is told about the files', async () => {
  const made = project({
    'pipeline.yaml':
      'stages:\n  u: {incremental: true, cmd: cp $REPRO_CHANGES o, deps: ["in/*.txt"], outs: [o: {persist: true}]}\n',
    'in/a.txt': '',
    'in/b.txt': '',
  });
  await made.outcomes();
  made.remove('in/a.txt');
  made.write('in/c.txt', '');
  await made.outcomes();
  expect(JSON.parse(made.read('o'))).toEqual({ added: ['in/c.txt'], changed: [], removed: ['in/a.txt'] });
});

test('a pattern that cannot be known, or that matches nothing, is refused', async () => {
  const refused = async (pattern: string) => {
    const made = project({
      'pipeline.yaml': `stages:\n  make: {cmd: x, outs: [out]}\n  use:\n    cmd: x\n    deps: ['${pattern}']\n`,
    });
    return (await made.repro('--dry')).stderr;
  };
  expect(await refused('src/*.pyy')).toBe(
    'repro: pipeline.yaml:5:12: use: the dependency "src/*.pyy" is missing: no file matches it, and no stage makes it\n',
  );
  expect(await refused('out/*.csv')).toContain(
    'use: the pattern "out/*.csv" looks for files in out, which make makes, so they are only known after its run; list out itself',
  );
  expect(await refused('../*.csv')).toContain("leads outside of the pipeline's folder");
  const unquoted = project({ 'pipeline.yaml': 'stages:\n  a:\n    cmd: x\n    deps: [*.csv]\n' });
  expect((await unquoted.repro('--dry')).stderr).toBe(
    'repro: pipeline.yaml:4:12: this is not valid YAML: there is no anchor "&.csv"; a text that begins with * needs quotes\n',
  );
  const optional = project({
    'pipeline.yaml': 'stages:\n  a: {cmd: touch o, deps: [{"*.x": {optional: true}}], outs: [o]}\n',
  });
  expect(await optional.outcomes()).toEqual({ a: 'ran' });
  optional.write('b.x', '');
  expect(Object.keys(await optional.stale())).toEqual(['a']);
});
