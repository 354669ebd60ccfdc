/** What a run does with a file that stands where a stage writes: the trash, git, and `repro trash`. */
import { afterEach, describe, expect, test } from 'vitest';
import { commitAll, git, setStages } from '../git-project.ts';
import { project, removeProjects, type TestProject } from '../project.ts';

afterEach(removeProjects);

describe('a file that stands where a stage writes', () => {
  const COPY = 'a: {cmd: cp u o, deps: [u], outs: [o]}';

  /** The lines of repro's output about what was moved or replaced, by the names of their stages. */
  function notes({ stdout }: { stdout: string }): string[] {
    return stdout
      .split('\n')
      .filter((line) => line.startsWith('! '))
      .sort();
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
    expect(notes(await made.repro())).toEqual([
      expect.stringMatching(MOVED),
      expect.stringMatching(/^! b: moved d to /),
    ]);
    const listed = JSON.parse((await made.repro('trash', '--json')).stdout) as { path: string; location: string }[];
    listed.sort((a, b) => (a.path < b.path ? 1 : -1));
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
    // Folders that repro has not written, or that name paths which it never moves, are not part of the trash.
    const wrong = [null, { stage: 'a' }, { stage: 'a', time: 'now', paths: ['.git/config', '../e', null, 'a\0'] }];
    for (const [i, move] of wrong.entries()) made.write(`.repro/trash/${i}/moved.json`, JSON.stringify(move));
    made.write('.repro/trash/2/files/.git/config', 'theirs\n');
    expect((await made.repro('trash')).stdout).toBe('the trash is empty\n');
    expect((await made.repro('trash', 'restore', '.git/config')).exit).toBe(2);
    await made.repro('-f');
    expect((await made.repro('gc')).stdout).toMatch('would free d/o in the trash\n');
    expect((await made.repro('gc', '--age', '1d', '--yes')).stdout).not.toMatch('in the trash');
    expect(await trash(made)).toEqual({ 'd/o': 'precious\n' });
    expect((await made.repro('gc', '--yes')).stdout).toMatch('freed d/o in the trash\n');
    expect((await made.repro('trash')).stdout).toBe('the trash is empty\n');
  });
});
