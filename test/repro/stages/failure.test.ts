/** A stage that fails while it runs does not damage other results. */
import { afterEach, describe, expect, test } from 'vitest';
import { events, outcomesIn, project, removeProjects } from '../project.ts';

afterEach(removeProjects);

test('if the second of three commands fails, the third does not run, and earlier records are kept', async () => {
  const made = project({
    'pipeline.yaml': `
stages:
  first: {cmd: cp in.txt first.txt, deps: [in.txt], outs: [first.txt]}
  three:
    cmd:
      - echo one >> runs.log
      - echo two >> runs.log && echo "what went wrong" >&2 && exit \${code}
      - echo three >> runs.log && cp first.txt three.txt
    deps: [first.txt]
    outs: [three.txt]
`,
    'in.txt': 'a',
    'params.yaml': 'code: 0',
  });
  expect(await made.outcomes()).toEqual({ first: 'ran', three: 'ran' });
  const lockedText = () => /^ {2}three:\n( {4}.*\n)+/m.exec(made.read('dvc-like.lock'))![0];
  const before = lockedText();
  made.write('params.yaml', 'code: 3');
  made.write('in.txt', 'b');
  made.write('runs.log', '');
  const { exit, stdout } = await made.repro();
  expect(exit).toBe(1);
  expect(stdout).toMatch(/\nthree \| what went wrong\n✗ three: `.*` ended with exit 3\n1 ran, 1 failed in .* s\n$/);
  expect(made.read('runs.log')).toBe('one\ntwo\n');
  expect(lockedText()).toBe(before);
  expect(made.read('first.txt')).toBe('b');
  expect(Object.keys(await made.stale())).toEqual(['three']);
});

test('a stage fails if it does not make a declared output', async () => {
  const made = project({
    'pipeline.yaml': 'stages:\n  a: {cmd: "true", params: [p], outs: [never.txt]}\n',
    'params.yaml': 'p: 1',
  });
  const { exit, stdout } = await made.repro();
  expect([exit, stdout]).toEqual([1, expect.stringMatching(/✗ a: it succeeded but did not make never\.txt/)]);
});

test('a stage fails if a dependency is removed during the run, and the message names the stage once', async () => {
  const made = project({
    'pipeline.yaml':
      'stages:\n  a: {cmd: cp in.txt a.txt; rm gone.txt, deps: [in.txt], outs: [a.txt]}\n  b: {cmd: cat a.txt gone.txt > b.txt, deps: [a.txt, gone.txt], outs: [b.txt]}\n',
    'in.txt': '1',
    'gone.txt': '2',
  });
  const { exit, stdout } = await made.repro();
  expect([exit, stdout]).toEqual([1, expect.stringContaining('\n✗ b: the dependency "gone.txt" is missing\n')]);
});

describe('after a failure', () => {
  const fan = () =>
    project({
      'pipeline.yaml': `
stages:
  bad: {cmd: exit 1, params: [p], outs: [bad.txt]}
  below: {cmd: cp bad.txt below.txt, deps: [bad.txt], outs: [below.txt]}
  slow: {cmd: "until grep -q failed .repro/attempts.jsonl; do sleep 0.01; done; echo > slow.txt", params: [p], outs: [slow.txt]}
  after: {cmd: cp slow.txt after.txt, deps: [slow.txt], outs: [after.txt]}
`,
      'params.yaml': 'p: 1',
    });

  test('no new stage starts, and running stages are finished', async () => {
    const made = fan();
    const { exit, stdout } = await made.repro('--json', '-j', '2');
    expect(exit).toBe(1);
    expect(outcomesIn(stdout)).toEqual({ bad: 'failed', below: 'skipped', slow: 'ran', after: 'skipped' });
  });

  test('-k goes on with stages that do not depend on the failed one, and names the stages that did not run', async () => {
    const made = fan();
    const { exit, stdout } = await made.repro('-k', '-j', '1', '--json');
    expect(exit).toBe(1);
    expect(outcomesIn(stdout)).toEqual({ bad: 'failed', below: 'skipped', slow: 'ran', after: 'ran' });
    expect(events(stdout).find(({ event, stage }) => event === 'end' && stage === 'below')).toMatchObject({
      because: 'bad did not succeed',
    });
    expect((await made.repro('--ignore-errors')).exit).toBe(0);
  });
});

