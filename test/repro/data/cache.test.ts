/** The cache and the run cache: a stage that ran once with the same inputs is restored instead of run again. */
import { chmodSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { project, removeProjects, type TestProject } from '../project.ts';

afterEach(removeProjects);

function tree() {
  return project({
    'pipeline.yaml': `
stages:
  make:
    cmd: echo run >> runs.log && mkdir -p tree/empty tree/sub && cp in.txt tree/sub/data.txt && cp in.txt tree/run.sh && chmod +x tree/run.sh && echo '{"n":1}' > m.json
    deps: [in.txt]
    outs: [tree]
    metrics: [{m.json: {cache: false}}]
`,
    'in.txt': 'A\n',
  });
}

function objects(made: TestProject): string[] {
  const folder = made.path('.repro/cache/sha256');
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile());
}

test('with inputs A, then B, then A again, the outputs of A are restored without a run', async () => {
  const made = tree();
  await made.outcomes();
  const lock = made.read('dvc-like.lock');
  made.write('in.txt', 'B\n');
  expect(await made.outcomes()).toEqual({ make: 'ran' });
  made.write('in.txt', 'A\n');
  expect(await made.outcomes()).toEqual({ make: 'restored' });
  expect(made.read('runs.log')).toBe('run\nrun\n');
  expect(made.read('tree/sub/data.txt')).toBe('A\n');
  expect(statSync(made.path('tree/run.sh')).mode & 0o111).not.toBe(0);
  expect(statSync(made.path('tree/sub/data.txt')).mode & 0o777).toBe(0o666 & ~process.umask());
  expect(readdirSync(made.path('tree')).sort()).toEqual(['empty', 'run.sh', 'sub']);
  expect(made.read('dvc-like.lock')).toBe(lock);
  expect(await made.outcomes()).toEqual({});
});

test('deleted outputs and a deleted lock come back without a run', async () => {
  const made = tree();
  await made.outcomes();
  const lock = made.read('dvc-like.lock');
  for (const path of ['tree', 'm.json', 'dvc-like.lock']) made.remove(path);
  expect(await made.outcomes()).toEqual({ make: 'restored' });
  expect(made.read('runs.log')).toBe('run\n');
  expect(made.read('m.json')).toBe('{"n":1}\n');
  expect(made.read('dvc-like.lock')).toBe(lock);
});

test('--no-run-cache and --force run a stage that could be restored', async () => {
  const made = tree();
  await made.outcomes();
  made.remove('tree');
  expect(await made.outcomes('--no-run-cache')).toEqual({ make: 'ran' });
  expect(await made.outcomes('--force')).toEqual({ make: 'ran' });
});

test('editing an output does not change the cache', async () => {
  const made = tree();
  await made.outcomes();
  writeFileSync(made.path('tree/sub/data.txt'), 'edited in place');
  expect(await made.outcomes()).toEqual({ make: 'restored' });
  expect(made.read('tree/sub/data.txt')).toBe('A\n');
});

test('a missing object, a damaged object and a damaged entry are reported and removed, and the stage runs', async () => {
  const made = tree();
  const damage: [() => void, RegExp][] = [
    [() => made.remove('.repro/cache'), /is missing from the cache; the stage runs/],
    [
      () => {
        for (const path of objects(made)) {
          chmodSync(path, 0o644);
          writeFileSync(path, 'damaged');
        }
      },
      /in the cache was damaged; the stage runs/,
    ],
    [
      () => {
        const runs = made.path('.repro/runs');
        for (const name of readdirSync(runs, { recursive: true, encoding: 'utf8' }))
          if (name.endsWith('.json')) writeFileSync(join(runs, name), '{"cmd":');
      },
      /its entry in the run cache was damaged; it is dropped/,
    ],
  ];
  await made.outcomes();
  for (const [harm, message] of damage) {
    made.remove('tree');
    harm();
    const { exit, stdout } = await made.repro();
    expect([exit, stdout]).toEqual([0, expect.stringMatching(message)]);
    expect(made.read('tree/sub/data.txt')).toBe('A\n');
    // The cache is complete again.
    made.remove('tree');
    expect(await made.outcomes()).toEqual({ make: 'restored' });
  }
});

