/** metrics, params and plots: in the workspace and compared with git revisions. */
import { execFileSync } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { project, removeProjects, type TestProject } from '../project.ts';

afterEach(removeProjects);

/** A stage that writes its param train.lr as the metric `loss`. */
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

function git(made: TestProject, ...args: string[]): string {
  return execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.org', ...args], {
    cwd: made.root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
}

test('metrics diff and params diff print only changed values, as a table and as JSON', async () => {
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
    expect.stringMatching(/metrics\/loss\.json:\d+:\d+: this is not valid JSON/),
  ]);
  made.remove('metrics/loss.json');
  made.write('metrics/loss.json/part', '');
  expect((await made.repro('metrics', 'diff')).stderr).toBe(
    'repro: metrics/loss.json is a folder; its values are not compared; list the files in it under metrics\n',
  );
  const unknown = await made.repro('metrics', 'diff', 'nowhere');
  expect([unknown.exit, unknown.stderr]).toEqual([
    2,
    expect.stringMatching(/^repro: git does not know the revision "nowhere".*\n$/),
  ]);
});

test('values in a list of mappings are counted in a note, and shown with --all', async () => {
  const made = project({
    'pipeline.yaml': 'stages:\n  s: {cmd: cp raw.json m.json, deps: [raw.json], metrics: [{m.json: {cache: false}}]}\n',
    'raw.json': '{"best": 1, "range": [1, 2], "each": [{"a": 1}, {"a": 2, "b": [3]}]}',
  });
  await made.outcomes();
  git(made, 'init', '-q', '-b', 'main');
  git(made, 'add', '.');
  git(made, 'commit', '-q', '-m', 'first');
  expect((await made.repro('metrics', 'show')).stdout).toBe(
    'file    metric    value\nm.json  best          1\nm.json  range[0]      1\nm.json  range[1]      2\n\nlists of mappings hold 3 more values (--all shows them)\n',
  );
  expect((await made.repro('metrics', 'show', '--all')).stdout).toMatch(/m\.json {2}each\[1\]\.b\[0\] +3\n$/);
  made.write('raw.json', '{"best": 1, "range": [1, 2], "each": [{"a": 1}, {"a": 5, "b": [3]}]}');
  await made.outcomes();
  expect((await made.repro('metrics', 'diff')).stdout).toBe(
    'in lists of mappings 1 more value differs (--all shows them)\n',
  );
  made.write('raw.json', '{"best": 2, "range": [1, 2], "each": [{"a": 7}, {"a": 5, "b": [3]}]}');
  await made.outcomes();
  expect((await made.repro('metrics', 'diff')).stdout).toBe(
    'file    metric  HEAD  workspace  change\nm.json  best       1          2      +1\n\nin lists of mappings 2 more values differ (--all shows them)\n',
  );
  expect(JSON.parse((await made.repro('metrics', 'diff', '--json')).stdout)).toMatchObject({
    'm.json': { 'each[0].a': { old: 1, new: 7, diff: 6 } },
  });
});

