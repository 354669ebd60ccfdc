/** `repro --on slurm` with a real Slurm on this machine: whether nodes see the project's folder, and how late. */
import { readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type TestProject, until } from '../repro/project.ts';
import { clusterProject, setTimes, skipped, skippedBecause, slurm, useSlurm } from './cluster-project.ts';

useSlurm();

/** A stage that only copies. */
const COPY = 'stages:\n  a: {cmd: cp in.txt out, deps: [in.txt], outs: [out]}\n';

/** A project that asks the nodes. */
function asking(executor = '{}', pipeline = COPY): TestProject {
  const made = clusterProject(pipeline, { 'in.txt': '1' }, executor);
  setTimes(made, { probe: true });
  return made;
}

/** The options that were asked about, with the node that has answered. */
function known(made: TestProject): { [options: string]: { node: string; at: string; seconds: number } } {
  if (!made.exists('.repro/nodes.json')) return {};
  const found = Object.entries(JSON.parse(made.read('.repro/nodes.json')));
  return Object.fromEntries(found.map(([key, value]) => [JSON.parse(key).slice(1).join(' '), value])) as never;
}

describe.skipIf(skipped !== undefined).concurrent(`a folder that nodes share${skippedBecause}`, () => {
  test('a probe job tells that a node sees the folder, once for each set of options; --dry asks nothing', async () => {
    const made = asking();
    expect((await made.repro('--dry')).exit).toBe(0);
    expect(known(made)).toEqual({});
    const { exit, stderr } = await made.repro();
    expect([exit, stderr]).toEqual([
      0,
      expect.stringMatching(/^repro: n[12] sees this folder: a file there, and its answer here, within [\d.]+ s\n$/),
    ]);
    const first = known(made);
    expect(first).toEqual({
      '': { node: expect.stringMatching(/^n[12]$/), at: expect.anything(), seconds: expect.any(Number) },
    });
    made.write('in.txt', '2');
    expect(await made.repro()).toMatchObject({ exit: 0, stderr: '' });
    expect(known(made)).toEqual(first);
    made.write('in.txt', '3');
    made.write('.repro/config.yaml', 'executor: {slurm: {args: [--partition=fragile]}}\n');
    expect((await made.repro()).stderr).toMatch(/^repro: n[34] of --partition=fragile sees this folder/);
    expect(Object.keys(known(made))).toEqual(['', '--partition=fragile']);
    expect([made.exists('.repro/probes'), made.exists('.repro/jobs')]).toEqual([false, false]);
  });

  test('a probe job that waits is named, and stages are submitted after a while; their results are an answer too', async () => {
    const made = asking('{args: [--hold]}');
    setTimes(made, { patience: 1 });
    const run = await made.spawn();
    let said = '';
    run.process.stdout!.on('data', (chunk) => (said += chunk));
    await until(() => /waits as job (\d+)/.test(said));
    expect(known(made)).toEqual({});
    slurm.run('scontrol', 'release', /waits as job (\d+)/.exec(said)![1]);
    const { exit, stderr } = await run.ended;
    expect([exit, stderr]).toEqual([
      0,
      expect.stringMatching(
        /^repro: it is not known whether nodes of --hold see this folder: a job that was to tell gave no answer \(it waits: JobHeldUser\); stages are submitted all the same\n$/,
      ),
    ]);
    expect(Object.keys(known(made))).toEqual(['--hold']);
  });

  test('Ctrl-C while a probe job waits: it is cancelled, and nothing was submitted', async () => {
    const made = asking('{args: [--hold, --comment=ctrl-c]}');
    const run = await made.spawn();
    const probes = () => slurm.run('squeue', '-h', '-o', '%j %k').match(/repro-probe-\w+ ctrl-c/g) ?? [];
    await until(() => probes().length === 1 && readdirSync(made.path('.repro/probes')).length === 1);
    run.process.kill('SIGINT');
    expect((await run.ended).exit).toBe(130);
    expect([probes(), made.exists('.repro/probes'), made.exists('.repro/jobs')]).toEqual([[], false, false]);
  });
});

describe.skipIf(skipped !== undefined)(`a folder that a node does not see as this host does${skippedBecause}`, () => {
  test('a node that has another disk there: one sentence, and nothing is submitted', async () => {
    const made = asking('{args: [--partition=island]}');
    slurm.startIsland(`mount -t tmpfs none ${made.root}`);
    const { exit, stdout, stderr } = await made.repro();
    expect([exit, stdout, stderr]).toEqual([
      2,
      '',
      `repro: n5 of --partition=island does not see ${made.root}, so its jobs could not run: put the project into a folder that this host and the nodes share; nothing was submitted\n`,
    ]);
    expect([known(made), made.exists('.repro/probes'), made.exists('.repro/jobs')]).toEqual([{}, false, false]);
    slurm.stopNode('n5');
  });
});
