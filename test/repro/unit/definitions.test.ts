/** Definitions that are refused, because they would mean something else than they seem to. Each error has its place. */
import { describe, expect, test } from 'vitest';
import { loadPipeline } from '../../../lib/repro/pipeline/index.ts';

/** Reads a pipeline whose stages are written on one line. */
async function load(stages: string, files: { [file: string]: string } = {}) {
  const texts: { [file: string]: string } = { 'params.yaml': PARAMS, 'pipeline.yaml': stages, ...files };
  return loadPipeline('/', { read: async (file) => texts[file] }, (_document, _schema, check) => check());
}

const PARAMS = "map: {lr: 1}\nlist: [a, b]\nmaps: [{a: 1}]\nempty: ''\nnone:\nyes: true\nx: X\nsame: X\n";

describe('templates', () => {
  test.each([
    ['stages: {s: {cmd: a, deps: ["${map}"]}}', '1:29: deps: "${map}" must be a path, but is a mapping'],
    ['stages: {s: {cmd: a, outs: ["${maps}"]}}', '1:29: outs: "${maps}" must be a path, but has a mapping'],
    ['stages: {s: {cmd: a, deps: ["${empty}"]}}', '1:29: deps: "${empty}" must be a path, but is an empty text'],
    ['stages: {s: {cmd: a, outs: [{"${empty}": null}]}}', '1:29: outs: must be a path, but is an empty text'],
    ['stages: {s: {cmd: ""}}', '1:19: stages.s.cmd: must not be empty'],
    ['stages: {s: {cmd: a, metrics: ["${none}"]}}', '1:32: metrics: "${none}" must be a path, but is empty'],
    ['stages: {s: {cmd: a, code: ["${yes}"]}}', '1:29: code: "${yes}" must be a path, but is true'],
    ['stages: {s: {cmd: a, params: ["${map}"]}}', '1:31: params: "${map}" must be a key, but is a mapping'],
    ['stages: {s: {cmd: a, params: [{p: ["${map}"]}]}}', '1:35: the keys of p must be texts, but one is a mapping'],
    ['stages: {s: {cmd: a, env: {A: "${list}"}}}', '1:31: A: must be a text or a number, but is a list'],
    ['stages: {s: {cmd: a, env: {"${x}": 1, "${same}": 2}}}', '"${same}" becomes "X", which is there already'],
    ['stages: {s: {cmd: [a, "b ${}"]}}', '1:26: ${} is not a reference'],
    ['stages: {s: {cmd: [a, "b ${x"]}}', '1:26: "${" without its "}"'],
    ['stages: {s: {cmd: [a, "b ${x.${x}}"]}}', '1:26: ${x.${x} is not a reference'],
  ])('%s is refused', async (pipeline, message) => {
    await expect(load(pipeline)).rejects.toThrow(message);
  });

  test.each([
    ['vars: [{a: [{b: "${x}"}]}]\nstages: {}', '1:17: the vars have the template "${x}"'],
    ['vars: [{"${x}": 1}]\nstages: {}', '1:17: the vars have the template "${x}"'],
    ['vars: ["${x}.yaml"]\nstages: {}', '1:8: the vars have the template "${x}"'],
    ['stages: {s: {cmd: a, vars: [{a: "${x}"}]}}', '1:33: the vars have the template "${x}"'],
    ['stages: {s: {foreach: [1], do: {cmd: a, vars: [{item: 1}]}}}', '1:48: "item" is set by foreach'],
    ['stages: {s: {matrix: {a: [1]}, cmd: a, vars: [{key: 1}]}}', '1:47: "key" is set by matrix'],
    ['stages: {s: {matrix: {a: [1]}, cmd: a, vars: [item.yaml]}}', '1:47: "item" is set by matrix'],
    ['stages: {s: {cmd: a, wdir: w, vars: [item.yaml]}}', '1:38: there is no file "w/item.yaml"; vars files'],
  ])('vars that would be wrong without a word: %s', async (pipeline, message) => {
    await expect(load(pipeline, { 'item.yaml': 'item: 1\n' })).rejects.toThrow(message);
  });

  test('an escaped template among the vars is text', async () => {
    const { stages } = await load("vars: [{a: '\\${x}'}]\nstages: {s: {cmd: a, desc: '${a} \\${x} ${x}'}}");
    expect(stages[0].desc).toBe('\\${x} ${x} X');
  });
});

