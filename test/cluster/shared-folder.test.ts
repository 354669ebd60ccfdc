/** `repro --on slurm` with a real Slurm on this machine: whether nodes see the project's folder, and how late. */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { outcomesIn, type TestProject, until } from '../repro/project.ts';
import { hasSftp, startSftp } from '../repro/servers.ts';
import {
  clusterProject,
  quickly,
  setTimes,
  skipped,
  skippedBecause,
  slurm,
  useSlurm,
  wrapProgram,
} from './cluster-project.ts';

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
    expect((await quickly(made, '--dry')).exit).toBe(0);
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
        /^repro: it is not known whether nodes of --hold see this folder: the job that checks it did not answer \(it waits: JobHeldUser\); stages are submitted anyway\n$/,
      ),
    ]);
    expect(Object.keys(known(made))).toEqual(['--hold']);
  });

  // The programs that the probe job calls on its node do what a client of a slow file system does: a listing without the
  // new file, and a rename that no other host sees.
  test.each([
    ['a file of this host', 'ls', 'ls "$@" | grep -v fresh\n', 'n[12] did not see a file of this host within 1 s'],
    [
      'the answer',
      'mv',
      'case "$2" in */seen) ;; *) mv "$@";; esac\n',
      'this host did not see what n[12] has written to \\S+ within 1 s',
    ],
  ])('a probe for which %s comes too late: one sentence, and nothing is submitted', async (_, name, script, what) => {
    const made = asking();
    setTimes(made, { latency: 1 });
    wrapProgram(made, name, script);
    const { exit, stdout, stderr } = await made.repro();
    expect([exit, stdout, stderr]).toEqual([
      2,
      '',
      expect.stringMatching(new RegExp(`^repro: ${what}, so its jobs could not run: .*; nothing was submitted\n$`)),
    ]);
    expect([known(made), made.exists('.repro/probes'), made.exists('.repro/jobs')]).toEqual([{}, false, false]);
  });

  test('why a probe job waits is said; Ctrl-C meanwhile cancels it, and nothing was submitted', async () => {
    const made = asking('{args: [--hold, --comment=ctrl-c]}');
    const run = await made.spawn();
    const probes = () => slurm.run('squeue', '-h', '-o', '%j %k').match(/repro-probe-\w+ ctrl-c/g) ?? [];
    let said = '';
    run.process.stderr!.on('data', (chunk) => (said += chunk));
    await until(() => probes().length === 1 && readdirSync(made.path('.repro/probes')).length === 1);
    await until(() => /^repro: job \d+ waits \(JobHeldUser\); it checks whether nodes of --hold .* see \//.test(said));
    run.process.kill('SIGINT');
    expect((await run.ended).exit).toBe(130);
    expect([probes(), made.exists('.repro/probes'), made.exists('.repro/jobs')]).toEqual([[], false, false]);
  });
});

const noMount =
  skipped ??
  (hasSftp && spawnSync('sshfs', ['--version']).status === 0 && existsSync('/dev/fuse')
    ? undefined
    : 'needs sshd, sshfs and FUSE');

