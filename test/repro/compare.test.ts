/** Metrics, params and plots, now and against git revisions. */
import { execFileSync } from 'node:child_process';
import { afterEach, expect, test } from 'vitest';
import { project, removeProjects, type TestProject } from './project.ts';

afterEach(removeProjects);

function study() {
  return project({
    'pipeline.yaml': `
stages:
  train:
    cmd: 'echo "{\\"loss\\": \${train.lr}, \\"name\\": \\"n\\", \\"curve\\": [3, 2]}" > metrics/loss.json'
    params: [train]
    metrics: [{metrics/loss.json: {cache: false}}]
`,
    'params.yaml': 'train:\n  lr: 0.1 # the rate\n  names: [a, "b, c"]\nother: x\n',
  });
}

function git(made: TestProject, ...args: string[]): void {
  execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.org', ...args], {
    cwd: made.root,
    stdio: 'ignore',
  });
}

test('metrics diff HEAD: only what changed, as a table and as JSON; params diff the same', async () => {
  const made = study();
  await made.outcomes();
  git(made, 'init', '-q', '-b', 'main');
  git(made, 'add', '.');
  git(made, 'commit', '-q', '-m', 'first');
  expect((await made.repro('metrics', 'diff')).stdout).toBe('no metric differs between HEAD and workspace\n');
  await made.outcomes('-S', 'train.lr=0.25');
  expect((await made.repro('metrics', 'diff', 'HEAD')).stdout).toBe(
    'file               metric  HEAD  workspace  change\nmetrics/loss.json  loss     0.1       0.25   +0.15\n',
  );
  expect(JSON.parse((await made.repro('metrics', 'diff', 'main', '--json')).stdout)).toEqual({
    'metrics/loss.json': { loss: { old: 0.1, new: 0.25, diff: 0.15 } },
  });
  expect((await made.repro('metrics', 'diff', 'HEAD', '--all', '--md')).stdout.split('\n')).toHaveLength(7);
  expect(JSON.parse((await made.repro('params', 'diff', '--json')).stdout)).toEqual({
    'params.yaml': { 'train.lr': { old: 0.1, new: 0.25, diff: 0.15 } },
  });
  git(made, 'commit', '-q', '-a', '-m', 'second');
  expect(JSON.parse((await made.repro('metrics', 'diff', 'HEAD~1', 'HEAD', '--json')).stdout)).toEqual({
    'metrics/loss.json': { loss: { old: 0.1, new: 0.25, diff: 0.15 } },
  });
  made.write('metrics/loss.json', '{"loss": ');
  const broken = await made.repro('metrics', 'diff', '--json');
  expect([broken.exit, broken.stdout, broken.stderr]).toEqual([
    0,
    '{}\n',
    expect.stringMatching(/metrics\/loss\.json: this is no valid JSON/),
  ]);
  const unknown = await made.repro('metrics', 'diff', 'nowhere');
  expect([unknown.exit, unknown.stderr]).toEqual([
    2,
    expect.stringMatching(/^repro: git knows no revision "nowhere".*\n$/),
  ]);
});

