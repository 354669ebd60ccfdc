/** The graph of stages: their order, the graphs that are refused, and the stages that a call selects. */
import { describe, expect, test } from 'vitest';
import { buildGraph, select } from '../../../lib/repro/graph/index.ts';
import { linkedStage as stage } from './linked-stage.ts';

const order = (...stages: ReturnType<typeof stage>[]) => [...buildGraph(stages).stages.keys()];

describe('the order', () => {
  test('a stage comes after the stage that writes its dependency, its module or its params file', () => {
    expect(order(stage('b', { deps: ['x'] }), stage('a', { outs: ['x'] }))).toEqual(['a', 'b']);
    expect(order(stage('b', { code: ['x.ts'] }), stage('a', { outs: ['x.ts'] }))).toEqual(['a', 'b']);
    expect(order(stage('b', { params: ['x.yaml'] }), stage('a', { outs: ['x.yaml'] }))).toEqual(['a', 'b']);
  });

  test('a dependency inside an output, or around it, counts as well', () => {
    expect(order(stage('b', { deps: ['data/tokens'] }), stage('a', { outs: ['data'] }))).toEqual(['a', 'b']);
    expect(order(stage('b', { deps: ['data'] }), stage('a', { outs: ['data/tokens/bpe'] }))).toEqual(['a', 'b']);
    expect(order(stage('b', { deps: ['.'] }), stage('a', { outs: ['x'] }))).toEqual(['a', 'b']);
  });

  test('a path that only starts with the same letters does not count', () => {
    expect(order(stage('b', { deps: ['data-old'] }), stage('a', { outs: ['data'] }))).toEqual(['b', 'a']);
  });

  test('independent stages keep the order of pipeline.yaml', () => {
    expect(order(stage('z'), stage('a'), stage('m'))).toEqual(['z', 'a', 'm']);
  });

  test('a chain of 20,000 stages does not overflow the call stack', () => {
    const chain = Array.from({ length: 20_000 }, (_, i) => stage(`s${i}`, { deps: [`o${i + 1}`], outs: [`o${i}`] }));
    expect(order(...chain).at(-1)).toBe('s0');
  });
});

describe('refused graphs', () => {
  test('a cycle is refused, and the message lists its stages in order', () => {
    const [a, b, c] = [
      stage('a', { deps: ['z'], outs: ['x'] }),
      stage('b', { deps: ['x'], outs: ['y'] }),
      stage('c', { deps: ['y'], outs: ['z'] }),
    ];
    expect(() => buildGraph([a, b, c])).toThrow('a → b → c → a');
  });

  test('a stage that depends on its own output is refused', () => {
    expect(() => buildGraph([stage('a', { deps: ['x'], outs: ['x'] })])).toThrow('a depends on its own output');
  });

  test('an output of two stages, or one that is listed twice, is refused', () => {
    expect(() => buildGraph([stage('a', { outs: ['x'] }), stage('b', { outs: ['x'] })])).toThrow('"x" belongs to two');
    expect(() => buildGraph([stage('a', { outs: ['x', 'x'] })])).toThrow('"x" is listed twice');
  });

  test('an output inside another output is refused', () => {
    expect(() => buildGraph([stage('a', { outs: ['x'] }), stage('b', { outs: ['x/y/z'] })])).toThrow(
      '"x/y/z" of b lies inside the output "x" of a',
    );
  });

  test("an output that is or contains one of the pipeline's own files is refused", () => {
    for (const path of ['pipeline.yaml', 'params.yaml', '.git', '.repro/cache'])
      expect(() => buildGraph([stage('a', { outs: [path] })]), path).toThrow('cannot be or contain');
  });
});

describe('the selection', () => {
  const graph = buildGraph([
    stage('prepare', { outs: ['data'] }),
    stage('train@1', { deps: ['data'], outs: ['model/1'] }),
    stage('train@2', { deps: ['data'], outs: ['model/2'] }),
    stage('report', { deps: ['model/1'], outs: ['report.html'] }),
    stage('unrelated', { outs: ['other'] }),
  ]);

  test('without targets, all stages are selected', () => {
    expect(select(graph, { targets: [] })).toEqual([...graph.stages.keys()]);
  });

  test('a target is selected with the stages it needs, or alone with `single`', () => {
    expect(select(graph, { targets: ['report'] })).toEqual(['prepare', 'train@1', 'report']);
    expect(select(graph, { targets: ['report'], single: true })).toEqual(['report']);
  });

  test('a target may be a group of cells or the path of an output', () => {
    expect(select(graph, { targets: ['train'], single: true })).toEqual(['train@1', 'train@2']);
    expect(select(graph, { targets: ['./model/2/'], single: true })).toEqual(['train@2']);
  });

  test('`downstream` selects the stages that need the target, `pipeline` all connected stages', () => {
    expect(select(graph, { targets: ['train@1'], downstream: true })).toEqual(['train@1', 'report']);
    expect(select(graph, { targets: ['train@2'], pipeline: true })).toEqual([
      'prepare',
      'train@1',
      'train@2',
      'report',
    ]);
  });

  test('a path is relative to the current folder, and a name is the same in every folder', () => {
    const from = (folder: string, target: string) =>
      select(graph, { targets: [target], at: { root: '/project', folder }, single: true });
    expect(from('model', '2')).toEqual(['train@2']);
    expect(from('src/deep', '../../model/2')).toEqual(['train@2']);
    expect(from('src', '/project/model/2')).toEqual(['train@2']);
    expect(from('src', 'train')).toEqual(['train@1', 'train@2']);
    expect(() => from('src', 'model/2')).toThrow(
      'there is no stage or output "model/2"; did you mean "../model/2"? A path is relative to the current folder',
    );
  });

  test('an unknown target is an error with the nearest name', () => {
    expect(() => select(graph, { targets: ['reprot'] })).toThrow('did you mean "report"');
  });
});
