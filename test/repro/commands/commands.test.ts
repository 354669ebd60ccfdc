/** The commands of repro: why, log, checkout, commit, freeze, gc, init, push and pull; targets. */
import { execFileSync } from 'node:child_process';
import { chmodSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { project, removeProjects, type TestProject } from '../project.ts';

afterEach(removeProjects);

/** A stage `make` with a folder as output, and a stage `use` that depends on it. */
function pair(): TestProject {
  return project({
    'pipeline.yaml': `
stages:
  # the first
  make:
    cmd: mkdir -p tree && cp in.txt tree/data.txt && echo made it
    deps: [in.txt]
    params: [p.q]
    outs: [tree]
  use:
    cmd: cat tree/data.txt > used.txt && echo '{"n":1}' > m.json
    deps: [tree]
    outs: [used.txt]
    metrics: [{m.json: {cache: false}}]
`,
    'in.txt': 'one\n',
    'params.yaml': 'p: {q: 1}\n',
  });
}

function git(made: TestProject, ...args: string[]): string {
  return execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.org', ...args], {
    cwd: made.root,
    encoding: 'utf8',
  }).trim();
}

test('why shows every change with its old and new value, and the last commit with the old value', async () => {
  const made = pair();
  await made.outcomes();
  git(made, 'init', '-q', '-b', 'main');
  git(made, 'add', '.');
  git(made, 'commit', '-q', '-m', 'first');
  const first = git(made, 'rev-parse', '--short', 'HEAD');
  made.write('params.yaml', 'p: {q: 2}\n');
  made.write('in.txt', 'two\n');
  git(made, 'commit', '-q', '-a', '-m', 'second, not run');
  const second = git(made, 'rev-parse', '--short', 'HEAD');
  const { stages } = JSON.parse((await made.repro('why', 'make', '--json')).stdout);
  expect(stages.make).toMatchObject({
    state: 'stale',
    reasons: [
      { kind: 'param', file: 'params.yaml', key: 'p.q', old: 1, new: 2, commit: first },
      { kind: 'dep', path: 'in.txt', commit: second },
    ],
  });
  expect((await made.repro('why', 'make')).stdout).toMatch(
    new RegExp(
      `make: stale\n  params.yaml p.q: 1 → 2  \\(old value last in ${first}\\)\n  in.txt changed: [0-9a-f]{12} → [0-9a-f]{12}`,
    ),
  );
});

test('log lists the attempts of a stage and prints the output of the last one, even if pipeline.yaml is broken', async () => {
  const made = pair();
  await made.outcomes();
  made.write('in.txt', 'two\n');
  await made.outcomes();
  expect(JSON.parse((await made.repro('log', 'make', '--json')).stdout)).toMatchObject([
    { stage: 'make', outcome: 'ran' },
    { stage: 'make', outcome: 'ran' },
  ]);
  const { stdout } = await made.repro('log', 'make');
  expect(stdout).toMatch(/make {2}.*ran[\s\S]*\.log:\nmade it\n$/);
  const all = (await made.repro('log')).stdout;
  // The log does not need a valid pipeline.
  made.write('pipeline.yaml', 'stages: [');
  expect((await made.repro('log', 'make')).stdout).toBe(stdout);
  expect((await made.repro('log')).stdout).toBe(all);
});

test('checkout restores outputs from the cache, and commit records the current outputs', async () => {
  const made = pair();
  await made.outcomes();
  made.remove('tree');
  made.write('used.txt', 'mine\n');
  expect((await made.repro('checkout', 'make')).stdout).toBe('1 output checked out\n');
  expect([made.read('tree/data.txt'), made.read('used.txt')]).toEqual(['one\n', 'mine\n']);
  expect(Object.keys(await made.stale())).toEqual(['use']);
  expect((await made.repro('commit', 'use')).stdout).toBe('1 stage committed as it is\n');
  expect(await made.stale()).toEqual({});
});