test('metrics diff shows the cells of a matrix in one table, and marks changes within the spread over seeds as noise', async () => {
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
  // An outlier widens the spread of its own side only, so its change is not marked as noise.
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

describe('metrics diff uses the pipeline of each side', () => {
  /** A project whose pipeline is in a folder below the root of the git repository. */
  function study(path: string, options?: string) {
    const made = project({
      'sub/pipeline.yaml': PIPELINE(path, options),
      'sub/params.yaml': 'sizes: [tiny, base]\nbias: 0\n',
      '.gitignore': '.repro/\n',
    });
    git(made, 'init', '-q', '-b', 'main');
    return made;
  }
  const PIPELINE = (path: string, options = '{cache: false}') => `
stages:
  train:
    matrix: {size: "\${sizes}", seed: [1, 2]}
    cmd: 'echo "{\\"loss\\": $((\${item.seed} + \${bias}))}" > ${path}'
    params: [bias]
    metrics: [{"${path}": ${options}}]
`;
  const IN_METRICS = 'metrics/${item.size}-${item.seed}.json';
  const repro = async (made: TestProject, ...args: string[]) => {
    const { exit, stdout, stderr } = await made.reproIn('sub', ...args);
    expect([exit, stderr]).toEqual([0, '']);
    return stdout;
  };
  const commitAll = (made: TestProject, message: string) => {
    git(
      made,
      'add',
      '-f',
      'sub/pipeline.yaml',
      'sub/params.yaml',
      'sub/dvc-like.lock',
      ...(made.exists('sub/metrics') ? ['sub/metrics'] : []),
    );
    git(made, 'commit', '-q', '-m', message);
  };

  test('a removed cell is shown as removed, although its file still exists', async () => {
    const made = study(IN_METRICS);
    await repro(made);
    commitAll(made, 'first');
    await repro(made, '-S', 'sizes=[tiny]', '-S', 'bias=1');
    expect(made.exists('sub/metrics/base-1.json')).toBe(true);
    expect(await repro(made, 'metrics', 'diff')).toBe(`train
metric  size  seed  HEAD  workspace  change  spread over seed
loss    tiny     1     1          2      +1                 1  within noise
loss    tiny     2     2          3      +1                 1  within noise

removed from the pipeline since HEAD: train@base-1, train@base-2 (--all shows the values)
`);
    expect(await repro(made, 'metrics', 'diff', '--all')).toMatch(/\nloss +base +2 +2 +— +removed +1\n$/);
    expect(await repro(made, 'metrics', 'diff', '--md')).toMatch(
      /\| loss \| tiny \| 2 \|.*\n\nremoved from the pipeline since HEAD: /,
    );
    expect(JSON.parse(await repro(made, 'metrics', 'diff', '--json'))).toEqual({
      'metrics/base-1.json': { loss: { old: 1 } },
      'metrics/base-2.json': { loss: { old: 2 } },
      'metrics/tiny-1.json': { loss: { old: 1, new: 2, diff: 1 } },
      'metrics/tiny-2.json': { loss: { old: 2, new: 3, diff: 1 } },
    });
    // In the opposite direction these cells are new.
    commitAll(made, 'second');
    expect(await repro(made, 'metrics', 'diff', 'HEAD', 'HEAD~1')).toMatch(
      /\n\nonly HEAD~1 has 2 metrics files: train@base-1, train@base-2 \(--all shows the values\)\n$/,
    );
  });

  test('cells are matched by their axes if their files have moved', async () => {
    const made = study(IN_METRICS);
    await repro(made);
    commitAll(made, 'first');
    made.write('sub/pipeline.yaml', PIPELINE('results/${item.seed}-${item.size}.json'));
    await repro(made, '-S', 'bias=5');
    expect(await repro(made, 'metrics', 'diff')).toMatch(/^train\n.*\nloss +tiny +1 +1 +6 +\+5 +1\n(.*\n){3}$/);
    expect(JSON.parse(await repro(made, 'metrics', 'diff', '--json'))).toMatchObject({
      'results/2-base.json': { loss: { old: 2, new: 7, diff: 5 } },
    });
  });

  test('metrics that are not in git come from the cache, by the hashes in the lock of the revision; a damaged object is not used', async () => {
    const made = study(IN_METRICS, '{cache: true}');
    made.write('sub/.gitignore', 'metrics/\n');
    await repro(made);
    git(made, 'add', 'sub/pipeline.yaml', 'sub/params.yaml', 'sub/dvc-like.lock');
    git(made, 'commit', '-q', '-m', 'first, without metrics');
    await repro(made, '-S', 'bias=1');
    expect(JSON.parse(await repro(made, 'metrics', 'diff', '--json'))).toMatchObject({
      'metrics/base-1.json': { loss: { old: 1, new: 2, diff: 1 } },
    });
    const object = (sha: string) => `sub/.repro/cache/sha256/${sha.slice(0, 2)}/${sha.slice(2)}`;
    const { sha256 } = parse(git(made, 'show', 'HEAD:sub/dvc-like.lock')).stages['train@base-1'].outs[
      'metrics/base-1.json'
    ];
    chmodSync(made.path(object(sha256)), 0o644);
    made.write(object(sha256), '{"loss": 99}\n');
    const { exit, stdout, stderr } = await made.reproIn('sub', 'metrics', 'diff', '--json');
    expect([exit, stderr]).toEqual([
      0,
      expect.stringMatching(/^repro: HEAD:metrics\/base-1\.json is in the lock, but neither git nor the cache has it/),
    ]);
    const after = JSON.parse(stdout);
    expect(after['metrics/base-1.json']).toEqual({ loss: { new: 2 } });
    expect(after['metrics/base-2.json']).toEqual({ loss: { old: 2, new: 3, diff: 1 } });
  });

  test('a revision with an invalid pipeline is read with the stages of the workspace', async () => {
    const made = study(IN_METRICS);
    await repro(made);
    made.write('sub/pipeline.yaml', 'stages: [');
    commitAll(made, 'broken');
    made.write('sub/pipeline.yaml', PIPELINE(IN_METRICS));
    await repro(made, '-S', 'bias=1');
    expect(JSON.parse(await repro(made, 'metrics', 'diff', '--json'))).toMatchObject({
      'metrics/base-1.json': { loss: { old: 1, new: 2, diff: 1 } },
    });
  });
});

test('without a git repository, metrics diff is an error in one sentence', async () => {
  const made = study();
  made.env = { GIT_CEILING_DIRECTORIES: made.path('..') };
  const { exit, stderr } = await made.repro('metrics', 'diff', 'HEAD');
  expect([exit, stderr]).toEqual([
    2,
    'repro: this folder is not in a git repository, so there is no revision "HEAD" to compare with\n',
  ]);
});

/** The page of plots, with each SVG in place of its image. */
function plotsPage(made: TestProject, file = '.repro/plots.html'): string {
  return made
    .read(file)
    .replace(/<img src="data:image\/svg\+xml;base64,([^"]*)"[^>]*>/g, (_, svg) =>
      Buffer.from(svg, 'base64').toString(),
    );
}

