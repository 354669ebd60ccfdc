/** `repro gitignore`: .repro, and outputs that the cache keeps, need not appear in git. */
import { afterEach, expect, test } from 'vitest';
import { commitAll, git } from '../git-project.ts';
import { project, removeProjects } from '../project.ts';

afterEach(removeProjects);

const PIPELINE = `
stages:
  a: {cmd: 'mkdir -p d; echo > d/x; echo > "odd [1]"; echo > kept', params: [p], outs: [d, 'odd [1]', {kept: {cache: false}}]}
  b: {cmd: echo > b, params: [p], outs: [b]}
`;

test('a first run says which outputs git does not ignore, and the command adds lines for them', async () => {
  const made = project({ 'pipeline.yaml': PIPELINE, 'params.yaml': 'p: 1\n', '.gitignore': '# mine\n.repro' });
  git(made, 'init', '-q');
  const first = await made.repro();
  expect([first.exit, first.stderr]).toEqual([
    0,
    'repro: git does not ignore d, odd [1], b; `repro gitignore` adds them to .gitignore\n',
  ]);
  expect((await made.repro('-f')).stderr).toBe('');
  expect((await made.repro('gitignore', 'a')).stdout).toBe('added to .gitignore: /d, /odd \\[1\\]\n');
  expect((await made.repro('gitignore')).stdout).toBe('added to .gitignore: /b\n');
  expect((await made.repro('gitignore')).stdout).toBe('git tracks or ignores .repro and all outputs\n');
  expect(made.read('.gitignore')).toBe('# mine\n.repro\n/d\n/odd \\[1\\]\n/b\n');
  expect(git(made, 'status', '--porcelain', '--untracked-files=all')).not.toMatch(/ d\/x| b$|odd/m);
});

test('an output that git tracks is left to git, and without a repository there is nothing to do', async () => {
  const made = project({ 'pipeline.yaml': PIPELINE, 'params.yaml': 'p: 1\n' });
  expect((await made.repro()).stderr).toBe('');
  expect((await made.repro('gitignore')).stderr).toContain('not in a git repository');
  git(made, 'init', '-q');
  commitAll(made);
  expect((await made.repro('gitignore')).stdout).toBe('git tracks or ignores .repro and all outputs\n');
});

test('without a .gitignore, .repro is named too, and the run of `repro verify` in a copy advises nothing', async () => {
  const made = project({ 'pipeline.yaml': PIPELINE, 'params.yaml': 'p: 1\n' });
  git(made, 'init', '-q');
  expect((await made.repro('b')).stderr).toBe(
    'repro: git does not ignore .repro, b; `repro gitignore` adds them to .gitignore\n',
  );
  const verified = await made.repro('verify', 'b');
  expect([verified.exit, verified.stderr]).toEqual([0, '']);
  expect((await made.repro('gitignore', 'b')).stdout).toBe('added to .gitignore: /.repro, /b\n');
  expect(git(made, 'status', '--porcelain')).not.toMatch(/\.repro| b$/m);
});