test('a commit that finds a missing input keeps what it has recorded, and leftovers of a killed repro are removed', async () => {
  const stage = (name: string, dep: string) => `  ${name}: {cmd: 'false', deps: [${dep}], outs: [${name}.txt]}\n`;
  const made = project({
    'pipeline.yaml': `stages:\n${stage('a', 'in.txt')}${stage('b', 'in.txt')}${stage('c', 'in.txt')}${stage('d', 'no.txt')}`,
    ...{ 'in.txt': '1', 'a.txt': '', 'b.txt': '', 'c.txt': '', 'd.txt': '' },
    'dvc-like.lock.4194305-0123abcd.tmp': 'stages:\n',
  });
  const { exit, stderr } = await made.repro('commit');
  expect([exit, stderr]).toEqual([2, expect.stringMatching(/^repro: .*d: the dependency "no\.txt" is missing.*\n$/)]);
  expect(Object.keys(made.lock().stages)).toEqual(['a', 'b', 'c']);
  expect(made.exists('dvc-like.lock.4194305-0123abcd.tmp')).toBe(false);
});

test('freeze and unfreeze edit pipeline.yaml and keep its layout', async () => {
  const made = pair();
  await made.outcomes();
  const before = made.read('pipeline.yaml');
  await made.repro('freeze', 'make');
  expect(made.read('pipeline.yaml')).toBe(before.replace('outs: [tree]\n', 'outs: [tree]\n    frozen: true\n'));
  expect((await made.stale()).make.state).toBe('frozen');
  await made.repro('unfreeze', 'make');
  expect(made.read('pipeline.yaml')).toBe(before);
});

test('gc lists the objects that only old runs need and the outputs of removed stages; with --yes it deletes exactly these', async () => {
  const made = pair();
  await made.outcomes();
  const clean = JSON.parse((await made.repro('gc', '--json')).stdout);
  expect(clean).toMatchObject({ bytes: 0, objects: 0, stages: [], outputs: [] });
  made.write('in.txt', 'two\n');
  await made.outcomes();
  made.write('pipeline.yaml', made.read('pipeline.yaml').replace(/ {2}use:[\s\S]*/, ''));
  const listed = await made.repro('gc');
  expect(listed.stdout).toMatch(
    /^use is no longer in the pipeline\nwould free used\.txt\nwould free m\.json\nwould free \d+ bytes in \d+ objects? of \d old runs?\n/,
  );
  expect(made.exists('used.txt')).toBe(true);
  expect((await made.repro('gc', '--age', '1d')).stdout).toMatch(/would free 0 bytes/);
  expect((await made.repro('gc', '--size', '1GiB')).stdout).toMatch(/would free 0 bytes/);
  await made.repro('gc', '--yes');
  expect([made.exists('used.txt'), made.exists('tree/data.txt')]).toEqual([false, true]);
  made.remove('tree');
  expect(await made.outcomes()).toEqual({ make: 'restored' });
  made.write('in.txt', 'one\n');
  expect(await made.outcomes()).toEqual({ make: 'ran' });
});

test('the outputs of a removed matrix value stay until gc deletes them', async () => {
  const made = project({
    'pipeline.yaml':
      'stages:\n  t: {matrix: {n: "${n}"}, cmd: "echo ${item.n} > o${item.n}", params: [p], outs: ["o${item.n}"]}\n',
    'params.yaml': 'n: [1, 2]\np: 1\n',
  });
  await made.outcomes();
  expect(await made.outcomes('-S', 'n=[1]')).toEqual({});
  expect(made.exists('o2')).toBe(true);
  expect((await made.repro('gc')).stdout).toMatch(/^t@2 is no longer in the pipeline\nwould free o2\n/);
  // Many are one line for those that are freed, and one for each reason to keep them.
  await made.outcomes('-S', 'n=[1, 2, 3, 4, 5, 6]');
  await made.outcomes('-S', 'n=[1]');
  made.write('o6', 'mine');
  const { stdout } = await made.repro('gc');
  expect(stdout).toMatch(
    /^t: 5 cells are no longer in the pipeline, such as t@2\nwould free 4 outputs of t, such as o2\nkept o6: it changed after t@6 made it\n/,
  );
  expect(stdout).toMatch(/\nrun `repro gc --yes` to free it; `repro gc --json` names each output\n$/);
  expect(JSON.parse((await made.repro('gc', '--json')).stdout).outputs).toEqual(['o2', 'o3', 'o4', 'o5']);
  await made.repro('gc', '--yes');
  expect([made.exists('o1'), made.exists('o2')]).toEqual([true, false]);
  expect(Object.keys(made.lock().stages)).toEqual(['t@1']);
});

