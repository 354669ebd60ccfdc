/** Numbers are used as they are written, and compared by their exact value. */
import { afterEach, expect, test, vi } from 'vitest';
import { readParams } from '../../../lib/repro/index.ts';
import { commitAll } from '../git-project.ts';
import { project, removeProjects } from '../project.ts';

afterEach(removeProjects);
afterEach(() => vi.unstubAllEnvs());

test('commands, paths, names of cells, the lock and the reasons have numbers as written', async () => {
  const made = project({
    'params.yaml': 'lr: 1.0\neps: 1e-3\ncode: 010\nseed: 12345678901234567890\nby: {1.0: one, 9007199254740993: big}\n',
    'pipeline.yaml': [
      'stages:',
      '  t:',
      '    matrix: {x: [1.0, 2.50], exclude: [{x: 2.5}]}',
      '    cmd: echo ${item.x} ${lr} ${eps} ${code} ${seed} > ${item.x}-${seed}.txt',
      '    params: [lr, eps, code, seed]',
      '    outs: ["${item.x}-${seed}.txt"]',
      '  u: {foreach: "${by}", do: {cmd: "echo ${key} ${item}", params: [lr]}}',
      '',
    ].join('\n'),
  });
  expect(await made.outcomes()).toEqual({ 't@1.0': 'ran', 'u@1.0': 'ran', 'u@9007199254740993': 'ran' });
  expect(made.read('1.0-12345678901234567890.txt')).toBe('1.0 1.0 1e-3 010 12345678901234567890\n');
  expect(made.read('dvc-like.lock')).toContain('lr: 1.0\n        seed: 12345678901234567890');

  // Another way to write the same value changes the command, and not the param.
  made.write('params.yaml', made.read('params.yaml').replace('1.0\n', '1\n'));
  expect(await made.stale()).toMatchObject({ 't@1.0': { reasons: [{ kind: 'command' }] } });
  made.write('params.yaml', made.read('params.yaml').replace('7890\n', '7891\n').replace('lr: 1\n', 'lr: 1.50\n'));
  const [plain, json] = [await made.repro('why', 't@1.0'), await made.repro('status', '--json')];
  expect(plain.stdout).toContain('lr: 1.0 → 1.50');
  expect(plain.stdout).toContain('seed: 12345678901234567890 → 12345678901234567891');
  expect(json.stdout).toContain('"new": 12345678901234567891');
});

test('a lock with another form of the same numbers stays valid, and integers are compared digit by digit', async () => {
  const made = project({
    'a.json': '{"f": 1.0, "id": 9007199254740992, "n": [1, 1e-3]}',
    'pipeline.yaml': 'stages:\n  s: {cmd: echo x > o, params: [{a.json: [f, id, n]}], outs: [o]}\n',
  });
  await made.outcomes();
  made.write('dvc-like.lock', made.read('dvc-like.lock').replace('f: 1.0', 'f: 1'));
  made.write('a.json', '{"f": 1, "id": 9007199254740992, "n": [1.0, 0.001]}');
  expect(await made.stale()).toEqual({});
  made.write('a.json', '{"f": 1, "id": 9007199254740993, "n": [1.0, 0.001]}');
  expect(await made.outcomes()).toEqual({ s: 'ran' });
  // Both runs are in the run cache, each under its own inputs.
  made.write('a.json', '{"f": 1, "id": 9007199254740992, "n": [1.0, 0.001]}');
  expect(await made.outcomes()).toEqual({ s: 'restored' });
});

test('-S writes the number that it is given, and leaves the others as they are', async () => {
  const made = project({
    'params.yaml': 'a: 1 # one\nbig: 12345678901234567891\nf: 1.0\nl: [1.0, 2.50]\n',
    'b.json': '{"a": 1, "big": 12345678901234567891, "f": 1.0}\n',
    'pipeline.yaml': 'stages: {s: {cmd: "true", params: [a]}}\n',
  });
  const settings = [
    'a=2.0',
    '+e=1e-7',
    '+c=@big',
    'l[0]=9007199254740993',
    'b.json:a=12345678901234567892',
    'b.json:f=2.0',
  ];
  const { exit, stderr } = await made.repro(...settings.flatMap((setting) => ['-S', setting]));
  expect([exit, stderr]).toEqual([0, '']);
  expect(made.read('params.yaml')).toBe(
    'a: 2.0 # one\nbig: 12345678901234567891\nf: 1.0\nl: [9007199254740993, 2.50]\ne: 1.0e-07\nc: 12345678901234567891\n',
  );
  expect(made.read('b.json')).toBe('{"a": 12345678901234567892, "big": 12345678901234567891, "f": 2.0}\n');
});

test('differences of metrics and params are exact', async () => {
  const made = project({
    'params.yaml': 'seed: 12345678901234567890\nlr: 1.0\n',
    'm.json': '{"count": 9007199254740992, "acc": 0.5}',
    'pipeline.yaml':
      'stages: {s: {cmd: "true", params: [seed, lr], metrics: [{m.json: {cache: false, persist: true}}]}}\n',
  });
  commitAll(made);
  made.write('m.json', '{"count": 9007199254740993, "acc": 0.50}');
  made.write('params.yaml', 'seed: 12345678901234567891\nlr: 1.50\n');
  const metrics = await made.repro('metrics', 'diff');
  expect(metrics.stdout).toMatch(/m\.json +count +9007199254740992 +9007199254740993 +\+1\n$/);
  const json = await made.repro('metrics', 'diff', '--json');
  expect(json.stdout).toContain('"new": 9007199254740993,\n      "diff": 1\n');
  const params = await made.repro('params', 'diff');
  expect(params.stdout).toMatch(/seed +12345678901234567890 +12345678901234567891 +\+1\n.*lr +1\.0 +1\.50 +\+0\.5\n/);
});

test('an integer that JavaScript would round is refused where a `number` is needed', async () => {
  const made = project({
    'params.yaml': 'big: 9007199254740993\nn: 1.0\n',
    'pipeline.yaml': 'stages:\n  a: {cmd: "true", params: [n], retries: "${big}"}\n',
  });
  const wrong = await made.repro();
  expect([wrong.exit, wrong.stderr]).toEqual([
    2,
    expect.stringContaining('pipeline.yaml:2:42: retries: must be a whole number'),
  ]);

  const file = made.path('params.yaml');
  await expect(readParams(file)).rejects.toThrow(
    'params.yaml:1:6: big is 9007199254740993, which JavaScript would round to 9007199254740992',
  );
  vi.stubEnv('REPRO_PARAMS', JSON.stringify({ [file]: ['n'] }));
  expect({ ...(await readParams(file)) }).toEqual({ n: 1 });
});
