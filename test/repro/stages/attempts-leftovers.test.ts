/** What a failed or killed attempt left, and what a person did to it since: the one is removed, the other is not lost. */
import { rmSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { setStages } from '../git-project.ts';
import { project, removeProjects, type TestProject } from '../project.ts';

afterEach(removeProjects);

/** Everything in the trash: the text of each file, by the path that it was moved from. */
async function trash(made: TestProject): Promise<{ [path: string]: string }> {
  const { stdout } = await made.repro('trash', '--json');
  const entries = JSON.parse(stdout) as { path: string; location: string }[];
  return Object.fromEntries(entries.map(({ path, location }) => [path, made.read(location)]));
}

/** A command that writes the output o and the checkpoint ck/one. Without the file `go`, it then fails. */
const FAIL = 'mkdir -p ck; echo 1 > ck/one; ls ck > seen; cp u o; test -e go';
/** The same, but it runs until it is killed. Before that, repro has had time to note that the attempt goes on. */
const HANG =
  'mkdir -p ck; [ -e ck/one ] || echo 1 > ck/one; ls ck > seen; cp u o; test -e go && exit; ' +
  'until [ .repro/unrecorded/a -nt o ] && [ .repro/attempting/a -nt o ]; do sleep 0.02; done; touch ready; sleep 100';
const stage = (cmd: string) => `a: {cmd: "${cmd}", deps: [u], outs: [o], checkpoint: ck}`;

/** Runs HANG, and kills repro when the command has written everything. */
async function attemptThatIsKilled(made: TestProject): Promise<void> {
  setStages(made, stage(HANG));
  rmSync(made.path('ready'), { force: true });
  const { process, ended } = await made.spawn();
  while (!made.exists('ready')) await new Promise((resolve) => setTimeout(resolve, 5));
  process.kill('SIGKILL');
  await ended;
}

describe('a file that a person put into a checkpoint', () => {
  test('after an attempt failed moves to the trash before the next one; what the attempt wrote stays for it', async () => {
    const made = project({ u: '1\n' });
    setStages(made, stage(FAIL));
    expect((await made.repro()).exit).toBe(1);
    made.write('ck/sub/mine', 'precious\n');
    expect((await made.repro('--dry')).stdout).toContain('! a: would move ck/sub/mine to .repro/trash');
    made.write('go', '');
    expect(await made.outcomes()).toEqual({ a: 'ran' });
    expect([made.read('seen'), made.exists('ck')]).toEqual(['one\nsub\n', false]);
    expect(await trash(made)).toEqual({ 'ck/sub/mine': 'precious\n' });
  });

  test('moves to the trash too if the inputs changed, also if it replaced a file of the attempt', async () => {
    const made = project({ u: '1\n' });
    setStages(made, stage(FAIL));
    expect((await made.repro()).exit).toBe(1);
    made.write('ck/one', 'precious\n');
    made.write('u', '2\n');
    made.write('go', '');
    expect(await made.outcomes()).toEqual({ a: 'ran' });
    expect([made.read('seen'), await trash(made)]).toEqual(['one\n', { 'ck/one': 'precious\n' }]);
  });

  test('after repro was killed stays for the next attempt, and moves to the trash when that succeeds', async () => {
    const made = project({ u: '1\n' });
    await attemptThatIsKilled(made);
    made.write('ck/mine', 'precious\n');
    await attemptThatIsKilled(made);
    expect(made.read('seen')).toBe('mine\none\n');
    made.write('go', '');
    expect(await made.outcomes()).toEqual({ a: 'ran' });
    expect(made.exists('ck')).toBe(false);
    expect(await trash(made)).toEqual({ 'ck/mine': 'precious\n', 'ck/one': '1\n' });
  });

  test('after repro was killed moves to the trash if the inputs changed', async () => {
    const made = project({ u: '1\n' });
    await attemptThatIsKilled(made);
    expect(made.read('seen')).toBe('one\n');
    made.write('u', '2\n');
    made.write('go', '');
    expect(await made.outcomes()).toEqual({ a: 'ran' });
    // Nobody has touched what the killed attempt left, so it is removed: checkpoint and output.
    expect(await trash(made)).toEqual({});
    made.remove('go');
    made.write('u', '3\n');
    await attemptThatIsKilled(made);
    made.write('ck/sub/mine', 'precious\n');
    made.write('u', '4\n');
    made.write('go', '');
    expect(await made.outcomes()).toEqual({ a: 'ran' });
    expect((await trash(made))['ck/sub/mine']).toBe('precious\n');
  });
});

describe('an output of an attempt that was killed', () => {
  test('is removed if nothing changed in it after the last sign of life, and else moves to the trash', async () => {
    const made = project({ u: '1\n' });
    await attemptThatIsKilled(made);
    await attemptThatIsKilled(made);
    expect(await trash(made)).toEqual({});
    made.write('o', 'mine\n');
    await attemptThatIsKilled(made);
    expect(await trash(made)).toEqual({ o: 'mine\n' });
  });
});
