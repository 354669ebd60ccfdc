/** `repro --on slurm` with a real Slurm on this machine: what goes wrong. Tests that lose a node have nodes of their own. */
import { describe, expect, test } from 'vitest';
import { until } from '../repro/project.ts';
import {
  attempts,
  CELLS,
  clusterProject,
  GATED,
  quickly,
  setTimes,
  skipped,
  skippedBecause,
  slurm,
  useSlurm,
  wrapSbatch,
} from './cluster-project.ts';

useSlurm();

describe.skipIf(skipped !== undefined).concurrent(`jobs that fail${skippedBecause}`, () => {
  test('sbatch that times out although it has submitted the job: the job is found, not submitted again', async () => {
    const made = clusterProject(GATED, { 'in.txt': '1', go: '' });
    const message = 'sbatch: error: Batch job submission failed: Socket timed out on send/recv operation';
    wrapSbatch(made, `sbatch "$@" >> jobs; echo '${message}' >&2; exit 1\n`);
    const { exit, stdout } = await made.repro();
    expect(stdout).toMatch(/! sbatch did not say whether it has submitted a job \(Socket timed out[^)]*\)/);
    expect(exit).toBe(0);
    expect(made.read('jobs')).toMatch(/^\d+\n$/);
    expect(CELLS.map((x) => made.read(`starts-${x}`))).toEqual(Array(2).fill('start\n'));
  });

  test('a full queue is waited for: half as many, after a job has ended', async () => {
    const made = clusterProject(GATED, { 'in.txt': '1', go: '' });
    const message =
      "sbatch: error: AssocMaxSubmitJobLimit\\nsbatch: error: Batch job submission failed: Job violates accounting/QOS policy (job submit limit, user'\\''s size and/or time limits)";
    // More than one cell is too many; two jobs are too many.
    wrapSbatch(made, `case " $* " in *" --array=0-0 "*) exec sbatch "$@";; esac\nprintf '${message}\\n' >&2; exit 1\n`);
    setTimes(made, { full: 0.5 });
    const { exit, stdout } = await made.repro();
    expect(stdout.match(/the queue takes no more jobs now/g)?.length).toBe(1);
    expect([exit, CELLS.map((x) => made.read(`starts-${x}`))]).toEqual([0, Array(2).fill('start\n')]);
  });

  test('a lost node: the cell runs again on another one, and the old commands end when they miss their token', async () => {
    const pipeline = `
stages:
  a:
    cmd: echo $SLURMD_NODENAME >> nodes; [ $SLURMD_NODENAME = n4 ] || while true; do date +%s%N > alive; sleep 0.2; done; cp in.txt out
    deps: [in.txt]
    outs: [out]
`;
    const made = clusterProject(pipeline, { 'in.txt': '1' }, '{args: [--partition=fragile]}');
    const run = await made.spawn();
    await until(() => made.exists('alive'));
    slurm.loseNode('n3');
    const { exit, stdout } = await run.ended;
    expect(stdout).toMatch(/! a: Slurm lost the node n3 \(NODE_FAIL\); it is submitted again\n/);
    expect([exit, made.read('nodes')]).toEqual([0, 'n3\nn4\n']);
    expect(attempts(made).map(({ outcome, node }) => [outcome, node])).toEqual([['ran', 'n4']]);
    const last = made.read('alive');
    await new Promise((done) => setTimeout(done, 300));
    expect(made.read('alive')).toBe(last);
    slurm.bringBack('n3');
  });

  test('a job that reaches its time limit goes on from its checkpoint, also from one that it saves when it is warned', async () => {
    const pipeline = `
stages:
  a:
    cmd: echo start >> starts; if [ -e state/half ]; then cp in.txt out; else mkdir -p state; echo half > state/half; sleep 100; fi
    deps: [in.txt]
    outs: [out]
    checkpoint: state
  b: {cmd: echo start >> starts-b; sleep 100, deps: [in.txt], outs: [b.txt]}
  c:
    cmd: "trap 'touch saved; exit 1' TERM; echo start >> starts-c; [ -e saved ] || { sleep 100 & wait; }; cp in.txt c.txt"
    deps: [in.txt]
    outs: [c.txt]
    checkpoint: saved
`;
    const made = clusterProject(pipeline, { 'in.txt': '1' });
    const run = await made.spawn('-k');
    await until(() => made.exists('state/half') && made.exists('starts-b') && made.exists('starts-c'));
    const tasks = slurm.run('squeue', '-h', '-r', '-o', '%F_%K %Z').split('\n');
    const [array] = tasks.find((line) => line.endsWith(` ${made.root}`))!.split('_');
    for (const index of [0, 1]) slurm.run('scontrol', 'update', `JobId=${array}_${index}`, 'EndTime=now+1');
    // Less time than the 60 s of `warn`, so that the warning comes long before the end.
    slurm.run('scontrol', 'update', `JobId=${array}_2`, 'EndTime=now+55');
    const { exit, stdout } = await run.ended;
    expect(exit).toBe(1);
    expect(stdout).toMatch(
      /! c: its job reached its time limit; it goes on from its checkpoint; it is submitted again\n/,
    );
    expect([made.read('starts-c'), made.read('c.txt'), made.exists('saved')]).toEqual(['start\nstart\n', '1', false]);
    expect(stdout).toMatch(
      /! a: its job reached its time limit; it goes on from its checkpoint; it is submitted again\n/,
    );
    expect(stdout).toMatch(/✗ b: it took longer than the time limit of its job\n/);
    expect([made.read('starts'), made.read('out'), made.exists('state')]).toEqual(['start\nstart\n', '1', false]);
  });

  test('a job that another person cancels, one whose repro is killed on its node, and a command that fails, with its output, are told', async () => {
    const pipeline = `
stages:
  a: {cmd: touch begun; sleep 100, deps: [in.txt], outs: [a.txt]}
  b: {cmd: kill -9 $PPID; sleep 100, deps: [in.txt], outs: [b.txt]}
  c: {cmd: echo try >> tries; echo why; exit 3, deps: [in.txt], outs: [c.txt], retries: 1}
`;
    const made = clusterProject(pipeline, { 'in.txt': '1' });
    const run = await made.spawn('-k');
    await until(() => made.exists('begun'));
    const jobs = slurm.run('squeue', '-h', '-r', '-o', '%F_%K %Z').split('\n');
    const a = jobs.find((line) => line.includes('_0 ') && line.endsWith(made.root))!;
    slurm.run('scancel', a.split(' ')[0]);
    const { exit, stdout } = await run.ended;
    expect(exit).toBe(1);
    expect(stdout).toMatch(/✗ a: its job was cancelled, not by repro\n/);
    expect(stdout).toMatch(/✗ b: Slurm says that its job ended as FAILED/);
    // Retries run in the same job, as on one machine.
    expect(stdout).toMatch(
      /! c: its command ended with exit 3; attempt 2 of 2\n(.*\n)*✗ c: its command ended with exit 3\n/,
    );
    expect([stdout.match(/^c \| why$/gm)?.length, made.read('tries')]).toEqual([2, 'try\ntry\n']);
  });

  test('a job that is preempted is submitted again', async () => {
    const pipeline = `
stages:
  a:
    cmd: echo start >> starts; until [ -e go ]; do sleep 0.2; done; cp in.txt out
    deps: [in.txt]
    outs: [out]
    resources: {cpus: 16}
`;
    const made = clusterProject(pipeline, { 'in.txt': '1' }, '{args: [--partition=fragile, --nodelist=n4]}');
    const run = await made.spawn();
    await until(() => made.exists('starts'));
    slurm.run('sbatch', '-o', '/dev/null', '-p', 'urgent', '-c', '16', '--wrap', 'sleep 1');
    await until(() => made.read('starts') === 'start\nstart\n');
    made.write('go', '');
    const { exit, stdout } = await run.ended;
    expect([exit, stdout]).toEqual([0, expect.stringMatching(/! a: its job was preempted; it is submitted again\n/)]);
  });

  test('a job that is held is named once, and runs when it is released', async () => {
    const made = clusterProject(GATED, { 'in.txt': '1', go: '' }, '{args: [--hold]}');
    const run = await made.spawn('train@1');
    let said = '';
    run.process.stdout!.on('data', (chunk) => (said += chunk));
    await until(() => /! train@1: its job (\d+)_0 is held \(JobHeld\w+\); scontrol release/.test(said));
    const [, job] = /its job (\d+)_0 is held/.exec(said)!;
    slurm.run('scontrol', 'release', job);
    expect((await run.ended).exit).toBe(0);
    expect(said.match(/is held/g)?.length).toBe(1);
  });

  test('a stage that no node can hold, a wrong partition or option: a sentence of Slurm before anything is submitted', async () => {
    const made = clusterProject(
      'stages:\n  a: {cmd: cp in.txt out, deps: [in.txt], outs: [out], resources: {cpus: 400}}\n',
      { 'in.txt': '1' },
    );
    const refused = async () => {
      const { exit, stdout, stderr } = await quickly(made);
      expect([exit, stdout]).toEqual([2, '']);
      return stderr;
    };
    expect(await refused()).toMatch(
      /^repro: a: Slurm cannot run it: Requested node configuration is not available \(sbatch -n1 -N1 -c400 .*\)\n$/,
    );
    const dry = await quickly(made, '--dry');
    expect([dry.exit, dry.stdout]).toEqual([
      0,
      expect.stringMatching(
        /\nsbatch -n1 -N1 -c400 --signal=B:TERM@60: a\n(.*\n)*! a: Slurm cannot run it: Requested node/,
      ),
    ]);
    made.write('.repro/config.yaml', 'executor: {slurm: {args: [--partition=nope]}}\n');
    expect(await refused()).toMatch(/^repro: a: Slurm cannot run it: Invalid partition name specified \(/);
    made.write('.repro/config.yaml', 'executor: {slurm: {args: [--nope]}}\n');
    expect(await refused()).toMatch(/^repro: a: Slurm cannot run it: unrecognized option '--nope' \(/);
    made.write('.repro/config.yaml', 'executor: {slurm: {poll: 2s}}\n');
    expect(await refused()).toMatch(/^repro: \.repro\/config\.yaml:1:26: poll must be at least 10 s/);
    expect(made.exists('.repro/jobs')).toBe(false);
  });

  test('what sbatch refuses only when it submits fails the stage, in the words of Slurm', async () => {
    const made = clusterProject(GATED, { 'in.txt': '1', go: '' });
    const message =
      'sbatch: error: Batch job submission failed: Invalid account or account/partition combination specified';
    wrapSbatch(made, `echo '${message}' >&2; exit 1\n`);
    const { exit, stdout } = await quickly(made, 'train@1');
    expect([exit, stdout]).toEqual([
      1,
      expect.stringMatching(
        /✗ train@1: Slurm refuses its job: Invalid account or account\/partition combination specified\n/,
      ),
    ]);
    expect(made.exists('.repro/jobs')).toBe(false);
  });
});
