/** Calls in a clone that has the lock, but not the data: --allow-missing, --pull, and frozen stages. */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { setStages } from '../git-project.ts';
import { project, removeProjects, type TestProject } from '../project.ts';

afterEach(removeProjects);

/** p makes foo, q reads it and makes bar. Each has a param of its own. */
const CHAIN = [
  'p: {cmd: "echo ${a} > foo", params: [a], outs: [foo]}',
  'q: {cmd: "cat foo > bar; echo ${b} >> bar", deps: [foo], params: [b], outs: [bar]}',
];

/** A project whose stages ran and were pushed to `store`. */
async function pushed(...stages: string[]): Promise<{ made: TestProject; store: string }> {
  const made = project({ 'params.yaml': 'a: 1\nb: 1\n', 'in.txt': '1\n' });
  setStages(made, ...stages);
  await made.outcomes();
  const store = project({}).root;
  await made.repro('push', '-r', store);
  return { made, store };
}

/** Removes everything that git does not keep. */
function removeData(made: TestProject): void {
  const kept = ['pipeline.yaml', 'params.yaml', 'in.txt', 'dvc-like.lock'];
  for (const name of readdirSync(made.root)) if (!kept.includes(name)) made.remove(name);
}

describe('--allow-missing', () => {
  test('a stage that must run gets its missing input from the cache or the remote, or the call is refused', async () => {
    const { made, store } = await pushed(...CHAIN);
    rmSync(made.path('foo'));
    made.write('params.yaml', 'a: 1\nb: 2\n');
    expect((await made.repro('--allow-missing', '--dry')).stdout).toMatch(
      /^p {2}would be restored: its output foo is missing\nq {2}would run: .*b: 1 → 2\n1 stale, 1 restorable/,
    );
    expect(await made.outcomes('--allow-missing')).toEqual({ p: 'restored', q: 'ran' });

    removeData(made);
    made.write('params.yaml', 'a: 1\nb: 3\n');
    const before = made.snapshot();
    const refused = await made.repro('--allow-missing');
    expect([refused.exit, refused.stderr]).toEqual([
      2,
      'repro: pipeline.yaml:3:54: q must run and needs foo, which is missing: repro pull\n',
    ]);
    const { stdout } = await made.repro('--allow-missing', '--dry');
    expect(stdout).toMatch(/^p {2}is up to date\nq {2}would run: .*\n! q must run and needs foo, .*: repro pull\n/);
    const { stages } = JSON.parse((await made.repro('status', '--allow-missing', '--json')).stdout);
    expect(stages).toMatchObject({ p: { state: 'fresh' }, q: { state: 'stale', missing: ['foo'] } });
    for (const path of ['foo', 'bar']) expect(made.exists(path)).toBe(false);
    expect(made.read('dvc-like.lock')).toBe(before['dvc-like.lock']);

    expect(await made.outcomes('--allow-missing', '--pull', '-r', store)).toEqual({ p: 'restored', q: 'ran' });
    expect(made.read('bar')).toBe('1\n3\n');
  });

  test('the maker of a missing input is brought although -s leaves it out', async () => {
    const { made, store } = await pushed(...CHAIN);
    removeData(made);
    const { exit, stderr } = await made.repro('-s', 'q');
    expect([exit, stderr]).toEqual([
      2,
      expect.stringMatching(/"foo" is missing, and p makes it: run that first; or `repro pull p` fetches it/),
    ]);
    expect(await made.outcomes('-s', 'q', '--pull', '-r', store)).toEqual({ q: 'restored' });
    made.write('params.yaml', 'a: 2\nb: 2\n');
    expect(await made.outcomes('-s', 'q', '--allow-missing')).toEqual({ p: 'restored', q: 'ran' });
    expect(made.read('bar')).toBe('1\n2\n');
  });
});

test('a clone without data is up to date, also where a stage reads the folder above what others make', async () => {
  const { made } = await pushed(
    'one: {matrix: {i: [1, 2]}, cmd: "mkdir -p d/${item.i} && cp in.txt d/${item.i}/x", deps: [in.txt], outs: ["d/${item.i}"]}',
    'all: {cmd: "cat d/*/x > all.txt", deps: [d], outs: [all.txt]}',
  );
  const lock = made.read('dvc-like.lock');
  // The run cache gives back what the lock held.
  made.write('in.txt', '2\n');
  await made.outcomes();
  made.write('in.txt', '1\n');
  expect(await made.outcomes()).toEqual({ 'one@1': 'restored', 'one@2': 'restored', all: 'restored' });
  expect(made.read('dvc-like.lock')).toBe(lock);

  removeData(made);
  expect(await made.repro('status', '-q', '--allow-missing')).toEqual({ exit: 0, stdout: '', stderr: '' });
  made.write('d/note', 'a file that no stage makes\n');
  expect((await made.repro('status', '-q', '--allow-missing')).exit).toBe(1);
  expect((await made.repro('status', '--allow-missing')).stdout).toMatch(
    /^all: maybe\n {2}whether d changed cannot be known without its files: repro pull\n/,
  );
});

test('missing outputs of a frozen stage are restored, or the message says how to get them', async () => {
  const [s, t] = [
    's: {cmd: "mkdir o && cp in.txt o/x", deps: [in.txt], outs: [o]}',
    't: {cmd: "cp o/x t; echo ${a} >> t", deps: [o/x], params: [a], outs: [t]}',
  ];
  const { made, store } = await pushed(s, t);
  setStages(made, s.replace('outs', 'frozen: true, outs'), t);
  made.write('in.txt', 'changed\n');
  made.write('params.yaml', 'a: 2\n');
  made.remove('o');
  const locked = made.lock().stages.s;
  expect((await made.repro('-s', 't')).stderr).toContain(
    's, which makes it, is frozen; `repro checkout s` restores it',
  );
  expect((await made.repro('--dry')).stdout).toMatch(/^s {2}would be restored: its output o is missing\n/);
  expect(await made.outcomes()).toEqual({ s: 'restored', t: 'ran' });
  expect([made.read('t'), made.lock().stages.s]).toEqual(['1\n2\n', locked]);

  removeData(made);
  const { exit, stderr } = await made.repro();
  expect([exit, stderr]).toEqual([2, expect.stringContaining('is frozen; `repro pull s` fetches it from a remote')]);
  expect(existsSync(made.path('o'))).toBe(false);
  expect((await made.repro('s')).stdout).toContain('! s: it is frozen, and the cache does not have o: repro pull\n');
  expect(await made.outcomes('--pull', '-r', store)).toEqual({ s: 'restored', t: 'ran' });
});
