/** Templates in pipeline.yaml: `${a.b}`. */
import { expect, test } from 'vitest';
import { fillIn } from '../../../lib/repro/pipeline/template.ts';

const CONTEXT = { train: { steps: 10, rate: 0.1, sizes: ['tiny', 'small'], on: true }, name: 'gpt', none: null };

test('a text that is one reference takes the value with its type', () => {
  expect(fillIn('${train.steps}', CONTEXT)).toBe(10);
  expect(fillIn('${train.on}', CONTEXT)).toBe(true);
  expect(fillIn('${none}', CONTEXT)).toBe(null);
  expect(fillIn('${train.sizes}', CONTEXT)).toEqual(['tiny', 'small']);
});

test('a reference inside a longer text is written as text', () => {
  expect(fillIn('run ${name} for ${ train.steps } steps', CONTEXT)).toBe('run gpt for 10 steps');
  expect(fillIn('${train.sizes[1]}.json', CONTEXT)).toBe('small.json');
});

test('lists, mappings and keys are filled in', () => {
  expect(fillIn({ '${name}': ['${train.rate}', 1, null] }, CONTEXT)).toEqual({ gpt: [0.1, 1, null] });
});

test('a backslash keeps a reference unchanged', () => {
  expect(fillIn('echo \\${HOME} ${name}', CONTEXT)).toBe('echo ${HOME} gpt');
  expect(fillIn('$5 and }', CONTEXT)).toBe('$5 and }');
});

test('an unknown name is an error with the nearest known one', () => {
  expect(() => fillIn('${train.step}', CONTEXT)).toThrow('there is no "step"; did you mean "steps"');
  expect(() => fillIn('${name}', {})).toThrow('params.yaml is missing or empty');
});

test('a reference that is not closed, or is an expression, is an error', () => {
  expect(() => fillIn('a ${name', CONTEXT)).toThrow('"${" without its "}"');
  expect(() => fillIn('${train.steps + 1}', CONTEXT)).toThrow('only names, dots and [numbers]');
});

test('a list or mapping cannot stand inside a text', () => {
  expect(() => fillIn('x ${train}', CONTEXT)).toThrow('a mapping');
  expect(() => fillIn('x ${train.sizes}', CONTEXT)).toThrow('a list');
});
