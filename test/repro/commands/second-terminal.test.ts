/** What another terminal sees of a run: `status`, `log`, `log -f`, and a second `repro` that has to wait. */
import { readdirSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { thisHost } from '../../../lib/repro/files/index.ts';
import { project, removeProjects, type TestProject, until } from '../project.ts';

afterEach(removeProjects);

/** A stage that reports half of its work, and goes on when the file `go` is there. */
function gated(): TestProject {
  return project({
    'pipeline.yaml': `
stages:
  train:
    cmd: >-
      echo '{"done": 2, "total": 4, "unit": "steps", "text": "loss 0.5"}' >&$REPRO_PROGRESS_FD; echo first;
      until [ -e go ]; do sleep 0.01; done; echo last
    params: [p]
  use: {cmd: 'true', params: [p]}
`,
    'params.yaml': 'p: 1',
  });
}

/** The record of what the repro with this process id runs. */
const recordOf = (pid: number | undefined) => `.repro/running/${thisHost().id}-${pid}.json`;

/** Starts repro, and resolves when other processes can see what runs. */
async function started(made: TestProject, ...args: string[]) {
  const run = await made.spawn(...args);
  const record = recordOf(run.process.pid);
  await until(() => made.exists(record) && made.read(record).includes('"progress"'));
  return run;
}

test('status names the stage that runs, for how long, how far it is, and the process of its repro', async () => {
  const made = gated();
  const run = await started(made, 'train');
  expect((await made.repro('status')).stdout).toMatch(
    new RegExp(
      `^train: running\\n  for [\\d.]+ s, 2/4 steps 50 %, loss 0\\.5 \\(repro ${run.process.pid}\\)\\nuse: stale\\n  has not run yet\\n2 stale\\n$`,
    ),
  );
  const { stages } = JSON.parse((await made.repro('status', '--json')).stdout);
  expect(stages.train.running).toMatchObject({ pid: run.process.pid, progress: { done: 2, total: 4 } });
  expect(stages.use).not.toHaveProperty('running');
  made.write('go', '');
  await run.ended;
  expect((await made.repro('status', 'train')).stdout).toBe('everything is up to date (1 stage)\n');
  expect(readdirSync(made.path('.repro/running'))).toEqual([]);
});

test('log shows the output so far, and log -f goes on until the stage ends', async () => {
  const made = gated();
  const run = await started(made, 'train');
  const now = (await made.repro('log', 'train')).stdout;
  expect(now).toMatch(/^train {2}\S+ \S+ +[\d.]+ s {2}running \(2\/4 steps 50 %\)$/m);
  expect(now).toMatch(/\.log:\nfirst\n$/);
  const follower = await made.spawn('log', '-f', 'train');
  let seen = '';
  follower.process.stdout!.on('data', (chunk) => (seen += chunk));
  await until(() => seen.endsWith('first\n'));
  made.write('go', '');
  expect((await follower.ended).stdout).toMatch(/\.log:\nfirst\nlast\n$/);
  await run.ended;
  // Without a running stage, -f prints the last attempt and ends.
  expect((await made.repro('log', '-f', 'train')).stdout).toMatch(/ran[\s\S]*\.log:\nfirst\nlast\n$/);
});

test('a second repro says which repro it waits for', async () => {
  const made = gated();
  const run = await started(made, 'train');
  const second = await made.spawn('train');
  let seen = '';
  second.process.stdout!.on('data', (chunk) => (seen += chunk));
  await until(() => seen.includes(`! train: waits, because another repro (process ${run.process.pid}) runs it\n`));
  made.write('go', '');
  expect((await second.ended).stdout).toMatch(/everything is up to date \(1 stage\)\n$/);
});

test('what a killed repro, another host that does not have the folder, or a damaged file says does not count', async () => {
  const made = gated();
  const run = await started(made, 'train');
  const record = JSON.parse(made.read(recordOf(run.process.pid)));
  run.process.kill('SIGKILL');
  await run.ended;
  const write = (pid: number, text: string) => writeFileSync(made.path(recordOf(pid)), text);
  write(process.pid, JSON.stringify({ ...record, host: { name: 'n2', id: '0123abcd' }, pid: process.pid }));
  write(1, '{"pid": 1');
  write(2, 'null');
  expect((await made.repro('status', 'train')).stdout).toBe('train: stale\n  has not run yet\n1 stale\n');
  made.write('go', '');
  await made.repro('train');
  // The next run removes the record of the killed one.
  expect(readdirSync(made.path('.repro/running'))).not.toContain(basename(recordOf(run.process.pid)));
});
