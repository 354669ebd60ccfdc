/** repro never loses data: which files gc keeps, what a run does with files that it did not make, and where they go. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { removeUserPath } from '../../lib/repro/workspace/index.ts';
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

describe('a file that stands where a stage writes', () => {
  const COPY = 'a: {cmd: cp u o, deps: [u], outs: [o]}';

  /** The lines of repro's output about what was moved or replaced. */
  function notes({ stdout }: { stdout: string }): string[] {
    return stdout.split('\n').filter((line) => line.startsWith('! '));
  }

  /** What the trash holds: the text of each file by the path that it was moved from. */
  async function trash(made: TestProject): Promise<{ [path: string]: string }> {
    const { stdout } = await made.repro('trash', '--json');
    const entries = JSON.parse(stdout) as { path: string; location: string }[];
    return Object.fromEntries(entries.map(({ path, location }) => [path, made.read(location)]));
  }

  const MOVED = /^! a: moved o to \.repro\/trash\/[\w-]+\.\w+-a\/files: repro has no record of its content$/;

  test('is moved to the trash if repro did not make it; --dry says so and moves nothing', async () => {
    const made = project({ u: 'u\n', o: 'precious\n' });
    setStages(made, COPY);
    const dry = await made.repro('--dry');
    expect(notes(dry)).toEqual(['! a: would move o to .repro/trash: repro has no record of its content']);
    expect(made.read('o')).toBe('precious\n');
    const ran = await made.repro();
    expect([ran.exit, notes(ran)]).toEqual([0, [expect.stringMatching(MOVED)]]);
    expect([made.read('o'), await trash(made)]).toEqual(['u\n', { o: 'precious\n' }]);
  });

  test('is moved if a person edited it, or changed a file of a folder', async () => {
    const made = project({ u: 'u\n' });
    setStages(made, COPY, 'b: {cmd: mkdir d && cp u d/x, deps: [u], outs: [d]}');
    expect(notes(await made.repro())).toEqual([]);
    made.write('o', 'edited\n');
    made.write('d/notes', 'mine\n');
    made.write('u', 'two\n');
    expect(notes(await made.repro('-j', '1'))).toEqual([
      expect.stringMatching(MOVED),
      expect.stringMatching(/^! b: moved d to /),
    ]);
    const listed = JSON.parse((await made.repro('trash', '--json')).stdout) as { path: string; location: string }[];
    expect(listed.map(({ path }) => path)).toEqual(['o', 'd']);
    expect([made.read(listed[0].location), made.read(`${listed[1].location}/notes`)]).toEqual(['edited\n', 'mine\n']);
  });

  test('is moved before a run is restored, and by checkout', async () => {
    const made = project({ u: '1\n' });
    setStages(made, COPY);
    await made.outcomes();
    made.write('o', 'first edit\n');
    const restored = await made.repro();
    expect([restored.exit, made.read('o'), notes(restored)]).toEqual([0, '1\n', [expect.stringMatching(MOVED)]]);
    made.write('o', 'second edit\n');
    const checkout = await made.repro('checkout');
    expect([checkout.exit, made.read('o'), notes(checkout)]).toEqual([0, '1\n', [expect.stringMatching(MOVED)]]);
    const { stdout } = await made.repro('trash');
    expect(stdout.match(/^o {2}moved for a on /gm)).toHaveLength(2);
  });

  test('is removed without a word if repro made it: by the lock, another stage name, a run, or a failed attempt', async () => {
    const made = project({ u: '1\n' });
    setStages(
      made,
      COPY,
      'big: {cmd: "head -c 2000000 /dev/zero | tr 0 1 > big && cat u >> big", deps: [u], outs: [{big: {cache: false}}]}',
    );
    await made.outcomes();
    const lock = made.read('dvc-like.lock');
    made.write('u', '2\n');
    expect(notes(await made.repro())).toEqual([]);
    // As after `git checkout` of an earlier commit: the lock is older than the outputs.
    made.write('dvc-like.lock', lock);
    made.write('u', '3\n');
    expect(notes(await made.repro())).toEqual([]);
    setStages(made, COPY.replace('a:', 'renamed:').replace('cp', 'cp -f'));
    expect(notes(await made.repro())).toEqual([]);
    setStages(made, COPY.replace('cp u o', 'echo half > o; exit 1'));
    expect((await made.repro()).exit).toBe(1);
    expect(notes(await made.repro())).toEqual([]);
    setStages(made, COPY.replace('cp u o', 'echo other > o'));
    expect(notes(await made.repro('--no-commit'))).toEqual([]);
    expect(notes(await made.repro('--no-commit', '-f'))).toEqual([]);
    made.write('o', 'edited after the attempt\n');
    expect(notes(await made.repro('-f'))).toHaveLength(1);
    expect(await trash(made)).toEqual({ o: 'edited after the attempt\n' });
  });

  test('is refused if git tracks it and its changes are not committed; nothing runs', async () => {
    const made = project({ u: 'u\n', o: 'committed\n' });
    setStages(made, 'first: {cmd: touch ran, deps: [u], outs: [ran]}', COPY);
    commitAll(made);
    made.write('o', 'not committed\n');
    for (const options of [[], ['--dry'], ['-f']]) {
      const { exit, stderr } = await made.repro(...options);
      expect([exit, stderr]).toEqual([
        2,
        expect.stringMatching(
          /^repro: pipeline\.yaml:3:3: a: the output "o" is tracked by git, and its changes are not/,
        ),
      ]);
    }
    expect([made.read('o'), made.exists('ran')]).toEqual(['not committed\n', false]);
    git(made, 'update-index', '--skip-worktree', 'o');
    expect((await made.repro()).exit).toBe(2);
    expect(made.read('o')).toBe('not committed\n');
  });

  test('is replaced with a note if it is as git committed it; an edited metrics file goes to the trash', async () => {
    const made = project({ u: 'u\n', o: 'committed\n', m: '{"n": 1}' });
    setStages(made, COPY, 'b: {cmd: cp u m, deps: [u], outs: [{m: {cache: false}}]}');
    commitAll(made);
    made.write('m', '{"n": 2}');
    const ran = await made.repro('-j', '1');
    expect([ran.exit, notes(ran)]).toEqual([
      0,
      ["! a: replaced o, as git's last commit has it", expect.stringMatching(/^! b: moved m to /)],
    ]);
    expect(git(made, 'show', 'HEAD:o')).toBe('committed\n');
    expect(await trash(made)).toEqual({ m: '{"n": 2}' });
  });

  test('is moved too if it is a checkpoint that no attempt wrote', async () => {
    const made = project({ u: 'u\n', 'points/best.pt': 'three weeks\n' });
    setStages(made, `${COPY.slice(0, -1)}, checkpoint: points}`);
    const ran = await made.repro();
    expect([ran.exit, notes(ran)]).toEqual([0, [expect.stringMatching(/^! a: moved points to /)]]);
    expect((await made.repro('trash', 'restore', 'points')).exit).toBe(0);
    expect(made.read('points/best.pt')).toBe('three weeks\n');
    // An attempt at other inputs has a checkpoint of its own, at another path.
    setStages(made, COPY.replace('cp u o', 'exit 1').replace('}', ', checkpoint: other}'));
    expect((await made.repro()).exit).toBe(1);
    setStages(made, COPY.replace('cp u o', 'exit 1').replace('}', ', checkpoint: points}'));
    expect(notes(await made.repro())).toEqual([expect.stringMatching(/^! a: moved points to /)]);
  });

  test('is refused if it is a checkpoint that git tracks', async () => {
    const made = project({ u: 'u\n', 'lib/x': 'source\n' });
    setStages(made, `${COPY.slice(0, -1)}, checkpoint: lib}`);
    commitAll(made);
    const { exit, stderr } = await made.repro();
    expect([exit, stderr]).toEqual([
      2,
      expect.stringMatching(/:2:3: a: the checkpoint "lib" holds files that git tracks/),
    ]);
    expect(made.read('lib/x')).toBe('source\n');
  });

  test('comes back with `repro trash restore`, which overwrites nothing; gc --yes empties the trash', async () => {
    const made = project({ u: 'u\n', 'd/o': 'precious\n' });
    setStages(made, COPY.replace('cp u o', 'cp u d/o').replace('[o]', '[d/o]'));
    await made.repro();
    const refused = await made.reproIn('d', 'trash', 'restore', 'o');
    expect([refused.exit, refused.stderr]).toEqual([
      1,
      expect.stringMatching(/^repro: d\/o exists and is not overwritten/),
    ]);
    expect(made.read('d/o')).toBe('u\n');
    made.remove('d/o');
    expect((await made.reproIn('d', 'trash', 'restore', 'o')).exit).toBe(0);
    expect([made.read('d/o'), (await made.repro('trash')).stdout]).toEqual(['precious\n', 'the trash is empty\n']);
    expect((await made.repro('trash', 'restore', 'd/o')).exit).toBe(2);
    await made.repro('-f');
    expect((await made.repro('gc')).stdout).toMatch('would free d/o in the trash\n');
    expect((await made.repro('gc', '--age', '1d', '--yes')).stdout).not.toMatch('in the trash');
    expect(await trash(made)).toEqual({ 'd/o': 'precious\n' });
    expect((await made.repro('gc', '--yes')).stdout).toMatch('freed d/o in the trash\n');
    expect((await made.repro('trash')).stdout).toBe('the trash is empty\n');
  });
});

