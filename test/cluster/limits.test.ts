/**
 * `repro --on slurm` with a real Slurm that keeps accounts and enforces limits: of memory, by cgroups, and of users, in
 * MariaDB. squeue soon forgets jobs here.
 */
import { describe, expect, test } from 'vitest';
import { type CallResult, events, type TestProject, until } from '../repro/project.ts';
import {
  attemptFolder,
  clusterProject,
  GATED,
  quickly,
  setTimes,
  skipped as skippedWithout,
  slurm,
  useSlurm,
  wrapProgram,
} from './cluster-project.ts';
import { whyNoAccounting } from './test-accounting.ts';
import { TestSlurm, whyNoCgroups } from './test-slurm.ts';

const skipped = skippedWithout ?? whyNoAccounting();
const skippedBecause = skipped === undefined ? '' : ` (skipped: ${skipped})`;
const noMemory = skipped ?? whyNoCgroups();
const noMemoryBecause = noMemory === undefined ? '' : ` (skipped: ${noMemory})`;

useSlurm({ accounting: true, cgroups: noMemory === undefined, skipped });

/** A stage of one command. */
function one(cmd: string, executor = '{}', rest = ''): TestProject {
  return several({ a: [cmd, rest] }, executor);
}

/** Stages that need the same file. Those with the same options of sbatch are one array, in this order. */
function several(stages: { [name: string]: [cmd: string, rest?: string] }, executor = '{}'): TestProject {
  const lines = Object.entries(stages).map(
    ([name, [cmd, rest = '']]) =>
      `  ${name}: {cmd: ${JSON.stringify(cmd)}, deps: [in.txt], outs: [${name}.txt]${rest}}\n`,
  );
  return clusterProject(`stages:\n${lines.join('')}`, { 'in.txt': '1' }, executor);
}

/** What is said about each stage that fails. */
function failuresIn({ exit, stdout, stderr }: CallResult): { [stage: string]: string } {
  if (exit !== 1) throw new Error(`exit ${exit}: ${stderr}${stdout}`);
  return Object.fromEntries([...stdout.matchAll(/^✗ (\w+): (.*)$/gm)].map(([, stage, why]) => [stage, why]));
}

/** The job that the journal has for a stage that is an array of its own; undefined if none was submitted yet. */
function jobOf(made: TestProject, stage = 'a'): string | undefined {
  const journal = '.repro/jobs/journal.jsonl';
  const entries = made.exists(journal) ? events(made.read(journal)) : [];
  const id = entries.find(({ cells }) => cells?.[0].stage === stage)?.id;
  return entries.find((entry) => entry.id === id && entry.job !== undefined)?.job;
}

const sacctmgr = (...args: string[]) => slurm.run('sacctmgr', '-i', ...args);

describe.skipIf(skipped !== undefined).concurrent(`a controller that hangs${skippedBecause}`, () => {
  test('jobs go on, their results are taken, and it is said after a while', async () => {
    const own = await TestSlurm.start();
    const made = clusterProject(GATED, { 'in.txt': '1' });
    made.env = { ...own.env };
    setTimes(made, { silence: 1 });
    const run = await made.spawn('train@1');
    let said = '';
    run.process.stdout!.on('data', (chunk) => (said += chunk));
    await until(() => made.exists('starts-1'));
    const resume = own.pauseController();
    try {
      await until(() => /! squeue has not answered for 1\.0 s; jobs go on, and repro asks again\n/.test(said));
      made.write('go', '');
      expect((await run.ended).exit).toBe(0);
    } finally {
      resume();
      await own.stop();
    }
    expect(said.match(/squeue has not answered/g)).toHaveLength(1);
    expect([made.read('starts-1'), made.read('out-1')]).toEqual(['start\n', '1']);
  });
});

