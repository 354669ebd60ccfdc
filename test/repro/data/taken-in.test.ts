/** How outputs are taken into the cache: read once, hard-linked if configured, and whole or not at all. */
import { createHash } from 'node:crypto';
import { appendFileSync, chmodSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { events, project, removeProjects, type TestProject, until } from '../project.ts';

afterEach(removeProjects);

const MIB = 1 << 20;

/** A project with a stage whose output has `mib` MiB. The stage runs the shell command `before` first. */
function large(mib: number, before = ':'): TestProject {
  return project({
    'pipeline.yaml': `
stages:
  make:
    cmd: ${before}; head -c ${mib * MIB} /dev/zero | tr '\\0' "$(cat in.txt)" > big
    deps: [in.txt]
    outs: [big]
`,
    'in.txt': 'A',
  });
}

function below(made: TestProject, folder: string): string[] {
  if (!made.exists(folder)) return [];
  const names = readdirSync(made.path(folder), { recursive: true, encoding: 'utf8' });
  return names.filter((name) => statSync(made.path(join(folder, name))).isFile());
}

/** Names of the cache's objects. Expects that each has the SHA-256 that its name says. */
function objects(made: TestProject): string[] {
  return below(made, '.repro/cache/sha256').map((name) => {
    const hash = createHash('sha256').update(readFileSync(made.path(join('.repro/cache/sha256', name))));
    expect(hash.digest('hex')).toBe(name.replace('/', ''));
    return name;
  });
}

async function hashed(made: TestProject, ...args: string[]): Promise<{ files: number; bytes: number }> {
  // The hash of a file that was written just before is not remembered, so repro must not start too fast.
  made.hasOwnProcesses = true;
  const { stdout, stderr } = await made.repro('--json', ...args);
  const done = events(stdout).at(-1);
  if (done?.event !== 'done') throw new Error(stderr + stdout);
  return done.hashed;
}

test('only the new or changed file of a folder is hashed', async () => {
  const made = project({
    'pipeline.yaml': 'stages: {list: {cmd: ls -R in > out, deps: [in], outs: [out]}}\n',
    ...Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`in/${i % 3}/${i}`, `${i}`])),
  });
  const size = () => statSync(made.path('out')).size;
  expect((await hashed(made)).files).toBe(301);
  expect(await hashed(made)).toEqual({ files: 0, bytes: 0 });
  made.write('in/1/new', 'added');
  expect(await hashed(made)).toEqual({ files: 2, bytes: 5 + size() });
  made.remove('in/1/new');
  made.write('in/2/2', 'edited');
  expect(await hashed(made)).toEqual({ files: 2, bytes: 6 + size() });
});

test('a large output is hashed once: not again for the cache, for a downstream stage or by the next run', async () => {
  const made = large(3);
  made.write(
    'pipeline.yaml',
    `${made.read('pipeline.yaml')}  use: {cmd: wc -c < big > size, deps: [big], outs: [size]}\n`,
  );
  expect(await hashed(made)).toEqual({ files: 3, bytes: 1 + 3 * MIB + '3145728\n'.length });
  expect((await hashed(made)).files).toBe(0);
});

describe.skipIf(process.platform !== 'linux')('repro commit of a large output', () => {
  test('reads the output only once, and memory does not grow with its size', async () => {
    const made = large(1);
    made.write('big', 'A'.repeat(64 * MIB));
    made.write(
      'io.mjs',
      `import { readFileSync, writeFileSync } from 'node:fs';
       process.on('exit', () => writeFileSync(${JSON.stringify(made.path('io.json'))}, JSON.stringify({
         read: Number(/rchar: (\\d+)/.exec(readFileSync('/proc/self/io', 'utf8'))[1]),
         peak: process.resourceUsage().maxRSS * 1024,
       })));`,
    );
    made.hasOwnProcesses = true;
    made.env.NODE_OPTIONS = `--import ${made.path('io.mjs')}`;
    const use = async (...args: string[]) => {
      expect((await made.repro(...args)).exit).toBe(0);
      return JSON.parse(made.read('io.json')) as { read: number; peak: number };
    };
    const commit = await use('commit');
    const noOp = await use('--json');
    expect(noOp.read).toBeLessThan(4 * MIB);
    expect(commit.read - noOp.read).toBeLessThan(66 * MIB);
    expect(commit.peak - noOp.peak).toBeLessThan(32 * MIB);
  });
});

