/** The parts of lib/repro/slurm that only plan: options of sbatch, answers of Slurm's programs, states, the journal. */
import { describe, expect, test } from 'vitest';
import type { Resources } from '../../lib/repro/pipeline/index.ts';
import { parseAccounting, parseIndexes, parseQueue, parseSubmitted } from '../../lib/repro/slurm/answers.ts';
import { type Ended, saysOutOfMemory, standingOf, verdictOn } from '../../lib/repro/slurm/job-states.ts';
import { openAttempts } from '../../lib/repro/slurm/journal-entries.ts';
import { environmentForSlurm, jobScript, wantsOf } from '../../lib/repro/slurm/sbatch-args.ts';
import type { SlurmSettings } from '../../lib/repro/slurm/settings.ts';
import { resources, stage } from '../repro/unit/stage.ts';

const SETTINGS: SlurmSettings = {
  args: [],
  stages: {},
  prologue: '',
  local: new Set(),
  jobs: 500,
  poll: 10,
  warn: 60,
  latency: 60,
  continues: 20,
  look: 5,
  fence: 10,
  full: 60,
  probe: true,
  patience: 120,
  silence: 600,
};

describe('options of sbatch', () => {
  const wants = (asked: Partial<Resources>, settings: Partial<SlurmSettings> = {}, timeout?: number) =>
    wantsOf(stage('train', { resources: resources(asked), timeout }), { ...SETTINGS, ...settings }).join(' ');

  test('say only what the stage says: cpus and minutes are rounded up, memory has room for repro', () => {
    expect(wants({})).toBe('-n1 -N1 --signal=B:TERM@60');
    expect(wants({ cpus: 1.5, memory: 2 ** 30 + 1, gpus: 2 }, {}, 3600)).toBe(
      '-n1 -N1 -c2 --mem=1281 --gres=gpu:2 --time=1:02:00 --signal=B:TERM@60',
    );
    expect(wants({}, {}, 61)).toContain('--time=0:04:00');
  });

  test('of the settings come last, and may name the GPUs', () => {
    const settings = {
      args: ['--account=lab'],
      stages: { train: ['--gres=gpu:a100:{gpus}', '--mem-per-cpu={memory}'] },
    };
    expect(wants({ gpus: 2, memory: 2 ** 20 }, settings)).toBe(
      '-n1 -N1 --mem=257 --signal=B:TERM@60 --account=lab --gres=gpu:a100:2 --mem-per-cpu=1',
    );
  });

  test('a script quotes the folder', () => {
    const script = jobScript({ folder: "/a/it's", prologue: 'module load nodejs', program: ['/n', '/r.js'] });
    expect(script.split('\n').slice(1, 3)).toEqual([
      `[ -e '/a/it'\\''s'/tokens/"$SLURM_ARRAY_TASK_ID"/token ] || exit 0`,
      'module load nodejs',
    ]);
  });

  test('variables of the job that repro is in are left out', () => {
    const own = {
      SLURM_JOB_ID: '1',
      SBATCH_PARTITION: 'x',
      SQUEUE_FORMAT: 'x',
      CUDA_VISIBLE_DEVICES: '0',
      TMPDIR: '/x',
    };
    expect(environmentForSlurm({ ...own, SLURM_CONF: '/c', PATH: '/bin' })).toEqual({ SLURM_CONF: '/c', PATH: '/bin' });
  });
});

