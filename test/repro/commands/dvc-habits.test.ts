/** Options and forms that users of DVC expect. */
import { afterEach, describe, expect, test } from 'vitest';
import { project, removeProjects } from '../project.ts';

afterEach(removeProjects);

const CHAIN = `
stages:
  a: {cmd: 'cat in.txt | wc -l > a.txt', deps: [in.txt], outs: [a.txt]}
  b: {cmd: cp a.txt b.txt, deps: [a.txt], outs: [b.txt]}
  c: {cmd: cp b.txt c.txt, deps: [b.txt], outs: [c.txt]}
`;

describe('templates', () => {
  test('a mapping in a command is its options', async () => {
    const made = project({
      'pipeline.yaml': `
stages:
  text: {cmd: 'echo \${train} > text', params: [train], outs: [text]}
  argv: {cmd: {argv: [sh, -c, 'echo "$@" > argv', sh, "\${train}"]}, params: [train], outs: [argv]}
  keys: {cmd: "echo \${train[opt][name]} \${train[sizes][1]} > keys", params: [train], outs: [keys]}
`,
      'params.yaml': `train:
  lr: 1e-3
  opt: {name: "it's a; b"}
  sizes: [1, 2]
  fast: true
  dry: false
`,
    });
    await made.outcomes();
    expect(made.read('text')).toBe("--lr 1e-3 --opt.name it's a; b --sizes 1 2 --fast\n");
    expect(made.read('argv')).toBe(made.read('text'));
    expect(made.read('keys')).toBe("it's a; b 2\n");
  });

  test('a mapping that cannot be options is refused, with the place of the template', async () => {
    const refused = async (params: string) => {
      const made = project({
        'pipeline.yaml': 'stages:\n  a: {cmd: "run ${t}"}\n',
        'params.yaml': `t: ${params}\n`,
      });
      return (await made.repro('--dry')).stderr;
    };
    expect(await refused('{a: null}')).toBe(
      'repro: pipeline.yaml:2:17: ${t} is a mapping, but a in it is empty; give it a value, or leave it out\n',
    );
    expect(await refused('{"$(rm x)": 1}')).toContain('$(rm x) in it cannot be the name of an option');
    expect(await refused('{a: [[1]]}')).toContain('a in it has a list or a mapping in its list');
  });
});

describe('params in TOML', () => {
  const PIPELINE = `
vars: [config.toml]
stages:
  a:
    cmd: echo \${model.width} > a
    params: [{config.toml: [model.width, runs]}]
    outs: [a]
`;
  const TOML =
    '# comment\nbig = 12345678901234567890\n\n[model]\nwidth = 8\n"a b" = 1979-05-27\n\n[[runs]]\nseed = 1\n';

  test('are values for templates and inputs of stages, and can be shown', async () => {
    const made = project({ 'pipeline.yaml': PIPELINE, 'config.toml': TOML });
    await made.outcomes();
    expect(made.read('a')).toBe('8\n');
    made.write('config.toml', TOML.replace('seed = 1', 'seed = 2'));
    expect((await made.stale()).a.reasons).toEqual([
      { kind: 'param', file: 'config.toml', key: 'runs[0].seed', old: 1, new: 2 },
    ]);
    expect((await made.repro('params', 'show')).stdout.replace(/ +/g, ' ')).toBe(`file param value
config.toml big 12345678901234567890
config.toml model.width 8
config.toml model.a b 1979-05-27
config.toml runs[0].seed 2
`);
    expect(JSON.parse((await made.repro('params', 'show', '--json', 'config.toml')).stdout)['config.toml'].big).toBe(
      Number('12345678901234567890'),
    );
  });

  test('the same text is another value in a file of YAML', async () => {
    const made = project({
      'pipeline.yaml':
        'stages:\n  a: {cmd: touch a, params: [{x.toml: [a]}], outs: [a]}\n  b: {cmd: touch b, params: [{x.yaml: null}], outs: [b]}\n',
      'x.toml': 'a = 1\n',
      'x.yaml': 'a = 1\n',
    });
    await made.outcomes();
    expect(made.lock().stages.a.params['x.toml']).toEqual({ a: 1 });
    expect(made.lock().stages.b.params['x.yaml']).toEqual({ '': 'a = 1' });
  });

  test('errors name file, line and column, and -S leaves TOML to an editor', async () => {
    const made = project({ 'pipeline.yaml': PIPELINE, 'config.toml': `${TOML}[model\n` });
    expect((await made.repro('--dry')).stderr).toMatch(/^repro: config\.toml:10:\d+: this is not valid TOML: /);
    made.write('config.toml', TOML.replace('width', 'wide'));
    expect((await made.repro('--dry')).stderr).toContain('there is no "width"; known here: wide');
    made.write('config.toml', TOML.replace('width = 8', 'width = inf'));
    expect((await made.repro('--dry')).stderr).toBe(
      'repro: config.toml:5:9: model.width: must be a finite number, but is .inf\n',
    );
    expect((await made.repro('-S', 'config.toml:model.width=9')).stderr).toContain('change config.toml in an editor');
  });
});