describe('cells', () => {
  test.each([
    ['stages: {s: {foreach: [1], do: {cmd: a, matrix: {a: [1]}}}}', '1:41: s: a stage has either foreach or matrix'],
    ['stages: {s: {matrix: {}, cmd: a}}', '1:22: the matrix has no axis'],
    ['stages: {s: {matrix: {exclude: []}, cmd: a}}', '1:22: the matrix has no axis'],
    ['stages: {s: {matrix: {a: [1, 1.0]}, cmd: a}}', 'matrix.a holds 1.0 twice'],
    ['stages: {s: {foreach: [1, 01], do: {cmd: a}}}', 'foreach holds 01 twice'],
    [
      'stages: {s: {matrix: {a: [1], exclude: "${list}"}, cmd: a}}',
      'exclude must have combinations of axes, but has "a"',
    ],
    [
      'stages: {s: {matrix: {a: {by: b, values: [1]}, b: [1]}, cmd: a}}',
      'matrix.a.by must name an axis before a (there is none), but is "b"',
    ],
    [
      'stages: {s: {matrix: {a: [x, y], b: {by: a, values: {x: [1]}}}, cmd: a}}',
      'matrix.b.values has no list for the a y, and no default',
    ],
    ['stages: {s: {matrix: {a: [x], b: {by: a, values: {y: [1, 1]}}}, cmd: a}}', 'matrix.b.values.y holds 1 twice'],
    ['stages: {s: {matrix: {a: [x], b: {by: a, values: "${list[0]}"}}, cmd: a}}', 'matrix.b.values must be a list'],
    ['stages: {s: {matrix: {a: "${list[0]}"}, cmd: a}}', 'matrix.a must be a list, but is "a"'],
  ])('%s is refused', async (pipeline, message) => {
    await expect(load(pipeline)).rejects.toThrow(message);
  });

  test('vars files are in the wdir, also if it depends on the cell', async () => {
    const { stages, sources } = await load(
      'stages: {s: {foreach: [a, b], do: {wdir: "${top}/${item}", vars: [p.yaml, {top: w}], cmd: a, desc: "${x1}"}}}',
      { 'p.yaml': 'x1: wrong\n', 'w/a/p.yaml': 'x1: A\n', 'w/b/p.yaml': 'x1: B\n' },
    );
    expect(stages.map(({ desc }) => desc)).toEqual(['A', 'B']);
    expect(sources).toEqual(['pipeline.yaml', 'params.yaml', 'w/a/p.yaml', 'w/b/p.yaml']);
  });
});

