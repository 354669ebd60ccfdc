/** On a full disk, a stage fails with one sentence, what was recorded stays, and the next call goes on. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { project, removeProjects, type TestProject } from '../project.ts';

const mounted: string[] = [];

afterAll(() => {
  for (const path of mounted) execFileSync('umount', [path]);
  removeProjects();
});

/** Mounts a file system of a fixed size at `disk` in a new project; undefined if this user may not. */
function smallDisk(kilobytes: number): TestProject | undefined {
  const made = project({});
  mkdirSync(made.path('disk'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${kilobytes}k`, 'tmpfs', made.path('disk')], { stdio: 'ignore' });
  } catch {
    return undefined;
  }
  mounted.push(made.path('disk'));
  return made;
}

function fill(made: TestProject): void {
  try {
    writeFileSync(made.path('disk/filler'), Buffer.alloc(16 << 20));
  } catch {} // The disk is full now.
}

const disk = smallDisk(3000);

describe.skipIf(disk === undefined)('a full disk', () => {
  const made = disk!;
  const run = (...args: string[]) => made.reproIn('disk', ...args);

  test('names the stage that could not be stored, keeps the lock, and leaves nothing that blocks the next run', async () => {
    made.write(
      'disk/pipeline.yaml',
      `stages:
  first: {cmd: cp in one, deps: [in], outs: [one]}
  big: {cmd: 'head -c \${size} /dev/urandom > big.bin', params: [size], outs: [big.bin], deps: [one]}
`,
    );
    made.write('disk/in', '1');
    made.write('disk/params.yaml', 'size: 1000\n');
    expect((await run()).exit).toBe(0);
    const lock = made.read('disk/dvc-like.lock');

    // The output itself has room, its copy in the cache has not.
    made.write('disk/params.yaml', 'size: 1600000\n');
    const copied = await run('-q');
    expect([copied.exit, copied.stderr]).toEqual([1, '']);
    expect(copied.stdout).toContain('✗ big: the cache cannot be written: the disk is full\n');
    expect([made.read('disk/dvc-like.lock'), statSync(made.path('disk/big.bin')).size]).toEqual([lock, 1_600_000]);

    // The output has no room. The rest of the last one is repro's own, so it does not go to the trash.
    made.write('disk/params.yaml', 'size: 9000000\n');
    const written = await run('-q');
    expect([written.exit, written.stdout]).toEqual([
      1,
      expect.stringContaining('✗ big: its command ended with exit 1\n'),
    ]);
    expect(written.stdout + written.stderr).not.toMatch(/\n {4}at |Error:|\.repro\/trash/);
    expect([made.read('disk/dvc-like.lock'), made.read('disk/one')]).toEqual([lock, '1']);

    made.write('disk/params.yaml', 'size: 1001\n');
    expect((await run()).exit).toBe(0);
    expect((await run('status')).stdout).toBe('everything is up to date (2 stages)\n');
  });

  test('fails in one sentence wherever repro writes, and keeps the outputs that it would have restored', async () => {
    made.write('disk/in', '2');
    made.write('disk/params.yaml', 'size: 400000\n');
    expect((await run()).exit).toBe(0);
    made.write('disk/params.yaml', 'size: 1001\n');
    made.write('disk/in', '1');
    expect((await run()).stdout).toContain('✓ big  restored from the run cache\n');
    const before = [made.read('disk/big.bin'), made.read('disk/dvc-like.lock'), readdirSync(made.path('disk')).sort()];

    fill(made);
    const small = statSync(made.path('disk/params.yaml')).blocks;
    made.write('disk/in', '2');
    writeFileSync(made.path('disk/params.yaml'), 'size: 400000\n');
    expect(small).toBeGreaterThan(0);
    const restored = await run('-q');
    expect([restored.exit, restored.stdout]).toEqual([1, expect.stringMatching(/✗ (first|big): .*the disk is full\n/)]);
    expect(restored.stdout + restored.stderr).not.toMatch(/\n {4}at |Error:/);
    const plots = await run('plots', 'show', '-o', 'page.html');
    expect([plots.exit, plots.stderr]).toEqual([
      1,
      expect.stringContaining('page.html cannot be written: the disk is full\n'),
    ]);
    const status = await run('status', 'big');
    expect([status.exit, status.stdout]).toEqual([0, expect.stringContaining('big: ')]);
    expect(readdirSync(made.path('disk')).sort()).toEqual([...(before[2] as string[]), 'filler'].sort());
    expect([readFileSync(made.path('disk/big.bin'), 'utf8').length > 0, made.read('disk/dvc-like.lock')]).toEqual([
      true,
      before[1],
    ]);

    execFileSync('rm', [made.path('disk/filler')]);
    expect((await run()).exit).toBe(0);
    expect(statSync(made.path('disk/big.bin')).size).toBe(400_000);
  });
});
