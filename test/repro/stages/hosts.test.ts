/**
 * Several hosts at one folder: nodes of a cluster, or a container beside its host. The second host has process ids, a
 * host name and a boot of its own, by unshare(1), which needs root.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { afterEach, describe, expect, test } from 'vitest';
import { thisHost } from '../../../lib/repro/files/index.ts';
import { type CallResult, outcomesIn, project, removeProjects, type TestProject, until } from '../project.ts';

afterEach(removeProjects);

/** Runs `"$0" "$@"` as if on the host n2. */
const ON_N2 = ['-m', '-p', '-u', '-f', '--mount-proc', 'sh', '-c'];
const START = 'hostname n2 && mount --bind "$BOOT_ID" /proc/sys/kernel/random/boot_id && exec "$0" "$@"';
const BOOT_ID = '8d3f2a52-6c1e-4d0b-9a57-0f3a2b1c4d5e\n';

/** A stage that goes on when the file `go` is there, and notes each start. */
function gated(): TestProject {
  return project({
    'pipeline.yaml': `
stages:
  long:
    cmd: echo start >> starts; until [ -e go ]; do sleep 0.1; done; echo done > out.txt
    deps: [in.txt]
    outs: [out.txt]
  other: {cmd: cp in.txt other.txt, deps: [in.txt], outs: [other.txt]}
`,
    'in.txt': '1',
    'boot-id': BOOT_ID,
  });
}

async function spawnOnN2(
  made: TestProject,
  ...args: string[]
): Promise<{ process: ChildProcess; ended: Promise<CallResult> }> {
  const child = spawn('unshare', [...ON_N2, START, process.execPath, await made.bundle(), ...args], {
    cwd: made.root,
    env: { ...process.env, CUDA_VISIBLE_DEVICES: '', BOOT_ID: made.path('boot-id') },
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk) => (stdout += chunk));
  child.stderr.on('data', (chunk) => (stderr += chunk));
  return { process: child, ended: new Promise((done) => child.on('close', (exit) => done({ exit, stdout, stderr }))) };
}

async function onN2(made: TestProject, ...args: string[]): Promise<CallResult> {
  return (await spawnOnN2(made, ...args)).ended;
}

/** Starts repro here, and resolves when its stage runs. */
async function started(made: TestProject, ...args: string[]) {
  const run = await made.spawn(...args);
  await until(() => made.exists('starts') && made.exists(`.repro/running/${thisHost().id}-${run.process.pid}.json`));
  return run;
}

const canUnshare = spawnSync('unshare', [...ON_N2, 'true']).status === 0;

