/** The plan with allowMissing, when only the lock is there: what a stage's inputs would be if its makers' outputs were. */
import { rmSync, symlinkSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { commitStage } from '../../../lib/repro/execution/index.ts';
import { makePlan, openProject, type Project } from '../../../lib/repro/planning/index.ts';
import { fingerprintKey } from '../../../lib/repro/storage/index.ts';
import { project, removeProjects, type TestProject } from '../project.ts';

afterEach(removeProjects);

async function withProject<T>(made: TestProject, use: (opened: Project) => Promise<T>): Promise<T> {
  const opened = await openProject(made.root, { write: true });
  try {
    return await use(opened);
  } finally {
    await opened.close();
  }
}

/** Records the present files as the result of a run of these stages. */
function commit(made: TestProject, ...names: string[]): Promise<void> {
  return withProject(made, async (opened) => {
    for (const name of names) {
      const stage = opened.graph.stages.get(name)!;
      const inputs = await opened.stageInputs.fingerprint(stage);
      await commitStage(opened, stage, inputs, fingerprintKey(stage, inputs));
    }
    opened.lock.flush();
  });
}

/** The states and what is lacking, by stage; `paths` are removed first. */
function statesWithout(made: TestProject, ...paths: string[]) {
  for (const path of paths) rmSync(made.path(path), { recursive: true, force: true });
  return withProject(made, async (opened) => {
    const plan = await makePlan(opened, [...opened.graph.stages.keys()], { allowMissing: true });
    return Object.fromEntries(
      plan.map(({ stage, status, lacking }) => [stage.name, [status.state, ...(lacking ?? [])].join(' ')]),
    );
  });
}

function stages(...lines: string[]): { 'pipeline.yaml': string; 'raw.txt': string } {
  return { 'pipeline.yaml': `stages:\n${lines.map((line) => `  ${line}\n`).join('')}`, 'raw.txt': 'raw\n' };
}

describe('a chain', () => {
  const files = {
    ...stages(
      'a: {cmd: "1", deps: [raw.txt], outs: [a.txt]}',
      'b: {cmd: "2", deps: [a.txt], outs: [b.txt]}',
      'c: {cmd: "3", deps: [b.txt], outs: [c.txt]}',
    ),
    'a.txt': 'a\n',
    'b.txt': 'b\n',
    'c.txt': 'c\n',
  };
  const data = ['raw.txt', 'a.txt', 'b.txt', 'c.txt'];

  test('is fresh by the lock alone, also if nobody makes the first input', async () => {
    const made = project(files);
    await commit(made, 'a', 'b', 'c');
    expect(await statesWithout(made, ...data, '.repro')).toEqual({ a: 'fresh', b: 'fresh', c: 'fresh' });
  });

  test('a stage whose maker made something else since is stale, and needs it', async () => {
    const made = project(files);
    await commit(made, 'a', 'b', 'c');
    made.write('a.txt', 'anew\n');
    await commit(made, 'a');
    // c.txt is restored from the cache as soon as b, which may make b.txt anew, has shown that it does not.
    expect(await statesWithout(made, ...data)).toEqual({ a: 'restorable', b: 'stale', c: 'maybe' });
    expect(await statesWithout(made, '.repro')).toEqual({ a: 'fresh', b: 'stale a.txt', c: 'maybe' });
  });

  test('a frozen maker counts as what the lock says', async () => {
    const made = project({
      ...files,
      'pipeline.yaml': files['pipeline.yaml'].replace('outs: [a.txt]', 'frozen: true, outs: [a.txt]'),
    });
    await commit(made, 'a', 'b', 'c');
    made.write('a.txt', 'anew\n');
    await commit(made, 'a');
    expect(await statesWithout(made, ...data, '.repro')).toMatchObject({ a: 'frozen', b: 'stale a.txt' });
  });
});

describe('a file in a folder', () => {
  const make = 'make: {cmd: "1", deps: [raw.txt], outs: [d]}';
  const use = 'use: {cmd: "2", deps: [d/x], outs: [y]}';

  test.each([
    ['is as recorded', 'x\n', { make: 'fresh', use: 'fresh' }],
    ['differs', 'anew\n', { make: 'fresh', use: 'stale d/x' }],
  ])('that is the only one: the lock tells that it %s', async (_, text, expected) => {
    const made = project({ ...stages(make, use), 'd/x': 'x\n', y: 'y\n' });
    await commit(made, 'make', 'use');
    made.write('d/x', text);
    await commit(made, 'make');
    expect(await statesWithout(made, 'd', 'y', '.repro')).toEqual(expected);
  });

  test('among others: the list of files in the cache tells, or what all stages read in it, or else nothing does', async () => {
    const made = project({ ...stages(make, use), 'd/x': 'x\n', 'd/z': 'z\n', y: 'y\n', w: 'w\n' });
    await commit(made, 'make', 'use');
    made.write('d/z', 'anew\n');
    await commit(made, 'make');
    expect(await statesWithout(made, 'd', 'y')).toEqual({ make: 'fresh', use: 'fresh' });
    expect(await statesWithout(made, '.repro')).toEqual({ make: 'fresh', use: 'maybe d/x' });

    made.write('pipeline.yaml', stages(make, use, 'other: {cmd: "3", deps: [d/z], outs: [w]}')['pipeline.yaml']);
    made.write('d/x', 'x\n');
    made.write('d/z', 'anew\n');
    await commit(made, 'other');
    expect(await statesWithout(made, 'd', '.repro')).toEqual({ make: 'fresh', use: 'fresh', other: 'fresh' });
  });
});

test('a folder that holds outputs of several stages is completed by what the lock says of them', async () => {
  const made = project({
    ...stages(
      'one: {matrix: {i: [1, 2]}, cmd: "1", deps: [raw.txt], outs: ["data/${item.i}"]}',
      'sub: {cmd: "2", deps: [raw.txt], outs: [data/sub]}',
      'sum: {cmd: "3", deps: [data], outs: [sum]}',
    ),
    'data/1': '1\n',
    'data/2': '2\n',
    'data/2.txt': 'of git\n',
    'data/sub/a/b': 'b\n',
    sum: 'sum\n',
  });
  await commit(made, 'one@1', 'one@2', 'sub', 'sum');
  const fresh = { 'one@1': 'fresh', 'one@2': 'fresh', sub: 'fresh' };
  expect(await statesWithout(made, 'data/1', 'data/2', 'data/sub')).toEqual({ ...fresh, sum: 'fresh' });
  made.write('data/2', 'anew\n');
  await commit(made, 'one@2');
  expect(await statesWithout(made, 'data/2')).toEqual({
    'one@1': 'restorable',
    'one@2': 'restorable',
    sub: 'restorable',
    sum: 'stale',
  });
  // The list of files of data/sub is gone too.
  expect(await statesWithout(made, '.repro')).toEqual({ ...fresh, sum: 'maybe data/1 data/2 data/sub' });
});

describe('a folder above outputs that are folders', () => {
  const files = {
    ...stages(
      'one: {matrix: {i: [1, 2]}, cmd: "1", deps: [raw.txt], outs: ["data/${item.i}"]}',
      'empty: {cmd: "2", deps: [raw.txt], outs: [data/sub/empty]}',
      'sum: {cmd: "3", deps: [data], outs: [sum]}',
    ),
    'data/1/a': '1\n',
    'data/1/b/c': '1\n',
    'data/2/a': '2\n',
    'data/sub/empty/.keep': '',
    'data/of-git.txt': 'of git\n',
    sum: 'sum\n',
  };
  const outs = ['data/1', 'data/2', 'data/sub', 'sum'];
  const fresh = { 'one@1': 'fresh', 'one@2': 'fresh', empty: 'fresh' };
  const unknown = { ...fresh, sum: 'maybe data/1 data/2 data/sub/empty' };

  /** The project after a run of all stages. */
  async function recorded(): Promise<TestProject> {
    const made = project(files);
    made.remove('data/sub/empty/.keep');
    await commit(made, 'one@1', 'one@2', 'empty', 'sum');
    return made;
  }

  test('is as recorded if each output and all other files are', async () => {
    const made = await recorded();
    expect(await statesWithout(made, ...outs, '.repro')).toEqual({ ...fresh, sum: 'fresh' });
    // Some of them are there.
    for (const path of ['data/1/a', 'data/1/b/c'] as const) made.write(path, files[path]);
    made.write('data/sub/empty/.keep', '');
    made.remove('data/sub/empty/.keep');
    expect(await statesWithout(made, '.repro')).toEqual({ ...fresh, sum: 'fresh' });
  });

  test('may have changed if an output did', async () => {
    const made = await recorded();
    made.write('data/2/a', '3\n'); // As large as before.
    await commit(made, 'one@2');
    expect(await statesWithout(made, ...outs, '.repro')).toEqual(unknown);
  });

  test.each([
    ['was added', (made: TestProject) => made.write('data/mine.txt', 'mine\n')],
    ['changed', (made: TestProject) => made.write('data/of-git.txt', 'of me\n')],
    ['is missing', (made: TestProject) => made.remove('data/of-git.txt')],
  ])('may have changed if a file that no stage makes %s', async (_, change) => {
    const made = await recorded();
    change(made);
    expect(await statesWithout(made, ...outs, '.repro')).toEqual(unknown);
  });

  test('may have changed if the lock does not say what was in it', async () => {
    const made = await recorded();
    made.write('dvc-like.lock', made.read('dvc-like.lock').replace(/^ {4}parts:\n( {6}.*\n)/m, ''));
    expect(await statesWithout(made, ...outs, '.repro')).toEqual(unknown);
  });

  test('may have changed if an output has links that lead to another output', async () => {
    const made = project(files);
    symlinkSync('../1/a', made.path('data/2/link'));
    await commit(made, 'one@1', 'one@2', 'empty', 'sum');
    expect(await statesWithout(made, ...outs, '.repro')).toEqual(unknown);
  });
});
