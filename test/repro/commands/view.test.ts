/** The views of a run: live lines on a terminal, plain lines elsewhere, and JSON for programs. */
import { afterEach, describe, expect, test } from 'vitest';
import { events, hasScript, project, removeProjects, type TestProject, until } from '../project.ts';

afterEach(removeProjects);

/** A command that reports its progress and then waits for the file go/STAGE. */
const GATED =
  'echo "{\\"done\\": 3, \\"total\\": 4, \\"unit\\": \\"steps\\", \\"text\\": \\"loss 0.5\\"}" >&$REPRO_PROGRESS_FD; echo said; until [ -e go/$REPRO_STAGE ]; do sleep 0.01; done';

/**
 * Cells that report progress, a stage that reports nothing, two failing stages and one that depends on a failing stage.
 */
function study(): TestProject {
  return project({
    'pipeline.yaml': `
stages:
  train: {matrix: {n: [1, 2, 3]}, cmd: '${GATED}', params: [p]}
  silent: {cmd: 'until [ -e go/silent ]; do sleep 0.01; done', params: [p]}
  bad: {cmd: 'echo what went wrong; exit 3', params: [p]}
  below: {cmd: 'true', deps: [made-by-bad]}
  maker: {cmd: 'exit 1', params: [p], outs: [made-by-bad]}
`,
    'params.yaml': 'p: 1',
    'go/.keep': '',
    '.repro/attempts.jsonl': `${JSON.stringify({ stage: 'silent', started: '2026-01-01T00:00:00.000Z', seconds: 90, outcome: 'ran' })}\n`,
  });
}

