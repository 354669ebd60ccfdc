/** `incremental: true`: a command updates its outputs, and is told what changed among its inputs. */
import { afterEach, describe, expect, test } from 'vitest';
import { events, outcomesIn, project, removeProjects, type TestProject, until } from '../project.ts';

afterEach(removeProjects);

/**
 * Copies each new or changed file in upper case and removes the copies of removed ones. `trouble` stops it half way: it
 * fails, or waits for a kill.
 */
const UPDATE = `
const { readFileSync, writeFileSync, rmSync, mkdirSync, appendFileSync, existsSync } = require('fs');
const { basename } = require('path');
const list = JSON.parse(readFileSync(process.env.REPRO_CHANGES, 'utf8'));
appendFileSync('calls', JSON.stringify(list) + '\\n');
mkdirSync('out', { recursive: true });
for (const file of list.removed) rmSync('out/' + basename(file));
for (const file of [...list.added, ...list.changed]) {
  writeFileSync('out/' + basename(file), readFileSync(file, 'utf8').toUpperCase());
  if (existsSync('trouble')) {
    const trouble = readFileSync('trouble', 'utf8');
    if (trouble === 'once') rmSync('trouble');
    if (trouble === 'wait') { writeFileSync('ready', ''); for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0); }
    process.exit(3);
  }
}
`;

const PIPELINE = `
stages:
  update:
    incremental: true
    cmd: node update.cjs
    deps: [in]
    params: [how]
    outs: [out: {persist: true}]
    retries: 0
`;

function incrementalProject(files: { [name: string]: string } = { a: 'a', b: 'b', c: 'c' }): TestProject {
  const inputs = Object.fromEntries(Object.entries(files).map(([name, text]) => [`in/${name}`, text]));
  return project({ 'pipeline.yaml': PIPELINE, 'params.yaml': 'how: 1\n', 'update.cjs': UPDATE, ...inputs });
}

/** What the command was told in its last call. */
function lastChanges(made: TestProject): unknown {
  return JSON.parse(made.read('calls').trim().split('\n').at(-1)!);
}

describe('an incremental stage', () => {
  test('is told what was added, changed and removed since its outputs were recorded', async () => {
    const made = incrementalProject();
    const first = await made.repro();
    expect(first.stdout).toContain('! update: runs from nothing: it has not run yet\n');
    expect(lastChanges(made)).toEqual({ added: ['in/a', 'in/b', 'in/c'], changed: [], removed: [] });
    made.write('in/b', 'new');
    made.write('in/sub/d', 'd');
    made.remove('in/a');
    const second = await made.repro();
    expect(second.stdout).toContain('! update: runs on what changed: 1 file added, 1 changed, 1 removed\n');
    expect(lastChanges(made)).toEqual({ added: ['in/sub/d'], changed: ['in/b'], removed: ['in/a'] });
    expect([made.read('out/b'), made.read('out/d'), made.exists('out/a')]).toEqual(['NEW', 'D', false]);
    expect(made.exists('.repro/changes/update.json')).toBe(false);
    // Earlier inputs are restored from the run cache, and the next run goes on from there.
    made.write('in/a', 'a');
    made.write('in/b', 'b');
    made.remove('in/sub');
    expect(await made.outcomes()).toEqual({ update: 'restored' });
    made.write('in/e', 'e');
    await made.outcomes();
    expect(lastChanges(made)).toEqual({ added: ['in/e'], changed: [], removed: [] });
  });

  test('begins with nothing if its command, params or code changed, or if it is forced', async () => {
    const made = incrementalProject({ a: 'a' });
    await made.outcomes();
    made.write('params.yaml', 'how: 2\n');
    expect((await made.repro()).stdout).toContain('runs from nothing: its params changed\n');
    expect(lastChanges(made)).toEqual({ added: ['in/a'], changed: [], removed: [] });
    expect((await made.repro('-f')).stdout).toContain('runs from nothing: it is forced\n');
    made.write('pipeline.yaml', PIPELINE.replace('update.cjs', './update.cjs'));
    expect((await made.repro()).stdout).toContain('runs from nothing: its command changed\n');
  });

  test('gets paths relative to its folder', async () => {
    const made = incrementalProject({ a: 'a' });
    made.write(
      'pipeline.yaml',
      'stages:\n  u: {incremental: true, wdir: w, cmd: cp $REPRO_CHANGES o, deps: [../in], outs: [o: {persist: true}]}\n',
    );
    made.write('w/x', '');
    await made.outcomes();
    expect(JSON.parse(made.read('w/o'))).toEqual({ added: ['../in/a'], changed: [], removed: [] });
  });

  test('needs a persistent output', async () => {
    const made = project({ 'pipeline.yaml': 'stages:\n  a: {cmd: x, incremental: true, outs: [o]}\n' });
    expect((await made.repro()).stderr).toBe(
      'repro: pipeline.yaml:2:28: incremental: needs an output with persist: true, which the command finds as its last run left it\n',
    );
  });
});

