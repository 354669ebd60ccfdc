/** studies.yaml: its default study is params.yaml as committed, and every study has values that its schema accepts. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { checkAgainstSchema, readDocument, readSchema } from '../../lib/repro/documents/index.ts';
import { readStudies } from '../../stages/parts/studies.ts';

const studies = readStudies();

test('the default study has the values of params.yaml, so that -S study=default brings them back', () => {
  expect(studies.get('default')).toEqual(parse(readFileSync('params.yaml', 'utf8')));
});

test('fit.loss may be each column of losses of the table of runs, and nothing else', () => {
  const [header] = readFileSync('outputs/results.csv', 'utf8').split('\n');
  const losses = header.split(',').filter((column) => /_loss$|_bits_per_|^perplexity$/.test(column));
  const { fit } = (
    readSchema('stages/params.schema.json') as { properties: { fit: { properties: { loss: { enum: string[] } } } } }
  ).properties;
  expect(fit.properties.loss.enum).toEqual(losses);
});

test('every study has values that params.yaml may have, and sizes that it has', async () => {
  const schema = readSchema('stages/params.schema.json');
  for (const [name, params] of studies) {
    await checkAgainstSchema({ ...(await readDocument('params.yaml')), value: params }, schema, name);
    expect(Object.keys(params.sizes)).toEqual(expect.arrayContaining(params.train.sizes));
  }
});
