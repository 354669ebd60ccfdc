/** The plan: a status for each stage, on a small project on disk whose stages were committed, not run. */
import { afterEach, describe, expect, test } from 'vitest';
import { commitStage } from '../../../lib/repro/execution/index.ts';
import { evaluate, makePlan, openProject, type PlanOptions, type Project } from '../../../lib/repro/planning/index.ts';
import { fingerprintKey } from '../../../lib/repro/storage/index.ts';
import { project, removeProjects, type TestProject } from '../project.ts';

afterEach(removeProjects);

/** prepare → train → report, with files as if all had run. */
function chain(): TestProject {
  return project({
    'pipeline.yaml': `
stages:
  prepare: {cmd: make tokens, deps: [raw.txt], outs: [data]}
  train: {cmd: make model, deps: [data/tokens.txt], params: [lr], outs: [model.txt]}
  report: {cmd: make report, deps: [model.txt], outs: [report.txt]}
`,
    'raw.txt': 'raw\n',
    'params.yaml': 'lr: 1\n',
    'data/tokens.txt': 'tokens\n',
    'model.txt': 'model\n',
    'report.txt': 'report\n',
  });
}

async function withProject<T>(made: TestProject, use: (opened: Project) => Promise<T>): Promise<T> {
  const opened = await openProject(made.root, { write: true });
  try {
    return await use(opened);
  } finally {
    await opened.close();
  }
}

/** Records the present files as the result of a run of every stage. */
async function commit(made: TestProject): Promise<void> {
  await withProject(made, async (opened) => {
    for (const stage of opened.pipeline.stages) {
      const inputs = await opened.stageInputs.fingerprint(stage);
      await commitStage(opened, stage, inputs, fingerprintKey(stage, inputs));
    }
    opened.lock.flush();
  });
}

async function committed(): Promise<TestProject> {
  const made = chain();
  await commit(made);
  return made;
}

/** The statuses of `names`, or of all stages. */
function plan(made: TestProject, options: PlanOptions = {}, names?: string[]) {
  return withProject(made, async (opened) => {
    const planned = await makePlan(opened, names ?? [...opened.graph.stages.keys()], options);
    return Object.fromEntries(planned.map(({ stage, status }) => [stage.name, status]));
  });
}

const states = (statuses: { [stage: string]: { state: string } }) => Object.values(statuses).map(({ state }) => state);

describe('nothing recorded', () => {
  test('every stage is stale; only the first has its inputs, as the others wait for it', async () => {
    const statuses = await plan(chain());
    expect(statuses.prepare).toMatchObject({
      state: 'stale',
      reasons: [{ kind: 'never-run' }],
      inputs: { deps: { 'raw.txt': { size: 4 } } },
      key: expect.stringMatching(/^[0-9a-f]{64}$/),
      notes: [],
    });
    const pending = { state: 'stale', pending: true, reasons: [{ kind: 'never-run' }] };
    expect([statuses.train, statuses.report]).toEqual([pending, pending]);
  });
});

