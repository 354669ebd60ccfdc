/** Which changes make a stage run: content decides, not time. */
import { createHash } from 'node:crypto';
import { chmodSync, utimesSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { project, removeProjects } from '../project.ts';

afterEach(removeProjects);

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

/** raw → prepare → train (one cell for each size) → report */
function study() {
  return project({
    'pipeline.yaml': `
stages:
  prepare:
    cmd: mkdir -p data && tr a-z A-Z < raw.txt > data/tokens.txt
    deps: [raw.txt]
    params: [prepare.lowercase]
    outs: [data]
  train:
    matrix: {size: "\${train.sizes}"}
    cmd: 'cat data/tokens.txt && echo "{\\"loss\\": \${item.size}}" > loss-\${item.size}.json && echo weights > model-\${item.size}'
    deps: [data/tokens.txt]
    code: [code/train.ts]
    params: [train.lr, "widths.\${item.size}"]
    env: {THREADS: "2"}
    outs: ["model-\${item.size}"]
    metrics: [{"loss-\${item.size}.json": {cache: false}}]
  report:
    cmd: cat loss-*.json > report.txt
    deps: [loss-1.json, loss-2.json]
    outs: [report.txt]
`,
    'params.yaml':
      'prepare: {lowercase: true}\ntrain:\n  lr: 0.1 # the rate\n  sizes: [1, 2]\nwidths: {1: 16, 2: 32, 3: 64}\nunused: 1\n',
    'raw.txt': 'abc\n',
    'code/train.ts':
      "import { half } from './half.ts';\nimport type { Shape } from './shape.ts';\nconsole.log(half as Shape);\n",
    'code/half.ts': 'export const half = 0.5;\n',
    'code/shape.ts': 'export type Shape = unknown;\n',
    'code/other.ts': 'export const other = 1;\n',
  });
}

const everything = { prepare: 'ran', 'train@1': 'ran', 'train@2': 'ran', report: 'ran' };

test('the first run runs every stage, the second none', async () => {
  const study1 = study();
  expect(await study1.outcomes()).toEqual(everything);
  const lock = study1.read('dvc-like.lock');
  expect(await study1.outcomes()).toEqual({});
  expect(await study1.stale()).toEqual({});
  expect(study1.read('dvc-like.lock')).toBe(lock);
});

describe('after a first run', () => {
  async function ready() {
    const made = study();
    await made.outcomes();
    return made;
  }

  test('unlisted params and files, new file times and another order or layout of YAML leave all stages fresh', async () => {
    const made = await ready();
    made.write(
      'params.yaml',
      '# reordered\nunused: 2\nwidths: {2: 32, 1: 16, 3: 65}\ntrain:\n  sizes: [1, 2]\n  lr: 1e-1\nprepare:\n  lowercase: true # block style\n',
    );
    made.write('code/other.ts', 'export const other = 2;\n');
    made.write('code/shape.ts', 'export type Shape = number; // types are gone when code runs\n');
    utimesSync(made.path('raw.txt'), new Date(), new Date());
    utimesSync(made.path('model-1'), new Date(), new Date());
    expect(await made.stale()).toEqual({});
    expect(await made.outcomes()).toEqual({});
  });

  test('a listed param makes the stages that list it stale, with the old and new value of the leaf', async () => {
    const made = await ready();
    made.write('params.yaml', made.read('params.yaml').replace('2: 32', '2: 48'));
    expect(await made.stale()).toMatchObject({
      'train@2': {
        state: 'stale',
        reasons: [{ kind: 'param', file: 'params.yaml', key: 'widths.2', old: 32, new: 48 }],
      },
      report: { state: 'maybe', reasons: [{ kind: 'upstream', stages: ['train@2'] }] },
    });
    // train@2 makes the same loss as before, so the report stays fresh.
    expect(await made.outcomes()).toEqual({ 'train@2': 'ran' });
  });

  test('a changed command, variable or dependency makes its stage stale', async () => {
    const made = await ready();
    const pipeline = made.read('pipeline.yaml');
    made.write('pipeline.yaml', pipeline.replace('THREADS: "2"', 'THREADS: "3"').replace('cat loss-*', 'cat ./loss-*'));
    made.write('raw.txt', 'xyz\n');
    expect(await made.stale()).toMatchObject({
      prepare: { reasons: [{ kind: 'dep', path: 'raw.txt' }] },
      'train@1': { state: 'stale', reasons: [{ kind: 'env', key: 'THREADS', old: '2', new: '3' }] },
      report: {
        state: 'stale',
        reasons: [{ kind: 'command', old: 'cat loss-*.json > report.txt', new: 'cat ./loss-*.json > report.txt' }],
      },
    });
    expect(await made.outcomes()).toEqual(everything);
  });

  test('a changed module that the code imports makes the stage stale, and is named', async () => {
    const made = await ready();
    made.write('code/half.ts', 'export const half = 1 / 2;\n');
    expect((await made.stale())['train@1']).toEqual({
      state: 'stale',
      reasons: [
        {
          kind: 'code',
          path: 'code/half.ts',
          entry: 'code/train.ts',
          old: { sha256: sha256('export const half = 0.5;\n'), size: 25 },
          new: { sha256: sha256('export const half = 1 / 2;\n'), size: 27 },
        },
      ],
    });
    // With the old content again, the stage is fresh again.
    made.write('code/half.ts', 'export const half = 0.5;\n');
    expect(await made.stale()).toEqual({});
  });

  test('a module that the code starts to use is reported as new, one that it stops using as no longer used', async () => {
    const made = await ready();
    const entry = "import { other } from './other.ts';\nconsole.log(other);\n";
    made.write('code/train.ts', entry);
    const { reasons } = (await made.stale())['train@1'];
    expect(reasons).toMatchObject([
      { path: 'code/half.ts', old: { sha256: sha256(made.read('code/half.ts')) } },
      { path: 'code/other.ts', new: { sha256: sha256(made.read('code/other.ts')) } },
      { path: 'code/train.ts', new: { sha256: sha256(entry) } },
    ]);
    expect(reasons.map((reason) => ['old' in reason, 'new' in reason])).toEqual([
      [true, false],
      [false, true],
      [true, true],
    ]);
    const before = (reasons[2].old as { sha256: string }).sha256;
    const hashes = `${before.slice(0, 12)} → ${sha256(entry).slice(0, 12)}`;
    expect((await made.repro('why', 'train@1')).stdout).toBe(
      `train@1: stale\n  code code/half.ts is no longer used\n  code code/other.ts is new\n  code code/train.ts changed: ${hashes}\n`,
    );
    expect((await made.repro('status', 'train@1')).stdout).toContain('  code code/half.ts is no longer used\n');
  });

  test('re-exports of an index.ts count only if the code uses them; then the index.ts counts too', async () => {
    const made = await ready();
    made.write('code/index.ts', "export { half } from './half.ts';\nexport { other } from './other.ts';\n");
    made.write('code/train.ts', "import { half } from './index.ts';\nconsole.log(half);\n");
    await made.outcomes();
    made.write('code/other.ts', 'export const other = 3;\n');
    expect(await made.stale()).toEqual({});
    made.write('code/index.ts', "export { other as half } from './other.ts';\n");
    const { reasons } = (await made.stale())['train@1'];
    expect(reasons.map(({ kind, path }) => [kind, path])).toContainEqual(['code', 'code/index.ts']);
    // A module that runs code on load counts even if its exports are not used.
    made.write('code/index.ts', "export { half } from './half.ts';\nimport './other.ts';\n");
    made.write('code/other.ts', "export const other = 3;\nconsole.log('loaded');\n");
    await made.outcomes();
    made.write('code/other.ts', "export const other = 3;\nconsole.log('loaded twice');\n");
    expect((await made.stale())['train@1'].reasons).toMatchObject([{ kind: 'code', path: 'code/other.ts' }]);
  });

  test('an output that was edited, made executable, removed, or has a foreign file in it is restored', async () => {
    const made = await ready();
    made.write('model-1', 'edited\n');
    chmodSync(made.path('report.txt'), 0o755);
    made.remove('loss-2.json');
    made.write('data/foreign.txt', 'what is this');
    expect(await made.stale()).toMatchObject({
      prepare: { state: 'restorable', reasons: [{ kind: 'out-changed', path: 'data' }] },
      'train@1': { state: 'restorable', reasons: [{ kind: 'out-changed', path: 'model-1' }] },
      'train@2': { state: 'restorable', reasons: [{ kind: 'out-missing', path: 'loss-2.json' }] },
      report: { reasons: [{ kind: 'out-changed', path: 'report.txt' }] },
    });
    expect(await made.outcomes()).toEqual({
      prepare: 'restored',
      'train@1': 'restored',
      'train@2': 'restored',
      report: 'restored',
    });
    expect(made.read('model-1')).toBe('weights\n');
    expect(made.exists('data/foreign.txt')).toBe(false);
  });

  test('a stage stays fresh if its upstream stage makes the same bytes again', async () => {
    const made = await ready();
    made.write('pipeline.yaml', made.read('pipeline.yaml').replace('tr a-z A-Z', 'tr [:lower:] [:upper:]'));
    expect(await made.outcomes()).toEqual({ prepare: 'ran' });
  });

  test('adding or removing a matrix value leaves every other cell fresh', async () => {
    const made = await ready();
    const block = (name: string) => new RegExp(`^  ${name}:\\n(    .*\\n)+`, 'm').exec(made.read('dvc-like.lock'))![0];
    const before = block('train@1');
    made.write('params.yaml', made.read('params.yaml').replace('[1, 2]', '[1, 2, 3]'));
    expect(await made.outcomes()).toEqual({ 'train@3': 'ran' });
    expect(block('train@1')).toBe(before);
    made.write('params.yaml', made.read('params.yaml').replace('[1, 2, 3]', '[1, 2]'));
    expect(await made.outcomes()).toEqual({});
    made.write('params.yaml', made.read('params.yaml').replace('[1, 2]', '[1, 2, 3]'));
    expect(await made.outcomes()).toEqual({});
  });

  test('making an output a metric or removing a dependency leaves a stage fresh; adding a dependency does not', async () => {
    const made = await ready();
    const pipeline = made.read('pipeline.yaml');
    made.write(
      'pipeline.yaml',
      pipeline
        .replace('outs: [report.txt]', 'metrics: [report.txt]')
        .replace('loss-1.json, loss-2.json', 'loss-1.json'),
    );
    expect(await made.stale()).toEqual({});
    made.write('pipeline.yaml', pipeline.replace('deps: [raw.txt]', 'deps: [raw.txt, code/other.ts]'));
    expect((await made.stale()).prepare).toMatchObject({ reasons: [{ kind: 'dep', path: 'code/other.ts' }] });
  });
});

test('a dependency in or around the output of another stage comes after it, in any order of the file', async () => {
  const made = project({
    'pipeline.yaml': `
stages:
  over: {cmd: ls models > over.txt, deps: [./models/], outs: [over.txt]}
  under: {cmd: cat data/deep/a.txt > under.txt, deps: [data/deep/a.txt], outs: [under.txt]}
  a: {cmd: mkdir -p models && echo a > models/a, params: [p], outs: [models/a]}
  b: {cmd: mkdir -p models && echo b > models/b, params: [p], outs: [models/b]}
  tree: {cmd: mkdir -p data/deep && echo deep > data/deep/a.txt, params: [p], outs: [data]}
`,
    'params.yaml': 'p: 1\n',
  });
  await made.outcomes();
  expect(made.read('over.txt')).toBe('a\nb\n');
  expect(made.read('under.txt')).toBe('deep\n');
  const { edges } = JSON.parse((await made.repro('dag', '--json')).stdout);
  expect(edges).toEqual(
    expect.arrayContaining([
      { from: 'a', to: 'over' },
      { from: 'b', to: 'over' },
      { from: 'tree', to: 'under' },
    ]),
  );
});

test('a stage without inputs, or marked always_changed, runs each time; a frozen one never', async () => {
  const made = project({
    'pipeline.yaml': `
stages:
  bare: {cmd: echo run >> runs.log}
  always: {cmd: cp in.txt out.txt, deps: [in.txt], outs: [out.txt], always_changed: true}
  frozen: {cmd: cp in.txt cold.txt, deps: [in.txt], outs: [cold.txt], frozen: true}
`,
    'in.txt': '1',
  });
  expect(await made.outcomes()).toEqual({ bare: 'ran', always: 'ran' });
  expect(await made.outcomes()).toEqual({ bare: 'ran', always: 'ran' });
  expect(await made.stale()).toMatchObject({
    bare: { state: 'stale', reasons: [{ kind: 'always' }] },
    always: { state: 'stale', reasons: [{ kind: 'always' }] },
    frozen: { state: 'frozen', reasons: [{ kind: 'never-run' }] },
  });
});

test('a missing optional dependency is recorded as missing, and the stage runs when it appears', async () => {
  const made = project({
    'pipeline.yaml':
      'stages:\n  s: {cmd: cat extra.txt > out.txt || true, deps: [{extra.txt: {optional: true}}], outs: [out.txt]}\n',
  });
  expect(await made.outcomes()).toEqual({ s: 'ran' });
  expect(await made.outcomes()).toEqual({});
  expect(made.lock().stages.s.deps).toEqual({ 'extra.txt': null });
  made.write('extra.txt', 'more');
  expect((await made.stale()).s.reasons).toMatchObject([{ kind: 'dep', path: 'extra.txt', old: null }]);
  expect(await made.outcomes()).toEqual({ s: 'ran' });
});

test('a stage that is stale in the plan is restored where its inputs turn out to be those of an earlier run', async () => {
  const made = project({
    'pipeline.yaml': `
stages:
  first: {cmd: cut -c1 in.txt > first.txt, deps: [in.txt], outs: [first.txt]}
  copy: {cmd: cp first.txt copy.txt, deps: [first.txt], outs: [copy.txt]}
  last: {cmd: cp copy.txt last.txt, deps: [copy.txt], params: [p], outs: [last.txt]}
`,
    'params.yaml': 'p: 1\n',
    'in.txt': 'ab\n',
  });
  await made.outcomes();
  made.write('params.yaml', 'p: 2\n');
  expect(await made.outcomes()).toEqual({ last: 'ran' });
  // `copy` may change, so the inputs of `last` are known only after `first` has run.
  made.write('params.yaml', 'p: 1\n');
  made.write('in.txt', 'ac\n');
  expect(await made.stale()).toMatchObject({
    first: { state: 'stale' },
    copy: { state: 'maybe' },
    last: { state: 'stale', reasons: [{ kind: 'param', key: 'p', old: 2, new: 1 }] },
  });
  expect(await made.outcomes()).toEqual({ first: 'ran', last: 'restored' });
});
