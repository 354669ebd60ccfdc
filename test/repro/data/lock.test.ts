/** dvc-like.lock: the same work gives the same bytes, branches merge, and damage is reported. */
import { execFileSync } from 'node:child_process';
import { open } from 'lmdb';
import { afterEach, expect, test } from 'vitest';
import { project, removeProjects, type TestProject, until } from '../project.ts';

afterEach(removeProjects);

function study(): TestProject {
  return project({
    'pipeline.yaml': `
stages:
  zebra: {cmd: cp in.txt z.txt, deps: [in.txt], params: [z, a], outs: [z.txt]}
  cell: {matrix: {n: [1, 2, 10]}, cmd: 'echo \${item.n} > c\${item.n}', params: ["cells.\${item.n}"], outs: ["c\${item.n}"]}
  last: {wdir: sub, cmd: 'mkdir -p tree && cp ../z.txt tree/x', deps: [../z.txt], env: {B: "2", A: "1"}, outs: [tree]}
`,
    'params.yaml': 'z: {b: 1, a: [1, 2]}\na: x\ncells: {1: 1, 2: 2, 10: 3}\n',
    'in.txt': 'in\n',
    'sub/.keep': '',
    '.gitignore': '.repro/\nz.txt\nc*\nsub/tree\n',
  });
}

function git(made: TestProject, ...args: string[]): string {
  return execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.org', ...args], {
    cwd: made.root,
    encoding: 'utf8',
  });
}

test('the lock has the same bytes for another folder, another order of stages and params, and any number of jobs', async () => {
  const [one, other] = [study(), study()];
  await one.outcomes('-j', '1');
  other.write(
    'params.yaml',
    '# another layout\ncells: {10: 3, 2: 2, 1: 1}\na: "x"\nz:\n  a:\n    - 1\n    - 2\n  b: 1\n',
  );
  await other.outcomes('last');
  await other.outcomes('-j', '4');
  const lock = one.read('dvc-like.lock');
  expect(other.read('dvc-like.lock')).toBe(lock);
  expect(lock).not.toContain(one.root);
  const names = [...lock.matchAll(/^ {2}(\S+):$/gm)].map(([, name]) => name);
  expect(names).toEqual(['cell@1', 'cell@10', 'cell@2', 'last', 'zebra']);
  for (const [, block] of lock.matchAll(/^ {2}\S+:\n((?: {4}.*\n)+)/gm)) {
    const keys = [...block.matchAll(/^ {4}(\w+):/gm)].map(([, key]) => key);
    expect(keys).toEqual([...keys].sort());
  }
  // A forced run gives the same bytes.
  await one.outcomes('-f');
  expect(one.read('dvc-like.lock')).toBe(lock);
});

test('branches that ran different stages merge without a conflict, and nothing is stale afterwards', async () => {
  const made = study();
  await made.outcomes();
  git(made, 'init', '-q', '-b', 'main');
  git(made, 'add', '.');
  git(made, 'commit', '-qm', 'base');
  git(made, 'checkout', '-qb', 'other');
  made.write('params.yaml', made.read('params.yaml').replace('10: 3', '10: 4'));
  await made.outcomes();
  git(made, 'commit', '-qam', 'a cell');
  git(made, 'checkout', '-q', 'main');
  made.write('in.txt', 'changed\n');
  await made.outcomes();
  git(made, 'commit', '-qam', 'the input');
  git(made, 'merge', '-q', '-m', 'both', 'other');
  expect(await made.outcomes()).toEqual({});
  expect(made.lock().stages['cell@10'].params['params.yaml']).toEqual({ 'cells.10': 4 });
  expect(git(made, 'status', '--short', 'dvc-like.lock')).toBe('');
});

test('a merge conflict, a damaged block and a file that is not a lock are reported, and nothing runs', async () => {
  const made = study();
  await made.outcomes();
  const lock = made.read('dvc-like.lock');
  const wrong = async (text: string) => {
    made.write('dvc-like.lock', text);
    const { exit, stdout, stderr } = await made.repro();
    expect([exit, stdout]).toEqual([2, '']);
    expect(made.read('dvc-like.lock')).toBe(text);
    return stderr;
  };
  expect(await wrong(lock.replace('  last:', '<<<<<<< HEAD\n  last:'))).toMatch(
    /^repro: dvc-like\.lock:\d+:1: holds a merge conflict; /,
  );
  expect(await wrong(lock.replace('    cmd: cp in.txt z.txt', '    cmd: [cp in.txt'))).toMatch(
    /^repro: dvc-like\.lock: the block of zebra is damaged .*; delete it, and run repro\n$/,
  );
  expect(await wrong('anything: else\n')).toMatch(/this is not a lock file of repro; delete it, then run repro/);
  made.remove('dvc-like.lock');
  expect(Object.values(await made.outcomes())).toEqual(Array(5).fill('restored'));
  expect(made.read('dvc-like.lock')).toBe(lock);
});

test('the lock is written even while the memo store is busy', async () => {
  const made = project({
    'pipeline.yaml': 'stages:\n  s: {cmd: "touch on; until [ -e go ]; do sleep 0.01; done", params: [p], outs: [on]}\n',
    'params.yaml': 'p: 1\n',
  });
  const { ended } = await made.spawn();
  await until(() => made.exists('on'));
  const state = open({ path: made.path('.repro/state'), noSubdir: false, maxDbs: 4 });
  let giveBack = () => {};
  const held = state.transactionSync(() => new Promise<void>((resolve) => (giveBack = resolve)));
  made.write('go', '');
  await until(() => made.exists('dvc-like.lock'));
  giveBack();
  await held;
  expect(await ended).toMatchObject({ exit: 0, stderr: '' });
  await state.close();
});

test('repro finds its pipeline from any folder below it', async () => {
  const made = study();
  const { exit, stdout } = await made.reproIn('sub', '--dry', 'zebra');
  expect([exit, stdout]).toEqual([0, expect.stringMatching(/^zebra {2}would run/)]);
});
