/**
 * The stores that repro keeps beside its results (.repro/state, section, leases) may be damaged or belong to somebody
 * else. They never end repro by a signal, and nothing is lost but time.
 */
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { storeDamage } from '../../../lib/repro/files/check-store.ts';
import { project, removeProjects, type TestProject } from '../project.ts';

afterEach(removeProjects);

/** A project whose stage has run, and its state as it was then. */
async function ranOnce(): Promise<{ made: TestProject; state: string; good: Buffer }> {
  const made = project({
    'pipeline.yaml': 'stages: {a: {cmd: cp i o, deps: [i], outs: [o]}}\n',
    i: '1',
  });
  expect(await made.outcomes()).toEqual({ a: 'ran' });
  const state = made.path('.repro/state/data.mdb');
  return { made, state, good: readFileSync(state) };
}

/** The store with some bytes replaced. */
function withBytes(good: Buffer, at: number, bytes: readonly number[] | Buffer): Buffer {
  const damaged = Buffer.from(good);
  damaged.set(bytes, at);
  return damaged;
}

describe('a damaged state', () => {
  test('is named, moved aside and replaced by an empty one; every verdict stays as it was', async () => {
    const { made, state, good } = await ranOnce();
    const damages: [string, () => void][] = [
      ['is cut short', () => truncateSync(state, 12_288)],
      ['is cut short', () => truncateSync(state, 100)],
      ['is not a database of repro', () => writeFileSync(state, Buffer.alloc(good.length))],
      ['is damaged', () => writeFileSync(state, withBytes(good, 2 * 4096, Buffer.alloc(8 * 4096, 0xa5)))],
      ['has the format of another version', () => writeFileSync(state, withBytes(good, 28, [1]))],
      ['is not a file', () => mkdirSync(state)],
    ];
    for (const [i, [words, damage]] of damages.entries()) {
      renameSync(state, made.path('kept'));
      copyFileSync(made.path('kept'), state);
      if (words === 'is not a file') renameSync(state, made.path('other'));
      damage();
      const { exit, stdout, stderr } = await made.repro('status', '--json');
      const name = i === 0 ? 'data.mdb.damaged' : `data.mdb.damaged-${i + 1}`;
      expect(stderr).toBe(
        `repro: .repro/state ${words}; it was moved to ${name} in the same folder, and files are hashed again\n`,
      );
      expect([exit, JSON.parse(stdout).stages.a.state]).toEqual([0, 'fresh']);
      expect(readdirSync(made.path('.repro/state'))).toContain(name);
    }
    expect((await made.repro('gc', '--yes')).exit).toBe(0);
    expect(readdirSync(made.path('.repro/state')).sort()).toEqual(['data.mdb', 'lock.mdb', 'whole']);
  });

  test('is found wherever the damage is, and a whole one is never taken for damaged', async () => {
    const { made, state, good } = await ranOnce();
    expect(storeDamage(state)).toBeUndefined();
    expect(storeDamage(made.path('none'))).toBeUndefined();
    execFileSync('mkfifo', [made.path('fifo')]);
    expect(storeDamage(made.path('fifo'))).toBe('is not a file');
    const pages = good.length / 4096;
    const used = Array.from({ length: pages }, (_, i) => i).filter((page) => good[page * 4096] === page && page > 1);
    const copy = made.path('copy');
    for (let page = 0; page < 2; page++)
      for (const at of [24, 28, 48, 144])
        expect([page, at, storeDamage(written(copy, withBytes(good, page * 4096 + at, [0xff, 0xff])))]).not.toContain(
          undefined,
        );
    // Pages of the older of the two trees are checked as well.
    const found = used.filter((page) => storeDamage(written(copy, withBytes(good, page * 4096, [0xff]))) !== undefined);
    expect(found.length).toBeGreaterThan(4);
  });
});

