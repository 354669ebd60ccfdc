/** Mistakes in the pipeline, the params or the command line are reported with their position before anything runs. */
import { afterEach, describe, expect, test } from 'vitest';
import { project, removeProjects } from '../project.ts';

afterEach(removeProjects);

describe('a mistake is reported before anything runs, in one sentence with its position, and repro exits with 2', () => {
  const cases: [name: string, pipeline: string, params: string, message: RegExp][] = [
    [
      'an unknown key',
      'stages:\n  a:\n    cmd: x\n    dep: [b]\n',
      '',
      /^repro: pipeline\.yaml:4:5: unknown key "dep" in stages\.a; did you mean "deps"\?\n$/,
    ],
    [
      'a wrong type',
      'stages:\n  a:\n    cmd: x\n    deps: b\n',
      '',
      /pipeline\.yaml:4:11: stages\.a\.deps: must be a list, but is "b"\n$/,
    ],
    [
      'a missing command',
      'stages:\n  a:\n    deps: [b]\n',
      '',
      /pipeline\.yaml:2:3: the key "cmd" is missing from stages\.a\n$/,
    ],
    ['a pipeline that is not YAML', 'stages:\n  a: [\n', '', /pipeline\.yaml:3:1: this is not valid YAML/],
    [
      'a template that needs quotes',
      'stages:\n  a: {cmd: echo, matrix: {n: ${n}}}\n',
      'n: [1]',
      /^repro: pipeline\.yaml:2:\d+: this is not valid YAML: .*; inside \{ \} and \[ \] a template needs quotes: .*\n$/,
    ],
    [
      'a headline that no stage makes',
      'headline: out/fund.txt\nstages:\n  a: {cmd: echo, outs: [out/found.txt]}\n',
      '',
      /^repro: pipeline\.yaml:1:1: no stage makes the headline "out\/fund\.txt"; did you mean "out\/found\.txt"\?; name a file that is an output, or lies in one\n$/,
    ],
    ['an empty file', '', '', /pipeline\.yaml: is empty/],
    [
      'an unknown name in a template',
      'stages:\n  a:\n    cmd: echo ${train.lrr}\n',
      'train: {lr: 1}',
      /pipeline\.yaml:3:15: \$\{train\.lrr\}: there is no "lrr"; did you mean "lr"\?/,
    ],
    [
      'an unknown name in a later line of a command, after a template that is right',
      'stages:\n  a:\n    cmd: |\n      echo ${a}\n      echo ${a} ${ b.c }\n',
      'a: 1',
      /pipeline\.yaml:5:17: \$\{b\.c\}: there is no "b"/,
    ],
    [
      'a command that a ": " makes a mapping',
      'stages:\n  a:\n    cmd:\n      - echo one\n      - echo hello: world\n',
      '',
      /pipeline\.yaml:5:9: this command is a mapping with the key "echo hello"; a command is a text or \{argv: .*needs quotes/,
    ],
    [
      'the same without a list',
      'stages:\n  a:\n    cmd: echo hello: world\n',
      '',
      /pipeline\.yaml:3:10: this is not valid YAML: a text that has ": " needs quotes/,
    ],
    [
      'an output that is listed twice, with other options',
      'stages:\n  a: {cmd: ls, params: [k], outs: [o, {./o: {persist: true}}]}\n',
      'k: 1',
      /pipeline\.yaml:2:39: outs: "o" is listed twice, with no options and with \{persist: true\}; keep one/,
    ],
    [
      'a template without a closing brace',
      'stages:\n  a:\n    cmd: echo ${train\n',
      'train: 1',
      /pipeline\.yaml:3:15: "\$\{" without its "\}"/,
    ],
    [
      'an expression in a template',
      'stages:\n  a:\n    cmd: echo ${a + b}\n',
      'a: 1\nb: 2',
      /pipeline\.yaml:3:15: \$\{a \+ b\} is not a reference/,
    ],
    [
      'a mapping inside a path',
      'stages:\n  a:\n    cmd: echo\n    outs: ["${a}.txt"]\n',
      'a: {b: 1}',
      /\$\{a\} is a mapping, which cannot be part of a text/,
    ],
    [
      'a matrix axis that is not a list',
      'stages:\n  a:\n    matrix: {x: "${a}"}\n    cmd: echo\n',
      'a: 3',
      /pipeline\.yaml:3:13: matrix\.x must be a list, but is 3/,
    ],
    [
      'a missing dependency',
      'stages:\n  a:\n    cmd: x\n    deps: [gone.txt]\n',
      '',
      /pipeline\.yaml:4:12: a: the dependency "gone\.txt" is missing, and no stage makes it/,
    ],
    [
      'a missing param',
      'stages:\n  a:\n    cmd: x\n    params: [train.lrr]\n',
      'train: {lr: 1}',
      /a: there is no param "train\.lrr" in params\.yaml; did you mean "lr"\?/,
    ],
    [
      'an output in two stages',
      'stages:\n  a: {cmd: x, outs: [o]}\n  b: {cmd: x, outs: [./o]}\n',
      '',
      /pipeline\.yaml:3:3: the output "o" belongs to two stages, a and b/,
    ],
    [
      'outputs inside each other',
      'stages:\n  a: {cmd: x, outs: [./o/]}\n  b: {cmd: x, outs: [o/../o/p]}\n',
      '',
      /pipeline\.yaml:3:3: the output "o\/p" of b lies inside the output "o" of a/,
    ],
    [
      'a cycle',
      'stages:\n  a: {cmd: x, deps: [c1], outs: [a1]}\n  b: {cmd: x, deps: [a1], outs: [b1]}\n  c: {cmd: x, deps: [b1/x], outs: [c1]}\n',
      '',
      /pipeline\.yaml:2:3: .*cycle.*: a → b → c → a/,
    ],
    [
      'a stage that depends on itself',
      'stages:\n  a: {cmd: x, deps: [o/p], outs: [o]}\n',
      '',
      /pipeline\.yaml:2:3: a depends on its own output/,
    ],
    [
      'an output outside the folder of the pipeline',
      'stages:\n  a: {cmd: x, outs: [../o]}\n',
      '',
      /the output "\.\.\/o" must lie inside the pipeline's folder/,
    ],
    [
      'more cpus than the machine has',
      'stages:\n  a: {cmd: x, resources: {cpus: 4000}}\n',
      '',
      /a wants 4000 cpus, but this machine has \d+/,
    ],
    [
      'an unknown resource',
      'stages:\n  a:\n    cmd: x\n    resources: {cpu: 1}\n',
      '',
      /pipeline\.yaml:4:17: .*unknown resource "cpu"; did you mean "cpus"\?/,
    ],
    [
      'a timeout that is not a time',
      'stages:\n  a: {cmd: x, timeout: soon}\n',
      '',
      /timeout: must be a number of seconds, or a text such as "90s"/,
    ],
    [
      'the same value twice on an axis',
      'stages:\n  a:\n    matrix: {x: "${a}"}\n    cmd: echo\n',
      'a: [3, 4, 3]',
      /pipeline\.yaml:3:13: matrix\.x holds 3 twice/,
    ],
    [
      'a template without a params file',
      'stages:\n  a:\n    cmd: echo ${a}\n',
      '',
      /pipeline\.yaml:3:15: \$\{a\}: there is no "a"; params\.yaml is missing or empty/,
    ],
    [
      'params that are not YAML',
      'stages:\n  a: {cmd: x}\n',
      'a: [1\nb: }',
      /params\.yaml:2:\d+: this is not valid YAML/,
    ],
    [
      'a tab as indentation',
      'stages:\n  a: {cmd: x}\n',
      'a:\n\tb: 1\n',
      /params\.yaml:2:1: .*: a tab cannot indent; use spaces\n$/,
    ],
    [
      'the same key twice',
      'stages:\n  a: {cmd: x}\n',
      'a: 1\nb: 2\na: 3',
      /params\.yaml:3:1: .*: the key a appears here a second time/,
    ],
    [
      'a key without colon',
      'stages:\n  a: {cmd: x}\n',
      'a: 1\nb 2\nc: 3',
      /params\.yaml:2:1: .*: a key needs ": " after it/,
    ],
    [
      'a list without a closing bracket',
      'stages:\n  a: {cmd: x}\n',
      'a: [1, 2\nb: 3',
      /params\.yaml:2:1: .*: a \[ is not closed by its \]/,
    ],
    [
      'a merge conflict',
      'stages:\n  a: {cmd: x}\n',
      'a: 1\n<<<<<<< HEAD\nb: 1\n=======\nb: 2\n>>>>>>> theirs\n',
      /params\.yaml:2:1: holds a merge conflict/,
    ],
    [
      'an alias to a value that contains it',
      'stages:\n  a: {cmd: x}\n',
      'a: &a {b: [*a]}',
      /params\.yaml:1:12: a\.b\[0\] refers to a value that contains it/,
    ],
    [
      'a number that JSON cannot represent',
      'stages:\n  a: {cmd: x, params: [a]}\n',
      'a: {b: .inf}',
      /params\.yaml:1:8: a\.b: must be a finite number, but is \.inf/,
    ],
  ];
  test.each(cases)('%s', async (_, pipeline, params, message) => {
    const made = project({ 'pipeline.yaml': pipeline, 'params.yaml': params });
    const { exit, stdout, stderr } = await made.repro();
    expect({ exit, stdout, stderr }).toEqual({ exit: 2, stdout: '', stderr: expect.stringMatching(message) });
    expect(made.exists('dvc-like.lock')).toBe(false);
  });

  test('params are checked against their schema before any template is filled in, and a mistyped key is reported once', async () => {
    const schema = {
      type: 'object',
      required: ['rate', 'seeds'],
      properties: {
        rate: { type: 'number' },
        seeds: { type: 'array', minItems: 1, uniqueItems: true },
        sizes: { propertyNames: { pattern: '^\\w+$', description: 'a plain word' } },
      },
      additionalProperties: false,
    };
    const made = project({
      'pipeline.yaml':
        'schemas: {params.yaml: params.schema.json}\nstages:\n  t: {matrix: {seed: "${seeds}"}, cmd: ": ${rate}", params: [rate]}\n',
      'params.schema.json': JSON.stringify(schema),
    });
    const errorOf = async (params: string) => {
      made.write('params.yaml', params);
      return (await made.repro()).stderr;
    };
    expect(await errorOf('rat: 1\nseeds: [1]\n')).toBe(
      'repro: params.yaml:1:1: unknown key "rat"; did you mean "rate"?\n',
    );
    expect(await errorOf('rate: 1\nseeds: 3\n')).toBe('repro: params.yaml:2:8: seeds: must be a list, but is 3\n');
    expect(await errorOf('rate: 1\nseeds: [4, 4]\n')).toBe('repro: params.yaml:2:12: seeds: holds 4 twice\n');
    expect(await errorOf('rate: 1\nseeds: []\n')).toBe(
      'repro: params.yaml:2:8: seeds: must have at least 1 item, but has 0\n',
    );
    expect(await errorOf('rate: 1\nseeds: [1]\nsizes: {a b: 1}\n')).toBe(
      'repro: params.yaml:3:9: "a b" is not an allowed name in sizes: a plain word\n',
    );
    made.remove('params.yaml');
    expect((await made.repro()).stderr).toBe('repro: params.yaml: cannot be read: there is no such file or folder\n');
  });

  test('a mistake in every cell of a matrix is reported once, with the names of the stages', async () => {
    const made = project({
      'pipeline.yaml':
        'stages:\n  train:\n    matrix: {size: [1, 2, 3], seed: [1, 2]}\n    cmd: x\n    code: [train.mjs]\n  other: {cmd: x, code: [train.mjs]}\n',
      'train.mjs': "import './gone.mjs';\n",
    });
    const failed = async () => {
      const { exit, stderr } = await made.repro();
      return [exit, stderr];
    };
    expect(await failed()).toEqual([
      2,
      'repro: train.mjs:1:8: train@1-1, train@1-2, train@2-1, train@2-2 and 3 more: this code cannot be followed: Could not resolve "./gone.mjs"\n',
    ]);
    made.write('train.mjs', '');
    made.write(
      'pipeline.yaml',
      made.read('pipeline.yaml').replace('code: [train.mjs]\n  other', 'deps: [gone.txt]\n  other'),
    );
    expect(await failed()).toEqual([
      2,
      'repro: pipeline.yaml:5:12: train@1-1, train@1-2, train@2-1, train@2-2 and 2 more: the dependency "gone.txt" is missing, and no stage makes it\n',
    ]);
  });

  test('all params that do not match their schema are reported together', async () => {
    const made = project({
      'pipeline.yaml':
        'schemas: {params.yaml: params.schema.json}\nstages:\n  a: {cmd: echo >> runs.log, params: [train.lr]}\n',
      'params.schema.json': JSON.stringify({
        properties: {
          train: {
            properties: { lr: { type: 'number' }, kind: { enum: ['gpt', 'lstm'] } },
            additionalProperties: false,
          },
        },
        additionalProperties: false,
      }),
      'params.yaml': 'train:\n  lr: fast\n  kidn: gpt\n  kind: gtp\n',
    });
    const { exit, stderr } = await made.repro();
    expect(exit).toBe(2);
    expect(stderr.split('\n')).toEqual([
      'repro: params.yaml:2:7: train.lr: must be a number, but is "fast"',
      'params.yaml:3:3: unknown key "kidn" in train; did you mean "kind"?',
      'params.yaml:4:9: train.kind: is "gtp"; did you mean "gpt"?',
      '',
    ]);
    expect(made.exists('runs.log')).toBe(false);
  });

  test('a wrong command line is reported', async () => {
    const made = project({ 'pipeline.yaml': 'stages:\n  train: {cmd: echo}\n', 'params.yaml': 'train: {lr: 1}' });
    for (const [args, message] of [
      [['tarin'], /there is no stage or output "tarin"; did you mean "train"\?/],
      [['--forse'], /^repro: unknown option '--forse'/],
      [['-j', '0'], /^repro: -j 0: must be a whole number of at least 1/],
      [['metrics', 'show', '--precision', 'x'], /^repro: --precision x: must be a whole number of at least 1/],
      [['log', '-n', '0'], /^repro: -n 0: must be a whole number of at least 1/],
      [['-S', 'train.rl=1'], /there is no "rl" in params\.yaml; did you mean "lr"\?/],
      [
        ['-S', 'train.lr=[1'],
        /^repro: -S train\.lr=\[1: the value: this is not valid YAML: a \[ is not closed by its \]\n$/,
      ],
    ] as const) {
      const { exit, stderr } = await made.repro(...args);
      expect([exit, stderr]).toEqual([2, expect.stringMatching(message)]);
    }
    expect(made.read('params.yaml')).toBe('train: {lr: 1}');
  });
});
