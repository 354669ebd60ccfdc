/** Stages that run at once: -j, resources, GPUs, and the order in which stages start. */
import { chmodSync, readdirSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { afterEach, describe, expect, test } from 'vitest';
import { events, outcomesIn, project, removeProjects, type TestProject, until } from '../project.ts';

afterEach(removeProjects);

test('as many stages run at once as -j, cpus, memory and named limits allow, and not fewer', async () => {
  const gated =
    'echo + >> log; mkfifo go/$REPRO_STAGE; touch on/$REPRO_STAGE; read _ < go/$REPRO_STAGE || :; rm on/$REPRO_STAGE; echo - >> log';
  const stage = (name: string, resources: string) =>
    `  ${name}: {matrix: {n: [1, 2, 3, 4]}, cmd: '${gated}', params: [p], resources: ${resources}}\n`;
  const made = project({
    'pipeline.yaml': `limits: {net: 2}\nstages:\n${stage('free', '{}')}${stage('net', '{net: 1}')}${stage('cpus', `{cpus: ${availableParallelism()}}`)}${stage('memory', `{memory: ${Math.floor(totalmem() * 0.4)}}`)}`,
    'params.yaml': 'p: 1',
    'on/.keep': '',
    'go/.keep': '',
  });
  const running = () => readdirSync(made.path('on')).filter((name) => name !== '.keep');
  /** Expects that `expected` stages run at once, from first to last: each time one is released, the next starts. */
  const atOnce = async (group: string, expected: number, ...args: string[]) => {
    const ended = made.repro('-f', ...args, group);
    for (let left = 4; left > 0; left--) {
      await until(() => running().length === Math.min(expected, left));
      const [one] = running();
      made.write(`go/${one}`, '');
      await until(() => !running().includes(one));
    }
    expect((await ended).exit).toBe(0);
    let [now, most] = [0, 0];
    for (const line of made.read('log').trim().split('\n')) {
      now += line === '+' ? 1 : -1;
      most = Math.max(most, now);
    }
    expect(most).toBe(expected);
    made.remove('log');
    for (const name of readdirSync(made.path('go'))) if (name !== '.keep') made.remove(`go/${name}`);
  };
  await atOnce('free', 1, '-j', '1');
  await atOnce('free', 3, '-j', '3');
  await atOnce('net', 2, '-j', '4');
  await atOnce('cpus', 1, '-j', '4');
  await atOnce('memory', 2, '-j', '4');
});

describe('GPUs', () => {
  /** GPU ids that no other test uses, because leases of GPUs are shared by all projects of the machine. */
  const idsOf = (test: string, count: number) => Array.from({ length: count }, (_, n) => `${process.pid}${test}${n}`);

  /**
   * A project whose stages each hold a GPU until they are released, and fail if another stage holds it. In the folder
   * of `shared`, held/GPU exists while a GPU is held, on/STAGE while the stage holds it, and a write to the FIFO
   * go/STAGE releases the stage.
   */
  function gpuProject(shared: { path(path: string): string } | undefined, stages: number, tag = ''): TestProject {
    const hold = `mkdir "$SHARED/held/$CUDA_VISIBLE_DEVICES" && echo $REPRO_STAGE >> "$SHARED/runs" && { [ -e "$SHARED/go/$REPRO_STAGE" ] || mkfifo "$SHARED/go/$REPRO_STAGE"; } && touch "$SHARED/on/$REPRO_STAGE"`;
    const wait = 'read _ < "$SHARED/go/$REPRO_STAGE" || :';
    const give = 'rm "$SHARED/on/$REPRO_STAGE" && rmdir "$SHARED/held/$CUDA_VISIBLE_DEVICES"';
    const made = project({
      'pipeline.yaml': `
stages:
  gpu${tag}:
    matrix: {n: [${Array.from({ length: stages }, (_, n) => n + 1)}]}
    cmd: '${hold} || exit 1; ${wait}; ${give}; echo > out\${item.n}'
    params: [p]
    outs: ["out\${item.n}"]
    resources: {gpus: 1}
  cpu${tag}: {cmd: 'echo "[$CUDA_VISIBLE_DEVICES]" > cpu.log', params: [p], outs: [cpu.log]}
`,
      'params.yaml': 'p: 1',
      'held/.keep': '',
      'on/.keep': '',
      'go/.keep': '',
    });
    made.env = { SHARED: (shared ?? made).path('.') };
    return made;
  }

  const named = (made: TestProject, folder: string) =>
    readdirSync(made.path(folder)).filter((name) => name !== '.keep');

  /** Releases `stages` stages one by one. Expects that all GPUs are held as long as enough stages wait. */
  async function letGo(shared: TestProject, ids: readonly string[], stages: number): Promise<void> {
    for (let left = stages; left > 0; left--) {
      await until(() => named(shared, 'on').length === Math.min(ids.length, left));
      if (left >= ids.length) expect(named(shared, 'held').sort()).toEqual([...ids].sort());
      const [one] = named(shared, 'on');
      shared.write(`go/${one}`, '');
      await until(() => !named(shared, 'on').includes(one));
    }
  }

  test('four GPUs, nine stages: no GPU is held twice or idle while stages wait, and each stage sees only its own', async () => {
    const ids = idsOf('a', 4);
    const made = gpuProject(undefined, 9);
    made.env.REPRO_GPUS = ids.join(',');
    const ended = made.repro('--json');
    await letGo(made, ids, 9);
    const { exit, stdout } = await ended;
    expect([exit, outcomesIn(stdout)]).toMatchObject([0, { 'gpu@1': 'ran', 'gpu@9': 'ran', cpu: 'ran' }]);
    for (const { event, stage, gpus } of events(stdout))
      if (event === 'start') expect(gpus ?? []).toHaveLength(stage === 'cpu' ? 0 : 1);
    expect(made.read('cpu.log')).toBe('[]\n');
  });

  test('two repros in one folder share the GPUs: each stage runs once, on a GPU that no other stage has', async () => {
    const ids = idsOf('b', 4);
    const made = gpuProject(undefined, 9);
    made.env.REPRO_GPUS = ids.join(',');
    // -j 2 each, so that all four GPUs are held only when both repros run stages.
    const both = [made.repro('-j', '2'), made.repro('-j', '2')];
    await letGo(made, ids, 9);
    const ended = await Promise.all(both);
    expect(ended.map(({ exit, stderr }) => [exit, stderr])).toEqual([
      [0, ''],
      [0, ''],
    ]);
    expect(made.read('runs').split('\n')).toHaveLength(9 + 1);
    expect(new Set(made.read('runs').split('\n')).size).toBe(9 + 1);
  });

  test('repros in two folders share the GPUs', async () => {
    const ids = idsOf('c', 2);
    const one = gpuProject(undefined, 3, 'A');
    const other = gpuProject(one, 4, 'B');
    for (const made of [one, other]) made.env.REPRO_GPUS = ids.join(',');
    const both = [one.repro(), other.repro()];
    await letGo(one, ids, 7);
    expect((await Promise.all(both)).map(({ exit }) => exit)).toEqual([0, 0]);
    expect(one.read('runs').split('\n').sort()).toEqual([
      '',
      ...[1, 2, 3].map((n) => `gpuA@${n}`),
      ...[1, 2, 3, 4].map((n) => `gpuB@${n}`),
    ]);
  });

  test('a GPU that a killed repro held is free again', async () => {
    const ids = idsOf('d', 1);
    const made = gpuProject(undefined, 1);
    made.env.REPRO_GPUS = ids.join(',');
    const { process: repro, ended } = await made.spawn();
    await until(() => named(made, 'on').length === 1);
    repro.kill('SIGKILL');
    await ended;
    made.remove(`held/${ids[0]}`);
    made.remove('go/gpu@1');
    made.write('go/gpu@1', '');
    expect(await made.outcomes()).toMatchObject({ 'gpu@1': 'ran' });
  });

  test('REPRO_GPUS takes precedence over CUDA_VISIBLE_DEVICES; a stage that wants two GPUs sees both', async () => {
    const made = project({
      'pipeline.yaml':
        'stages:\n  s: {cmd: "echo $CUDA_VISIBLE_DEVICES > seen", params: [p], outs: [seen], resources: {gpus: 2}}\n',
      'params.yaml': 'p: 1',
    });
    const [a, b, c, d] = idsOf('e', 4);
    made.env = { CUDA_VISIBLE_DEVICES: `${a},${b}` };
    await made.outcomes();
    expect(made.read('seen')).toBe(`${a},${b}\n`);
    made.env = { CUDA_VISIBLE_DEVICES: `${a},${b}`, REPRO_GPUS: `${c}, ${d}` };
    await made.outcomes('-f');
    expect(made.read('seen')).toBe(`${c},${d}\n`);
  });
});

test('without GPUs a stage that wants some runs on the CPU; a stage that wants more than there are is refused first', async () => {
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

test('the stage that took longest in its last successful run starts first', async () => {
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

test('a stage gets its env, its name, the programs in node_modules/.bin and a progress descriptor', async () => {
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

describe('two repros at once, and a stage that always runs', () => {
  const alwaysRuns = () =>
    project({
      'pipeline.yaml': `
stages:
  a: {cmd: 'echo a >> runs; until [ -e go/a ]; do sleep 0.01; done; cp u o', deps: [u], outs: [o], always_changed: true}
  b: {cmd: 'echo b >> runs; until [ -e go/b ]; do sleep 0.01; done; cp o p', deps: [o], outs: [p]}
`,
      u: '1',
      runs: '',
      'go/.keep': '',
    });

  /** Starts repro, and resolves when it has made its plan. `ended`: how it ends. */
  async function started(made: TestProject) {
    const { process, ended } = await made.spawn('--json');
    let text = '';
    process.stdout!.on('data', (chunk) => (text += chunk));
    await until(() => text.includes('"event":"plan"'));
    return { ended: ended.then(({ exit, stdout }) => [exit, outcomesIn(stdout)]) };
  }

  test('the second takes the result of the run that it has waited for', async () => {
    const made = alwaysRuns();
    const one = await started(made);
    await until(() => made.read('runs') === 'a\n');
    const other = await started(made);
    for (const name of ['a', 'b']) made.write(`go/${name}`, '');
    expect(await one.ended).toEqual([0, expect.objectContaining({ a: 'ran' })]);
    expect(await other.ended).toEqual([0, expect.not.objectContaining({ a: 'ran' })]);
    expect(made.read('runs')).toBe('a\nb\n');
  });

  test('the second runs it again only when no stage reads what it made', async () => {
    const made = alwaysRuns();
    made.write('go/a', '');
    const one = await started(made);
    await until(() => made.read('runs') === 'a\nb\n');
    const other = await started(made);
    made.write('go/b', '');
    expect(await one.ended).toEqual([0, { a: 'ran', b: 'ran' }]);
    expect(await other.ended).toEqual([0, { a: 'ran' }]);
    expect(made.read('runs')).toBe('a\nb\na\n');
  });
});