describe('removing and overwriting', () => {
  /** The only files of lib/repro that may remove or write files, and what they do it to. */
  const WRITERS: { [file: string]: string } = {
    'workspace/user-files.ts': 'files that users see, after the checks of planning/replaced-files.ts and gc',
    'workspace/trash.ts': '.repro/trash, and what is moved there and back',
    'workspace/attempt-marks.ts': '.repro/attempting and .repro/unrecorded',
    'files/atomic-write.ts': 'files that its callers name; these are in this table too',
    'hashing/state.ts': '.repro/state',
    'hashing/fresh-stamp.ts': '.repro/fresh',
    'processes/process-groups.ts': '.repro/leases',
    'storage/object-store.ts': '.repro/cache',
    'storage/run-cache.ts': '.repro/runs',
    'storage/copies.ts': '.repro/cache; gives a persistent output that is a link into it a copy of its own',
    'storage/cache.ts': '.repro/cache; an output that is restored, after removeUserPath',
    'storage/remote.ts': 'the remote and .repro/cache',
    'storage/lock.ts': 'dvc-like.lock',
    'pipeline/edit-params.ts': 'the params file that -S names; pipeline.yaml for freeze',
    'execution/attempt-log.ts': '.repro/attempts.jsonl and .repro/logs',
    'cli/commands/gc.ts': '.repro/cache and .repro/runs',
    'cli/commands/init.ts': 'pipeline.yaml if there is none, params.yaml, .gitignore',
    'cli/commands/plots.ts': 'the page that -o names',
  };
  const CALLS =
    /\b(rm|rmdir|unlink|rename|writeFile|appendFile|truncate|cp|copyFile|symlink|link|createWriteStream|writeAtomically|moveIntoPlace)(Sync)?\(/;

  test('is done only in the files of lib/repro that are known for it', () => {
    const folder = fileURLToPath(new URL('../../lib/repro/', import.meta.url));
    const writers = readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts') && CALLS.test(readFileSync(join(folder, name), 'utf8')))
      .map((name) => name.replaceAll('\\', '/'));
    expect(writers.sort()).toEqual(Object.keys(WRITERS).sort());
  });

  test('never touches the root, what lies outside of it, or git', () => {
    const made = project({ 'a/.git/x': '', b: '' });
    for (const path of ['.', '..', '../x', '.git', 'a/.git', 'a/.git/x', 'a/../..', '/tmp'])
      expect(() => removeUserPath(made.root, path), path).toThrow('is not removed');
    removeUserPath(made.root, 'b');
    expect([made.exists('b'), made.exists('a/.git/x')]).toEqual([false, true]);
  });
});

describe('nothing is written outside of the folder of the pipeline', () => {
  const STAGE = 'a: {cmd: echo made > out.txt, deps: [u], outs: [OUT]}';
  const hash = (text: string) => createHash('sha256').update(text).digest('hex');

  /** A remote that holds these texts, and a lock that says that stage a made `out` from them. */
  function craft(made: TestProject, out: string, content: object, ...texts: string[]): string {
    const store = project({}).root;
    for (const text of texts) {
      const folder = join(store, 'sha256', hash(text).slice(0, 2));
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, hash(text).slice(2)), text);
    }
    made.write('u', 'u\n');
    setStages(made, STAGE.replace('OUT', out));
    const lines = (values: object) => Object.entries(values).map(([key, value]) => `        ${key}: ${value}\n`);
    made.write(
      'dvc-like.lock',
      `stages:
  a:
    cmd: echo made > out.txt
    deps:
      u:
${lines({ sha256: hash('u\n'), size: 2 }).join('')}    outs:
      ${out}:
${lines(content).join('')}`,
    );
    return store;
  }

  test.each(['../escaped', '/escaped', 'a/../../escaped', '', './escaped'])(
    'by a folder from a remote whose list of files has the path "%s"',
    async (path) => {
      const made = project({});
      const evil = 'evil\n';
      const list = `${JSON.stringify({ path, sha256: hash(evil), size: 5 })}\n`;
      const store = craft(made, 'out', { sha256: hash(list), size: 5, files: 1 }, evil, list);
      const pulled = await made.repro('pull', '-r', store);
      expect(pulled.exit).toBe(1);
      expect(pulled.stderr).toContain('which is not inside of it; it was not copied');
      expect(pulled.stderr).not.toContain('    at ');
      expect(readdirSync(join(made.root, '..'))).not.toContain('escaped');
      expect(existsSync('/escaped')).toBe(false);
    },
  );

  test('by a folder from a remote with an empty folder that would lie outside', async () => {
    const made = project({});
    const list = `${JSON.stringify({ path: '../escaped/' })}\n`;
    const store = craft(made, 'out', { sha256: hash(list), size: 0, files: 0 }, list);
    const pulled = await made.repro('pull', '-r', store);
    expect([pulled.exit, pulled.stderr.includes('which is not inside of it')]).toEqual([1, true]);
  });

  test('by a lock or a list of files with a hash that is a path', async () => {
    const made = project({});
    const store = craft(made, 'out', { sha256: '../../../u', size: 5 });
    const pulled = await made.repro('pull', '-r', store);
    expect([pulled.exit, pulled.stderr.includes('is not a SHA-256')]).toEqual([1, true]);
    const list = `${JSON.stringify({ path: 'x', sha256: '../../../../u', size: 5 })}\n`;
    const other = craft(made, 'out', { sha256: hash(list), size: 5, files: 1 }, list);
    const again = await made.repro('pull', '-r', other);
    expect([again.exit, again.stderr.includes('a hash that is not a SHA-256')]).toEqual([1, true]);
  });

  test('through a symbolic link, neither by a pull nor by a run, and what is there stays', async () => {
    const made = project({});
    const outside = project({ 'kept.txt': 'mine\n' });
    symlinkSync(outside.root, join(made.root, 'link'));
    const store = craft(made, 'link/kept.txt', { sha256: hash('evil\n'), size: 5 }, 'evil\n');
    const pulled = await made.repro('pull', '-r', store);
    expect(pulled.exit).toBe(1);
    expect(pulled.stderr).toContain("outside of the pipeline's folder");
    made.remove('dvc-like.lock');
    const ran = await made.repro();
    expect([ran.exit, outside.read('kept.txt')]).toEqual([1, 'mine\n']);
  });

  test('but a symbolic link that stays inside is followed', async () => {
    const made = project({ 'big/.keep': '' });
    symlinkSync('big', join(made.root, 'data'));
    made.write('u', 'u\n');
    setStages(made, 'a: {cmd: cp u data/out, deps: [u], outs: [data/out]}');
    expect(await made.outcomes()).toEqual({ a: 'ran' });
    expect(made.read('big/out')).toBe('u\n');
  });
});