test('params show says which file it cannot show', async () => {
  const made = project({
    'pipeline.yaml': CHAIN,
    'in.txt': '',
    'params.yaml': 'lr: 1e-3\nname: gpt\nlist: [010, a]\n',
  });
  expect((await made.repro('params', 'show')).stdout.replace(/ +/g, ' ')).toBe(
    'file param value\nparams.yaml lr 1e-3\nparams.yaml name gpt\nparams.yaml list[0] 010\nparams.yaml list[1] a\n',
  );
  const missing = await made.repro('params', 'show', 'x.yaml');
  expect([missing.exit, missing.stderr]).toEqual([1, 'repro: x.yaml is missing, or cannot be read\n']);
});

describe('repro', () => {
  test('--force-downstream runs what is below a stage that ran, also with the same inputs', async () => {
    const made = project({ 'pipeline.yaml': CHAIN, 'in.txt': '1\n' });
    await made.outcomes();
    made.write('in.txt', '2\n');
    expect(await made.outcomes()).toEqual({ a: 'ran' });
    made.write('in.txt', '3\n');
    const dry = await made.repro('--dry', '--force-downstream');
    expect(dry.stdout).toContain('3 stale');
    expect(await made.outcomes('--force-downstream')).toEqual({ a: 'ran', b: 'ran', c: 'ran' });
    expect(await made.outcomes('--force-downstream')).toEqual({});
    // A stage that is restored counts too.
    made.write('in.txt', '2\n');
    expect(await made.outcomes('--force-downstream')).toEqual({ a: 'restored', b: 'ran', c: 'ran' });
  });

  test('-P stands for all stages', async () => {
    const made = project({ 'pipeline.yaml': CHAIN, 'in.txt': '1\n' });
    expect(await made.outcomes('-P')).toEqual({ a: 'ran', b: 'ran', c: 'ran' });
    const both = await made.repro('-P', 'a');
    expect([both.exit, both.stderr]).toEqual([
      2,
      'repro: -P runs all stages, so it takes no targets, but a was given\n',
    ]);
  });
});

test('--targets limits a comparison to files and folders', async () => {
  const made = project({
    'pipeline.yaml':
      'stages:\n  a: {cmd: "mkdir -p m; echo 1 > m/a.json; echo 2 > m/b.json", params: [x], metrics: [m/a.json, m/b.json]}\n',
    'params.yaml': 'x: 1\n',
  });
  await made.outcomes();
  const { execFileSync } = await import('node:child_process');
  const git = (...args: string[]) => execFileSync('git', args, { cwd: made.root, stdio: 'pipe' });
  git('init', '-q');
  git('-c', 'user.name=t', '-c', 'user.email=t@t', 'commit', '-q', '--allow-empty', '-m', 'empty');
  const keys = async (...args: string[]) => Object.keys(JSON.parse((await made.repro(...args, '--json')).stdout));
  expect(await keys('metrics', 'diff')).toEqual(['m/a.json', 'm/b.json']);
  expect(await keys('metrics', 'diff', '--targets', 'm/b.json')).toEqual(['m/b.json']);
  expect(await keys('metrics', 'diff', '--targets', 'm')).toEqual(['m/a.json', 'm/b.json']);
  expect(await keys('params', 'diff', '--targets', 'params.yaml')).toEqual(['params.yaml']);
  for (const [what, wrong, right] of [
    ['metrics', 'm/c.json', 'm/a.json'],
    ['params', 'param.yaml', 'params.yaml'],
  ]) {
    const { exit, stdout, stderr } = await made.repro(what, 'diff', '--targets', wrong);
    expect([exit, stdout, stderr]).toEqual([
      2,
      '',
      `repro: --targets: neither side lists "${wrong}", or a file in it; did you mean "${right}"?\n`,
    ]);
  }
});

