/** `repro --dry`: the planned outcome of each stage, and the forecast of the duration. */
import { afterEach, describe, expect, test } from 'vitest';
import { project, removeProjects, type TestProject } from '../project.ts';

afterEach(removeProjects);

/** The file .repro/attempts.jsonl with one earlier run of each stage; minutes by stage. */
function earlierRuns(minutes: { [stage: string]: number }): { [path: string]: string } {
  const attempts = Object.entries(minutes).map(([stage, duration]) => ({
    stage,
    started: '2026-01-01T00:00:00.000Z',
    seconds: 60 * duration,
    outcome: 'ran',
  }));
  return { '.repro/attempts.jsonl': attempts.map((attempt) => `${JSON.stringify(attempt)}\n`).join('') };
}

/** The last line of `repro --dry`: the states and the forecast. */
async function forecast(made: TestProject, ...args: string[]): Promise<string | undefined> {
  const { exit, stdout, stderr } = await made.repro('--dry', ...args);
  if (exit !== 0) throw new Error(stderr);
  return stdout.trimEnd().split('\n').at(-1);
}

describe('the forecast simulates the run with the durations of earlier runs', () => {
  test('stages wait for the stages they depend on and for a free worker', async () => {
    const made = project({
      'pipeline.yaml': `
stages:
  a: {cmd: echo > a, params: [p], outs: [a]}
  b: {cmd: echo > b, params: [p], outs: [b]}
  c: {cmd: cat a b, deps: [a, b]}
`,
      'params.yaml': 'p: 1',
      ...earlierRuns({ a: 2, b: 1, c: 1 }),
    });
    expect(await forecast(made, '-j', '1')).toBe('3 stale, about 4 min on 1 worker');
    expect(await forecast(made, '-j', '2')).toBe('3 stale, about 3 min on 2 workers');
    expect(await forecast(made, '-j', '9')).toBe('3 stale, about 3 min on 9 workers');
    const { stdout } = await made.repro('--dry', '--json', '-j', '2');
    expect(JSON.parse(stdout)).toMatchObject({
      event: 'plan',
      jobs: 2,
      seconds: 180,
      secondsAtMost: 180,
      untimed: 0,
      stages: [
        { stage: 'a', state: 'stale', reasons: [{ kind: 'never-run' }], expected: 120 },
        { stage: 'b', expected: 60 },
        { stage: 'c', expected: 60 },
      ],
    });
  });

  test('the longest stage starts first', async () => {
    const made = project({
      'pipeline.yaml': 'stages:\n  s: {matrix: {n: [1, 2, 3]}, cmd: "true", params: [p]}\n',
      'params.yaml': 'p: 1',
      ...earlierRuns({ 's@1': 1, 's@2': 1, 's@3': 2 }),
    });
    expect(await forecast(made, '-j', '2')).toBe('3 stale, about 2 min on 2 workers');
  });

  test('stages wait for cpus, GPUs and named limits; a stage that needs more than the machine has is an error', async () => {
    const made = project({
      'pipeline.yaml': `
limits: {net: 2}
stages:
  net: {matrix: {n: [1, 2, 3]}, cmd: "true", params: [p], resources: {net: 1}}
  gpu: {matrix: {n: [1, 2, 3, 4, 5]}, cmd: "true", params: [p], resources: {gpus: 1}}
  cpu: {matrix: {n: [1, 2]}, cmd: "true", params: [p], resources: {cpus: "\${cpus}"}}
`,
      'params.yaml': `p: 1\ncpus: ${(await import('node:os')).availableParallelism()}`,
      ...earlierRuns(
        Object.fromEntries(
          ['net@1', 'net@2', 'net@3', 'gpu@1', 'gpu@2', 'gpu@3', 'gpu@4', 'gpu@5', 'cpu@1', 'cpu@2'].map((name) => [
            name,
            10,
          ]),
        ),
      ),
    });
    made.env = { REPRO_GPUS: '0,1' };
    expect(await forecast(made, '-j', '8', 'net')).toBe('3 stale, about 20 min on 8 workers');
    expect(await forecast(made, '-j', '8', 'gpu')).toBe('5 stale, about 30 min on 8 workers');
    expect(await forecast(made, '-j', '8', 'cpu')).toBe('2 stale, about 20 min on 8 workers');
    expect(await forecast(made, '-j', '8', 'net', 'gpu')).toBe('8 stale, about 30 min on 8 workers');
    made.env = { REPRO_GPUS: '' };
    expect(await forecast(made, '-j', '8', 'gpu')).toBe('5 stale, about 10 min on 8 workers');
    made.env = { REPRO_GPUS: '0' };
    made.write('params.yaml', 'p: 1\ncpus: 4000\n');
    const { exit, stderr } = await made.repro('--dry');
    expect([exit, stderr]).toEqual([
      2,
      expect.stringMatching(/^repro: cpu@1 wants 4000 cpus, but this machine has \d+\n$/),
    ]);
  });

  test('restorable stages take no time, stages that might run give a range, and stages that never ran are not counted', async () => {
    const made = project({
      'pipeline.yaml': `
stages:
  top: {cmd: cp in.txt top.txt, deps: [in.txt], outs: [top.txt]}
  middle: {cmd: wc -c < top.txt > middle.txt, deps: [top.txt], outs: [middle.txt]}
  low: {cmd: cat middle.txt > low.txt, deps: [middle.txt], params: [p], outs: [low.txt]}
  other: {cmd: echo > other.txt, params: [p], outs: [other.txt]}
`,
      'in.txt': 'a',
      'params.yaml': 'p: 1',
    });
    expect(await forecast(made)).toBe('4 stale, how long that takes is not known yet');
    await made.outcomes();
    expect(await forecast(made)).toBe('4 fresh');
    await made.outcomes('-S', 'p=2');
    for (const [path, text] of Object.entries(earlierRuns({ top: 30, middle: 40, low: 50, other: 60 })))
      made.write(path, text);
    expect(await forecast(made, '-S', 'p=1')).toBe('2 restorable, 2 fresh');
    // low comes after top even if middle, which is between them, does not run.
    made.write('in.txt', 'b');
    expect(await forecast(made, '-S', 'p=3', '-j', '3')).toBe('3 stale, 1 maybe, about 1 h 20 min to 2 h on 3 workers');
    made.write('pipeline.yaml', `${made.read('pipeline.yaml')}  new: {cmd: cat top.txt, deps: [top.txt]}\n`);
    expect(await forecast(made, '-j', '2', 'new')).toBe(
      '2 stale, about 30 min on 2 workers, not counting 1 that never ran',
    );
  });
});

test('-f includes fresh stages in the forecast, --no-run-cache includes restorable stages', async () => {
  const made = project({
    'pipeline.yaml': 'stages:\n  a: {cmd: echo > a, params: [p], outs: [a]}\n',
    'params.yaml': 'p: 1',
  });
  await made.outcomes();
  await made.outcomes('-S', 'p=2');
  made.write('.repro/attempts.jsonl', earlierRuns({ a: 5 })['.repro/attempts.jsonl']);
  expect(await forecast(made, '-f', '-j', '1')).toBe('1 stale, about 5 min on 1 worker');
  expect(await forecast(made, '-S', 'p=1', '-j', '1')).toBe('1 restorable');
  expect(await forecast(made, '-S', 'p=1', '-j', '1', '--no-run-cache')).toBe('1 stale, about 5 min on 1 worker');
});