describe
  .skipIf(noMount !== undefined)
  .concurrent(
    `a network file system, of which this host remembers names and stat data${noMount === undefined ? '' : ` (skipped: ${noMount})`}`,
    () => {
      /**
       * A project whose folder is that of a server, and a node of the partition island that has the server's disk there.
       *
       * @param seconds how long this host remembers names and stat data
       * @returns a function that ends both
       */
      async function mounted(node: 'n5' | 'n6', made: TestProject, seconds: number) {
        const server = await startSftp();
        cpSync(made.root, server.folder, { recursive: true });
        for (const name of readdirSync(made.root)) rmSync(made.path(name), { recursive: true });
        const { port, username } = new URL(server.url);
        const times = ['negative_timeout', 'entry_timeout', 'attr_timeout'].map((name) => `${name}=${seconds}`);
        const ssh = [`IdentityFile=${server.env.RCLONE_SFTP_KEY_FILE}`, 'StrictHostKeyChecking=no'];
        const options = [...times, ...ssh, 'UserKnownHostsFile=/dev/null', `Port=${port}`].join(',');
        execFileSync('sshfs', [`${username}@127.0.0.1:${server.folder}`, made.root, '-o', options], {
          stdio: 'ignore',
        });
        slurm.startIsland(node, `mount --bind ${server.folder} ${made.root}`);
        return () => {
          slurm.stopNode(node);
          execFileSync('fusermount3', ['-u', '-z', made.root]);
          server.stop();
        };
      }

      /** Stages of which each reads what the one before has made: a file, a folder, a file in it, and a folder around it. */
      const CHAIN = `
stages:
  a: {cmd: echo $SLURMD_NODENAME > nodes/a; cp in.txt a.txt, deps: [in.txt], outs: [a.txt]}
  b: {cmd: mkdir made/b made/b/deep; cp a.txt made/b/1; cp a.txt made/b/deep/2, deps: [a.txt], outs: [made/b]}
  c: {cmd: cat made/b/deep/2 made/b/1 > c.txt, deps: [made/b/deep/2, made/b], outs: [c.txt]}
  d: {cmd: "find made -type f | sort | xargs cat > d.txt", deps: [made, c.txt], outs: [d.txt]}
`;
      const FILES = { 'in.txt': '1', 'nodes/x': '', 'made/other': 'other' };

      test('jobs go on with what nodes report, although this host sees old files, or none', async ({
        onTestFinished,
      }) => {
        const made = clusterProject(CHAIN, FILES, '{args: [--partition=island, --nodelist=n5]}');
        // A local run makes files that this host remembers from now on.
        const local = async () => outcomesIn((await quickly(made, '--json', '--on', 'local')).stdout);
        expect(Object.keys(await local())).toHaveLength(4);
        onTestFinished(await mounted('n5', made, 600));
        expect(await local()).toEqual({});
        for (const path of ['a.txt', 'made/b/1', 'made/b/deep/2', 'c.txt', 'd.txt'])
          expect(made.read(path)).toContain('1');
        made.write('in.txt', '2');
        const { exit, stdout } = await made.repro('--json');
        expect([exit, outcomesIn(stdout)]).toEqual([0, { a: 'ran', b: 'ran', c: 'ran', d: 'ran' }]);
        // A stage that was submitted with what this host sees would be judged anew, and have a second job.
        expect(new Set(stdout.match(/"job":"\d+_0"/g)).size).toBe(4);
        // repro has waited until this host sees them too.
        expect([made.read('d.txt'), made.read('nodes/a')]).toEqual(['22other', 'n5\n']);
        expect(await local()).toEqual({});
      });

      test('a stage that runs on this host waits until this host sees what it reads', async ({ onTestFinished }) => {
        const made = clusterProject(
          `stages:
  a: {cmd: cp in.txt a.txt, deps: [in.txt], outs: [a.txt]}
  b: {cmd: cp a.txt b.txt, deps: [a.txt], outs: [b.txt]}
`,
          {},
          '{args: [--partition=island, --nodelist=n6], local: [b], latency: 60s}',
        );
        onTestFinished(await mounted('n6', made, 2));
        made.write('in.txt', '3');
        expect(made.exists('a.txt')).toBe(false);
        expect(await made.outcomes()).toEqual({ a: 'ran', b: 'ran' });
        expect([made.read('b.txt'), (await quickly(made)).stdout]).toEqual([
          '3',
          expect.stringMatching(/^everything is up to date/),
        ]);
      });
    },
  );

describe
  .skipIf(skipped !== undefined)
  .concurrent(`a folder that a node does not see as this host does${skippedBecause}`, () => {
    test('a node that has another disk there: one sentence, and nothing is submitted', async () => {
      const made = asking('{args: [--partition=island, --nodelist=n7]}');
      slurm.startIsland('n7', `mount -t tmpfs none ${made.root}`);
      const { exit, stdout, stderr } = await made.repro();
      expect([exit, stdout, stderr]).toEqual([
        2,
        '',
        `repro: n7 of --partition=island --nodelist=n7 does not see ${made.root}, so its jobs could not run: put the project into a folder that this host and the nodes share; nothing was submitted\n`,
      ]);
      expect([known(made), made.exists('.repro/probes'), made.exists('.repro/jobs')]).toEqual([{}, false, false]);
      slurm.stopNode('n7');
    });
  });