describe('cache.type: hardlink', () => {
  const linked = (outs: string, cmd: string) => {
    const made = project({
      'pipeline.yaml': `stages:\n  make:\n    cmd: ${cmd}\n    deps: [in.txt]\n    outs: ${outs}\n`,
      'in.txt': 'A\n',
      '.repro/config.yaml': 'cache: {type: hardlink}\n',
    });
    /** Whether it is a hard link to an object of the cache. */
    const isLink = (path: string) => {
      const { ino } = statSync(made.path(path));
      return objects(made).some((name) => statSync(made.path(join('.repro/cache/sha256', name))).ino === ino);
    };
    return { made, isLink };
  };

  test('an output is the same file as its object, read-only, after a run and after a restore', async () => {
    const { made, isLink } = linked('[tree]', 'mkdir tree && cp in.txt tree/a && echo :>tree/run && chmod +x tree/run');
    const check = () => {
      expect([isLink('tree/a'), isLink('tree/run')]).toEqual([true, true]);
      expect(statSync(made.path('tree/a')).mode & 0o777).toBe(0o444);
      expect(statSync(made.path('tree/run')).mode & 0o777).toBe(0o555);
    };
    await made.outcomes();
    check();
    expect(await made.outcomes()).toEqual({});
    made.remove('tree');
    expect(await made.outcomes()).toEqual({ make: 'restored' });
    check();
    made.write('in.txt', 'B\n');
    expect(await made.outcomes()).toEqual({ make: 'ran' });
    made.write('in.txt', 'A\n');
    expect(await made.outcomes()).toEqual({ make: 'restored' });
    expect(made.read('tree/a')).toBe('A\n');
    expect(await made.outcomes()).toEqual({});
  });

  test('editing the output damages the object: a note says so, and the stage runs', async () => {
    const { made } = linked('[out]', 'cp in.txt out');
    await made.outcomes();
    chmodSync(made.path('out'), 0o644);
    appendFileSync(made.path('out'), 'edited');
    const { exit, stdout } = await made.repro();
    expect([exit, stdout]).toEqual([0, expect.stringMatching(/out cannot be restored: \w+ in the cache was damaged/)]);
    expect(made.read('out')).toBe('A\n');
    objects(made);
  });

  test('outputs that git keeps, persisted outputs and files with several links are copied, and stay writable', async () => {
    const { made, isLink } = linked(
      '[{kept: {cache: false}}, {grows: {persist: true}}, twin, far]',
      'cp in.txt kept; cat in.txt >> grows; ln -f in.txt twin; cp in.txt elsewhere; ln -s elsewhere far',
    );
    await made.outcomes();
    for (const path of ['kept', 'grows', 'twin', 'far', 'in.txt', 'elsewhere']) {
      expect([path, isLink(path)]).toEqual([path, false]);
      expect(statSync(made.path(path)).mode & 0o200).toBe(0o200);
    }
  });

  test('an output that is now persisted stops being a link before its stage runs', async () => {
    const { made, isLink } = linked('[grows]', 'cat in.txt >> grows');
    await made.outcomes();
    expect(isLink('grows')).toBe(true);
    made.write('pipeline.yaml', made.read('pipeline.yaml').replace('[grows]', '[{grows: {persist: true}}]'));
    made.write('in.txt', 'B\n');
    expect(await made.outcomes()).toEqual({ make: 'ran' });
    expect([made.read('grows'), isLink('grows')]).toEqual(['A\nB\n', false]);
  });

  test('an unknown value of cache.type is reported', async () => {
    const { made } = linked('[out]', 'cp in.txt out');
    made.write('.repro/config.yaml', 'cache: {type: hardlinks}\n');
    const { exit, stderr } = await made.repro();
    expect([exit, stderr]).toEqual([
      2,
      expect.stringMatching(/config\.yaml:1:15: cache\.type: is "hardlinks"; did you mean "hardlink"\?/),
    ]);
  });
});

test('an output that is still being written to is not taken into the cache', async () => {
  const made = large(32);
  const writer = '(setsid sh -c "while [ -e in.txt ]; do echo x >> big; done; touch ended" >/dev/null 2>&1 3>&- &)';
  const whenItWrites = `until [ "$(wc -c < big)" -gt ${32 * MIB} ]; do :; done`;
  made.write('pipeline.yaml', made.read('pipeline.yaml').replace('> big', `> big; ${writer}; ${whenItWrites}`));
  const { exit, stdout } = await made.repro();
  made.remove('in.txt');
  await until(() => made.exists('ended'));
  expect([exit, stdout]).toEqual([1, expect.stringMatching(/big changed while it was taken into the cache/)]);
  expect(objects(made)).toEqual([]);
  expect(made.exists('dvc-like.lock')).toBe(false);
});

test('if the cache cannot be written, the message says so, and no part of an object is left', async () => {
  const made = large(8, 'ulimit -S -f unlimited');
  const { exit, stdout } = await made.reproAfter("trap '' XFSZ; ulimit -S -f 8192");
  expect([exit, stdout]).toEqual([
    1,
    expect.stringMatching(/make: the cache cannot be written: the file would be larger than the system allows/),
  ]);
  expect([objects(made), below(made, '.repro/cache')]).toEqual([[], []]);
  expect(statSync(made.path('big')).size).toBe(8 * MIB);
  expect(await made.outcomes()).toEqual({ make: 'ran' });
  expect(objects(made)).toHaveLength(1);
});

test('a kill while copying leaves no object; the next run is right and removes the incomplete file', async () => {
  const made = large(128);
  const { process, ended } = await made.spawn();
  const incoming = made.path('.repro/cache/incoming');
  // The small file that tests whether the file system can clone is there for a moment.
  const isHalf = (name: string) => (statSync(join(incoming, name), { throwIfNoEntry: false })?.size ?? 0) > MIB;
  await until(() => made.exists('.repro/cache/incoming') && readdirSync(incoming).some(isHalf));
  process.kill('SIGKILL');
  await ended;
  expect([objects(made), below(made, '.repro/cache/incoming').length]).toEqual([[], 1]);
  expect((await made.repro('gc')).stdout).toMatch(/1 file left by a killed repro\nrun `repro gc --yes` to free it\n$/);
  expect(await made.outcomes()).toEqual({ make: 'ran' });
  expect([objects(made).length, below(made, '.repro/cache/incoming')]).toEqual([1, []]);
});