describe('a stage is not recorded if one of its inputs changes while it runs', () => {
  test.each([
    ['a dependency', 'in.txt', 'later'],
    ['a file that is added to a folder', 'folder/new.txt', ''],
    ['a file that is removed from a folder', 'folder/old.txt', undefined],
    ['a listed param', 'params.yaml', '{p: 2, q: 1}'],
    ['a module that the code imports', 'code/lib.mjs', 'export const n = 2;'],
    ['an optional dependency that is created', 'optional.txt', ''],
  ])('%s', async (_, path, text) => {
    const change = text === undefined ? `rm ${path}` : `printf '%s' '${text}' > ${path}`;
    const made = project({
      'pipeline.yaml': `
stages:
  a:
    cmd: sh run.sh
    deps: [in.txt, folder, {optional.txt: {optional: true}}]
    code: [code/main.mjs]
    params: [p]
    outs: [out.txt]
`,
      'run.sh': `cat in.txt > out.txt\n${change}\n`,
      'in.txt': 'first\n',
      'folder/old.txt': '',
      'folder/other.txt': '',
      'params.yaml': '{p: 1, q: 1}',
      'code/main.mjs': "import { n } from './lib.mjs';\nconsole.log(n);\n",
      'code/lib.mjs': 'export const n = 1;',
    });
    const { exit, stdout } = await made.repro();
    const reported = path.startsWith('folder/') ? 'folder' : path.startsWith('code/') ? 'code/main.mjs' : path;
    expect([exit, stdout]).toEqual([
      1,
      expect.stringContaining(`✗ a: ${reported} changed while the stage was running`),
    ]);
    expect(made.read('out.txt')).toBe('first\n');
    expect(['dvc-like.lock', '.repro/runs', '.repro/cache'].filter((each) => made.exists(each))).toEqual([]);
    // The next run uses the changed inputs and is recorded.
    made.write('run.sh', 'cat in.txt > out.txt\n');
    expect(await made.outcomes()).toEqual({ a: 'ran' });
    expect(await made.stale()).toEqual({});
  });

  test('a param that the stage does not list may change', async () => {
    const made = project({
      'pipeline.yaml':
        'stages:\n  a: {cmd: "echo \'{p: 1, q: 2}\' > params.yaml", params: [p], outs: [{o: {persist: true}}]}\n',
      'params.yaml': '{p: 1, q: 1}',
      o: '',
    });
    expect(await made.outcomes()).toEqual({ a: 'ran' });
    expect(await made.outcomes()).toEqual({});
  });

  test('a stage is not recorded if an output of another stage, which it depends on, changes while it runs', async () => {
    const made = project({
      'pipeline.yaml':
        'stages:\n  a: {cmd: cp in.txt a.txt, deps: [in.txt], outs: [a.txt]}\n  b: {cmd: "cat a.txt > b.txt; echo more >> a.txt", deps: [a.txt], outs: [b.txt]}\n',
      'in.txt': '1\n',
    });
    const { exit, stdout } = await made.repro();
    expect([exit, stdout]).toEqual([1, expect.stringMatching(/✗ b: a\.txt changed while the stage was running/)]);
    expect(Object.keys(made.lock().stages)).toEqual(['a']);
    expect(Object.keys(await made.stale())).toEqual(['a', 'b']);
  });
});

test('retries run a failed stage again, and a timeout ends a stage', async () => {
  const made = project({
    'pipeline.yaml': `
stages:
  flaky: {cmd: "echo x >> tries; [ $(wc -l < tries) -ge 3 ] && echo > out.txt", params: [p], outs: [out.txt], retries: 2}
  hangs: {cmd: sleep 600, timeout: 100ms}
`,
    'params.yaml': 'p: 1',
  });
  const { stdout } = await made.repro('-k');
  expect(made.read('tries')).toBe('x\nx\nx\n');
  expect(stdout).toMatch(/✓ flaky/);
  expect(stdout).toMatch(/✗ hangs: its command took longer than its timeout of 0\.1 s/);
});
