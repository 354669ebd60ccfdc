/** What a removed cell leaves in a folder that a stage depends on is named, and does not count. */
import { afterEach, describe, expect, test } from 'vitest';
import { commitAll, git } from '../git-project.ts';
import { events, project, removeProjects, type TestProject } from '../project.ts';

afterEach(removeProjects);

const OUTS = '"m/${item.size}/x"';
const FIT = 'fit: {cmd: find m -type f | sort > fit.txt, deps: [m], outs: [fit.txt]}';

/** A project in which `fit` lists what the cells of `train` wrote into the folder `m`; all stages have run. */
async function study(options: { outs?: string; fit?: string } = {}): Promise<TestProject> {
  const made = project({ in: 'i\n' });
  setSizes(made, 'a', 'b');
  const cmd = 'mkdir -p m/${item.size} && echo ${item.size} > m/${item.size}/x && echo > model-${item.size}';
  const train = `train: {matrix: {size: "\${sizes}"}, cmd: "${cmd}", deps: [in], outs: [${options.outs ?? OUTS}]}`;
  made.write(
    'pipeline.yaml',
    `stages:\n  ${train}\n  ${options.fit ?? FIT}\n  other: {cmd: cp in o, deps: [in], outs: [o]}\n`,
  );
  await made.outcomes();
  return made;
}

function setSizes(made: TestProject, ...sizes: string[]): void {
  made.write('params.yaml', `sizes: [${sizes}]\n`);
}

