/** pipeline.yaml: each key of a stage, templates, matrix and foreach. */
import { availableParallelism } from 'node:os';
import { afterEach, describe, expect, test } from 'vitest';
import { project, removeProjects } from '../project.ts';

afterEach(removeProjects);

/** Stages with their commands and paths, as `dag --json` and a dry run print them. */
async function commands(
  pipeline: string,
  files: { [path: string]: string } = {},
): Promise<{ [stage: string]: string }> {
  const made = project({ 'pipeline.yaml': pipeline, ...files });
  await made.outcomes();
  const { stages } = made.lock();
  return Object.fromEntries(Object.entries(stages).map(([name, { cmd }]) => [name, [cmd].flat().join(' && ')]));
}

describe('templates', () => {
  test('a template may have dots and indices, \\${ is a plain ${, and a value that is one template keeps its type or its items', async () => {
    const params = {
      'params.yaml': 'a: {b: 1, list: [x, {deep: y}], names: [p.txt, q.txt], on: true}\n"dotted.name": z\n',
      'p.txt': '',
      'q.txt': '',
    };
    expect(
      await commands(
        `
stages:
  s:
    cmd: ': \${a.b} \${a.list[0]} \${a.list[1].deep} \${dotted.name} \\\${HOME} \${a.on}'
    deps: ["\${a.names}"]
  each: {matrix: {name: "\${a.names}"}, cmd: ': \${item.name} \${key}', deps: ["\${item.name}"]}
`,
        params,
      ),
    ).toEqual({
      s: ': 1 x y z ${HOME} true',
      'each@p.txt': ': p.txt p.txt',
      'each@q.txt': ': q.txt q.txt',
    });
  });

  test('vars: files, parts of files and mappings, for all stages and for one; two values for one key are refused', async () => {
    const pipeline = `
vars: [more.yaml, {own: here}, 'part.json:one']
stages:
  s: {vars: [{inner: 5}], cmd: ': \${more} \${own} \${one} \${inner} \${p}', params: [p]}
`;
    const files = { 'params.yaml': 'p: 1', 'more.yaml': 'more: 2', 'part.json': '{"one": 3, "p": 9}' };
    expect(await commands(pipeline, files)).toEqual({ s: ': 2 here 3 5 1' });
    const twice = project({ 'pipeline.yaml': pipeline, ...files, 'more.yaml': 'p: 2\nmore: 2' });
    const { exit, stderr } = await twice.repro();
    expect([exit, stderr]).toEqual([2, expect.stringMatching(/"p" has two values in the vars: 1 and 2/)]);
  });
});

describe('many stages from one definition', () => {
  test('matrix: every combination that is not excluded, named by the values', async () => {
    expect(
      await commands(
        'stages:\n  t:\n    matrix: {arch: [gpt, lstm], size: [1, 2], exclude: [{arch: lstm, size: 2}]}\n    cmd: ": ${item.arch} ${item.size}"\n    params: [p]\n',
        { 'params.yaml': 'p: 1' },
      ),
    ).toEqual({ 't@gpt-1': ': gpt 1', 't@gpt-2': ': gpt 2', 't@lstm-1': ': lstm 1' });
    const wrong = project({ 'pipeline.yaml': 'stages:\n  t: {matrix: {a: [1], exclude: [{b: 1}]}, cmd: ":"}\n' });
    expect((await wrong.repro()).stderr).toMatch(/exclude names "b", which is not an axis; the axes are a/);
  });

  test('matrix: a list that depends on the value of an earlier axis', async () => {
    const pipeline =
      'stages:\n  t:\n    matrix: {size: [tiny, big, 2], seed: {by: size, values: "${seeds}"}}\n    cmd: ": ${item.size} ${item.seed}"\n    params: [seeds]\n';
    const cells = async (seeds: string) =>
      Object.keys(await commands(pipeline, { 'params.yaml': `seeds: ${seeds}` }))
        .map((name) => name.slice(2))
        .sort();
    const perSize = await cells('{tiny: [1, 2], "2": [3], other: [4], default: [1]}');
    expect(perSize).toEqual(['2-3', 'big-1', 'tiny-1', 'tiny-2']);
    expect(await cells('[7]')).toEqual(['2-7', 'big-7', 'tiny-7']);
  });

  test('matrix of mappings: named by axis and index', async () => {
    expect(
      await commands('stages:\n  t: {matrix: {run: [{lr: 1}, {lr: 2}]}, cmd: ": ${item.run.lr}", params: [p]}\n', {
        'params.yaml': 'p: 1',
      }),
    ).toEqual({ 't@run0': ': 1', 't@run1': ': 2' });
  });

  test('foreach over a list, a mapping and a list of mappings', async () => {
    expect(
      await commands(
        `
stages:
  list: {foreach: [a, b], do: {cmd: ': \${item} \${key}', params: [p]}}
  map: {foreach: {x: {n: 1}, y: {n: 2}}, do: {cmd: ': \${key} \${item.n}', params: [p]}}
  maps: {foreach: [{n: 1}], do: {cmd: ': \${item.n} \${key}', params: [p]}}
`,
        { 'params.yaml': 'p: 1' },
      ),
    ).toEqual({
      'list@a': ': a a',
      'list@b': ': b b',
      'map@x': ': x 1',
      'map@y': ': y 2',
      'maps@0': ': 1 0',
    });
  });
});

