/**
 * `repro --on slurm` with a real Slurm that keeps accounts and enforces limits: of memory, by cgroups, and of users, in
 * MariaDB. squeue soon forgets jobs here.
 */
import { describe, expect, test } from 'vitest';
import { type TestProject, until } from '../repro/project.ts';
import {
  attemptFolder,
  CELLS,
  clusterProject,
  GATED,
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
  const pipeline = `stages:\n  a: {cmd: ${JSON.stringify(cmd)}, deps: [in.txt], outs: [out]${rest}}\n`;
  return clusterProject(pipeline, { 'in.txt': '1' }, executor);
}

/** What is said about a stage that fails. */
async function failure(made: TestProject): Promise<string> {
  const { exit, stdout, stderr } = await made.repro();
  if (exit !== 1) throw new Error(`exit ${exit}: ${stderr}${stdout}`);
  return /^✗ a: (.*)$/m.exec(stdout)![1];
}

/** The job that the journal has; undefined if none was submitted yet. */
function jobOf(made: TestProject): string | undefined {
  const journal = '.repro/jobs/journal.jsonl';
  return made.exists(journal) ? /"job":"(\d+)"/.exec(made.read(journal))?.[1] : undefined;
}

const sacctmgr = (...args: string[]) => slurm.run('sacctmgr', '-i', ...args);

describe.skipIf(skipped !== undefined).concurrent(`a controller that hangs${skippedBecause}`, () => {
  test('jobs go on, their results are taken, and it is said after a while', async () => {
    const own = await TestSlurm.start();
    const made = clusterProject(GATED, { 'in.txt': '1' });
    made.env = { ...own.env };
    setTimes(made, { silence: 1 });
    const run = await made.spawn();
    let said = '';
    run.process.stdout!.on('data', (chunk) => (said += chunk));
    await until(() => CELLS.every((x) => made.exists(`starts-${x}`)));
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
    expect(CELLS.map((x) => [made.read(`starts-${x}`), made.read(`out-${x}`)])).toEqual(
      Array(3).fill(['start\n', '1']),
    );
  });
});