describe('answers', () => {
  test('squeue lists the tasks that wait in one row', () => {
    expect(parseIndexes('0-2,5,8-10:2%4')).toEqual([0, 1, 2, 5, 8, 10]);
    expect(parseQueue('7|1-2|PENDING|Priority|\n7|0|RUNNING|None|n1\nslurm_load_jobs error: x\n')).toEqual([
      { job: '7', index: 1, state: 'PENDING', reason: 'Priority', node: '' },
      { job: '7', index: 2, state: 'PENDING', reason: 'Priority', node: '' },
      { job: '7', index: 0, state: 'RUNNING', reason: '', node: 'n1' },
    ]);
  });

  test('sacct says who has cancelled a job', () => {
    expect(parseAccounting('7_0|CANCELLED by 1000|n1\n7_1|COMPLETED|n2\n7_1.batch|COMPLETED|n2\n')).toEqual([
      { job: '7', index: 0, state: 'CANCELLED', reason: '', node: 'n1', by: '1000' },
      { job: '7', index: 1, state: 'COMPLETED', reason: '', node: 'n2' },
    ]);
  });

  test.each([
    [0, '4711\n', '', { job: '4711' }],
    [0, '4711;cluster\n', '', { job: '4711', cluster: 'cluster' }],
    [1, '', 'sbatch: error: Batch job submission failed: Socket timed out on send/recv operation', 'unclear'],
    [
      1,
      '',
      'sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)',
      'unclear',
    ],
    [1, '', 'sbatch: error: Batch job submission failed: Unexpected message received', 'unclear'],
    [undefined, '', '', 'unclear'],
    [
      1,
      '',
      'sbatch: error: AssocMaxSubmitJobLimit\nsbatch: error: Batch job submission failed: Job violates …',
      'full',
    ],
    [
      1,
      '',
      'sbatch: error: QOSMaxSubmitJobPerUserLimit\nsbatch: error: Batch job submission failed: Job violates …',
      'full',
    ],
    [
      1,
      '',
      'sbatch: error: Batch job submission failed: Invalid account or account/partition combination specified',
      'refused',
    ],
    [
      1,
      '',
      'sbatch: error: invalid partition specified: x\nsbatch: error: Batch job submission failed: Invalid partition name specified',
      'refused',
    ],
  ])('sbatch with exit %s, %j and %j', (code, out, err, expected) => {
    const answer = parseSubmitted({ code, out, err });
    if (typeof expected === 'object') expect(answer).toEqual(expected);
    else expect(Object.keys(answer)).toEqual([expected]);
  });
});

