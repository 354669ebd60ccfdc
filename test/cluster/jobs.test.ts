/** `repro --on slurm` with a real Slurm on this machine: what is submitted, and who takes the results. */
import { readdirSync, rmSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { events, project, until } from '../repro/project.ts';
import {
  attemptFolder,
  attempts,
  CELLS,
  clusterProject,
  GATED,
  quickly,
  skipped,
  skippedBecause,
  slurm,
  useSlurm,
  wrapSbatch,
} from './cluster-project.ts';
import { LARGEST_ARRAY } from './test-slurm.ts';

useSlurm();

describe.skipIf(skipped !== undefined).concurrent(`repro --on slurm${skippedBecause}`, () => {
  test('a study over two nodes gives the lock and the files of a local run; ready cells are one array', async () => {
    const pipeline = `
stages:
  prepare: {cmd: mkdir -p data; cp in.txt data/a; printf '#!/bin/sh\\n' > data/run; chmod +x data/run, deps: [in.txt], outs: [data]}
  train:
    matrix: {x: [1, 2, 3]}
    cmd: echo "$CUDA_VISIBLE_DEVICES" > gpu-\${item.x}.log; mkdir out-\${item.x}; cat data/a params.yaml > out-\${item.x}/model; cat code.mjs >> out-\${item.x}/model
    deps: [data]
    code: [code.mjs]
    params: [lr]
    outs: ["out-\${item.x}"]
    resources: {gpus: 2, cpus: 2, memory: 50MiB}
  report:
    cmd: cat out-*/model > report.txt
    deps: [out-1, out-2, out-3]
    metrics: [{report.txt: {cache: false}}]
`;
    const files = {
      'in.txt': 'in',
      'params.yaml': 'lr: 1.0\n',
      'code.mjs': 'import "./other.mjs";\n',
      'other.mjs': '1;\n',
    };
    const here = project({ 'pipeline.yaml': pipeline, ...files });
    await here.outcomes();
    const made = clusterProject(pipeline, files, '{local: [prepare]}');
    expect(Object.values(await made.outcomes())).toEqual(Array(5).fill('ran'));
    expect(made.read('dvc-like.lock')).toBe(here.read('dvc-like.lock'));
    expect(made.read('report.txt')).toBe(here.read('report.txt'));
    const cells = attempts(made).filter(({ stage }) => stage.startsWith('train@'));
    expect(new Set(cells.map(({ job }) => job.split('_')[0])).size).toBe(1);
    expect(new Set(cells.map(({ node }) => node))).toEqual(new Set(['n1', 'n2']));
    expect(attempts(made).find(({ stage }) => stage === 'prepare')).not.toHaveProperty('job');
    for (const x of [1, 2, 3]) expect(made.read(`gpu-${x}.log`)).toMatch(/^[0-3],[0-3]\n$/);
    expect((await quickly(made, 'log', 'train')).stdout).toMatch(
      /job +node +queued\n(.*\n)*train@1 .* \d+_\d +n[12] +[\d.]+ m?s\n/,
    );
    expect((await quickly(made)).stdout).toMatch(/^everything is up to date/);
    expect(made.exists('.repro/jobs')).toBe(false);
  });

  test('repro that is killed: its jobs go on, status shows them, and the next repro takes them up; each cell runs once', async () => {
    // A command reports its progress on descriptor 3, as on one machine.
    const telling = GATED.replace('until', `echo '{"done":1,"total":4,"unit":"steps"}' >&3; until`);
    const made = clusterProject(telling, { 'in.txt': '1' });
    const first = await made.spawn();
    await until(() => CELLS.every((x) => made.exists(`starts-${x}`)));
    first.process.kill('SIGKILL');
    await first.ended;
    const progress = `.repro/jobs/${attemptFolder(made)}/progress`;
    await until(() =>
      [0, 1].every((x) => made.exists(`${progress}/${x}`) && made.read(`${progress}/${x}`).includes('steps')),
    );
    expect((await quickly(made, 'status')).stdout).toMatch(
      /train@2: running as job \d+_1 on n\d for [^\n]*, 1\/4 steps 25 %; no repro watches it\n/,
    );
    expect((await quickly(made, 'gc', '--yes')).stderr).toMatch(
      /^repro: jobs of Slurm may be making train@1, train@2; run repro first/,
    );
    const second = await made.spawn('--json');
    let said = '';
    second.process.stdout!.on('data', (chunk) => (said += chunk));
    await until(() => said.includes('"event":"progress","stage":"train@2","done":1,"total":4,"unit":"steps"'));
    made.write('go', '');
    const { exit, stdout } = await second.ended;
    expect([exit, stdout.match(/"outcome":"ran"/g)?.length]).toEqual([0, CELLS.length]);
    expect(CELLS.map((x) => made.read(`starts-${x}`))).toEqual(Array(2).fill('start\n'));
    expect(made.exists('.repro/jobs')).toBe(false);
  });

  test('what jobs print is shown while they run, each line once and in order; --quiet shows none', async () => {
    const pipeline = `
stages:
  a: {cmd: "for n in 1 2 3; do echo line $n; until [ -e go-$n ]; do sleep 0.2; done; done; printf end; cp in.txt out", deps: [in.txt], outs: [out]}
`;
    const made = clusterProject(pipeline, { 'in.txt': '1' });
    const run = await made.spawn();
    let said = '';
    run.process.stdout!.on('data', (chunk) => (said += chunk));
    for (const n of [1, 2, 3]) {
      await until(() => said.includes(`a | line ${n}\n`));
      made.write(`go-${n}`, '');
    }
    const { exit, stdout } = await run.ended;
    expect([exit, stdout]).toEqual([
      0,
      expect.stringMatching(/^> a .*\na \| line 1\na \| line 2\na \| line 3\na \| end\n✓ a/m),
    ]);
    expect((await made.repro('-f', '-q')).stdout).not.toContain('line');
  });

  test('repro that is killed before it knows its job finds it by its name', async () => {
    const made = clusterProject(GATED, { 'in.txt': '1', go: '' });
    // sbatch submits, and repro is killed before it reads the number.
    wrapSbatch(made, 'sbatch "$@" > job; kill -9 $REPRO_PID; sleep 5\n');
    const { exit } = await made.reproAfter(`export REPRO_PID=$$`);
    expect(exit).not.toBe(0);
    expect(await made.outcomes()).toEqual({ 'train@1': 'ran', 'train@2': 'ran' });
    expect(CELLS.map((x) => made.read(`starts-${x}`))).toEqual(Array(2).fill('start\n'));
    expect(new Set(attempts(made).map(({ job }) => job.split('_')[0]))).toEqual(new Set([made.read('job').trim()]));
  });

  test('--detach: repro ends, jobs go on; a stage whose inputs changed meanwhile loses its job, and gets a new one', async () => {
    const made = clusterProject(GATED, { 'in.txt': '1' });
    const { exit, stdout } = await made.repro('--detach', 'train@1', 'train@2');
    expect([exit, stdout]).toEqual([
      0,
      expect.stringMatching(/- train@1 \(job \d+_0\), train@2 \(job \d+_1\) go on; run repro again for the results\n/),
    ]);
    await until(() => made.exists('starts-1') && made.exists('starts-2'));
    made.write('in.txt', '2');
    const second = await made.spawn('train@1');
    let said = '';
    second.process.stdout!.on('data', (chunk) => (said += chunk));
    await until(() => /train@1: job \d+_0 of an earlier call is cancelled: its inputs have changed/.test(said));
    await until(() => made.read('starts-1') === 'start\nstart\n');
    made.write('go', '');
    expect((await second.ended).exit).toBe(0);
    expect(made.read('out-1')).toBe('2');
    // The job of the other stage was left alone. It has ended with inputs that are not there any more.
    expect(made.read('starts-2')).toBe('start\n');
    expect(await made.outcomes('train@2')).toEqual({ 'train@2': 'ran' });
    expect([made.read('starts-2'), made.read('out-2')]).toEqual(['start\nstart\n', '2']);
  });

  test('Ctrl-C cancels the jobs, waits for their end, and exits with 130', async () => {
    const made = clusterProject(GATED, { 'in.txt': '1' });
    const run = await made.spawn();
    await until(() => CELLS.every((x) => made.exists(`starts-${x}`)));
    const name = `repro-${attemptFolder(made)}`;
    run.process.kill('SIGINT');
    const { exit, stdout } = await run.ended;
    expect([exit, stdout]).toEqual([130, expect.stringMatching(/interrupted by SIGINT: 0 ran, 2 did not/)]);
    expect(slurm.jobs('-n', name).map((line) => line.split(' ')[0])).toEqual(Array(2).fill('CANCELLED'));
    expect(made.exists('.repro/jobs')).toBe(false);
    expect(attempts(made).map(({ outcome }) => outcome)).toEqual(Array(2).fill('interrupted'));
  });

  test('a second Ctrl-C ends repro at once; the next repro does not take the cancelled jobs for failed', async () => {
    const made = clusterProject(GATED, { 'in.txt': '1' });
    const run = await made.spawn('train@1');
    await until(() => made.exists('starts-1'));
    run.process.kill('SIGINT');
    await until(() => made.read('.repro/jobs/journal.jsonl').includes('cancelled'));
    run.process.kill('SIGINT');
    expect((await run.ended).exit).toBe(130);
    made.write('go', '');
    expect(await made.outcomes('train@1')).toEqual({ 'train@1': 'ran' });
    expect(made.exists('.repro/jobs')).toBe(false);
  });

  test('inputs that change while a job waits are judged anew before its commands run', async () => {
    const made = clusterProject(GATED, { 'in.txt': '1', go: '' }, '{args: [--hold], latency: 1s}');
    const run = await made.spawn('train@1');
    let said = '';
    run.process.stdout!.on('data', (chunk) => (said += chunk));
    const release = async () => {
      const count = said.match(/waits as job/g)?.length ?? 0;
      const job = said
        .match(/waits as job (\d+)/g)!
        .at(-1)!
        .split(' ')
        .at(-1)!;
      slurm.run('scontrol', 'release', job);
      return count;
    };
    await until(() => /waits as job/.test(said));
    made.write('in.txt', '2');
    const count = await release();
    await until(() => (said.match(/waits as job/g)?.length ?? 0) > count);
    await release();
    expect((await run.ended).exit).toBe(0);
    expect([made.read('starts-1'), made.read('out-1')]).toEqual(['start\n', '2']);
  });

  test('Ctrl-\\\\ ends repro and leaves the jobs; so does the end of the job that repro itself runs in', async () => {
    const made = clusterProject(GATED, { 'in.txt': '1' });
    const first = await made.spawn('train@1');
    await until(() => made.exists('starts-1'));
    first.process.kill('SIGQUIT');
    expect(await first.ended).toMatchObject({
      exit: 0,
      stdout: expect.stringMatching(/- train@1 \(job \d+_0\) goes on;/),
    });
    made.write('run.sh', `#!/bin/sh\nexec ${process.execPath} ${await made.bundle()} train@1 train@2 > said 2>&1\n`);
    const job = slurm.run('sbatch', '--parsable', '--chdir', made.root, '-o', '/dev/null', made.path('run.sh')).trim();
    await until(() => made.exists('starts-2'));
    slurm.run('scancel', '--full', '--signal=TERM', job);
    await until(() => /go on; run repro again/.test(made.read('said')));
    made.write('go', '');
    expect(await made.outcomes('train@1', 'train@2')).toEqual({ 'train@1': 'ran', 'train@2': 'ran' });
    expect([1, 2].map((x) => made.read(`starts-${x}`))).toEqual(Array(2).fill('start\n'));
  });

  test('an array has no more cells than Slurm allows; no more jobs wait or run than the settings say', async () => {
    const cells = Array.from({ length: LARGEST_ARRAY + 1 }, (_, x) => x);
    const pipeline = `
stages:
  use:
    matrix: {x: [${cells}]}
    cmd: cp in.txt out-\${item.x}
    deps: [in.txt]
    outs: ["out-\${item.x}"]
`;
    const made = clusterProject(pipeline, { 'in.txt': '1' });
    expect(Object.values(await made.outcomes())).toEqual(cells.map(() => 'ran'));
    const arrays = attempts(made).map(({ job }) => job.split('_')[0]);
    const sizes = [...new Set(arrays)].map((array) => arrays.filter((other) => other === array).length);
    expect(sizes.sort()).toEqual([1, LARGEST_ARRAY]);
    made.write('.repro/config.yaml', 'executor: {slurm: {jobs: 2}}\n');
    const { exit, stdout } = await made.repro('-f', '--json', 'use@0', 'use@1', 'use@2');
    expect(exit).toBe(0);
    const open = new Set<string>();
    let most = 0;
    for (const { event, stage } of events(stdout)) {
      if (event === 'queued') open.add(stage);
      if (event === 'end') open.delete(stage);
      most = Math.max(most, open.size);
    }
    expect(most).toBe(2);
  });

  test('named limits hold for jobs, and an incremental stage begins with what it has made', async () => {
    const pipeline = `
limits: {db: 1}
stages:
  use:
    matrix: {x: [1, 2]}
    cmd: mkdir busy; cp in.txt use-\${item.x}; sleep 0.2; rmdir busy
    deps: [in.txt]
    outs: ["use-\${item.x}"]
    resources: {db: 1}
  sum: {cmd: cp $REPRO_CHANGES changes; mkdir -p made; cp files/* made, deps: [files], outs: [{made: {persist: true}}], incremental: true}
`;
    const made = clusterProject(pipeline, { 'in.txt': '1', 'files/a': 'a' });
    expect(await made.outcomes()).toEqual({ 'use@1': 'ran', 'use@2': 'ran', sum: 'ran' });
    expect(JSON.parse(made.read('changes'))).toEqual({ added: ['files/a'], changed: [], removed: [] });
    made.write('files/b', 'b');
    expect(await made.outcomes()).toEqual({ sum: 'ran' });
    expect(JSON.parse(made.read('changes'))).toEqual({ added: ['files/b'], changed: [], removed: [] });
    expect(readdirSync(made.path('made'))).toEqual(['a', 'b']);
  });

  test('variables of the job that repro itself is in do not reach its jobs; --on local runs here', async () => {
    const pipeline =
      'stages:\n  a: {cmd: "env | grep -E \'^(SLURM_MEM_PER_CPU|SLURM_HINT|CUDA_VISIBLE_DEVICES)=\' > out || true", deps: [in.txt], outs: [out]}\n';
    const made = clusterProject(pipeline, { 'in.txt': '1' });
    Object.assign(made.env, {
      SLURM_MEM_PER_CPU: '77',
      SLURM_HINT: 'nomultithread',
      CUDA_VISIBLE_DEVICES: '3',
      SBATCH_PARTITION: 'nope',
    });
    expect(await made.outcomes()).toEqual({ a: 'ran' });
    expect(made.read('out')).toMatch(/^CUDA_VISIBLE_DEVICES=$/m);
    expect(made.read('out')).not.toMatch(/=77|nomultithread/);
    expect((await quickly(made, '-f', '--on', 'local')).exit).toBe(0);
    expect(attempts(made).map(({ job }) => job === undefined)).toEqual([false, true]);
  });
});

test('without sbatch, one sentence says what to do, and nothing is run', async () => {
  const made = project({
    'pipeline.yaml': 'stages: {a: {cmd: touch out, params: [p], outs: [out]}}\n',
    'params.yaml': 'p: 1\n',
  });
  made.env = { PATH: made.path('bin') };
  const { exit, stdout, stderr } = await made.repro('--on', 'slurm');
  expect([exit, stdout, stderr]).toEqual([
    2,
    '',
    'repro: there is no sbatch on the PATH, so no job can be submitted from this host: run repro on a login node of the cluster, or with --on local\n',
  ]);
  expect((await made.repro('--detach')).stderr).toBe(
    'repro: --detach lets jobs of Slurm go on, so it needs --on slurm\n',
  );
  rmSync(made.path('.repro'), { recursive: true, force: true });
});