describe.skipIf(skipped !== undefined).concurrent(`a Slurm that keeps accounts${skippedBecause}`, () => {
  test.each([
    ['FAILED', 'kill -9 $PPID; sleep 100', '{}', /^Slurm says that its job ended as FAILED, and it left no result$/],
    [
      'COMPLETED',
      'cp in.txt out',
      '{prologue: exit 0}',
      /^Slurm says that its job ended well, but it left no result within 4 s; does n[12] see this folder\?$/,
    ],
  ])('sacct says that a job has %s that squeue has forgotten', async (_, cmd, executor, message) => {
    const made = one(cmd, executor);
    expect((await made.repro('--detach')).exit).toBe(0);
    const name = `repro-${attemptFolder(made)}`;
    await until(() => slurm.jobs('-n', name).length === 0);
    expect(await failure(made)).toMatch(message);
  });

  test.each([
    ['of an account', 'AssocMaxSubmitJobLimit', '--account=lab'],
    ['of a QOS', 'QOSMaxSubmitJobPerUserLimit', '--qos=small'],
  ])('a limit of submitted jobs %s is waited for, and said once; each cell runs once', async (_, name, option) => {
    if (option === '--account=lab')
      sacctmgr('modify', 'user', 'root', 'where', 'account=lab', 'set', 'MaxSubmitJobs=2');
    else {
      sacctmgr('add', 'qos', 'small', 'MaxSubmitJobsPerUser=1');
      sacctmgr('modify', 'user', 'root', 'where', 'account=root', 'set', 'qos+=small');
    }
    const made = clusterProject(GATED, { 'in.txt': '1', go: '' }, `{args: ["${option}"]}`);
    setTimes(made, { full: 1 });
    const { exit, stdout } = await made.repro();
    expect(stdout.match(/the queue takes no more jobs now \((.*?)[,;)]/g)).toHaveLength(1);
    expect(stdout).toMatch(/! the queue takes no more jobs now \(Job violates accounting\/QOS policy/);
    expect([exit, CELLS.map((x) => made.read(`starts-${x}`)), name]).toEqual([0, Array(3).fill('start\n'), name]);
  });

  test('a wrong account is told in the words of Slurm, and nothing is submitted', async () => {
    const made = one('cp in.txt out', '{args: [--account=nope]}');
    expect(await made.repro()).toMatchObject({
      exit: 2,
      stderr: expect.stringMatching(
        /^repro: a: Slurm cannot run it: Invalid account or account\/partition combination/,
      ),
    });
    expect(made.exists('.repro/jobs')).toBe(false);
  });

  test('who has cancelled a job is said', async () => {
    const made = one('touch begun; sleep 100');
    const run = await made.spawn();
    await until(() => made.exists('begun'));
    slurm.run('scancel', '-n', `repro-${attemptFolder(made)}`);
    expect((await run.ended).stdout).toMatch(/✗ a: its job was cancelled by the user 0\n/);
  });

  test('a job with more time than its partition gives can never start', async () => {
    const made = one('cp in.txt out', '{args: [--hold, --partition=urgent, --time=10]}');
    const run = await made.spawn();
    await until(() => jobOf(made) !== undefined);
    const job = jobOf(made)!;
    slurm.run('scontrol', 'update', 'PartitionName=urgent', 'MaxTime=5');
    slurm.run('scontrol', 'release', job);
    expect((await run.ended).stdout).toMatch(
      /✗ a: its job can never start: Slurm says PartitionTimeLimit; it was cancelled\n/,
    );
  });

  test('a job that exceeds what its QOS allows, and one whose dependency has failed, can never start', async () => {
    sacctmgr('add', 'qos', 'tiny', 'MaxTRESPerJob=cpu=1');
    sacctmgr('modify', 'user', 'root', 'where', 'account=root', 'set', 'qos+=tiny');
    const large = one('cp in.txt out', '{args: [--qos=tiny]}', ', resources: {cpus: 2}');
    expect(await failure(large)).toBe('its job can never start: Slurm says QOSMaxCpuPerJobLimit; it was cancelled');
    const held = slurm.run('sbatch', '--parsable', '--hold', '-o', '/dev/null', '--wrap', 'false').trim();
    const after = one('cp in.txt out', `{args: ["--dependency=afterok:${held}"]}`);
    const run = await after.spawn();
    await until(() => slurm.run('squeue', '-h', '-o', '%j %r').includes(' Dependency'));
    slurm.run('scontrol', 'release', held);
    expect((await run.ended).stdout).toMatch(
      /✗ a: its job can never start: Slurm says DependencyNeverSatisfied; it was cancelled\n/,
    );
  });

  test('a job that cannot end before its deadline is told', async () => {
    const made = one('sleep 100', '{args: [--hold, --deadline=now+70seconds, --time=1]}');
    const run = await made.spawn();
    await until(() => jobOf(made) !== undefined);
    const job = jobOf(made)!;
    slurm.run('scontrol', 'update', `JobId=${job}`, 'TimeLimit=10');
    slurm.run('scontrol', 'release', job);
    expect((await run.ended).stdout).toMatch(/✗ a: it could not end before the deadline of its job \(--deadline\)\n/);
  });

  test('a job that fails without a result is submitted again as often as the stage has retries', async () => {
    const made = one('if mkdir once; then kill -9 $PPID; sleep 100; fi; cp in.txt out', '{}', ', retries: 1');
    const { exit, stdout } = await made.repro();
    const message = /! a: Slurm says that its job ended as FAILED.*, and it left no result; attempt 2 of 2\n/;
    expect([exit, stdout]).toEqual([0, expect.stringMatching(message)]);
  });

  test('a node that Slurm has lost, and whose job ends well all the same, has made the stage', async () => {
    const made = one(
      'echo $SLURMD_NODENAME >> nodes; until [ -e go ]; do sleep 0.05; done; cp in.txt out',
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
    const made = one('touch begun; until [ -e go ]; do sleep 0.05; done; cp in.txt out');
    wrapProgram(made, 'squeue', 'squeue "$@" | tee -a rows\n');
    const run = await made.spawn();
    await until(() => made.exists('begun'));
    slurm.run('scontrol', 'suspend', jobOf(made)!);
    await until(() => made.exists('rows') && made.read('rows').includes('SUSPENDED'));
    slurm.run('scontrol', 'resume', jobOf(made)!);
    made.write('go', '');
    expect((await run.ended).exit).toBe(0);
  });

  // Slurm gives these states where nodes boot, and in federations. Here it is what squeue and sacct answer that says so.
  test.each([
    ['BOOT_FAIL', /! a: Slurm lost the node n[12] \(BOOT_FAIL\); it is submitted again\n/],
    ['REVOKED', /! a: its job was revoked; it is submitted again\n/],
  ])('a job with the state %s is submitted again', async (state, message) => {
    const made = one('if mkdir once; then kill -9 $PPID; sleep 100; fi; cp in.txt out');
    wrapProgram(made, 'squeue', `squeue "$@" | sed 's/|FAILED|[A-Za-z]*|/|${state}||/'\n`);
    wrapProgram(made, 'sacct', `sacct "$@" | sed 's/|FAILED|/|${state}|/'\n`);
    const { exit, stdout } = await made.repro();
    expect([exit, stdout]).toEqual([0, expect.stringMatching(message)]);
    expect(made.read('out')).toBe('1');
  });
});

describe.skipIf(noMemory !== undefined).concurrent(`a Slurm that limits memory${noMemoryBecause}`, () => {
  const HOG = 'head -c 600M /dev/zero | tail > /dev/null';

  test.each([
    ['a command that ends well although the kernel has killed a part of it', `${HOG}; cp in.txt out`, '{}'],
    ['a command that the kernel has killed', HOG.replace('tail', 'exec tail'), '{}'],
    ['a job that leaves no result', 'cp in.txt out', `{prologue: "${HOG}; exit 1"}`],
  ])('%s has failed, with what it asked for', async (_, cmd, executor) => {
    expect(await failure(one(cmd, executor, ', resources: {memory: 50MiB}, retries: 1'))).toMatch(
      /^it took more memory than its job has: it asked for 50\.0 MiB(, and was seen with [\d.]+ MiB)?$/,
    );
  });

  test('a stage that does not say how much it needs is told what the cluster gives by default', async () => {
    expect(await failure(one(HOG))).toMatch(
      /^it took more memory than its job has: it does not say how much it needs, so it got what the cluster gives by default: 300 MiB with what repro itself needs(, and was seen with [\d.]+ MiB)?; say it in pipeline\.yaml \(resources: \{memory: …\}\)$/,
    );
  });
});