test('init creates a working pipeline and does not overwrite an existing one', async () => {
  const made = project({});
  expect((await made.repro('init')).exit).toBe(0);
  expect(Object.values(await made.outcomes())).toEqual(['ran', 'ran', 'ran', 'ran']);
  expect(made.read('sum-1.json')).toBe('{"sum": 5050}\n');
  expect(made.read('.gitignore')).toMatch(/^\.repro\/$/m);
  expect((await made.repro('init')).exit).toBe(2);
});

test('after push and pull over a folder, a fresh clone is up to date without a run; damaged objects are reported and not copied', async () => {
  const made = pair();
  await made.outcomes();
  const store = project({}).root;
  expect((await made.repro('push', '-r', store)).stdout).toMatch(/^\d+ objects? pushed, 0 there already\n$/);
  expect((await made.repro('push', '-r', store)).stdout).toMatch(/^0 objects pushed/);
  const clone = () =>
    project(
      Object.fromEntries(
        ['pipeline.yaml', 'params.yaml', 'in.txt', 'dvc-like.lock', 'm.json'].map((name) => [name, made.read(name)]),
      ),
    );
  const pulled = clone();
  pulled.write('.repro/config.yaml', `remotes: {store: ${store}}\n`);
  expect((await pulled.repro('pull')).exit).toBe(0);
  expect(await pulled.outcomes()).toEqual({});
  expect(await clone().outcomes('--pull', '-r', store)).toEqual({ make: 'restored', use: 'restored' });
  for (const name of readdirSync(join(store, 'sha256'), { recursive: true, encoding: 'utf8' })) {
    const path = join(store, 'sha256', name);
    if (!statSync(path).isFile()) continue;
    chmodSync(path, 0o644);
    writeFileSync(path, 'damaged');
  }
  const spoiled = await clone().repro('pull', '-r', store);
  expect([spoiled.exit, spoiled.stderr]).toEqual([1, expect.stringMatching(/tree: .* is damaged; it was not copied/)]);
  const nowhere = await made.repro('push', '-r', 'nowhere');
  expect([nowhere.exit, nowhere.stderr]).toEqual([2, expect.stringMatching(/there is no remote "nowhere"/)]);
});

test('targets are stages, groups, outputs or patterns', async () => {
  const made = project({
    'pipeline.yaml': `
stages:
  a: {matrix: {n: [1, 2]}, cmd: "echo > a\${item.n}", params: [p], outs: ["a\${item.n}"]}
  b: {foreach: {x: 1, y: 2}, do: {cmd: "cat a1 > b-\${key}-\${item}", deps: [a1], outs: ["b-\${key}-\${item}"]}}
  c: {cmd: cat b-x-1 > c, deps: [b-x-1], outs: [c]}
`,
    'params.yaml': 'p: 1',
  });
  const would = async (...args: string[]) =>
    (await made.repro('--dry', ...args)).stdout
      .split('\n')
      .slice(0, -2)
      .map((line) => line.split(' ')[0]);
  expect(await would('b@y')).toEqual(['a@1', 'b@y']);
  expect(await would('b')).toEqual(['a@1', 'b@x', 'b@y']);
  expect(await would('./c')).toEqual(['a@1', 'b@x', 'c']);
  expect(await would('-s', 'a')).toEqual(['a@1', 'a@2']);
  expect(await would('--downstream', 'a@1')).toEqual(['a@1', 'b@x', 'b@y', 'c']);
  expect(await would('-p', 'c')).toEqual(['a@1', 'b@x', 'b@y', 'c']);
  expect(await would('--glob', 'a@*')).toEqual(['a@1', 'a@2']);
});