describe('states', () => {
  test('a job that Slurm ends for its memory without cgroups has FAILED; its log tells', () => {
    expect(
      saysOutOfMemory(`slurmstepd-n1: error: StepId=4.batch exceeded memory limit (170848256 > 104857600), being killed
slurmstepd-n1: error: Exceeded job memory limit
slurmstepd-n1: error: *** JOB 4 ON n1 CANCELLED AT 2026-11-30T03:41:13 ***`),
    ).toBe(true);
    expect(saysOutOfMemory('a test of mine: error: exceeded memory limit\n')).toBe(false);
    expect(saysOutOfMemory('slurmstepd: error: *** JOB 4 ON n1 CANCELLED DUE TO TIME LIMIT ***\n')).toBe(false);
  });

  const row = (state: string, reason = '', node = 'n1') => ({ job: '7', index: 0, state, reason, node });

  test.each(['PENDING', 'CONFIGURING', 'SUSPENDED', 'REQUEUED', 'REQUEUE_HOLD', 'SPECIAL_EXIT', 'STOPPED'])(
    '%s waits',
    (state) => expect(standingOf(row(state, 'Priority')).is).toBe('waiting'),
  );

  test.each(['RUNNING', 'COMPLETING', 'STAGE_OUT', 'SIGNALING'])('%s runs', (state) =>
    expect(standingOf(row(state))).toEqual({ is: 'running', node: 'n1' }),
  );

  test.each([
    'PartitionConfig',
    'PartitionNodeLimit',
    'PartitionTimeLimit',
    'BadConstraints',
    'DependencyNeverSatisfied',
    'QOSMaxCpuPerJobLimit',
    'QOSMaxMemoryPerJob',
  ])('a job that waits for %s can never start', (reason) =>
    expect(standingOf(row('PENDING', reason))).toEqual({ is: 'stuck', reason }),
  );

  test.each(['JobHeldUser', 'JobHeldAdmin'])('%s is a job that is held', (reason) =>
    expect(standingOf(row('PENDING', reason))).toMatchObject({ is: 'waiting', isHeld: true }),
  );

  const verdict = (ended: Partial<Ended>) =>
    verdictOn({
      row: undefined,
      isCancelledByUs: false,
      wasTerminated: false,
      hasBegun: true,
      hasGoneOn: false,
      continued: 0,
      nodesLost: 0,
      latency: 60,
      continues: 20,
      ...ended,
    });

  test.each([
    [
      { row: row('COMPLETED') },
      {
        is: 'failed',
        message: 'Slurm says that its job ended well, but it left no result within 60 s; does n1 see this folder?',
      },
    ],
    [
      { row: row('FAILED', 'NonZeroExitCode') },
      {
        is: 'failed',
        again: true,
        message: 'Slurm says that its job ended as FAILED (NonZeroExitCode), and it left no result',
      },
    ],
    [{ row: row('OUT_OF_MEMORY') }, { is: 'failed', message: 'it took more memory than its job has' }],
    [{ row: { ...row('CANCELLED'), by: '0' } }, { is: 'failed', message: 'its job was cancelled by the user 0' }],
    [{ row: row('CANCELLED'), isCancelledByUs: true }, { is: 'interrupted' }],
    [{ row: row('PREEMPTED') }, { is: 'lost', counts: 'free', why: 'its job was preempted' }],
    [{ row: row('REVOKED') }, { is: 'lost', counts: 'free', why: 'its job was revoked' }],
    [
      { row: row('NODE_FAIL') },
      { is: 'lost', counts: 'nodesLost', without: 'n1', why: 'Slurm lost the node n1 (NODE_FAIL)' },
    ],
    [
      { row: row('BOOT_FAIL'), nodesLost: 3 },
      { is: 'failed', message: 'Slurm lost the node n1 (BOOT_FAIL), 4 times in a row' },
    ],
    [
      { row: row('FAILED', 'JobLaunchFailure'), hasBegun: false },
      { is: 'lost', counts: 'nodesLost', without: 'n1', why: 'its job could not be started on n1 (JobLaunchFailure)' },
    ],
    [{}, { is: 'lost', counts: 'nodesLost', why: 'Slurm does not know its job any more' }],
  ])('%j', (ended, expected) => expect(verdict(ended as Partial<Ended>)).toEqual(expected));

  test.each(['TIMEOUT', 'DEADLINE'])('%s goes on from a checkpoint that has changed, so often and no more', (state) => {
    const message =
      state === 'TIMEOUT'
        ? 'it took longer than the time limit of its job'
        : 'it could not end before the deadline of its job (--deadline)';
    expect(verdict({ row: row(state) })).toMatchObject({ is: 'failed', message });
    expect(verdict({ row: row(state), hasGoneOn: true })).toMatchObject({ is: 'lost', counts: 'continued' });
    expect(verdict({ row: row(state), hasGoneOn: true, continued: 20 })).toMatchObject({ is: 'failed' });
  });

  test('a job that ended itself at the warning before its time limit has reached it', () => {
    expect(verdict({ row: row('FAILED'), wasTerminated: true, hasGoneOn: true })).toMatchObject({
      counts: 'continued',
    });
  });
});

test('the journal: attempts that are not over, whatever was cut short', () => {
  const cells = [{ stage: 'a', key: 'k' }];
  const lines = [
    { id: 'a1', name: 'repro-a1', cells, submitted: 't' },
    { id: 'a1', job: '7' },
    { id: 'a1', cancelled: [0] },
    { id: 'b2', name: 'repro-b2', cells, submitted: 't' },
    { id: 'c3', name: 'repro-c3', cells, submitted: 't' },
    { id: 'c3', over: true },
    { id: '../x', name: 'x', cells, submitted: 't' },
  ].map((line) => JSON.stringify(line));
  expect(openAttempts(`${lines.join('\n')}\n{"id": "d4", "na`)).toEqual([
    { id: 'a1', name: 'repro-a1', cells, submitted: 't', job: '7', cancelled: [0] },
    { id: 'b2', name: 'repro-b2', cells, submitted: 't', cancelled: [] },
  ]);
});
