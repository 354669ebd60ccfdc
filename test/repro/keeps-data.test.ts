/** repro never loses data: which files gc keeps, what a run does with files that it did not make, and where they go. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { project, removeProjects, type TestProject } from './project.ts';

afterEach(removeProjects);

/** Runs git in the folder of a project. */
function git(made: TestProject, ...args: string[]): string {
  const who = ['-c', 'user.name=a', '-c', 'user.email=a@example.org', '-c', 'init.defaultBranch=main'];
  return execFileSync('git', [...who, ...args], { cwd: made.root, encoding: 'utf8' });
}

/** Makes the folder of a project a repository with one commit of all files. */
function commitAll(made: TestProject): void {
  made.write('.gitignore', '.repro/\n');
  git(made, 'init', '-q');
  git(made, 'add', '-A');
  git(made, 'commit', '-qm', 'first');
}

/** Writes pipeline.yaml from the lines of its stages. */
function setStages(made: TestProject, ...stages: string[]): void {
  made.write('pipeline.yaml', `stages:\n${stages.map((line) => `  ${line}\n`).join('')}`);
}

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
    for (const path of ['../precious', './x/../pipeline.yaml', '.', inner('pipeline.yaml')]) {
      made.write('p/dvc-like.lock', lock.replace(/^ {6}o:/m, `      ${path}:`));
      const { exit, stdout } = await made.reproIn('p', 'gc', '--yes');
      expect([path, exit, stdout]).toEqual([path, 0, expect.stringMatching(/^old is no longer.*\nkept /)]);
      expect([made.exists('precious'), made.exists('p/pipeline.yaml'), made.exists('p/u')]).toEqual([true, true, true]);
    }
  });
});

describe('a checkpoint that repro must not remove is refused before anything runs', () => {
  /** Calls repro with this checkpoint, and returns its message without the place. */
  async function refusal(checkpoint: string, more: string = ''): Promise<string> {
    const made = project({ u: 'u\n', 'src/a.mjs': '', 'old/x': 'x\n', 'vars.yaml': 'v: 1\n', 's.json': '{}' });
    made.write(
      'pipeline.yaml',
      `vars: [vars.yaml]\nschemas: {vars.yaml: s.json}\nstages:\n  first: {cmd: touch ran, deps: [u], outs: [ran]}\n  a:\n    cmd: echo 1 > m\n    deps: [u, src/a.mjs]\n    outs: [m, made/m]\n    checkpoint: ${checkpoint}\n${more}`,
    );
    made.write('.git/HEAD', '');
    const before = made.snapshot();
    const { exit, stderr } = await made.repro();
    const now = Object.entries(made.snapshot()).filter(([path]) => !/^\.repro(\/|$)/.test(path));
    expect([exit, Object.fromEntries(now)]).toEqual([2, before]);
    const [, message] =
      /^repro: pipeline\.yaml:9:5: a: the checkpoint (.*)\. repro removes checkpoints\n$/.exec(stderr) ?? [];
    return message ?? stderr;
  }

  test('because of where it lies', async () => {
    for (const path of ['.', './src/..', '..', '../x', '/tmp/x'])
      expect([path, await refusal(path)]).toEqual([
        path,
        expect.stringMatching("must lie inside the pipeline's folder"),
      ]);
    for (const path of ['.git', '.git/refs', 'src/.git', '.repro', '.repro/cache', '.repro/state', 'pipeline.yaml'])
      expect([path, await refusal(path)]).toEqual([path, expect.stringMatching('cannot be or contain ')]);
    for (const path of ['params.yaml', 'vars.yaml', 's.json', 'dvc-like.lock'])
      expect([path, await refusal(path)]).toEqual([path, expect.stringMatching(`cannot be or contain ${path}`)]);
  });

  test('because a stage reads or writes it', async () => {
    expect(await refusal('src')).toBe('"src" overlaps with the dependency "src/a.mjs" of a');
    expect(await refusal('u/x')).toBe('"u/x" overlaps with the dependency "u" of first');
    expect(await refusal('m')).toBe('"m" overlaps with the output "m" of a');
    expect(await refusal('made')).toBe('"made" overlaps with the output "made/m" of a');
    expect(await refusal('ran')).toBe('"ran" overlaps with the output "ran" of first');
    const more = '  b: {cmd: ls, wdir: old, code: [../lib/b.mjs], outs: [../n], checkpoint: ../points/b}\n';
    expect(await refusal('lib', more)).toBe('"lib" overlaps with the code "lib/b.mjs" of b');
    expect(await refusal('points', more)).toBe('"points" overlaps with the checkpoint "points/b" of b');
    expect(await refusal('old', more)).toBe('"old" holds the working folder of b');
  });

  test('but not a folder of its own, or one below .repro/checkpoints', async () => {
    for (const path of ['points', '.repro/checkpoints/a', 'a/b/c']) {
      const made = project({ u: 'u\n' });
      setStages(made, `a: {cmd: 'cp u m && ! ls ${path}', deps: [., u], checkpoint: ${path}}`);
      const { exit, stderr } = await made.repro('--dry');
      if (path.startsWith('.repro')) expect([exit, stderr]).toEqual([0, '']);
      else expect(stderr).toMatch('overlaps with the dependency "." of a');
      setStages(made, `a: {cmd: cp u m, deps: [u], outs: [m], checkpoint: ${path}}`);
      expect((await made.repro()).exit).toBe(0);
    }
  });

  test('an output may not be a file that the pipeline is read from', async () => {
    const made = project({ u: 'u\n', 'vars.yaml': 'v: 1\n' });
    for (const path of ['vars.yaml', 'dvc-like.lock', 'sub/.git']) {
      made.write('pipeline.yaml', `vars: [vars.yaml]\nstages:\n  a: {cmd: cp u o, deps: [u], outs: [${path}]}\n`);
      const { exit, stderr } = await made.repro();
      expect([exit, stderr]).toEqual([
        2,
        expect.stringMatching(/^repro: pipeline\.yaml:3:3: a: the output .* cannot be or contain /),
      ]);
    }
    expect(made.read('vars.yaml')).toBe('v: 1\n');
  });
});
