/** repro undo: takes the edits of -S back, and never an edit of a person. */
import { afterEach, expect, test } from 'vitest';
import { project, removeProjects } from '../project.ts';

afterEach(removeProjects);

const PARAMS = '# all numbers\ntrain:\n  lr: 0.1   # the rate\n  sizes: [a, b]\n';

function edited() {
  return project({
    'pipeline.yaml': 'stages:\n  a: {cmd: "true", params: [train]}\n',
    'params.yaml': PARAMS,
    'more.yaml': 'x: 1\n',
  });
}

test('puts the files back byte by byte, one call after another, the last one first', async () => {
  const made = edited();
  await made.repro('-S', 'train.lr=0.2', '-S', 'more.yaml:x=2');
  const between = made.read('params.yaml');
  await made.repro('-S', 'train.sizes=[c]');
  const first = await made.repro('undo');
  expect(first).toMatchObject({ exit: 0, stdout: 'took back -S train.sizes=[c]; params.yaml is as before\n' });
  expect(made.read('params.yaml')).toBe(between);
  const second = await made.repro('undo');
  expect(second.stdout).toBe('took back -S train.lr=0.2 -S more.yaml:x=2; params.yaml and more.yaml are as before\n');
  expect([made.read('params.yaml'), made.read('more.yaml')]).toEqual([PARAMS, 'x: 1\n']);
  expect(await made.repro('undo')).toMatchObject({ exit: 2, stderr: 'repro: there is no edit by -S to take back\n' });
});

test('is refused after an edit by hand, in whichever file, and says which values there were', async () => {
  const made = edited();
  await made.repro('-S', 'train.lr=0.2', '-S', 'more.yaml:x=2', '-S', '+train.new=1');
  made.write('more.yaml', 'x: 2 # mine\n');
  const before = made.read('params.yaml');
  expect(await made.repro('undo')).toMatchObject({
    exit: 2,
    stderr:
      'repro: more.yaml has been edited since -S train.lr=0.2 -S more.yaml:x=2 -S +train.new=1, and undo would overwrite that edit; nothing was changed. Before, it had x: 1\n',
  });
  expect([made.read('params.yaml'), made.read('more.yaml')]).toEqual([before, 'x: 2 # mine\n']);
});

test('knows only of edits that were made: not of --dry, of a wrong call, or of one that changed nothing', async () => {
  const made = edited();
  await made.repro('--dry', '-S', 'train.lr=0.2');
  await made.repro('no-such-stage', '-S', 'train.lr=0.2');
  await made.repro('-S', 'train.lr=0.1');
  expect((await made.repro('undo')).stderr).toBe('repro: there is no edit by -S to take back\n');
  made.write('.repro/edits.json', '[{"edits":["x=1"],"files":{"../other.yaml":{"before":"","after":""}}}]');
  expect((await made.repro('undo')).stderr).toBe('repro: there is no edit by -S to take back\n');
});