test('a folder of plots shows each plot once, in one of its formats; at a revision it comes from the cache', async () => {
  const made = project({
    'pipeline.yaml': `
stages:
  draw:
    cmd: mkdir -p plots/sub && cp spec.json plots/one.vl.json && echo '<svg>one</svg>' > plots/one.svg && echo "<svg>two \${p}</svg>" > plots/sub/two.svg && echo no > plots/notes.txt
    deps: [spec.json]
    params: [p]
    plots: [plots]
`,
    'params.yaml': 'p: 1\n',
    'spec.json': '{"mark": "bar", "data": {"values": [{"a": 1}]}, "encoding": {"x": {"field": "a"}}}',
  });
  await made.outcomes();
  git(made, 'init', '-q', '-b', 'main');
  git(made, 'add', 'pipeline.yaml', 'params.yaml', 'dvc-like.lock');
  git(made, 'commit', '-q', '-m', 'first, without plots');
  made.write('plots/.ipynb_checkpoints/ignored.svg', '<svg>ignored</svg>');
  const shown = await made.repro('plots', 'show');
  expect([shown.stdout, shown.stderr]).toEqual([expect.stringMatching(/^2 plots in /), '']);
  expect(plotsPage(made)).not.toMatch(/<svg[^>]*>one/);
  await made.outcomes('-S', 'p=2');
  await made.repro('plots', 'diff');
  expect(plotsPage(made)).toMatch(/HEAD<\/h3><svg[^>]*>two 1.*workspace<\/h3><svg[^>]*>two 2/s);
});

test('plots show draws tables, specs and images on one page, and plots diff draws both sides in one plot', async () => {
  const made = project({
    'pipeline.yaml': `
stages:
  draw:
    cmd: printf 'step,loss\\n1,3\\n2,\${p}\\n' > curve.csv && echo '<svg></svg>' > own.svg && echo '[{"n":1.0},{"n":2e0}]' > rows.json
    params: [p]
    plots: [{curve.csv: {cache: false, x: step, y: loss, title: Loss & more}}, own.svg, rows.json]
`,
    'params.yaml': 'p: 2\n',
  });
  await made.outcomes();
  git(made, 'init', '-q', '-b', 'main');
  git(made, 'add', '.');
  git(made, 'commit', '-q', '-m', 'first');
  expect((await made.repro('plots', 'show')).stdout).toMatch(/^3 plots in .*\.html\n$/);
  expect(plotsPage(made)).toMatch(/aria-label="row: 0; n: 1"/);
  expect(plotsPage(made)).toMatch(/Loss &amp; more<\/figcaption><svg.*own.svg<\/figcaption><svg[^>]*><\/svg>/s);
  await made.outcomes('-S', 'p=1');
  await made.repro('plots', 'diff', '-o', 'diff.html');
  expect(plotsPage(made, 'diff.html')).toMatch(/HEAD.*workspace/s);
});