describe.skipIf(skipped !== undefined).concurrent(`a Slurm that keeps accounts${skippedBecause}`, () => {
  test('sacct says how jobs have ended that squeue has forgotten', async () => {
    const made = several(
      { a: ['kill -9 $PPID; sleep 100'], b: ['cp in.txt b.txt'] },
      '{prologue: "[ $SLURM_ARRAY_TASK_ID = 0 ] || exit 0"}',
    );
    expect((await made.repro('--detach')).exit).toBe(0);
    const name = `repro-${attemptFolder(made)}`;
    await until(() => slurm.jobs('-n', name).length === 0);
    expect(failuresIn(await made.repro('-k'))).toEqual({
      a: 'Slurm says that its job ended as FAILED, and it left no result',
      b: expect.stringMatching(
        /^Slurm says that its job ended well, but it left no result within 4 s; does n[12] see this folder\?$/,
      ),
    });
  });

  test.each([
    ['of an account', '--account=lab'],
    ['of a QOS', '--qos=small'],
  ])('a limit of submitted jobs %s is waited for, and said once; each cell runs once', async (_, option) => {
    if (option === '--account=lab')
      sacctmgr('modify', 'user', 'root', 'where', 'account=lab', 'set', 'MaxSubmitJobs=1');
    else {
      sacctmgr('add', 'qos', 'small', 'MaxSubmitJobsPerUser=1');
      sacctmgr('modify', 'user', 'root', 'where', 'account=root', 'set', 'qos+=small');
    }
    const made = clusterProject(GATED, { 'in.txt': '1', go: '' }, `{args: ["${option}"]}`);
    setTimes(made, { full: 1 });
    const { exit, stdout } = await made.repro('train@1', 'train@2');
    expect(stdout.match(/the queue takes no more jobs now \((.*?)[,;)]/g)).toHaveLength(1);
    expect(stdout).toMatch(/! the queue takes no more jobs now \(Job violates accounting\/QOS policy/);
    expect([exit, made.read('starts-1'), made.read('starts-2')]).toEqual([0, 'start\n', 'start\n']);
  });

  test('a wrong account is told in the words of Slurm, and nothing is submitted', async () => {
    const made = one('cp in.txt a.txt', '{args: [--account=nope]}');
    expect(await quickly(made)).toMatchObject({
      exit: 2,
      stderr: expect.stringMatching(
        /^repro: a: Slurm cannot run it: Invalid account or account\/partition combination/,
      ),
    });
    expect(made.exists('.repro/jobs')).toBe(false);
  });

  test('who has cancelled a job is said, and why a job can never start or end in time', async () => {
    sacctmgr('add', 'qos', 'tiny', 'MaxTRESPerJob=cpu=1');
    sacctmgr('modify', 'user', 'root', 'where', 'account=root', 'set', 'qos+=tiny');
    const held = slurm.run('sbatch', '--parsable', '--hold', '-o', '/dev/null', '--wrap', 'false').trim();
    const made = several(
      {
        cancelled: ['touch begun; sleep 100'],
        long: ['cp in.txt long.txt'],
        large: ['cp in.txt large.txt', ', resources: {cpus: 2}'],
        after: ['cp in.txt after.txt'],
        late: ['sleep 100'],
      },
      `{stages: {long: [--hold, --partition=urgent, --time=10], large: [--qos=tiny],
        after: ["--dependency=afterok:${held}"], late: [--hold, --deadline=now+70seconds, --time=1]}}`,
    );
    const run = await made.spawn('-k');
    await until(() => made.exists('begun') && ['long', 'after', 'late'].every((stage) => jobOf(made, stage)));
    slurm.run('scancel', jobOf(made, 'cancelled')!);
    slurm.run('scontrol', 'update', 'PartitionName=urgent', 'MaxTime=5');
    slurm.run('scontrol', 'update', `JobId=${jobOf(made, 'late')}`, 'TimeLimit=10');
    for (const job of [held, jobOf(made, 'long')!, jobOf(made, 'late')!]) slurm.run('scontrol', 'release', job);
    const never = (reason: string) => `its job can never start: Slurm says ${reason}; it was cancelled`;
    expect(failuresIn(await run.ended)).toEqual({
      cancelled: 'its job was cancelled by the user 0',
      long: never('PartitionTimeLimit'),
      large: never('QOSMaxCpuPerJobLimit'),
      after: never('DependencyNeverSatisfied'),
      late: 'it could not end before the deadline of its job (--deadline)',
    });
  });

  test('a node that Slurm has lost, and whose job ends well all the same, has made the stage', async () => {
    const made = one(
      'echo $SLURMD_NODENAME >> nodes; until [ -e go ]; do sleep 0.2; done; cp in.txt a.txt',
      '{args: [--partition=fragile, --nodelist=n3], latency: 60s}',
    );
    const run = await made.spawn();
    await until(() => made.exists('nodes'));
    const name = `repro-${attemptFolder(made)}`;
    slurm.loseNode('n3');
    await until(() => slurm.jobs('-n', name)[0]?.startsWith('NODE_FAIL') ?? true);
    made.write('go', '');
    const { exit, stdout } = await run.ended;
    expect([exit, made.read('nodes'), stdout]).toEqual([0, 'n3\n', expect.not.stringContaining('submitted again')]);
    slurm.bringBack('n3');
  });

  test('a job that an administrator suspends is waited for', async () => {
    const made = one('touch begun; until [ -e go ]; do sleep 0.2; done; cp in.txt a.txt');
    wrapProgram(made, 'squeue', 'squeue "$@" | tee -a rows\n');
    const run = await made.spawn();
    await until(() => made.exists('begun'));
    slurm.run('scontrol', 'suspend', jobOf(made)!);
    await until(() => made.exists('rows') && made.read('rows').includes('SUSPENDED'));
    slurm.run('scontrol', 'resume', jobOf(made)!);
    made.write('go', '');
    expect((await run.ended).exit).toBe(0);
  });

  // Slurm gives the states of the last two where nodes boot, and in federations. Here it is what squeue and sacct answer
  // that says so.
  test('a job that fails without a result is submitted again, as often as the stage has retries if it is not to blame', async () => {
    const cmd = (name: string) => `if mkdir ${name}; then kill -9 $PPID; sleep 100; fi; cp in.txt ${name}.txt`;
    const made = several({ failed: [cmd('failed'), ', retries: 1'], lost: [cmd('lost')], revoked: [cmd('revoked')] });
    const states = { 1: 'BOOT_FAIL', 2: 'REVOKED' };
    const changes = Object.entries(states).map(([index, state]) => [
      `s/|${index}|FAILED|[A-Za-z]*|/|${index}|${state}||/`,
      `s/_${index}|FAILED|/_${index}|${state}|/`,
    ]);
    wrapProgram(made, 'squeue', `squeue "$@" | sed '${changes.map(([squeue]) => squeue).join(';')}'\n`);
    wrapProgram(made, 'sacct', `sacct "$@" | sed '${changes.map(([, sacct]) => sacct).join(';')}'\n`);
    const { exit, stdout } = await made.repro();
    for (const message of [
      /! failed: Slurm says that its job ended as FAILED.*, and it left no result; attempt 2 of 2\n/,
      /! lost: Slurm lost the node n[12] \(BOOT_FAIL\); it is submitted again\n/,
      /! revoked: its job was revoked; it is submitted again\n/,
    ])
      expect(stdout).toMatch(message);
    expect([exit, made.read('failed.txt'), made.read('lost.txt'), made.read('revoked.txt')]).toEqual([
      0,
      '1',
      '1',
      '1',
    ]);
  });
});

describe.skipIf(noMemory !== undefined).concurrent(`a Slurm that limits memory${noMemoryBecause}`, () => {
  const HOG = 'dd if=/dev/zero of=/dev/null bs=600M count=1';

  test('a stage fails with what it asked for, also if only a part of it was killed, or its job left no result', async () => {
    const small = ', resources: {memory: 50MiB}, retries: 1';
    const made = several(
      {
        part: [`${HOG}; cp in.txt part.txt`, small],
        command: [`exec ${HOG}`, small],
        job: ['cp in.txt job.txt', small],
        silent: [HOG],
      },
      `{prologue: "[ $SLURM_ARRAY_TASK_ID != 2 ] || { ${HOG}; exit 1; }"}`,
    );
    const seen = '(, and was seen with [\\d.]+ MiB)?';
    const asked = new RegExp(`^it took more memory than its job has: it asked for 50\\.0 MiB${seen}$`);
    expect(failuresIn(await made.repro('-k'))).toEqual({
      part: expect.stringMatching(asked),
      command: expect.stringMatching(asked),
      job: expect.stringMatching(asked),
      silent: expect.stringMatching(
        new RegExp(
          `^it took more memory than its job has: it does not say how much it needs, so it got what the cluster gives by default: 300 MiB with what repro itself needs${seen}; say it in pipeline\\.yaml \\(resources: \\{memory: …\\}\\)$`,
        ),
      ),
    });
  });
});