describe('names', () => {
  const anything = [
    'a b',
    'k=v',
    'x/y/',
    ' ',
    '',
    '@',
    '*',
    '$(x)',
    "it's",
    '-1',
    '<b>',
    'https://x.org/?a=1&b=2',
    '日本',
  ];

  test('a stage has a name of letters, digits, blanks and some punctuation; the values of a cell are any text', async () => {
    const allowed = ['1', 'train', 'a b', 'v1.0', 'src/a+b', 'x,y=z:~%', '学習', 'é', '🎵'];
    const stages = allowed.map((name) => `  ${JSON.stringify(name)}: {cmd: a}\n`).join('');
    const cells = `  cells: {matrix: {x: ${JSON.stringify(anything)}}, cmd: a}\n`;
    expect((await load(`stages:\n${stages}${cells}`)).stages.map(({ name }) => name)).toEqual([
      ...allowed,
      ...anything.map((value) => `cells@${value}`),
    ]);
  });

  test.each([
    ['""', 'the name "" is empty'],
    ['" a"', 'begins with a blank, - or /, or ends with a blank or /'],
    ['"a/"', 'begins with a blank, - or /, or ends with a blank or /'],
    ['"-j"', 'begins with a blank, - or /, or ends with a blank or /'],
    ['a@b', 'contains an @, which separates the name of a stage from its cell'],
    ['"$(id)"', 'contains the character $; it may have letters, digits, blanks and _-.,+=:%~/'],
    ['"a;b"', 'contains the character ;'],
    ['"a\\nb"', 'contains a line break'],
    ['"a\\eb"', 'contains the character U+001B'],
    ['"a\\u202eb"', 'contains the character U+202E'],
    ['"a\\ud800b"', 'contains the character U+D800'],
    ['n'.repeat(201), 'has 201 characters, and 200 are allowed'],
  ])('a stage cannot be named %s', async (name, message) => {
    await expect(load(`stages: {? ${name} : {cmd: a}}`)).rejects.toThrow(`pipeline.yaml:1:`);
    await expect(load(`stages: {? ${name} : {cmd: a}}`)).rejects.toThrow(message);
  });

  test.each([
    ['"a\\tb"', 'the name of the cell "a\tb" contains a tab; if the values are mappings, such as {value: …}'],
    ['"\\x9b2J"', 'contains the character U+009B'],
    ['v'.repeat(201), 'has 201 characters, and 200 are allowed'],
  ])('a cell cannot have the value %s', async (value, message) => {
    await expect(load(`stages: {s: {matrix: {x: [${value}]}, cmd: a}}`)).rejects.toThrow(message);
    await expect(load(`stages: {s: {foreach: {${value}: 1}, do: {cmd: a}}}`)).rejects.toThrow(
      /^pipeline\.yaml:1:23: the name/,
    );
    expect((await load(`stages: {s: {matrix: {x: [{value: ${value}}]}, cmd: a}}`)).stages[0].name).toBe('s@x0');
  });

  test.each(['', 'A=B'])('a variable cannot be named "%s"', async (name) => {
    await expect(load(`stages: {s: {cmd: a, env: {"${name}": 1}}}`)).rejects.toThrow(
      /^pipeline\.yaml:1:\d+: ".*" cannot name a variable/,
    );
  });
});

test.each([
  'stages: {s: {cmd: "a\\0"}}',
  'stages: {s: {cmd: {argv: [a, "\\0"]}}}',
  'stages: {s: {cmd: a, deps: ["\\0"]}}',
  'stages: {s: {cmd: a, outs: [{"a\\0": {cache: false}}]}}',
  'stages: {s: {cmd: a, wdir: "\\0"}}',
  'stages: {s: {cmd: a, checkpoint: "\\0"}}',
  'stages: {s: {cmd: a, env: {A: "\\0"}}}',
  'stages: {s: {cmd: a, env: {"A\\0": 1}}}',
  'stages: {"a\\0": {cmd: a}}',
  'vars: ["\\0.yaml"]\nstages: {}',
  'stages: {s: {cmd: "echo ${nul}"}}',
  'stages: {s: {cmd: {argv: [a, "${nuls}"]}}}',
  'stages: {s: {cmd: a, deps: ["${nul}"]}}',
  'stages: {s: {foreach: "${nuls}", do: {cmd: a}}}',
])('a NUL character is refused: %s', async (pipeline) => {
  const files = { 'params.yaml': 'nul: "a\\0"\nnuls: ["a\\0"]\n' };
  await expect(load(pipeline, files)).rejects.toThrow(/^pipeline\.yaml:1:\d+: .*has a NUL character/);
});

test('a number may have any form where a number is needed', async () => {
  const { stages, limits } = await load(
    'limits: {net: 2.0}\nstages: {s: {cmd: a, timeout: 10.0, retries: 1.0, resources: {cpus: 1e0, memory: 1e6}}}',
  );
  expect(limits).toEqual({ net: 2 });
  expect(stages[0]).toMatchObject({ timeout: 10, retries: 1, resources: { cpus: 1, memory: 1000000 } });
});