test('wdir: the command runs there, and the paths of the stage are relative to it', async () => {
  const made = project({
    'pipeline.yaml':
      'stages:\n  s: {wdir: sub/deep, cmd: cp in.txt ../out.txt, deps: [in.txt], params: [{../p.yaml: [a]}], outs: [../out.txt]}\n',
    'sub/deep/in.txt': 'x',
    'sub/p.yaml': 'a: 1\nb: 2\n',
  });
  await made.outcomes();
  expect(made.lock().stages.s).toMatchObject({
    wdir: 'sub/deep',
    deps: { 'sub/deep/in.txt': {} },
    params: { 'sub/p.yaml': { a: 1 } },
    outs: { 'sub/out.txt': {} },
  });
  made.write('sub/p.yaml', 'a: 1\nb: 3\n');
  expect(await made.outcomes()).toEqual({});
  made.write(
    'pipeline.yaml',
    made.read('pipeline.yaml').replace('sub/deep', 'sub/nowhere').replace('in.txt]', '../deep/in.txt]'),
  );
  const { exit, stdout } = await made.repro();
  expect([exit, stdout]).toEqual([1, expect.stringMatching(/✗ s: its working folder sub\/nowhere does not exist/)]);
});

test('params: keys of params.yaml, keys of other files, and whole files', async () => {
  const made = project({
    'pipeline.yaml': 'stages:\n  s: {cmd: "true", params: [a.b, {other.yaml: [c]}, {whole.json: null}]}\n',
    'params.yaml': 'a: {b: 1, c: 2}',
    'other.yaml': 'c: 1\nd: 1',
    'whole.json': '{"x": {"y": 1}}',
  });
  await made.outcomes();
  made.write('params.yaml', 'a: {b: 1, c: 3}');
  made.write('other.yaml', 'c: 1\nd: 2');
  expect(await made.stale()).toEqual({});
  made.write('whole.json', '{"x": {"y": 2}}');
  expect((await made.stale()).s.reasons).toEqual([{ kind: 'param', file: 'whole.json', key: 'x.y', old: 1, new: 2 }]);
});

test('dag shows desc; a frozen upstream stage does not run; more memory or cpus than the machine has are refused', async () => {
  const made = project({
    'pipeline.yaml': `
stages:
  up: {desc: makes it, cmd: cp in.txt up.txt, deps: [in.txt], outs: [up.txt], frozen: true}
  down: {cmd: cp up.txt down.txt, deps: [up.txt], outs: [down.txt]}
`,
    'in.txt': 'a',
    'up.txt': 'by hand',
  });
  expect(JSON.parse((await made.repro('dag', '--json')).stdout).stages[0].desc).toBe('makes it');
  expect(await made.outcomes()).toEqual({ down: 'ran' });
  expect(made.read('down.txt')).toBe('by hand');
  made.write('pipeline.yaml', 'stages:\n  s: {cmd: "true", resources: {memory: 900TiB}}\n');
  expect((await made.repro()).stderr).toMatch(/^repro: s wants 900 TiB of memory, but this machine has .* GiB\n$/);
  made.write('pipeline.yaml', `stages:\n  s: {cmd: "true", resources: {cpus: ${availableParallelism() + 1}}}\n`);
  expect((await made.repro()).exit).toBe(2);
  made.write('pipeline.yaml', 'limits: {net: 1}\nstages:\n  s: {cmd: "true", resources: {net: 2}}\n');
  expect((await made.repro()).stderr).toBe('repro: s wants 2 of net, but its limit is 1\n');
});
