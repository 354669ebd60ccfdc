/** Which checkpoint paths are refused before anything runs. */
import { afterEach, describe, expect, test } from 'vitest';
import { setStages } from '../git-project.ts';
import { project, removeProjects } from '../project.ts';

afterEach(removeProjects);

describe('a checkpoint that repro must not remove is refused before anything runs', () => {
  /** Calls repro with this checkpoint, and returns its message without the place. */
  async function refusal(checkpoint: string, more: string = ''): Promise<string> {
    const made = project({ u: 'u\n', 'src/a.mjs': '', 'old/x': 'x\n', 'vars.yaml': 'v: 1\n', 's.json': '{}' });
    made.write(
      'pipeline.yaml',
      `vars: [vars.yaml]\nschemas: {vars.yaml: s.json}\nstages:\n  first: {cmd: touch ran, deps: [u], outs: [ran]}\n  a:\n    cmd: echo 1 > m\n    deps: [u, src/a.mjs]\n    outs: [m, made/m]\n    checkpoint: ${checkpoint}\n${more}`,
    );
    made.write('.git/HEAD', '');
    const before = made.snapshot();
    const { exit, stderr } = await made.repro();
    const now = Object.entries(made.snapshot()).filter(([path]) => !/^\.repro(\/|$)/.test(path));
    expect([exit, Object.fromEntries(now)]).toEqual([2, before]);
    const [, message] =
      /^repro: pipeline\.yaml:9:5: a: the checkpoint (.*)\. repro removes checkpoints\n$/.exec(stderr) ?? [];
    return message ?? stderr;
  }

  test('because of where it lies', async () => {
    for (const path of ['.', './src/..', '..', '../x', '/tmp/x'])
      expect([path, await refusal(path)]).toEqual([
        path,
        expect.stringMatching("must lie inside the pipeline's folder"),
      ]);
    for (const path of ['.git', '.git/refs', 'src/.git', '.repro', '.repro/cache', '.repro/state', 'pipeline.yaml'])
      expect([path, await refusal(path)]).toEqual([path, expect.stringMatching('cannot be or contain ')]);
    for (const path of ['params.yaml', 'vars.yaml', 's.json', 'dvc-like.lock'])
      expect([path, await refusal(path)]).toEqual([path, expect.stringMatching(`cannot be or contain ${path}`)]);
  });

  test('because a stage reads or writes it', async () => {
    expect(await refusal('src')).toBe('"src" overlaps with the dependency "src/a.mjs" of a');
    expect(await refusal('u/x')).toBe('"u/x" overlaps with the dependency "u" of first');
    expect(await refusal('m')).toBe('"m" overlaps with the output "m" of a');
    expect(await refusal('made')).toBe('"made" overlaps with the output "made/m" of a');
    expect(await refusal('ran')).toBe('"ran" overlaps with the output "ran" of first');
    const more = '  b: {cmd: ls, wdir: old, code: [../lib/b.mjs], outs: [../n], checkpoint: ../points/b}\n';
    expect(await refusal('lib', more)).toBe('"lib" overlaps with the code "lib/b.mjs" of b');
    expect(await refusal('points', more)).toBe('"points" overlaps with the checkpoint "points/b" of b');
    expect(await refusal('old', more)).toBe('"old" holds the working folder of b');
  });

  test('but not a folder of its own, or one below .repro/checkpoints', async () => {
    for (const path of ['points', '.repro/checkpoints/a', 'a/b/c']) {
      const made = project({ u: 'u\n' });
      setStages(made, `a: {cmd: 'cp u m && ! ls ${path}', deps: [., u], checkpoint: ${path}}`);
      const { exit, stderr } = await made.repro('--dry');
      if (path.startsWith('.repro')) expect([exit, stderr]).toEqual([0, '']);
      else expect(stderr).toMatch('overlaps with the dependency "." of a');
      setStages(made, `a: {cmd: cp u m, deps: [u], outs: [m], checkpoint: ${path}}`);
      expect((await made.repro()).exit).toBe(0);
    }
  });

  test('an output may not be a file that the pipeline is read from', async () => {
    const made = project({ u: 'u\n', 'vars.yaml': 'v: 1\n' });
    for (const path of ['vars.yaml', 'dvc-like.lock', 'sub/.git']) {
      made.write('pipeline.yaml', `vars: [vars.yaml]\nstages:\n  a: {cmd: cp u o, deps: [u], outs: [${path}]}\n`);
      const { exit, stderr } = await made.repro();
      expect([exit, stderr]).toEqual([
        2,
        expect.stringMatching(/^repro: pipeline\.yaml:3:3: a: the output .* cannot be or contain /),
      ]);
    }
    expect(made.read('vars.yaml')).toBe('v: 1\n');
  });
});