/** The lines that a terminal shows after it has received all of `written`. Every character counts as one column. */
function screen(written: string): string[] {
  const lines = [''];
  let [row, column] = [0, 0];
  for (const [piece, up] of written.matchAll(/\u001b\[(\d*)A|\u001b\[\??\d*[a-zA-Z]|\r|\n|[^\u001b\r\n]+/g)) {
    if (piece === '\r') column = 0;
    else if (piece === '\n') {
      row++;
      lines[row] ??= '';
    } else if (up !== undefined) row -= Number(up);
    else if (piece === '\u001b[2K') lines[row] = '';
    else if (piece === '\u001b[0J') lines.splice(row, lines.length - row, lines[row].slice(0, column));
    else if (!piece.startsWith('\u001b')) {
      lines[row] = lines[row].slice(0, column).padEnd(column) + piece;
      column = lines[row].length;
    }
  }
  return lines.filter((line) => line !== '');
}

describe.skipIf(!hasScript())('on a terminal (needs script of util-linux)', () => {
  test('each running stage has a live line with its progress, the queue is below, and a finished stage leaves one line', async () => {
    const made = study();
    const { written, ended } = await made.onTerminal({ columns: 100, rows: 30 }, '-j', '2', 'train', 'silent');
    const shows = (pattern: RegExp) => until(() => screen(written()).some((line) => pattern.test(line)));
    // The cells of train start first, because their duration is unknown. Only the duration of `silent` is known.
    await shows(/^. train@1 +█{15}·{5} 3\/4 steps 75 % · [\d.]+ s · [\d.]+ steps\/s · [\d.]+ s left · loss 0\.5$/);
    await shows(/^ {2}0 of 4 done, 2 running, about [12] min left, 2 waiting: train@3, silent$/);
    made.write('go/train@1', '');
    await shows(/^✓ train@1 {2}[\d.]+ s$/);
    made.write('go/train@2', '');
    made.write('go/train@3', '');
    await shows(/^. silent +[█▏▎▍▌▋▊▉·]{20} [\d.]+ s · took 1 min 30 s last time$/);
    await shows(/^ {2}3 of 4 done, 1 running, about [12] min left, 0 waiting$/);
    made.write('go/silent', '');
    expect(await ended).toBe(0);
    const [plan, ...rest] = screen(written());
    expect(plan).toBe('4 stages: 4 stale');
    expect(rest.map((line) => line.replace(/[\d.]+ s$/, 'T')).sort()).toEqual([
      '4 ran in T',
      '✓ silent  T',
      '✓ train@1  T',
      '✓ train@2  T',
      '✓ train@3  T',
    ]);
    expect(written()).toContain('\u001b[32m✓\u001b[39m train@1');
    // The cursor is shown again at the end.
    expect(written().lastIndexOf('\u001b[?25h')).toBeGreaterThan(written().lastIndexOf('\u001b[?25l'));
  });

  test('a failure prints the output of the stage and names the stages that did not run; NO_COLOR turns colours off', async () => {
    const made = study();
    made.env = { NO_COLOR: '1' };
    const { written, ended } = await made.onTerminal({ columns: 100, rows: 30 }, '-k', 'bad', 'below');
    expect(await ended).toBe(1);
    expect(
      screen(written())
        .map((line) => line.replace(/[\d.]+ s$/, 'T'))
        .sort(),
    ).toEqual([
      '  │ what went wrong',
      '- below  not run: maker did not succeed',
      '2 failed, 1 not run in T',
      '3 stages: 3 stale',
      '✗ bad: its command ended with exit 3',
      '✗ maker: its command ended with exit 1',
    ]);
    expect(written()).not.toMatch(/\u001b\[\d*m/);
  });

  test('several stages that did not run are one line below the message of the failed one', async () => {
    const cells = Array.from({ length: 40 }, (_, i) => i + 1);
    const made = project({
      'pipeline.yaml': `
stages:
  get: {cmd: 'echo get: there is no folder /nope >&2; exit 2', params: [p], outs: [data]}
  train: {matrix: {n: [${cells}]}, cmd: 'true', deps: [data], params: [p]}
`,
      'params.yaml': 'p: 1',
    });
    const { stdout } = await made.repro();
    expect(stdout.replace(/[\d.]+ s$/m, 'T')).toBe(`41 stages: 41 stale
> get  has not run yet
get | get: there is no folder /nope
✗ get: its command ended with exit 2
- 40 stages not run, because get failed: train@1, train@2, train@3, train@4 and 36 more
1 failed, 40 not run in T
`);
  });

  test('on a small terminal, live lines fit its width and its height', async () => {
    const made = study();
    const { written, ended } = await made.onTerminal({ columns: 34, rows: 5 }, '-j', '4', 'train', 'silent');
    await until(() => screen(written()).some((line) => /^. train@1 +█{4}▌· 75 %/.test(line)));
    for (const name of ['train@1', 'train@2', 'train@3', 'silent']) made.write(`go/${name}`, '');
    expect(await ended).toBe(0);
    for (const frame of written()
      .split(/\u001b\[0J/)
      .map((text) => text.replaceAll(/\u001b\[\??\d*[a-zA-Z]/g, ''))) {
      const live = frame.split(/\r?\n/).filter((line) => /^[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]| of 4 done/.test(line));
      expect(live.length).toBeLessThanOrEqual(3);
      for (const line of live) expect(line.length).toBeLessThan(34);
    }
  });

  test('a run that makes the headline ends with its first lines, also if all is fresh; a failed one does not', async () => {
    const made = project({
      'pipeline.yaml': `headline: out/found.txt
stages:
  law: {cmd: mkdir out && cp found.txt out, deps: [found.txt], outs: [out]}
  other: {cmd: test -e good, params: [p]}
`,
      'params.yaml': 'p: 1',
      'found.txt': 'L(N) = 1\n\u001b[2Jtwo\n3\n4\n5\n6\n7\n8\n9\n',
    });
    const shown = async (...args: string[]) => {
      const { written, ended } = await made.onTerminal({ columns: 80, rows: 24 }, ...args);
      await ended;
      return screen(written());
    };
    const headline = ['L(N) = 1', '\\x1b[2Jtwo', '3', '4', '5', '6', '7', '8'];
    expect((await shown('law')).slice(-9)).toEqual([expect.stringMatching(/1 ran in/), ...headline]);
    expect(await shown('-k')).not.toContain('L(N) = 1');
    made.write('good', '');
    expect((await shown()).slice(-8)).toEqual(headline);
    // The second run writes the stamp of the fast path, and the third one takes it.
    expect(await shown()).toEqual(['everything is up to date (2 stages)', ...headline]);
    expect(await shown()).toEqual(['everything is up to date (2 stages)', ...headline]);
    for (const args of [['other'], ['status'], ['-q']]) expect(await shown(...args)).not.toContain('3');
    expect((await made.repro()).stdout).toBe('everything is up to date (2 stages)\n');
  });

  test('with TERM=dumb the lines are plain', async () => {
    const made = study();
    made.env = { TERM: 'dumb' };
    const { written, ended } = await made.onTerminal({ columns: 80, rows: 24 }, 'bad');
    expect(await ended).toBe(1);
    expect(written()).toMatch(/^1 stage: 1 stale\r\n> bad {2}has not run yet\r\nbad \| what went wrong\r\n✗ bad: /);
  });
});

describe('without a terminal', () => {
  test('the lines show the plan, each start with its reasons, the output of each stage and each end; -q leaves out the output', async () => {
    const made = project({
      'pipeline.yaml': `stages:\n  a: {cmd: "printf 'one\\\\ntwo\\\\rover\\\\nlast'; echo >&2", params: [p], outs: [{a.txt: {persist: true}}]}\n`,
      'params.yaml': 'p: 1',
      'a.txt': '',
    });
    const lines = async (...args: string[]) =>
      (await made.repro(...args)).stdout.replace(/[\d.]+ s$/gm, 'T').split('\n');
    const output = ['a | one', 'a | over', 'a | last'];
    expect(await lines()).toEqual(['1 stage: 1 stale', '> a  has not run yet', ...output, '✓ a  T', '1 ran in T', '']);
    expect(await lines()).toEqual(['everything is up to date (1 stage)', '']);
    expect(await lines('-q', '-S', 'p=2')).toEqual([
      '1 stage: 1 stale',
      '> a  params.yaml p: 1 → 2',
      '✓ a  T',
      '1 ran in T',
      '',
    ]);
  });

  test('the output of a failed stage is printed again if other output came in between, or if -q left it out', async () => {
    const made = project({
      'pipeline.yaml': `
stages:
  bad: {cmd: 'echo wrong; touch spoken; while [ ! -e heard ]; do sleep 0.02; done; exit 3', params: [p]}
  other: {cmd: 'while [ ! -e spoken ]; do sleep 0.02; done; echo hello; touch heard', params: [p]}
`,
      'params.yaml': 'p: 1',
      heard: '',
    });
    const end = async (...args: string[]) => {
      const { stdout } = await made.repro(...args);
      return /(.*\n)✗ bad: its command ended with exit 3\n((?: {2}│ .*\n)*)/.exec(stdout)!.slice(1);
    };
    expect(await end('bad')).toEqual(['bad | wrong\n', '']);
    expect(await end('bad', '-q')).toEqual(['> bad  has not run yet\n', '  │ wrong\n']);
    for (const path of ['heard', 'spoken']) made.remove(path);
    expect((await end('-k', '-j', '2'))[1]).toBe('  │ wrong\n');
  });

  test('--json prints every event with the fields of the manual, and nothing else on stdout', async () => {
    const made = project({
      'pipeline.yaml': `
stages:
  ran: {cmd: 'echo said; echo "{\\"done\\": 1, \\"total\\": 2, \\"unit\\": \\"files\\", \\"text\\": \\"x\\"}" >&3', params: [p], outs: [{ran.txt: {persist: true}}], resources: {gpus: 1}}
  flaky: {cmd: 'exit 4', params: [p], retries: 1}
  below: {cmd: 'true', deps: [never]}
  never: {cmd: 'kill -9 $$', params: [p], outs: [never]}
`,
      'params.yaml': 'p: 1',
      'ran.txt': '',
    });
    made.env = { REPRO_GPUS: `${process.pid}j` };
    const { exit, stdout, stderr } = await made.repro('--json', '-k', '-j', '3');
    expect([exit, stderr]).toEqual([1, '']);
    const seconds = expect.any(Number);
    const all = events(stdout);
    expect(all[0]).toEqual({
      event: 'plan',
      jobs: 3,
      stages: ['ran', 'flaky', 'never', 'below'].map((stage) => ({
        stage,
        state: 'stale',
        reasons: [{ kind: 'never-run' }],
      })),
    });
    const of = (stage: string) => all.filter((event) => event.stage === stage);
    expect(of('ran')).toEqual([
      {
        event: 'start',
        stage: 'ran',
        cmd: [expect.stringContaining('echo said')],
        reasons: [{ kind: 'never-run' }],
        gpus: [`${process.pid}j`],
      },
      ...[
        { event: 'output', stage: 'ran', text: 'said\n' },
        { event: 'progress', stage: 'ran', done: 1, total: 2, unit: 'files', text: 'x' },
      ].sort((a) => (of('ran')[1].event === a.event ? -1 : 1)),
      { event: 'end', stage: 'ran', outcome: 'ran', seconds },
    ]);
    expect(of('flaky').slice(1)).toEqual([
      { event: 'note', stage: 'flaky', text: 'its command ended with exit 4; attempt 2 of 2' },
      {
        event: 'end',
        stage: 'flaky',
        outcome: 'failed',
        reason: 'exit',
        message: 'its command ended with exit 4',
        exit: 4,
        seconds,
      },
    ]);
    expect(of('never').at(-1)).toEqual({
      event: 'end',
      stage: 'never',
      outcome: 'failed',
      reason: 'signal',
      message: 'its command was ended by SIGKILL',
      signal: 'SIGKILL',
      seconds,
    });
    expect(of('below')).toEqual([
      {
        event: 'end',
        stage: 'below',
        outcome: 'skipped',
        reason: 'upstream',
        stages: ['never'],
        because: 'never did not succeed',
      },
    ]);
    expect(all.at(-1)).toMatchObject({ event: 'done', ran: 1, restored: 0, fresh: 0, skipped: 1, failed: 2, seconds });

    made.write('pipeline.yaml', made.read('pipeline.yaml').replace(/ {2}flaky[\s\S]*/, ''));
    expect(events((await made.repro('--json')).stdout).slice(1)).toMatchObject([
      { event: 'end', stage: 'ran', outcome: 'fresh' },
      { event: 'done', ran: 0, restored: 0, fresh: 1, skipped: 0, failed: 0, seconds },
    ]);
    await made.outcomes('-S', 'p=2');
    made.write('params.yaml', 'p: 1');
    expect(events((await made.repro('--json')).stdout)).toMatchObject([
      { event: 'plan', stages: [{ stage: 'ran', state: 'restorable', expected: seconds }] },
      { event: 'end', stage: 'ran', outcome: 'restored' },
      { event: 'done', restored: 1 },
    ]);
  });
});
