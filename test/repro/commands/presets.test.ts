/** Presets: `-S study=NAME` sets many values at once. */
import { afterEach, describe, expect, test } from 'vitest';
import { project, removeProjects } from '../project.ts';

afterEach(removeProjects);

describe('a preset sets many values by one name', () => {
  const PARAMS = `study: default # which one
train:
  lr: 0.1    # peak
  sizes:
    [a, b] # by name
  tokens: 10
split: {train: 0.9, test: 0.1} # shares
title: mine
`;
  const STUDIES = `default: {train: {lr: 0.1, sizes: [a, b], tokens: 10}, split: {train: 0.9, test: 0.1}}
large:
  train: {sizes: [c], tokens: 1000}
  split: {train: 0.8, test: 0.2}
slow:
  train: {lr: 0.01}
`;
  const studies = (params = PARAMS, presets = STUDIES) =>
    project({
      'pipeline.yaml': 'presets: {study: studies.yaml}\nstages:\n  a: {cmd: "true", params: [train]}\n',
      'params.yaml': params,
      'studies.yaml': presets,
    });
  const large = PARAMS.replace('default', 'large')
    .replace('[a, b]', '[c]')
    .replace('tokens: 10', 'tokens: 1000')
    .replace('0.9, test: 0.1', '0.8, test: 0.2');

  test('in several sections; a later -S is applied after it; another preset and `default` bring back its values', async () => {
    const made = studies(PARAMS.replace('mine', 'yours'));
    await made.outcomes('-S', 'study=large', '-S', 'title=mine');
    expect(made.read('params.yaml')).toBe(large);
    const { stdout } = await made.repro('--dry', '-S', 'study=slow');
    expect(stdout).toContain('train.lr: 0.1 → 0.01; params.yaml train.sizes: ["c"] → ["a","b"]');
    expect(made.read('params.yaml')).toBe(large);
    await made.outcomes('-S', 'study=slow');
    expect(made.read('params.yaml')).toBe(PARAMS.replace('default', 'slow').replace('0.1 ', '0.01 '));
    await made.outcomes('-S', 'study=default');
    expect(made.read('params.yaml')).toBe(PARAMS);
  });

  test('its name is `custom` after an edit of one of its values by -S, and refused after an edit by hand', async () => {
    const made = studies(large);
    const { stderr } = await made.repro('-S', 'train.lr=0.5');
    expect(stderr).toContain('study is custom now, because train.lr is 0.5, and 0.1 in large');
    expect(made.read('params.yaml')).toContain('study: custom # which one');
    await made.outcomes('-S', 'train.lr=0.6');

    made.write('params.yaml', large.replace('1000', '999').replace('0.8', '0.7'));
    const refused = await made.repro();
    expect(refused.exit).toBe(2);
    expect(refused.stderr).toContain(
      'params.yaml:7:16: split.train is 0.7, but study: large means 0.8 (and 1 more value); repro -S study=large sets its values, and study: custom keeps yours',
    );
    made.write('params.yaml', PARAMS.replace('tokens: 10', 'tokens: 11'));
    await made.outcomes();
  });

  const refusals: [what: string, params: string, presets: string, edit: string | undefined, message: string][] = [
    [
      'a preset that there is not',
      PARAMS,
      STUDIES,
      'study=lage',
      'there is no study "lage" in studies.yaml; did you mean "large"?',
    ],
    [
      'the same in params.yaml',
      PARAMS.replace('default', 'x'),
      STUDIES,
      undefined,
      'params.yaml:1:8: there is no study "x" in studies.yaml',
    ],
    [
      'a params file without the name',
      PARAMS.slice(PARAMS.indexOf('train')),
      STUDIES,
      undefined,
      'params.yaml: has no key "study"',
    ],
    [
      'presets without `default`',
      PARAMS,
      'large: {title: x}\n',
      undefined,
      'studies.yaml: needs a mapping of presets, and among them default',
    ],
    [
      'a key that `default` has not',
      PARAMS,
      `${STUDIES}  title: x\n`,
      undefined,
      'studies.yaml:7:3: slow sets title, but default does not',
    ],
    [
      'a key that params.yaml has not',
      PARAMS,
      'default: {rate: 1}\nslow: {rate: 2}\n',
      'study=slow',
      'there is no "rate" in params.yaml, which slow would set',
    ],
    [
      'a preset that is not a mapping',
      PARAMS,
      'default: {}\nslow: 2\n',
      undefined,
      'studies.yaml:2:1: slow must be a mapping',
    ],
  ];
  test.each(refusals)('refused: %s', async (_, params, presets, edit, message) => {
    const made = studies(params, presets);
    const { exit, stderr } = await made.repro(...(edit ? ['-S', edit] : []));
    expect([exit, stderr]).toEqual([2, expect.stringContaining(message)]);
    expect(made.read('params.yaml')).toBe(params);
  });
});
