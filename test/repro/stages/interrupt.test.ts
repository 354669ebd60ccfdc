/** Signals, kills and several repros at once: the lock stays whole, no process is left, and the results are right. */
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { events, outcomesIn, project, removeProjects, type TestProject, until } from '../project.ts';

afterEach(removeProjects);

/** Ids of the processes whose working folder is in the project. */
function processesIn(made: TestProject): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      if (readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ')) return false;
      return readlinkSync(`/proc/${pid}/cwd`).startsWith(made.root);
    } catch {
      return false;
    }
  });
}

/** The process id of the reaper. Its working folder is not in the project. */
function reaperOf(made: TestProject): number {
  const folder = join(made.root, '.repro/leases');
  const found = readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(folder);
    } catch {
      return false;
    }
  });
  expect(found).toHaveLength(1);
  return Number(found[0]);
}

function longRunning(trap: string) {
  return project({
    'pipeline.yaml': `
stages:
  quick: {cmd: cp in.txt quick.txt, deps: [in.txt], outs: [quick.txt]}
  long:
    cmd: '${trap}; (sleep 600; :) & touch ready; while :; do sleep 0.05; done'
    deps: [quick.txt]
    outs: [long.txt]
  after: {cmd: cp long.txt after.txt, deps: [long.txt], outs: [after.txt]}
`,
    'in.txt': '1',
  });
}

describe.skipIf(process.platform !== 'linux')('processes', () => {
  test.each([
    ['SIGINT', 'INT', 130],
    ['SIGTERM', 'TERM', 143],
  ] as const)('%s reaches the whole process group; stages that had ended stay recorded', async (signal, name, code) => {
    const made = longRunning(`trap "echo ${name} > trapped; exit 1" ${name}`);
    const { process, ended } = await made.spawn('--json');
    await until(() => made.exists('ready'));
    process.kill(signal);
    const { exit, stdout } = await ended;
    expect(exit).toBe(code);
    expect(made.read('trapped')).toBe(`${name}\n`);
    expect(outcomesIn(stdout)).toEqual({ quick: 'ran', long: 'failed', after: 'skipped' });
    expect(events(stdout).at(-1)).toMatchObject({ event: 'done', interrupted: signal });
    expect(events(stdout)).toContainEqual({
      ...{ event: 'end', stage: 'after', outcome: 'skipped' },
      ...{ reason: 'interrupted', because: 'repro was interrupted', interrupted: true },
    });
    expect(processesIn(made)).toEqual([]);
    expect(Object.keys(made.lock().stages)).toEqual(['quick']);
  });

  test('the second SIGINT kills commands that ignore the first', async () => {
    const made = longRunning('trap "" INT');
    const { process, ended } = await made.spawn();
    await until(() => made.exists('ready'));
    process.kill('SIGINT');
    process.kill('SIGINT');
    // Two signals sent at once may arrive as one.
    const again = setInterval(() => {
      if (processesIn(made).length > 1) process.kill('SIGINT');
    }, 50);
    const { exit, stdout } = await ended;
    clearInterval(again);
    expect(exit).toBe(130);
    // Stages that were not started are counted, not listed.
    expect(stdout).not.toMatch(/after/);
    expect(stdout).toMatch(/\ninterrupted by SIGINT: 1 ran, 2 did not; finished stages are kept\n$/);
    expect(processesIn(made)).toEqual([]);
  });

  test('a signal that comes while repro closes does not change the exit code', async () => {
    const made = longRunning(':');
    const { process, ended } = await made.spawn('--json');
    process.stdout!.on('data', (text) => {
      if (String(text).includes('"event":"done"')) process.kill('SIGINT');
    });
    await until(() => made.exists('ready'));
    process.kill('SIGINT');
    expect((await ended).exit).toBe(130);
  });

  test('after SIGKILL no process is left, and the next repro removes temporary files and does not wait for a lease', async () => {
    const made = longRunning('trap "" INT TERM HUP');
    const { process, ended } = await made.spawn();
    await until(() => made.exists('ready'));
    process.kill('SIGKILL');
    await ended;
    await until(() => processesIn(made).length === 0);
    const left = ['runs/0a/1.json', 'attempting/long', 'fresh'].map(
      (name) => `.repro/${name}.${process.pid}-0123abcd.tmp`,
    );
    for (const path of left) made.write(path, 'half of a t');
    made.write('pipeline.yaml', made.read('pipeline.yaml').replace(/cmd: 'trap.*'/, 'cmd: cp quick.txt long.txt'));
    expect(await made.outcomes()).toEqual({ long: 'ran', after: 'ran' });
    expect(left.filter((path) => made.exists(path))).toEqual([]);
  });

  test('after SIGKILL no process is left, although .repro was removed before', async () => {
    const made = longRunning('trap "" INT TERM HUP');
    const { process, ended } = await made.spawn();
    await until(() => made.exists('ready'));
    made.remove('.repro');
    process.kill('SIGKILL');
    await ended;
    await until(() => processesIn(made).length === 0);
  });

  test('with the reaper killed too, the next repro kills the processes that are left before it runs the stage', async () => {
    const made = longRunning('trap "" INT TERM HUP');
    const { process, ended } = await made.spawn();
    await until(() => made.exists('ready'));
    globalThis.process.kill(reaperOf(made), 'SIGKILL');
    process.kill('SIGKILL');
    await ended;
    const left = processesIn(made);
    expect(left).not.toEqual([]);
    const look = `for pid in ${left.join(' ')}; do [ ! -e /proc/$pid/cwd/in.txt ] || echo $pid; done > long.txt`;
    made.write('pipeline.yaml', made.read('pipeline.yaml').replace(/cmd: 'trap.*'/, `cmd: '${look}'`));
    expect(await made.outcomes()).toEqual({ long: 'ran', after: 'ran' });
    expect(made.read('long.txt')).toBe('');
  });

  test('after a kill at a random moment, the next run makes the same files as an undisturbed one', async () => {
    const kills = Number(globalThis.process.env.REPRO_KILLS ?? 4);
    const reference = diamond();
    await reference.outcomes();
    const undisturbed = everything(reference);
    const made = diamond();
    for (let i = 0; i < kills; i++) {
      // Every other round starts from nothing, the rest with the files of the round before.
      if (i % 2 === 0)
        for (const path of ['out', 'dvc-like.lock', '.repro/runs']) if (made.exists(path)) made.remove(path);
      made.write('in.txt', `${i % 3}`);
      const { process, ended } = await made.spawn('-j', '3');
      const delay = Math.random() * 1.5 * TYPICAL_RUN;
      const timer = setTimeout(() => process.kill('SIGKILL'), delay);
      await ended;
      clearTimeout(timer);
      made.write('in.txt', 'same');
      const { exit, stdout, stderr } = await made.repro('-j', '3');
      expect({ exit, stderr, stdout }).toMatchObject({ exit: 0, stderr: '' });
      expect(everything(made)).toEqual(undisturbed);
    }
    await until(() => processesIn(made).length === 0);
  }, 600_000);
});

