/** The plan with allowMissing, when only the lock is there: what a stage's inputs would be if its makers' outputs were. */
import { rmSync } from 'node:fs';
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