test('metrics diff: cells of a matrix in one table, axes as columns; less than other seeds make is noise', async () => {
  const cell = (values: string) => `{"loss": ${values}, "parameters": 1234567, "name": "n"}`;
  const made = project({
    'pipeline.yaml': `
stages:
  train:
    matrix: {size: [tiny, base], seed: [1, 2]}
    cmd: cp raw/\${item.size}-\${item.seed}.json metrics/\${item.size}-\${item.seed}.json
    deps: ["raw/\${item.size}-\${item.seed}.json"]
    metrics: [{"metrics/\${item.size}-\${item.seed}.json": {cache: false}}]
`,
    'raw/tiny-1.json': cell('2.0000001'),
    'raw/tiny-2.json': cell('2.1'),
    'raw/base-1.json': cell('1.5'),
    'raw/base-2.json': cell('1.6'),
  });
  git(made, 'init', '-q', '-b', 'main');
  git(made, 'add', 'pipeline.yaml');
  git(made, 'commit', '-q', '-m', 'nothing has run');
  await made.outcomes();
  expect((await made.repro('metrics', 'diff')).stdout).toBe(
    'HEAD has no metrics, so there is nothing to compare workspace with (--all shows the values of its 4 metrics files)\n',
  );
  expect((await made.repro('metrics', 'diff', '--all')).stdout.split('\n')).toHaveLength(2 + 4 * 3 + 1);
  git(made, 'add', '.');
  git(made, 'commit', '-q', '-m', 'first');
  made.write('raw/tiny-1.json', cell('2.0312345678'));
  // One run gone astray makes the spread of its own side wide, and is no noise for that.
  made.write('raw/base-1.json', cell('9.5'));
  made.write('pipeline.yaml', made.read('pipeline.yaml').replace('seed: [1, 2]', 'seed: [1, 2, 3]'));
  made.write('raw/tiny-3.json', cell('2.06'));
  made.write('raw/base-3.json', cell('1.55'));
  await made.outcomes();
  expect((await made.repro('metrics', 'diff')).stdout).toBe(`train
metric  size  seed  HEAD  workspace     change  spread over seed
loss    tiny     1     2     2.0312  +0.031234          0.068765  within noise
loss    base     1   1.5        9.5         +8               0.1

only workspace has 2 metrics files: train@tiny-3, train@base-3 (--all shows the values)
`);
  expect((await made.repro('metrics', 'diff', '--precision', '3', '--md')).stdout).toMatch(
    /^### train\n\n\| metric \| size \| seed \| HEAD \| workspace \| change \|.*\n.*\n\| loss \| tiny \| 1 \| 2 \| 2.03 \| \+0.0312 \|/,
  );
  expect(JSON.parse((await made.repro('metrics', 'diff', '--json')).stdout)).toMatchObject({
    'metrics/base-1.json': { loss: { old: 1.5, new: 9.5, diff: 8 } },
    'metrics/tiny-3.json': { parameters: { new: 1234567 } },
  });
  expect((await made.repro('metrics', 'show')).stdout).toMatch(
    /^train\nmetric +size +seed +value\nloss +tiny +1 +2.0312\n/,
  );
});

test('without a repository, metrics diff says so in one sentence', async () => {
  const made = study();
  made.env = { GIT_CEILING_DIRECTORIES: made.path('..') };
  const { exit, stderr } = await made.repro('metrics', 'diff', 'HEAD');
  expect([exit, stderr]).toEqual([
    2,
    'repro: this folder is in no git repository, so there is no revision "HEAD" to compare with\n',
  ]);
});

test('plots show draws tables, specs and images into one page; diff puts revisions into one plot', async () => {
  const made = project({
    'pipeline.yaml': `
stages:
  draw:
    cmd: printf 'step,loss\\n1,3\\n2,\${p}\\n' > curve.csv && echo '<svg></svg>' > own.svg
    params: [p]
    plots: [{curve.csv: {cache: false, x: step, y: loss, title: Loss & more}}, own.svg]
`,
    'params.yaml': 'p: 2\n',
  });
  await made.outcomes();
  git(made, 'init', '-q', '-b', 'main');
  git(made, 'add', '.');
  git(made, 'commit', '-q', '-m', 'first');
  expect((await made.repro('plots', 'show')).stdout).toMatch(/^2 plots in .*\.html\n$/);
  expect(made.read('.repro/plots.html')).toMatch(/Loss &amp; more<\/figcaption><svg.*<svg><\/svg>/s);
  await made.outcomes('-S', 'p=1');
  await made.repro('plots', 'diff', '-o', 'diff.html');
  expect(made.read('diff.html')).toMatch(/HEAD.*workspace/s);
});