test('a damaged section or lease table is replaced too, and a state that is a file is moved aside', async () => {
  const { made } = await ranOnce();
  const [host] = readdirSync(made.path('.repro/leases'));
  truncateSync(made.path(`.repro/leases/${host}/data.mdb`), 5000);
  writeFileSync(made.path(`.repro/section/${host}/data.mdb`), 'x'.repeat(9000));
  renameSync(made.path('.repro/state'), made.path('.repro/old-state'));
  writeFileSync(made.path('.repro/state'), 'mine');
  made.write('i', '2');
  const { exit, stderr } = await made.repro();
  expect([exit, stderr.split('\n').sort().join('\n').trim()]).toEqual([
    0,
    `repro: .repro/leases is cut short; it was moved to data.mdb.damaged in the same folder, and an empty one takes its place
repro: .repro/section is not a database of repro; it was moved to data.mdb.damaged in the same folder, and an empty one takes its place
repro: .repro/state is not a folder; it was moved to state.damaged in the same folder, and files are hashed again`,
  ]);
  expect([made.read('o'), made.read('.repro/state.damaged')]).toEqual(['2', 'mine']);
});

test.skipIf(process.getuid?.() !== 0)(
  'the state of another user is left alone, and repro goes on without it',
  async () => {
    const { made, good, state } = await ranOnce();
    execFileSync('chmod', ['-R', 'a+rX', made.root]);
    execFileSync('chmod', ['-R', 'go-rwx', made.path('.repro/state')]);
    const bundle = await made.bundle();
    const asNobody = (...args: string[]) => {
      const call = ['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath, bundle, ...args];
      const script = `cd ${made.root} && exec setpriv "$@" 2>&1`;
      return execFileSync('sh', ['-c', script, 'sh', ...call], {
        encoding: 'utf8',
        env: { ...process.env, HOME: '/' },
      });
    };
    const warning = 'repro: .repro/state cannot be opened: permission is denied; hashes of files are not remembered\n';
    expect(asNobody('status', 'a')).toBe(`${warning}everything is up to date (1 stage)\n`);
    expect(readFileSync(state)).toEqual(good);
    expect(readdirSync(join(made.root, '.repro/state')).sort()).toEqual(['data.mdb', 'lock.mdb', 'whole']);
  },
);

function written(path: string, bytes: Buffer): string {
  writeFileSync(path, bytes);
  return path;
}

describe('a FIFO, for which repro would wait for ever', () => {
  test('in place of a file in .repro is replaced, or named once, and the stage runs', async () => {
    const { made } = await ranOnce();
    const fifo = (path: string) => {
      made.remove(path);
      execFileSync('mkfifo', [made.path(path)]);
    };
    const [run] = readdirSync(made.path('.repro/runs'), { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.endsWith('.json'),
    );
    for (const name of ['fresh', 'attempts.jsonl', 'state/whole', `runs/${run}`]) fifo(`.repro/${name}`);
    const { exit, stderr } = await made.repro('-f');
    expect([exit, stderr]).toEqual([
      0,
      'repro: .repro/attempts.jsonl cannot be written: it is a FIFO, not a file; how long a took is not remembered\n',
    ]);
    expect((await made.repro('gc', '--yes')).exit).toBe(0);
    expect((await made.repro('log', 'a')).exit).toBe(0);
  });

  test.each(['pipeline.yaml', 'params.yaml', 'schema.json', 'dvc-like.lock', '.repro/config.yaml', 'i', 'part.mjs'])(
    'in place of %s is refused',
    async (path) => {
      const made = project({
        'pipeline.yaml':
          'schemas: {params.yaml: schema.json}\nstages: {a: {cmd: cp i o, deps: [i], code: [m.mjs], params: [k], outs: [o]}}\n',
        'params.yaml': 'k: 1\n',
        'schema.json': '{}',
        'm.mjs': "import './part.mjs';",
        'part.mjs': '',
        i: '1',
      });
      mkdirSync(made.path('.repro'));
      rmSync(made.path(path), { force: true });
      execFileSync('mkfifo', [made.path(path)]);
      const { exit, stderr } = await made.repro('pull');
      const { stderr: other } = path === '.repro/config.yaml' ? { stderr } : await made.repro();
      expect([exit, stderr + other]).toEqual([
        2,
        expect.stringMatching(new RegExp(`^repro: .*${path.replace('.', '\\.')}.* is a FIFO, not a file`, 'm')),
      ]);
    },
  );
});

test('a page below a folder of /proc that does not exist is refused, although Node would never return', async () => {
  const { made } = await ranOnce();
  const { exit, stderr } = await made.repro('plots', 'show', '-o', '/proc/nope/plots/page.html');
  expect([exit, stderr]).toEqual([1, 'repro: /proc/nope cannot be written: there is no such file or folder\n']);
});
