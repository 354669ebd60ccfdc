/** `cost:` in pipeline.yaml: what a run will take is known before it starts. */
import { afterEach, describe, expect, test } from 'vitest';
import { hasScript, project, removeProjects, type TestProject, until } from '../project.ts';

afterEach(removeProjects);

/** Answers with n seconds and n MB for each cell it is asked about. It reads n as the params of the call have it. */
const ANSWER = `
const asked = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const params = require('fs').readFileSync(process.env.REPRO_PARAMS_DIR + '/params.yaml', 'utf8');
const n = Number(/n: (\\d+)/.exec(params)[1]);
console.log(JSON.stringify(Object.fromEntries(asked.map((name) => [name, { seconds: n, memory: n * 1e6 }]))));
`;

function priced(cost = 'node cost.cjs', cmd = 'true'): TestProject {
  return project({
    'pipeline.yaml': `
stages:
  train: {matrix: {size: [a, b]}, cmd: '${cmd}', params: [n], cost: '${cost}'}
`,
    'params.yaml': 'n: 120',
    'cost.cjs': ANSWER,
  });
}

describe('--dry', () => {
  test('prices stages that never ran, in time and memory, and with the edits of -S', async () => {
    const made = priced();
    expect(
      (await made.repro('--dry', '-j', '2')).stdout,
    ).toBe(`train@a  would run, about 2 min with 114 MiB: has not run yet
train@b  would run, about 2 min with 114 MiB: has not run yet
2 stale, about 2 min on 2 workers
`);
    expect((await made.repro('--dry', '-j', '2', '-S', 'n=432000', 'train@a')).stdout).toContain(
      'train@a  would run, about 5.0 days with 402 GiB: has not run yet\n',
    );
    expect(made.read('params.yaml')).toBe('n: 120');
    expect(made.exists('.repro/attempts.jsonl')).toBe(false);
  });

  test('scales the price by what earlier attempts took for each second of theirs', async () => {
    const made = priced();
    const attempt = { stage: 'train@a', started: '2026-01-01T00:00:00.000Z', seconds: 30, outcome: 'ran', cost: 60 };
    made.write('.repro/attempts.jsonl', `${JSON.stringify(attempt)}\n`);
    const { stages } = JSON.parse((await made.repro('--dry', '--json')).stdout);
    // The attempt of the other cell of the group counts too.
    expect(stages.map(({ expected }: { expected: number }) => expected)).toEqual([60, 60]);
  });
});

describe('a cost command that gives no answer', () => {
  test('since there is no folder for temporary files, or its own folder is missing: stages run all the same', async () => {
    const made = priced();
    made.env = { TMPDIR: made.path('missing') };
    const { exit, stdout } = await made.repro('--dry');
    expect([exit, stdout]).toEqual([
      0,
      expect.stringMatching(/! train@a: how long it will take is not known: \S+ cannot be written: there is no such/),
    ]);
    made.env = {};
    made.write(
      'pipeline.yaml',
      "stages: {a: {cmd: 'true', wdir: later, params: [{../params.yaml: [n]}], cost: echo}}\n",
    );
    expect((await made.repro('--dry')).stdout).toContain('its cost command could not be started, or was killed\n');
  });

  test.each([
    ['echo no such thing >&2; exit 3', 'ended with exit 3: no such thing'],
    ['echo 12', 'must print {"STAGE": {"seconds": NUMBER, "memory": BYTES}}'],
    ['echo "{\\"train@a\\": {\\"seconds\\": -1}}"', 'must print {"STAGE": {"seconds": NUMBER, "memory": BYTES}}'],
    ['echo "{\\"train@a\\": {\\"seconds\\": 1}}"', 'says nothing of train@b'],
  ])('%s', async (cost, why) => {
    const made = priced(cost);
    const note = `! train@a: how long it will take is not known: its cost command ${why}\n`;
    expect((await made.repro('--dry')).stdout).toContain(note);
    const { exit, stdout } = await made.repro();
    expect([exit, stdout]).toEqual([0, expect.stringContaining(note)]);
  });

  test('is not asked when nothing has to run, and is not part of what makes a stage stale', async () => {
    const made = priced();
    await made.repro();
    made.write('pipeline.yaml', made.read('pipeline.yaml').replace('node cost.cjs', 'touch asked'));
    expect((await made.repro()).stdout).toBe('everything is up to date (2 stages)\n');
    expect(made.exists('asked')).toBe(false);
  });
});

describe('a run of more than an hour', () => {
  const LONG = 'repro: this run will take about 2 h on 1 worker';

  test('says so; only on a terminal it asks', async () => {
    const made = priced();
    const { exit, stderr } = await made.repro('-j', '1', '-S', 'n=3600');
    expect([exit, stderr]).toEqual([0, `${LONG}\n`]);
  });

  test.skipIf(!hasScript())('runs after a yes or with --yes; after a no, params.yaml is as before', async () => {
    const made = priced('node cost.cjs', 'echo >> runs');
    const size = { columns: 100, rows: 20 };
    for (const [keys, exit] of [
      ['n\r', 2],
      ['\u0003', 2],
      ['\u0004', 2],
      ['y\r', 0],
    ] as const) {
      const { written, type, ended } = await made.onTerminal(size, '-j', '1', '-S', 'n=3600');
      await until(() => written().includes('Go on? [y/N]'));
      expect(written()).toContain(LONG);
      type(keys);
      expect([keys, await ended]).toEqual([keys, exit]);
      if (exit === 2) expect(written()).toContain('repro: nothing has run, and params.yaml is as before');
      expect([made.read('params.yaml'), made.exists('runs')]).toEqual(
        exit === 2 ? ['n: 120', false] : ['n: 3600', true],
      );
    }
    const { ended } = await made.onTerminal(size, '-j', '1', '--yes', '-S', 'n=7200');
    expect(await ended).toBe(0);
  });
});
