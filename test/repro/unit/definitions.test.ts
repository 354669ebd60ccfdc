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
    ['stages: {s: {cmd: a, metrics: ["${none}"]}}', '1:32: metrics: "${none}" must be a path, but is empty'],
    ['stages: {s: {cmd: a, code: ["${yes}"]}}', '1:29: code: "${yes}" must be a path, but is true'],
    ['stages: {s: {cmd: a, params: ["${map}"]}}', '1:31: params: "${map}" must be a key, but is a mapping'],
    ['stages: {s: {cmd: a, params: [{p: ["${map}"]}]}}', '1:35: the keys of p must be texts, but one is a mapping'],
    ['stages: {s: {cmd: a, env: {A: "${list}"}}}', '1:31: A: must be a text or a number, but is a list'],
    ['stages: {s: {cmd: a, env: {"${x}": 1, "${same}": 2}}}', '"${same}" becomes "X", which is there already'],
    ['stages: {s: {cmd: [a, "b ${}"]}}', '1:23: ${} is not a reference'],
    ['stages: {s: {cmd: [a, "b ${x"]}}', '1:23: "${" without its "}"'],
    ['stages: {s: {cmd: [a, "b ${x.${x}}"]}}', '1:23: ${x.${x} is not a reference'],
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
