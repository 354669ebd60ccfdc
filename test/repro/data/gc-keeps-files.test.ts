/** gc --yes keeps the files of a removed stage that are in use, changed, or tracked by git. */
import { mkdirSync, symlinkSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { commitAll, git, setStages } from '../git-project.ts';
import { project, removeProjects, type TestProject } from '../project.ts';

afterEach(removeProjects);

describe('gc --yes keeps an output of a removed stage', () => {
  const OTHER = 'other: {cmd: cp u other, deps: [u], outs: [other]}';

  /** Runs `before`, replaces it by `after`, calls gc, and returns the lines about kept files. */
  async function keptLines(
    made: TestProject,
    before: string,
    after: string,
    change: () => void = () => {},
  ): Promise<string[]> {
    made.write('u', 'u\n');
    setStages(made, before, OTHER);
    await made.outcomes();
    setStages(made, after, OTHER);
    change();
    const [listed, freed] = [await made.repro('gc'), await made.repro('gc', '--yes')];
    const kept = (stdout: string) => stdout.split('\n').filter((line) => line.startsWith('kept '));
    expect([listed.exit, freed.exit, kept(listed.stdout)]).toEqual([0, 0, kept(freed.stdout)]);
    return kept(freed.stdout);
  }

  test('that another stage depends on, as a file or as a part of a folder', async () => {
    const made = project({});
    expect(
      await keptLines(
        made,
        'get: {cmd: mkdir -p in && cp u in/a && cp u b, deps: [u], outs: [in/a, b]}',
        'use: {cmd: cat in/a b > m, deps: [in, b], outs: [m]}',
      ),
    ).toEqual(['kept in/a: use reads it (it belongs to in)', 'kept b: use reads it']);
    expect([made.exists('in/a'), made.exists('b')]).toEqual([true, true]);
  });

  test('that another stage reads as a param file, a module, or through a symbolic link', async () => {
    const made = project({ 'main.mjs': "import './part.mjs';\n" });
    const lines = await keptLines(
      made,
      'get: {cmd: \'echo "k: 1" > p.yaml; echo "console.log(1)" > part.mjs; mkdir real; cp u real/x\', deps: [u], outs: [p.yaml, part.mjs, real]}',
      'use: {cmd: node main.mjs > m, deps: [link/x], code: [main.mjs], params: [{p.yaml: [k]}], outs: [m]}',
      () => symlinkSync('real', made.path('link')),
    );
    expect(lines.map((line) => line.replace(/ \(.*/, ''))).toEqual([
      'kept p.yaml: use reads it',
      'kept part.mjs: use reads it',
      'kept real: use reads it',
    ]);
    expect((await made.repro()).exit).toBe(0);
  });

  test('that the command of another stage names without listing it', async () => {
    const made = project({});
    expect(
      await keptLines(
        made,
        'get: {cmd: cp u data.csv, deps: [u], outs: [data.csv]}',
        'use: {cmd: cat ./data.csv > m, deps: [u], outs: [m]}',
      ),
    ).toEqual(['kept data.csv: the command of use names it']);
  });

  test('that holds an output of another stage, or lies in one', async () => {
    const made = project({});
    expect(
      await keptLines(
        made,
        'old: {cmd: mkdir d && cp u d/x, deps: [u], outs: [d]}',
        'new: {cmd: cp u d/y, deps: [u], outs: [d/y]}',
      ),
    ).toEqual(['kept d: new makes it (d/y is in it)']);
    const inner = project({});
    expect(
      await keptLines(
        inner,
        'old: {cmd: mkdir -p e && cp u e/y, deps: [u], outs: [e/y]}',
        'new: {cmd: mkdir e && cp u e/x, deps: [u], outs: [e]}',
      ),
    ).toEqual(['kept e/y: new makes it (it belongs to e)']);
    expect([made.exists('d/x'), inner.exists('e/y')]).toEqual([true, true]);
  });

  test('that a person edited, or to which a person added a file', async () => {
    const made = project({});
    expect(
      await keptLines(
        made,
        'old: {cmd: mkdir d && cp u d/x && cp u f && cp u g, deps: [u], outs: [d, f, g]}',
        OTHER.replaceAll('other', 'third'),
        () => {
          made.write('d/notes.txt', 'mine');
          made.write('f', 'mine');
        },
      ),
    ).toEqual(['kept d: it changed after old made it', 'kept f: it changed after old made it']);
    expect([made.exists('d/x'), made.read('f'), made.exists('g')]).toEqual([true, 'mine', false]);
  });

  test('that git tracks', async () => {
    const made = project({});
    expect(
      await keptLines(
        made,
        'old: {cmd: mkdir d && cp u d/x && cp u r, deps: [u], outs: [d, {r: {cache: false}}]}',
        OTHER.replaceAll('other', 'third'),
        () => commitAll(made),
      ),
    ).toEqual(['kept d: git tracks it', 'kept r: git tracks it']);
    expect(git(made, 'status', '--porcelain', 'd', 'r')).toBe('');
  });

  test('that does not lie in the project, or is one of its own files', async () => {
    const made = project({});
    mkdirSync(made.path('p'));
    const inner = (path: string) => made.path(`p/${path}`);
    made.write('p/u', 'u\n');
    made.write('precious', 'u\n');
    made.write('p/pipeline.yaml', 'stages:\n  old: {cmd: cp u o, deps: [u], outs: [o]}\n');
    expect((await made.reproIn('p')).exit).toBe(0);
    made.write('p/pipeline.yaml', 'stages: {}\n');
    const lock = made.read('p/dvc-like.lock');
    symlinkSync('..', inner('up'));
    for (const path of ['../precious', 'up/precious', './x/../pipeline.yaml', '.', inner('pipeline.yaml')]) {
      made.write('p/dvc-like.lock', lock.replace(/^ {6}o:/m, `      ${path}:`));
      const { exit, stdout } = await made.reproIn('p', 'gc', '--yes');
      expect([path, exit, stdout]).toEqual([path, 0, expect.stringMatching(/^old is no longer.*\nkept /)]);
      expect([made.exists('precious'), made.exists('p/pipeline.yaml'), made.exists('p/u')]).toEqual([true, true, true]);
    }
  });
});
