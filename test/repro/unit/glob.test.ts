/** Patterns of `--glob`, matched against the names of stages. */
import { expect, test } from 'vitest';
import { buildGraph, select } from '../../../lib/repro/graph/index.ts';
import { linkedStage as stage } from './linked-stage.ts';

const NAMES = ['prepare', 'train@gpt-2', 'train@gpt-10', 'train@lstm-2', 'data/clean', '.hidden', 'a(b)'];
const graph = buildGraph(NAMES.map((name) => stage(name)));
const matching = (pattern: string) => select(graph, { targets: [pattern], glob: true, single: true });

test('* stands for any characters, also none', () => {
  expect(matching('train@gpt-*')).toEqual(['train@gpt-2', 'train@gpt-10']);
  expect(matching('prepare*')).toEqual(['prepare']);
  expect(matching('*')).toEqual(NAMES);
});

test('* and ? match a slash and a leading dot, as a name is not a path', () => {
  expect(matching('data*clean')).toEqual(['data/clean']);
  expect(matching('data?clean')).toEqual(['data/clean']);
  expect(matching('*hidden')).toEqual(['.hidden']);
});

test('? stands for one character', () => {
  expect(matching('train@gpt-?')).toEqual(['train@gpt-2']);
});

test('{a,b} stands for either, [a-c] for one of a range', () => {
  expect(matching('train@{gpt,lstm}-2')).toEqual(['train@gpt-2', 'train@lstm-2']);
  expect(matching('[o-q]repare')).toEqual(['prepare']);
});

test('!(a) stands for anything else, and @ is an ordinary character unless a bracket follows', () => {
  expect(matching('train@!(gpt-*)')).toEqual(['train@lstm-2']);
  expect(matching('train@@(gpt|lstm)-2')).toEqual(['train@gpt-2', 'train@lstm-2']);
  expect(matching('*@*')).toEqual(['train@gpt-2', 'train@gpt-10', 'train@lstm-2']);
});

test('a pattern that matches nothing is an error', () => {
  expect(() => matching('test@*')).toThrow('no stage matches "test@*"');
});