describe('an output of a removed cell', () => {
  test('is removed before a stage counts it, and is restored when the cell comes back', async () => {
    const made = await study();
    setSizes(made, 'a');
    const sentence = 'm/b/x, which fit would count: the stage is no longer in the pipeline; the cache has it\n';
    const before = made.snapshot();
    const [dry, status] = [await made.repro('--dry'), await made.repro('status')];
    expect(dry.stdout).toContain(`! train@b: would remove ${sentence}`);
    expect(dry.stdout).toContain('fit      would run: m changed\n');
    expect(status.stdout).toContain(`! train@b: would remove ${sentence}fit: stale\n`);
    // A stage that does not read the folder leaves it alone.
    await made.repro('other');
    expect(made.snapshot()).toMatchObject({ 'm/b/x': 'b\n', 'dvc-like.lock': before['dvc-like.lock'] });

    const { stdout } = await made.repro('-s', 'fit');
    expect(stdout).toContain(`! train@b: removed ${sentence}`);
    expect([made.read('fit.txt'), made.exists('m/b')]).toEqual(['m/a/x\n', false]);
    expect(Object.keys(made.lock().stages)).toEqual(['fit', 'other', 'train@a']);
    expect((await made.repro()).stdout).toBe('everything is up to date (3 stages)\n');

    setSizes(made, 'a', 'b');
    expect(await made.outcomes()).toEqual({ 'train@b': 'restored', fit: 'restored' });
    expect(made.read('fit.txt')).toBe('m/a/x\nm/b/x\n');
  });

  test('is one sentence with others of its group, if there are many, which says what has them', async () => {
    const made = await study({ outs: '{"m/${item.size}/x": {cache: false}}' });
    setSizes(made, 'a', 'c', 'd', 'e', 'f');
    await made.repro();
    commitAll(made);
    setSizes(made, 'b');
    const sentence =
      '5 outputs of 5 cells, such as m/a/x, which fit would count: the cells are no longer in the pipeline; git has them\n';
    expect((await made.repro('--dry')).stdout).toContain(`! train: would remove ${sentence}`);
    const { stdout } = await made.repro();
    expect(stdout).toContain(`! train: removed ${sentence}`);
    expect(stdout).not.toContain('! train@');
    expect(made.read('fit.txt')).toBe('m/b/x\n');
  });

  test('takes the other outputs of its cell with it, and the folder of the dependency stays', async () => {
    const made = await study({ outs: '"m/${item.size}/x", {"model-${item.size}": {cache: false}}' });
    made.write('pipeline.yaml', made.read('pipeline.yaml').replace('deps: [m]', 'deps: [m, m/b]'));
    setSizes(made);
    const { stdout } = await made.repro('--json');
    expect(events(stdout).filter(({ event }) => event === 'note')).toEqual([
      {
        event: 'note',
        stage: 'train@a',
        text: expect.stringContaining('removed m/a/x, model-a, which fit would count'),
      },
      {
        event: 'note',
        stage: 'train@b',
        text: expect.stringContaining('removed m/b/x, model-b, which fit would count'),
      },
    ]);
    const exists = ['m/a', 'm/b', 'model-a'].map((path) => made.exists(path));
    expect([made.read('fit.txt'), ...exists]).toEqual(['', false, true, false]);
  });

  test('moves to the trash if neither the cache nor git could bring it back', async () => {
    const made = await study();
    made.remove('.repro');
    setSizes(made, 'a');
    expect((await made.repro('--dry')).stdout).toContain('! train@b: would move m/b/x to .repro/trash, which');
    expect((await made.repro()).stdout).toContain('! train@b: moved m/b/x to .repro/trash/');
    expect(made.read('fit.txt')).toBe('m/a/x\n');
    await made.repro('trash', 'restore', 'm/b/x');
    expect(made.read('m/b/x')).toBe('b\n');
  });

  test('stays, and is counted and named each time, if a person changed it', async () => {
    const made = await study();
    made.write('m/b/x', 'mine\n');
    setSizes(made, 'a');
    const kept =
      '! train@b: kept m/b/x, and fit counts it, although the stage is no longer in the pipeline: it changed after train@b made it\n';
    expect((await made.repro()).stdout).toContain(kept);
    expect((await made.repro()).stdout).toContain(kept);
    expect([made.read('m/b/x'), made.read('fit.txt')]).toEqual(['mine\n', 'm/a/x\nm/b/x\n']);
    expect((await made.repro('gc')).stdout).toContain('kept m/b/x: it changed after train@b made it\n');
  });

  test('is removed if git has it as it is, and stays if git has an older version', async () => {
    const made = await study({ outs: '{"m/${item.size}/x": {cache: false}}' });
    commitAll(made);
    setSizes(made, 'a');
    expect((await made.repro()).stdout).toContain('! train@b: removed m/b/x');
    expect(git(made, 'status', '--porcelain', 'm')).toBe(' D m/b/x\n');

    setSizes(made, 'a', 'b');
    made.write('pipeline.yaml', made.read('pipeline.yaml').replace('echo ', 'echo new '));
    await made.outcomes();
    setSizes(made, 'a');
    expect((await made.repro()).stdout).toContain('git tracks it, and has changes of it that are not committed\n');
    expect(made.read('m/b/x')).toBe('new b\n');
  });

  test.each([
    ['the command of a stage names it', 'fit: {cmd: cat m/b/x > fit.txt, deps: [m], outs: [fit.txt]}'],
    ['a stage depends on it', 'fit: {cmd: cat m/*/x > fit.txt, deps: [m, m/b/x], outs: [fit.txt]}'],
  ])('stays if %s', async (_, fit) => {
    const made = await study({ fit });
    setSizes(made, 'a');
    expect((await made.repro()).stdout).toContain('! train@b: kept m/b/x, and fit counts it');
    expect(made.read('m/b/x')).toBe('b\n');
  });
});

test('an output of a definition that was removed stays, because it may be an input now', async () => {
  const made = await study();
  made.write('pipeline.yaml', `stages:\n  ${FIT}\n`);
  const { stdout } = await made.repro();
  expect(stdout).toContain(
    '! train@b: kept m/b/x, and fit counts it, although no stage makes it any more. Delete it if',
  );
  expect(made.read('m/b/x')).toBe('b\n');
  await made.repro('gc', '--yes');
  made.write('pipeline.yaml', `stages:\n\n  ${FIT}\n`);
  expect([made.read('m/b/x'), (await made.repro()).stdout]).toEqual(['b\n', 'everything is up to date (1 stage)\n']);
});