describe('checkout of a part of an output', () => {
  const PIPELINE =
    'stages:\n  a: {cmd: "mkdir -p out/sub; echo 1 > out/x; echo 2 > out/sub/y; ln -s x out/link", params: [p], outs: [out]}\n';

  test('restores the file or folder, and moves what is in its place to the trash', async () => {
    const made = project({ 'pipeline.yaml': PIPELINE, 'params.yaml': 'p: 1\n' });
    await made.outcomes();
    made.write('out/x', 'mine');
    made.write('out/sub/y', 'mine too');
    const one = await made.repro('checkout', 'out/sub/y');
    expect([one.exit, made.read('out/sub/y'), made.read('out/x')]).toEqual([0, '2\n', 'mine']);
    expect(one.stdout).toMatch(/^! a: moved out\/sub\/y to \.repro\/trash\/.*\n1 file checked out\n$/);
    made.remove('out/sub');
    expect((await made.reproIn('out', 'checkout', 'sub')).stdout).toBe('1 file checked out\n');
    expect((await made.repro('checkout', 'out/sub')).stdout).toBe('nothing to check out\n');
    made.write('src/x', '');
    const wrong = await made.reproIn('src', 'checkout', 'out/sub');
    expect([wrong.exit, wrong.stderr]).toEqual([
      2,
      'repro: there is no stage or output "out/sub"; did you mean "../out/sub"? A path is relative to the current folder\n',
    ]);
    expect((await made.reproIn('out', '--dry', '../out')).exit).toBe(0);
    expect((await made.reproIn('out', 'show', 'out')).stderr).toContain('did you mean "."?');
    expect((await made.reproIn('out', 'checkout', '.')).exit).toBe(0);
    expect((await made.reproIn('out', 'checkout', 'a')).exit).toBe(0);
    // Together with a whole output, and from its own folder.
    expect((await made.repro('checkout', 'a', 'out/sub')).exit).toBe(0);
    expect(made.read('out/x')).toBe('1\n');
  });

  test('says what it cannot restore', async () => {
    const made = project({ 'pipeline.yaml': PIPELINE, 'params.yaml': 'p: 1\n' });
    expect((await made.repro('checkout', 'out/x')).stderr).toBe(
      'repro: out/x cannot be checked out: the lock does not have out of a\n',
    );
    await made.outcomes();
    expect((await made.repro('checkout', 'out/z')).stderr).toBe(
      'repro: out/z cannot be checked out: out was recorded without it\n',
    );
    expect((await made.repro('checkout', 'out/link')).stderr).toContain('only comes back with the whole output');
    expect((await made.repro('checkout', 'elsewhere/x')).exit).toBe(2);
  });
});

test('dag --outs shows which output is made from which', async () => {
  const made = project({
    'pipeline.yaml': `${CHAIN}  d: {cmd: touch d1 d2, deps: [a.txt, in.txt], outs: [d1, d2]}\n`,
    'in.txt': '',
  });
  expect((await made.repro('dag', '--outs')).stdout).toBe(
    'a.txt\nb.txt  ←  a.txt\nc.txt  ←  b.txt\nd1  ←  a.txt\nd2  ←  a.txt\n',
  );
  expect((await made.repro('dag', '-o', '--dot', 'b')).stdout).toBe(
    'digraph repro {\n  "a.txt";\n  "b.txt";\n  "a.txt" -> "b.txt";\n}\n',
  );
  expect(JSON.parse((await made.repro('dag', '-o', '--json', 'b')).stdout).edges).toEqual([
    { from: 'a.txt', to: 'b.txt' },
  ]);
});

test('a command of DVC that repro does not have is answered by what does its work here', async () => {
  const made = project({ 'pipeline.yaml': 'stages:\n  a: {cmd: "true"}\n' });
  const { exit, stderr } = await made.repro('exp', 'run');
  expect([exit, stderr]).toEqual([
    2,
    expect.stringMatching(
      /^repro: there is no stage or output "exp"; .*\nif you meant `dvc exp`: `repro -S key=value` edits a param/,
    ),
  ]);
  // A stage of that name is a stage.
  made.write('pipeline.yaml', 'stages:\n  exp: {cmd: "true"}\n');
  expect(await made.outcomes('exp')).toEqual({ exp: 'ran' });
});

test('where there is only a dvc.yaml, the message names import-dvc', async () => {
  const made = project({ 'dvc.yaml': 'stages:\n  a: {cmd: "true"}\n' });
  expect((await made.repro()).stderr).toMatch(/`repro import-dvc` makes one from dvc\.yaml\n$/);
});