describe.skipIf(!canUnshare)('a second host (skipped without root: unshare is refused)', () => {
  test('is refused while repro runs here, and nothing is edited or run twice; status and log there show what runs', async () => {
    const made = gated();
    made.write('params.yaml', 'p: 1\n');
    const run = await started(made, 'long');
    const second = await onN2(made, '-S', 'p=2');
    expect(made.read('params.yaml')).toBe('p: 1\n');
    expect(second).toMatchObject({ exit: 2, stdout: '' });
    expect(second.stderr).toMatch(
      new RegExp(
        `^repro: repro is running in this folder on ${hostname()} \\(process ${run.process.pid}, since \\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d UTC\\), ` +
          `and one host at a time can: wait until it has ended, or let \`repro --wait\` wait\\. ` +
          `If ${hostname()} is gone, the folder is free in (3 min|2 min \\d+ s)\\n$`,
      ),
    );
    expect((await onN2(made, 'checkout')).exit).toBe(2);
    const status = await onN2(made, 'status');
    expect([status.exit, status.stdout]).toEqual([
      0,
      expect.stringMatching(
        new RegExp(`^long: running\\n  for [\\d.]+ m?s \\(repro ${run.process.pid} on ${hostname()}\\)\\n`),
      ),
    ]);
    expect((await onN2(made, 'log', 'long')).stdout).toMatch(/running/);
    made.write('go', '');
    expect((await run.ended).exit).toBe(0);
    expect(made.read('starts')).toBe('start\n');
    expect(made.exists('.repro/host')).toBe(false);
    expect((await onN2(made, 'long')).stdout).toBe('everything is up to date (1 stage)\n');
  });

  test('waits with --wait, and then finds what the first one has made', async () => {
    const made = gated();
    const run = await started(made, 'long');
    const second = await spawnOnN2(made, '--wait');
    let said = '';
    second.process.stderr!.on('data', (chunk) => (said += chunk));
    await until(() => said.startsWith(`repro: waits: repro is running in this folder on ${hostname()}`));
    made.write('go', '');
    await run.ended;
    const { exit, stdout } = await second.ended;
    expect([exit, made.read('starts')]).toEqual([0, 'start\n']);
    expect(stdout).toMatch(/✓ other/);
  });

  test('that was killed is waited for for 3 minutes, then the folder is free', async () => {
    const made = gated();
    const { process: namespace, ended } = await spawnOnN2(made, 'long');
    await until(() => made.exists('starts'));
    // The first process of a namespace takes all others with it.
    spawnSync('pkill', ['-KILL', '-P', String(namespace.pid)]);
    await ended;
    expect((await made.repro()).stderr).toMatch(/^repro: repro is running in this folder on n2 \(process \d+/);
    made.write('go', '');
    const old = statSync(made.path('.repro/host')).mtimeMs / 1000 - 181;
    utimesSync(made.path('.repro/host'), old, old);
    expect(await made.outcomes()).toEqual({ long: 'ran', other: 'ran' });
    expect(made.exists('.repro/host')).toBe(false);
  });
});

test('a claim from before a reboot of this machine, and a damaged one, do not count', async () => {
  const made = gated();
  made.write('go', '');
  const claim = (host: object) => JSON.stringify({ host, pid: 1, since: '2026-01-31T12:00:00.000Z', beat: 0 });
  const own = thisHost();
  if (own.machine !== undefined) {
    made.write('.repro/host', claim({ ...own, id: '0123abcd', boot: 'an earlier one' }));
    expect(await made.outcomes('other')).toEqual({ other: 'ran' });
  }
  for (const damaged of ['', '{"host": {"na', 'null', '{"host": 1}']) {
    made.write('.repro/host', damaged);
    expect([damaged, (await made.repro('-f')).exit]).toEqual([damaged, 0]);
    expect(made.exists('.repro/host')).toBe(false);
  }
  // What can neither be read nor replaced by a claim is named, and not tried for ever.
  mkdirSync(made.path('.repro/host'));
  expect(await made.repro('-f')).toMatchObject({
    exit: 1,
    stderr: 'repro: .repro/host is not a file of repro; remove it\n',
  });
});

test('several repros of one host share the folder, and the last one gives it back', async () => {
  const made = gated();
  const run = await started(made, 'long');
  expect(await made.outcomes('other')).toEqual({ other: 'ran' });
  expect(JSON.parse(made.read('.repro/host'))).toMatchObject({ host: { name: hostname() } });
  made.write('go', '');
  await run.ended;
  expect(made.exists('.repro/host')).toBe(false);
});

test('unfinished objects of another host stay in the cache for a week', async () => {
  const made = gated();
  made.write('go', '');
  const theirs = '.repro/cache/incoming/object.0123abcd-4711-9f86d081.tmp';
  made.write(theirs, 'half');
  await made.repro('long');
  expect(made.read(theirs)).toBe('half');
  const old = Date.now() / 1000 - 8 * 24 * 3600;
  utimesSync(made.path(theirs), old, old);
  await made.repro('other');
  expect(made.exists(theirs)).toBe(false);
});

test('`state` in .repro/config.yaml names a folder on a local disk for the LMDB stores', async () => {
  const made = gated();
  made.write('go', '');
  made.write('.repro/config.yaml', 'state: scratch\n');
  expect(await made.outcomes()).toEqual({ long: 'ran', other: 'ran' });
  const [folder] = readdirSync(made.path('scratch'));
  expect(readdirSync(made.path(`scratch/${folder}`)).sort()).toEqual(['leases', 'section', 'state']);
  expect(['state', 'section', 'leases'].filter((name) => existsSync(made.path(`.repro/${name}`)))).toEqual([]);
  writeFileSync(made.path('.repro/config.yaml'), 'state: 5\n');
  expect((await made.repro('gc')).stderr).toMatch(/^repro: \.repro\/config\.yaml:1:8: state: /);
});

test('inside a job of Slurm, repro takes the cpus, memory and GPUs of the job, not those of the machine', async () => {
  const made = project({
    'pipeline.yaml': `
stages:
  wide: {cmd: 'true', params: [p], resources: {cpus: 2}}
  large: {cmd: 'true', params: [p], resources: {memory: 2GiB}}
  gpu: {cmd: 'echo $CUDA_VISIBLE_DEVICES > gpu.txt', params: [p], outs: [gpu.txt], resources: {gpus: 1}}
`,
    'params.yaml': 'p: 1',
  });
  const job = { SLURM_JOB_ID: '7', SLURM_CPUS_ON_NODE: '1', SLURM_MEM_PER_NODE: '1024', SLURM_JOB_GPUS: '3' };
  const inJob = { ...job, SLURMD_NODENAME: 'n1', CUDA_VISIBLE_DEVICES: undefined, REPRO_GPUS: undefined };
  made.env = inJob;
  expect((await made.repro('wide')).stderr).toBe('repro: wide wants 2 cpus, but this machine has 1\n');
  expect((await made.repro('large')).stderr).toBe(
    'repro: large wants 2.0 GiB of memory, but this machine has 1.0 GiB\n',
  );
  expect(await made.outcomes('gpu')).toEqual({ gpu: 'ran' });
  expect(made.read('gpu.txt')).toBe('3\n');
  made.env = { ...inJob, SLURM_MEM_PER_NODE: undefined, SLURM_MEM_PER_CPU: '3000' };
  expect(await made.outcomes('large')).toEqual({ large: 'ran' });
  // A shell of salloc on a login node has the variables of the job, but is not on its node.
  made.env = { ...job, SLURM_MEM_PER_NODE: '16' };
  expect(outcomesIn((await made.repro('-f', '--json', 'large')).stdout)).toEqual({ large: 'ran' });
});