describe('all stages recorded', () => {
  test('every stage is fresh', async () => {
    expect(states(await plan(await committed()))).toEqual(['fresh', 'fresh', 'fresh']);
  });

  test('a changed input makes its stage stale, and the stages below it maybe', async () => {
    const made = await committed();
    made.write('raw.txt', 'changed\n');
    expect(await plan(made)).toMatchObject({
      prepare: { state: 'stale', reasons: [{ kind: 'dep', path: 'raw.txt' }] },
      train: { state: 'maybe', pending: true, reasons: [{ kind: 'upstream', stages: ['prepare'] }] },
      report: { state: 'maybe', pending: true, reasons: [{ kind: 'upstream', stages: ['train'] }] },
    });
  });

  test('a stage below a stale one is stale, not maybe, if it has its own reason', async () => {
    const made = await committed();
    made.write('raw.txt', 'changed\n');
    made.write('params.yaml', 'lr: 2\n');
    expect((await plan(made)).train).toEqual({
      state: 'stale',
      pending: true,
      reasons: [{ kind: 'param', file: 'params.yaml', key: 'lr', old: 1, new: 2 }],
    });
  });

  test('a missing output is restorable, and the stage below it is fresh, as it will get the same input', async () => {
    const made = await committed();
    made.remove('data');
    expect(await plan(made)).toMatchObject({
      prepare: {
        state: 'restorable',
        reasons: [{ kind: 'out-missing', path: 'data' }],
        block: { outs: { data: { size: 7, files: 1 } } },
      },
      train: { state: 'fresh' },
      report: { state: 'fresh' },
    });
  });

  test('a stage with the inputs of an earlier run is restorable; the stages below it are compared with its outputs', async () => {
    const made = await committed();
    made.write('params.yaml', 'lr: 2\n');
    made.write('model.txt', 'another model\n');
    made.write('report.txt', 'another report\n');
    await commit(made);
    made.write('params.yaml', 'lr: 1\n');
    expect(states(await plan(made))).toEqual(['fresh', 'restorable', 'restorable']);
  });

  test('without the run cache, a restorable stage is stale', async () => {
    const made = await committed();
    made.remove('report.txt');
    expect((await plan(made, { runCache: false })).report).toMatchObject({ state: 'stale', notes: [] });
  });

  test('a damaged entry of the run cache is dropped, and a note says so', async () => {
    const made = await committed();
    made.remove('report.txt');
    const { key } = (await plan(made)).report as { key: string };
    made.write(`.repro/runs/${key.slice(0, 2)}/${key.slice(2)}.json`, '{}');
    expect((await plan(made)).report).toMatchObject({
      state: 'stale',
      notes: ['its entry in the run cache was damaged; it is dropped'],
    });
    expect((await plan(made)).report).toMatchObject({ state: 'stale', notes: [] });
  });

  test('force makes every selected stage stale; stages that are not selected count as they are on disk', async () => {
    const made = await committed();
    const forced = [{ kind: 'always', forced: true }];
    expect(await plan(made, { force: true }, ['report'])).toMatchObject({
      report: { state: 'stale', reasons: forced },
    });
    expect(await plan(made, { force: true })).toMatchObject({
      prepare: { state: 'stale', reasons: forced },
      train: { state: 'stale', pending: true, reasons: forced },
    });
  });

  test('a frozen stage stays frozen, also when its inputs are missing; the stages below it use its outputs', async () => {
    const made = await committed();
    made.write('pipeline.yaml', made.read('pipeline.yaml').replace('outs: [data]', 'outs: [data], frozen: true'));
    made.write('raw.txt', 'changed\n');
    expect(await plan(made)).toMatchObject({
      prepare: { state: 'frozen', reasons: [{ kind: 'dep', path: 'raw.txt' }] },
      train: { state: 'fresh' },
    });
    made.remove('raw.txt');
    expect((await plan(made, { force: true }, ['prepare'])).prepare).toEqual({ state: 'frozen', reasons: [] });
  });

  test('with allowMissing a missing dependency counts as unchanged, and so does a missing output', async () => {
    const made = await committed();
    made.remove('raw.txt');
    made.remove('report.txt');
    expect(states(await plan(made, { allowMissing: true }))).toEqual(['fresh', 'fresh', 'fresh']);
  });
});

describe('missing inputs', () => {
  test('all are reported at once, each with its place in pipeline.yaml', async () => {
    const made = chain();
    made.write(
      'pipeline.yaml',
      made.read('pipeline.yaml').replace('deps: [model.txt]', 'deps: [model.txt, extra.txt]'),
    );
    made.remove('raw.txt');
    await expect(plan(made)).rejects.toThrow(
      'pipeline.yaml:3:38: prepare: the dependency "raw.txt" is missing, and no stage makes it\n' +
        'pipeline.yaml:5:48: report: the dependency "extra.txt" is missing, and no stage makes it',
    );
  });

  test('cells of a matrix that lack the same input are reported as one problem', async () => {
    const made = project({
      'pipeline.yaml': 'stages:\n  s: {matrix: {n: [1, 2]}, cmd: "true", deps: [in.txt], outs: ["out${item.n}"]}\n',
    });
    await expect(plan(made)).rejects.toThrow(/^pipeline\.yaml:2:\d+: s@1, s@2: the dependency "in\.txt" is missing/);
  });
});

test('evaluate finds the status of one stage from its files alone, and ignores upstream stages', async () => {
  const made = await committed();
  made.write('raw.txt', 'changed\n');
  const status = await withProject(made, (opened) => evaluate(opened, opened.graph.stages.get('train')!, {}));
  expect(status).toEqual({ state: 'fresh', reasons: [] });
});