/** Roughly the milliseconds of a whole run. */
const TYPICAL_RUN = 500;

/** Stages that write slowly and read their own output, so that a process that was left over would change the result. */
function diamond() {
  const slow = (inputs: string, out: string) =>
    `mkdir -p ${out}; for n in 1 2 3 4; do cat ${inputs} >> ${out}/part; sleep 0.01; done; wc -c < ${out}/part > ${out}/size`;
  return project({
    'pipeline.yaml': `
stages:
  a: {cmd: '${slow('in.txt', 'out/a')}', deps: [in.txt], outs: [out/a]}
  cell:
    matrix: {n: [1, 2, 3, 4]}
    cmd: '${slow('out/a/part', 'out/cell${item.n}')}'
    deps: [out/a]
    outs: ["out/cell\${item.n}"]
  end: {cmd: 'cat out/cell*/part > out/end.txt', deps: [out/cell1, out/cell2, out/cell3, out/cell4], outs: [out/end.txt]}
`,
    'in.txt': 'same',
  });
}

function everything(made: TestProject): { [path: string]: string } {
  const names = readdirSync(made.path('out'), { recursive: true, encoding: 'utf8' }).map((name) => join('out', name));
  const files = [...names.filter((name) => statSync(made.path(name)).isFile()), 'dvc-like.lock'].sort();
  return Object.fromEntries(files.map((name) => [name, made.read(name)]));
}

test('two repros at once in one folder run each stage once, and both succeed', async () => {
  const made = project({
    'pipeline.yaml': `
stages:
  wide:
    matrix: {n: [1, 2, 3, 4, 5]}
    cmd: 'echo \${item.n} >> runs.log; sleep 0.1; cp in.txt out\${item.n}'
    deps: [in.txt]
    outs: ["out\${item.n}"]
  end: {cmd: echo end >> runs.log; cat out1 out2 out3 out4 out5 > end.txt, deps: [out1, out2, out3, out4, out5], outs: [end.txt]}
`,
    'in.txt': '1',
  });
  const both = await Promise.all([made.repro('-j', '1', '--json'), made.repro('-j', '2', '--json')]);
  expect(both.map(({ exit, stderr }) => [exit, stderr])).toEqual([
    [0, ''],
    [0, ''],
  ]);
  expect(made.read('runs.log').split('\n').sort()).toEqual(['', '1', '2', '3', '4', '5', 'end']);
  expect(await made.stale()).toEqual({});
});
