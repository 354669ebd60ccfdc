/** `cache: {dir: PATH}`: several projects share one cache, and gc deletes nothing that one of them needs. */
import { existsSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { project, removeProjects, type TestProject, until } from '../project.ts';

let cache: string;
beforeEach(() => {
  cache = realpathSync(mkdtempSync(join(tmpdir(), 'repro-cache-')));
});
afterEach(() => {
  removeProjects();
  rmSync(cache, { recursive: true });
});

const STAGES = (cmd: string) => `stages:\n  a: {cmd: '${cmd}', deps: [in], outs: [out]}\n`;

function member(input: string, cmd = 'cat in in > out'): TestProject {
  return project({ '.repro/config.yaml': `cache: {dir: ${cache}}\n`, 'pipeline.yaml': STAGES(cmd), in: input });
}

/** The names of the objects in the cache. */
function objects(): string[] {
  const folder = join(cache, 'sha256');
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.length > 3);
}

test('holds the objects of all, and a project finds what another has made', async () => {
  const [one, two] = [member('1'), member('1', 'false')];
  await one.outcomes();
  expect([objects().length, one.exists('.repro/cache')]).toEqual([1, false]);
  // The lock and the runs are each project's own; the content is there already.
  two.write('pipeline.yaml', STAGES('cat in in > out'));
  two.write('dvc-like.lock', one.read('dvc-like.lock'));
  expect((await two.repro('checkout')).stdout).toBe('1 output checked out\n');
  expect(two.read('out')).toBe('11');
  expect(await two.outcomes()).toEqual({});
  const remote = join(cache, 'remote');
  expect((await two.repro('push', '-r', remote)).stdout).toContain('1 object pushed');
  rmSync(join(cache, 'sha256'), { recursive: true });
  expect((await two.repro('fetch', '-r', remote)).stdout).toContain('1 object fetched');
  expect(objects().length).toBe(1);
});

describe('gc', () => {
  test('keeps what the lock or the run cache of another project needs', async () => {
    const [one, two] = [member('1'), member('2')];
    await one.outcomes();
    await two.outcomes();
    one.write('in', '3');
    await one.outcomes(); // '11' is an old run of one.
    two.write('in', '4');
    await two.outcomes(); // '22' is one of two.
    expect(objects().length).toBe(4);
    expect((await one.repro('gc')).stdout).toContain('would free 2 bytes in 1 object of 1 old run');
    await one.repro('gc', '--yes');
    expect(objects().length).toBe(3);
    two.write('in', '2');
    two.remove('out');
    expect(await two.outcomes()).toEqual({ a: 'restored' });
  });

  test('deletes nothing while another repro may write to the cache', async () => {
    const [one, two] = [
      member('1'),
      member('2', 'touch ready; while [ ! -e go ]; do sleep 0.05; done; cat in in > out'),
    ];
    await one.outcomes();
    one.write('in', '3');
    await one.outcomes();
    const { ended } = await two.spawn();
    await until(() => two.exists('ready'));
    const refused = await one.repro('gc', '--yes');
    expect([refused.exit, refused.stderr]).toEqual([
      1,
      expect.stringMatching(
        /^repro: a repro in \S+ \(process \d+ on \S+\) uses the cache \S+; try again when it has ended/,
      ),
    ]);
    expect(objects().length).toBe(2);
    two.write('go', '');
    expect((await ended).exit).toBe(0);
    expect((await one.repro('gc', '--yes')).exit).toBe(0);
    expect(objects().length).toBe(2);
    expect(readdirSync(join(cache, 'sessions'))).toEqual([]);
  });

  test('a repro that was killed does not count as one that writes', async () => {
    const [one, two] = [member('1'), member('2', 'touch ready; while :; do sleep 0.05; done')];
    await one.outcomes();
    one.write('in', '3');
    await one.outcomes();
    const { process: repro, ended } = await two.spawn();
    await until(() => two.exists('ready'));
    repro.kill('SIGKILL');
    await ended;
    expect((await one.repro('gc', '--yes')).exit).toBe(0);
    expect([objects().length, readdirSync(join(cache, 'sessions'))]).toEqual([1, []]);
  });

  test('deletes nothing if it cannot see what a project needs', async () => {
    const [one, two] = [member('1'), member('2')];
    await one.outcomes();
    await two.outcomes();
    one.write('in', '3');
    await one.outcomes();
    two.dispose();
    const { exit, stdout } = await one.repro('gc', '--yes');
    expect(exit).toBe(0);
    const [, file] = /nothing was deleted\. If it is gone, remove (\S+)/.exec(stdout)!;
    expect(objects().length).toBe(3);
    rmSync(file);
    await one.repro('gc', '--yes');
    expect(objects().length).toBe(1);
    writeFileSync(file, JSON.stringify({ root: '/elsewhere', machine: 'another', name: 'node7' }));
    one.write('in', '5');
    await one.outcomes();
    expect((await one.repro('gc', '--yes')).stdout).toContain('is of the host node7');
    expect(objects().length).toBe(2);
  });

  test('keeps other repros from beginning while it deletes', async () => {
    const one = member('1');
    await one.outcomes();
    const { pid } = process;
    const session = { name: 'n', machine: 'another', host: 'h', pid, started: '', root: '/x' };
    writeFileSync(join(cache, 'gc'), JSON.stringify(session));
    const { exit, stderr } = await one.repro('-f');
    expect([exit, stderr]).toEqual([
      1,
      `repro: repro gc is deleting objects in ${cache} (process ${pid}); try again when it has ended\n`,
    ]);
  });
});

test('a setting that is not a folder outside of the project is refused, with its place', async () => {
  const made = member('1');
  made.write('.repro/config.yaml', 'cache: {dir: s3://bucket}\n');
  expect((await made.repro()).stderr).toBe(
    'repro: .repro/config.yaml:1:14: cache.dir must be the path of a folder, but is "s3://bucket"\n',
  );
  made.write('.repro/config.yaml', 'cache:\n  dir: here\n');
  expect((await made.repro()).stderr).toContain(
    ".repro/config.yaml:2:8: cache.dir must be a folder outside of the pipeline's folder",
  );
});
