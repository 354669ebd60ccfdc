/** studies.yaml: its default study is params.yaml as committed, and every study has values that its schema accepts. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { checkAgainstSchema, readDocument, readSchema } from '../../lib/repro/documents/index.ts';

const read = (file: string) => parse(readFileSync(file, 'utf8'));
const params = read('params.yaml');
const studies: Record<string, object> = read('studies.yaml');

type Values = Record<string, unknown>;
const isMapping = (value: unknown): value is Values =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function merged(base: Values, over: Values): Values {
  const entries = Object.entries(over).map(([key, value]) => {
    const below = base[key];
    return [key, isMapping(value) && isMapping(below) ? merged(below, value) : value];
  });
  return { ...base, ...Object.fromEntries(entries) };
}

test('the default study has the values of params.yaml, so that -S study=default brings them back', () => {
  expect(params).toMatchObject(studies.default);
  expect(params.study).toBe('default');
});

test.each(Object.keys(studies))(
  '%s sets keys of the default study to values that params.yaml may have',
  async (name) => {
    const values = merged(merged(params, studies.default as Values), studies[name] as Values);
    const document = { ...(await readDocument('params.yaml')), value: values };
    await checkAgainstSchema(document, readSchema('stages/params.schema.json'), 'stages/params.schema.json');
    const { sizes } = (values as { train: { sizes: string[] } }).train;
    expect(Object.keys(params.sizes)).toEqual(expect.arrayContaining(sizes));
  },
);
