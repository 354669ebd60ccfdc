/** Side by side: places, resources, GPUs and the order in which stages are taken. */
import { chmodSync, readdirSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { events, project, removeProjects, until } from './project.ts';

afterEach(removeProjects);

/** Each stage notes itself while it runs; the most that ran at once is what the notes say. */
const NOTE = 'mkdir running/$REPRO_STAGE; ls running | wc -l >> at-once.log; sleep 0.05; rmdir running/$REPRO_STAGE';

function most(log: string): number {
  return Math.max(...log.trim().split('\n').map(Number));
}

test('-j bounds how many run at once, cpus and named limits bound what they share', async () => {
  const made = project({
    'pipeline.yaml': `
limits: {net: 1}
stages:
  free: {matrix: {n: [1, 2, 3, 4, 5, 6]}, cmd: '${NOTE}', params: [p]}
  net: {matrix: {n: [1, 2, 3]}, cmd: '${NOTE}', params: [p], resources: {net: 1}}
`,
    'params.yaml': 'p: 1',
    'running/.keep': '',
  });
  const run = async (...args: string[]) => {
    made.write('at-once.log', '');
    await made.outcomes('-f', ...args);
    return most(made.read('at-once.log'));
  };
  expect(await run('-j', '1')).toBe(1);
  expect(await run('-j', '3', 'free')).toBe(3);
  expect(await run('-j', '3', 'net')).toBe(1);
});

test('four GPUs, nine stages: no GPU is ever held twice, none idles while work waits, each stage sees its own', async () => {
  const made = project({
    'pipeline.yaml': `
stages:
  gpu:
    matrix: {n: [1, 2, 3, 4, 5, 6, 7, 8, 9]}
    cmd: 'mkdir held/$CUDA_VISIBLE_DEVICES && touch on/\${item.n}; until [ -e go/\${item.n} ]; do sleep 0.01; done; rmdir held/$CUDA_VISIBLE_DEVICES; rm on/\${item.n}'
    params: [p]
    resources: {gpus: 1}
  cpu: {cmd: 'echo "[$CUDA_VISIBLE_DEVICES]" > cpu.log', params: [p], outs: [cpu.log]}
`,
    'params.yaml': 'p: 1',
    'held/.keep': '',
    'on/.keep': '',
    'go/.keep': '',
  });
  // Ids of its own, as leases hold across all folders of this machine.
  const ids = [0, 1, 2, 3].map((n) => `${process.pid}${n}`);
  made.env = { REPRO_GPUS: ids.join(',') };
  const files = (folder: string) => readdirSync(made.path(folder)).filter((name) => name !== '.keep');
  const { ended } = await made.spawn('--json');
  for (let left = 9; left > 0; left--) {
    await until(() => files('on').length === Math.min(4, left));
    if (left >= 4) expect(files('held').sort()).toEqual(ids);
    const [one] = files('on');
    made.write(`go/${one}`, '');
    await until(() => !files('on').includes(one));
  }
  const { exit, stdout } = await ended;
  expect(exit).toBe(0);
  for (const { event, stage, gpus } of events(stdout))
    if (event === 'start') expect(gpus ?? []).toHaveLength(stage === 'cpu' ? 0 : 1);
  expect(made.read('cpu.log')).toBe('[]\n');
});

test('GPU leases hold across folders', async () => {
  const pipeline = `
stages:
  a: {cmd: 'mkdir "$SHARED/held" && sleep 0.2 && rmdir "$SHARED/held"', params: [p], resources: {gpus: 1}}
`;
  const [one, other] = [
    project({ 'pipeline.yaml': pipeline, 'params.yaml': 'p: 1' }),
    project({ 'pipeline.yaml': pipeline, 'params.yaml': 'p: 1' }),
  ];
  for (const made of [one, other]) made.env = { REPRO_GPUS: `${process.pid}9`, SHARED: one.root };
  expect((await Promise.all([one.repro(), other.repro()])).map(({ exit }) => exit)).toEqual([0, 0]);
});

test('without GPUs, a stage that wants one runs on the CPU; more than there are is refused before anything runs', async () => {
  const made = project({
    'pipeline.yaml': 'stages:\n  a: {cmd: "true", params: [p], resources: {gpus: 2}}\n',
    'params.yaml': 'p: 1',
  });
  made.env = { REPRO_GPUS: '' };
  expect(await made.outcomes()).toEqual({ a: 'ran' });
  made.env = { REPRO_GPUS: '7' };
  const { exit, stderr } = await made.repro('-f');
  expect([exit, stderr]).toEqual([2, 'repro: a wants 2 GPUs, but this machine has 1\n']);
});

test('what took longest last time is started first', async () => {
  const made = project({
    'pipeline.yaml': `
stages:
  short: {cmd: echo short >> order.log, params: [p]}
  long: {cmd: echo long >> order.log, params: [p]}
  middle: {cmd: echo middle >> order.log, params: [p]}
`,
    'params.yaml': 'p: 1',
    '.repro/attempts.jsonl': [
      { stage: 'long', seconds: 30, outcome: 'ran' },
      { stage: 'short', seconds: 300, outcome: 'failed' },
      { stage: 'short', seconds: 1, outcome: 'ran' },
      { stage: 'middle', seconds: 9, outcome: 'ran' },
    ]
      .map((attempt) => `${JSON.stringify({ started: '2026-01-01T00:00:00.000Z', ...attempt })}\n`)
      .join(''),
  });
  await made.outcomes('-j', '1');
  expect(made.read('order.log')).toBe('long\nmiddle\nshort\n');
});

test('the environment of a stage: its own env, its name, the project’s programs, a progress descriptor', async () => {
  const made = project({
    'pipeline.yaml': `
stages:
  a:
    cmd: 'own-tool; echo "{\\"done\\": 3, \\"total\\": 4, \\"unit\\": \\"steps\\", \\"text\\": \\"half\\"}" >&$REPRO_PROGRESS_FD; echo $GIVEN $REPRO_STAGE; echo later >&2'
    params: [p]
    env: {GIVEN: yes it is}
`,
    'params.yaml': 'p: 1',
    'node_modules/.bin/own-tool': '#!/bin/sh\necho tool\n',
  });
  chmodSync(made.path('node_modules/.bin/own-tool'), 0o755);
  const { stdout } = await made.repro('--json');
  const said = events(stdout);
  expect(said.find(({ event }) => event === 'progress')).toEqual({
    event: 'progress',
    stage: 'a',
    done: 3,
    total: 4,
    unit: 'steps',
    text: 'half',
  });
  expect(
    said
      .filter(({ event }) => event === 'output')
      .map(({ text }) => text)
      .join(''),
  ).toBe('tool\nyes it is a\nlater\n');
});