test('a persisted output is not removed before its command runs again', async () => {
  const made = project({
    'pipeline.yaml':
      'stages:\n  a: {cmd: cat in.txt >> grows.txt, deps: [in.txt], outs: [{grows.txt: {persist: true}}]}\n',
    'in.txt': '1\n',
  });
  await made.outcomes();
  made.write('in.txt', '2\n');
  await made.outcomes();
  expect(made.read('grows.txt')).toBe('1\n2\n');
});

test('a checkpoint is kept between attempts with the same inputs, and removed after a success', async () => {
  const made = project({
    'pipeline.yaml': `
stages:
  a:
    cmd: cat ckpt 2>/dev/null > seen || true; cp in.txt ckpt; [ -e go ] && cp in.txt out.txt
    deps: [in.txt]
    checkpoint: ckpt
    outs: [out.txt]
`,
    'in.txt': 'one',
  });
  const seen = async () => {
    await made.repro();
    return made.read('seen');
  };
  expect(await seen()).toBe('');
  expect(await seen()).toBe('one');
  made.write('in.txt', 'two');
  expect(await seen()).toBe('');
  made.write('go', '');
  expect(await seen()).toBe('two');
  expect(made.exists('ckpt')).toBe(false);
});

test('--dry changes nothing, before the first run and after it, and remembers what it read', async () => {
  const made = tree();
  mkdirSync(made.path('sub'));
  const before = made.snapshot();
  const { exit, stdout } = await made.repro('--dry');
  expect([exit, stdout]).toEqual([
    0,
    'make  would run: has not run yet\n1 stale, how long that takes is not known yet\n',
  ]);
  expect(made.snapshot()).toEqual(before);
  await made.outcomes();
  made.write('in.txt', 'B\n');
  await made.outcomes();
  made.write('in.txt', 'A\n');
  const after = made.snapshot();
  expect((await made.repro('--dry')).stdout).toBe('make  would be restored: in.txt changed\n1 restorable\n');
  expect(made.snapshot()).toEqual(after);

  // The hash of a file that was written just before is not remembered, so repro must not start too fast.
  made.hasOwnProcesses = true;
  const hashed = async (...args: string[]) => JSON.parse((await made.repro('--dry', '--json', ...args)).stdout).hashed;
  made.write('in.txt', 'C\n');
  expect(await hashed()).toEqual({ files: 1, bytes: 2 });
  expect(await hashed()).toEqual({ files: 0, bytes: 0 });
});

test('an object or a cache that something else is in place of is named, not the output', async () => {
  const made = project({ 'pipeline.yaml': 'stages: {a: {cmd: cp i o, deps: [i], outs: [o]}}\n', i: '1' });
  await made.outcomes();
  const [path] = objects(made);
  const object = path.slice(made.root.length + 1);
  made.remove('o');
  made.remove(object);
  mkdirSync(path);
  const restored = await made.repro('checkout', 'a');
  expect([restored.exit, restored.stderr]).toEqual([
    1,
    expect.stringContaining(`in the cache cannot be used: ${object} cannot be read: it is a folder\n`),
  ]);
  const run = await made.repro();
  expect([run.exit, run.stdout]).toEqual([
    1,
    expect.stringContaining(`✗ a: the cache cannot be written: ${object}: it is a folder\n`),
  ]);

  made.remove('.repro/cache');
  made.write('.repro/cache', 'a file');
  const blocked = await made.repro('--force');
  expect([blocked.exit, blocked.stdout]).toEqual([
    1,
    expect.stringMatching(/✗ a: the cache cannot be written: \.repro\/cache\/incoming: part of its path is a file/),
  ]);
});