describe('half-updated outputs', () => {
  test('of a killed repro never count: the next attempt begins with the recorded ones', async () => {
    const made = incrementalProject();
    await made.outcomes();
    made.write('in/b', 'new');
    made.write('in/c', 'new');
    made.write('trouble', 'wait');
    const { process: repro, ended } = await made.spawn();
    await until(() => made.exists('ready'));
    repro.kill('SIGKILL');
    await ended;
    expect([made.read('out/b'), made.read('out/c')]).toEqual(['NEW', 'C']);
    made.remove('trouble');
    // Not even if the inputs are again as they were when the outputs were recorded.
    made.write('in/b', 'b');
    made.write('in/c', 'c');
    expect(await made.stale()).toMatchObject({ update: { state: 'restorable' } });
    made.write('in/c', 'new');
    expect(await made.outcomes()).toEqual({ update: 'ran' });
    expect(lastChanges(made)).toEqual({ added: [], changed: ['in/c'], removed: [] });
    expect(['a', 'b', 'c'].map((name) => made.read(`out/${name}`))).toEqual(['A', 'B', 'NEW']);
  });

  test('of a failed command go back before a retry, and before the next attempt', async () => {
    const made = incrementalProject();
    await made.outcomes();
    made.write('in/b', 'new');
    made.write('in/d', 'd');
    made.write('trouble', 'fail');
    expect((await made.repro()).exit).toBe(1);
    expect(made.exists('out/d')).toBe(true);
    made.remove('in/d');
    made.remove('trouble');
    await made.outcomes();
    expect([made.exists('out/d'), made.read('out/b')]).toEqual([false, 'NEW']);
    made.write('pipeline.yaml', PIPELINE.replace('retries: 0', 'retries: 1'));
    made.write('in/d', 'd');
    made.write('in/e', 'e');
    made.write('trouble', 'once');
    // The retry would find out/d and fail, if it were still there.
    made.write(
      'update.cjs',
      UPDATE.replace(
        "'out/' + basename(file), r",
        "'out/' + basename(file), list.added.includes(file) && existsSync('out/' + basename(file)) ? process.exit(4) : r",
      ),
    );
    const { exit, stdout } = await made.repro('--json');
    expect([exit, outcomesIn(stdout)]).toEqual([0, { update: 'ran' }]);
    expect(events(stdout).filter(({ event }) => event === 'note')).toHaveLength(2);
  });

  test('that the cache cannot bring back are removed, and the stage begins with nothing', async () => {
    const made = incrementalProject();
    await made.outcomes();
    made.write('in/b', 'new');
    made.write('trouble', 'fail');
    await made.repro();
    made.remove('trouble');
    made.remove('.repro/cache');
    const { stdout } = await made.repro();
    expect(stdout).toContain('runs from nothing: out is not as recorded, and the cache does not have it\n');
    expect(lastChanges(made)).toEqual({ added: ['in/a', 'in/b', 'in/c'], changed: [], removed: [] });
    expect(made.read('out/c')).toBe('C');
  });

  test("with a person's file in them: it moves to the trash", async () => {
    const made = incrementalProject();
    await made.outcomes();
    made.write('out/mine', 'precious');
    made.write('in/b', 'new');
    const { stdout } = await made.repro();
    expect(stdout).toContain('moved out to .repro/trash');
    expect((await made.repro('trash')).stdout).toContain('out');
    expect([made.exists('out/mine'), made.read('out/b')]).toEqual([false, 'NEW']);
  });
});

test('gc keeps the list of the inputs of the recorded run', async () => {
  const made = incrementalProject();
  await made.outcomes();
  await made.repro('gc', '--yes');
  made.write('in/d', 'd');
  expect((await made.repro()).stdout).toContain('1 file added, 0 changed, 0 removed');
});

describe('repro verify', () => {
  test('runs a stage from nothing in a copy, and compares', async () => {
    const made = incrementalProject();
    await made.outcomes();
    made.write('in/d', 'd');
    await made.outcomes();
    const before = made.snapshot();
    const same = await made.repro('verify', 'update');
    expect([same.exit, same.stdout.split('\n').at(-2)]).toEqual([
      0,
      '✓ update: a run from nothing makes the same outputs',
    ]);
    expect(made.snapshot()).toEqual(before);
  });

  test('names what differs, and leaves the copy there', async () => {
    const made = incrementalProject();
    made.write('update.cjs', UPDATE.replace("rmSync('out/' + basename(file))", '0'));
    await made.outcomes();
    made.remove('in/a');
    made.write('in/b', 'new');
    await made.outcomes();
    const { exit, stdout } = await made.repro('verify', 'update');
    expect(exit).toBe(1);
    expect(stdout).toContain('✗ update: out differs: a run from nothing does not make a\n');
    expect(stdout).toContain('the other outputs are in .repro/verify/update\n');
    expect(made.exists('.repro/verify/update/out/b')).toBe(true);
    expect(Object.keys(await made.stale())).toEqual([]);
  });

  test('refuses what it cannot compare', async () => {
    const made = incrementalProject();
    expect((await made.repro('verify', 'update')).stderr).toBe(
      'repro: update is not up to date, so there is nothing to compare with: repro update\n',
    );
    await made.outcomes();
    made.write('update.cjs', 'process.exit(1)');
    const { exit, stdout } = await made.repro('verify', 'update');
    expect([exit, stdout]).toEqual([1, expect.stringContaining('✗ update: it fails when it runs from nothing')]);
  });
});
