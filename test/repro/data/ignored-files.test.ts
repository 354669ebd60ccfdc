/** Which files in a folder do not count: those of `.reproignore` and of the default patterns. */
import { readdirSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { setStages } from '../git-project.ts';
import { project, removeProjects, type TestProject } from '../project.ts';

afterEach(removeProjects);

const LIST = 'a: {cmd: find src | sort > list, deps: [src], outs: [list]}';

/** Whether stage a is fresh, by `repro status`. */
const isFresh = async (made: TestProject) => !('a' in (await made.stale()));

describe('a folder that a stage depends on', () => {
  test('does not change by what interpreters and editors leave in it, unless .reproignore takes it back', async () => {
    const made = project({ 'src/main.py': 'import lib\n', 'src/lib.py': 'X = 1\n', 'src/pkg/__init__.py': '' });
    // As python3 does: the run itself writes into the folder.
    setStages(
      made,
      'a: {cmd: mkdir -p src/__pycache__ && echo > src/__pycache__/lib.pyc && echo > out, deps: [src], outs: [out]}',
    );
    expect(await made.outcomes()).toEqual({ a: 'ran' });
    for (const left of [
      'src/.DS_Store',
      'src/pkg/.lib.py.swp',
      'src/pkg/x.swo',
      'src/.~lock.a.csv#',
      'src/~$a.xlsx',
      'src/lib.py~',
      'src/#lib.py#',
      'src/x.pyc',
    ])
      made.write(left, 'left');
    made.write('src/.ipynb_checkpoints/a.ipynb', '{}');
    expect(await isFresh(made)).toBe(true);
    made.write('.reproignore', '!*.swo\n');
    expect(Object.keys(await made.stale())).toEqual(['a']);
    made.write('.reproignore', '!__pycache__/\n!*.pyc\n');
    expect(Object.keys(await made.stale())).toEqual(['a']);
    made.remove('.reproignore');
    expect(await isFresh(made)).toBe(true);
    made.write('src/lib.py', 'X = 2\n');
    expect(Object.keys(await made.stale())).toEqual(['a']);
  });

  test('follows .reproignore as git follows .gitignore, also in subfolders, and notices each edit of one', async () => {
    const made = project({
      'src/a.txt': '',
      'src/a.log': '',
      'src/deep/er/b.log': '',
      'src/deep/keep.log': '',
      'src/gen/x': '',
      'other/gen/x': '',
      '.reproignore': '# logs\n*.log\n!keep.log\n/src/gen/\n',
      'src/deep/.reproignore': 'keep.log\n',
    });
    setStages(made, LIST, 'b: {cmd: ls other > names, deps: [other], outs: [names]}');
    await made.outcomes();
    for (const path of ['src/a.log', 'src/deep/er/new.log', 'src/gen/x', 'src/deep/keep.log'])
      made.write(path, 'changed');
    expect(await made.stale()).toEqual({});
    made.write('src/keep.log', 'counts');
    made.write('other/gen/x', 'counts, because the pattern starts with a slash');
    expect(Object.keys(await made.stale())).toEqual(['a', 'b']);
    await made.outcomes();
    expect((await made.repro()).stdout).toContain('up to date');
    made.write('src/deep/.reproignore', '!*.log\n');
    expect(Object.keys(await made.stale())).toEqual(['a']);
  });

  test('counts if a stage names it, also where a pattern matches the folder or the file itself', async () => {
    const made = project({ 'build/x': '1', 'build/x.tmp': '1', 'notes~': '1', '.reproignore': 'build/\n*.tmp\n' });
    setStages(made, 'a: {cmd: cat build/x notes~ > out, deps: [build, notes~], outs: [out]}');
    await made.outcomes();
    made.write('build/x.tmp', '2');
    expect(await isFresh(made)).toBe(true);
    made.write('build/x', '2');
    made.write('notes~', '2');
    expect((await made.stale()).a.reasons.map(({ path }) => path)).toEqual(['build', 'notes~']);
  });
});

describe('an ignored file in a folder that a stage makes', () => {
  const MAKE = 'a: {cmd: mkdir -p out/__pycache__ && cp u out/x && cp u out/__pycache__/x.pyc, deps: [u], outs: [out]}';
  const readTrash = (made: TestProject) =>
    readdirSync(made.path('.repro/trash')).map((move) => `.repro/trash/${move}/files`);

  test('is not recorded, with a word about it, and a file that no run made moves to the trash before the next run', async () => {
    const made = project({ u: '1' });
    setStages(made, MAKE);
    expect((await made.repro()).stdout).toContain(
      '! a: out/__pycache__ not recorded: .reproignore or a default pattern',
    );
    made.write('out/.x.swp', 'unsaved');
    expect(await isFresh(made)).toBe(true);
    made.write('u', '2');
    expect((await made.repro('--dry')).stdout).toContain('! a: would move out/.x.swp to .repro/trash');
    expect((await made.repro()).stdout).toContain('! a: moved out/.x.swp to .repro/trash');
    expect(
      readTrash(made).map((folder) => [made.read(`${folder}/out/.x.swp`), made.exists(`${folder}/out/__pycache__`)]),
    ).toEqual([['unsaved', false]]);
    // A restoration has the same rule, for a file that changed after the run too.
    made.write('out/__pycache__/x.pyc', 'edited');
    made.write('u', '1');
    expect(await made.outcomes()).toEqual({ a: 'restored' });
    expect([made.read('out/x'), made.exists('out/__pycache__'), readTrash(made).length]).toEqual(['1', false, 2]);
  });

  test('is kept by gc when its stage is gone, and a .reproignore in an output is not read', async () => {
    const made = project({ u: '1' });
    const listing =
      'c: {cmd: mkdir listing && cp u listing/x && echo "*" > listing/.reproignore, deps: [u], outs: [listing]}';
    setStages(made, 'a: {cmd: mkdir out && cp u out/x, deps: [u], outs: [out]}', listing);
    await made.outcomes();
    made.write('listing/x', '2');
    made.write('out/.x.swp', 'unsaved');
    expect(Object.keys(await made.stale())).toEqual(['c']);
    setStages(made, listing);
    expect((await made.repro('gc', '--yes')).stdout).toContain('kept out: it holds out/.x.swp, which .reproignore');
    expect(made.exists('out/.x.swp')).toBe(true);
  });

  test('counts if another stage names it', async () => {
    const made = project({ u: '1', '.reproignore': 'tmp/\n' });
    const make = 'a: {cmd: mkdir -p out/tmp && cp u out/x~ && cp u out/y~ && cp u out/tmp/z, deps: [u], outs: [out]}';
    setStages(made, make, 'b: {cmd: cat out/x~ out/tmp/z > v, deps: [out/x~, out/tmp/z], outs: [v]}');
    expect((await made.repro()).stdout).toContain('! a: out/y~ not recorded');
    made.remove('out');
    expect((await made.repro('checkout')).exit).toBe(0);
    expect([made.read('out/x~'), made.read('out/tmp/z'), made.exists('out/y~')]).toEqual(['1', '1', false]);
    expect(await made.stale()).toEqual({});
  });

  test('cannot be .reproignore itself', async () => {
    const made = project({ u: '1' });
    setStages(made, 'a: {cmd: cp u .reproignore, deps: [u], outs: [.reproignore]}');
    const { exit, stderr } = await made.repro();
    expect([exit, stderr.includes('cannot be or contain .reproignore')]).toEqual([2, true]);
  });
});
