/** A stage program that calls readParams sees only the params that its stage lists. */
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { project, removeProjects } from './project.ts';

afterAll(removeProjects);

const LIB = fileURLToPath(new URL('../../lib/repro/index.ts', import.meta.url));
const TSX = fileURLToPath(new URL('../../node_modules/.bin/tsx', import.meta.url));

/** A stage whose program reads params and evaluates `expression`. */
function stageThatReads(expression: string) {
  return project({
    'pipeline.yaml': `stages:
  train:
    cmd: ${TSX} read.mts
    params: [train.lr, train.optimizer.betas]
    outs: [seen.json]
`,
    'params.yaml': 'train:\n  lr: 0.1\n  dropout: 0.2\n  optimizer: {betas: [0.9, 0.95], clip: 1}\nother: 1\n',
    'read.mts': `import { writeFileSync } from 'node:fs';
import { readParams } from '${LIB}';
try {
  const params = await readParams('params.yaml');
  writeFileSync('seen.json', JSON.stringify(${expression}));
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
`,
  });
}

test('a program sees the listed params, and no other values of the mappings around them', async () => {
  const made = stageThatReads('params');
  expect(await made.outcomes()).toEqual({ train: 'ran' });
  expect(JSON.parse(made.read('seen.json'))).toEqual({ train: { lr: 0.1, optimizer: { betas: [0.9, 0.95] } } });
});

test.each([
  ['params.train.dropout', 'train.dropout'],
  ['params.train.optimizer.clip', 'train.optimizer.clip'],
  ['params.other', 'other'],
])('reading %s, which the stage does not list, is an error that names the param to list', async (expression, key) => {
  const { exit, stdout, stderr } = await stageThatReads(expression).repro();
  expect(stdout + stderr).toContain(
    `params.yaml: train reads ${key} but does not list it; add it to the stage's params`,
  );
  expect(exit).toBe(1);
});
