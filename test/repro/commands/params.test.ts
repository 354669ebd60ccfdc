/** A stage program that calls readParams sees only the params that its stage lists. */
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { outcomesIn, project, removeProjects, until } from '../project.ts';

afterAll(removeProjects);

const LIB = fileURLToPath(new URL('../../../lib/repro/index.ts', import.meta.url));
const TSX = fileURLToPath(new URL('../../../node_modules/.bin/tsx', import.meta.url));

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

test('an edit during a run does not touch what a stage was given or reads from its copy; what else it may have read is not recorded', async () => {
  const wait = (name: string) => `touch ${name}.begun; until [ -e go ]; do sleep 0.02; done`;
  const made = project({
    'pipeline.yaml': `
limits: {one: 1}
stages:
  given: {cmd: '${wait('given')}; echo \${lr} > given', params: [lr], outs: [given]}
  direct: {cmd: ['${wait('direct')}', sh direct.sh], deps: [direct.sh], params: [lr], outs: [direct]}
  named: {cmd: ['${wait('named')}', 'grep -c \${lr} params.yaml > named || true'], params: [lr], outs: [named]}
  later: {cmd: sh later.sh, deps: [later.sh, given], params: [lr], outs: [later]}
  copy:
    matrix: {n: [1, 2]}
    cmd: ['touch copy.begun; until [ -e go ]; do sleep 0.02; done', '${TSX} read.mts \${item.n}']
    params: [lr, list]
    resources: {one: 1}
    outs: ["copy\${item.n}"]
`,
    'params.yaml': 'lr: 1\nlist: [1]\n',
    'direct.sh': 'cat params.yaml > direct',
    'later.sh': 'cat params.yaml > later',
    'read.mts': `import { writeFileSync } from 'node:fs';
import { readParams } from '${LIB}';
writeFileSync('copy' + process.argv[2], String((await readParams('params.yaml')).lr));
`,
  });
  const { ended } = await made.spawn('-k', '--json', '-j', '9');
  await until(() => ['given', 'direct', 'named', 'copy'].every((name) => made.exists(`${name}.begun`)));
  made.write('params.yaml', 'lr: 2\nlist: [1]\n');
  made.write('go', '');
  const { exit, stdout } = await ended;
  expect([exit, outcomesIn(stdout)]).toEqual([
    1,
    { given: 'ran', direct: 'failed', named: 'failed', later: 'ran', 'copy@1': 'ran', 'copy@2': 'ran' },
  ]);
  const { stages } = made.lock();
  const recorded = ['given', 'later', 'copy@1', 'copy@2'].map((name) => stages[name].params['params.yaml'].lr);
  // A stage that starts after the edit and reads the file itself sees the new value, and that is recorded.
  expect([recorded, made.read('later'), made.read('copy2')]).toEqual([[1, 2, 1, 1], 'lr: 2\nlist: [1]\n', '1']);
  expect(Object.keys(await made.stale()).sort()).toEqual(['copy@1', 'copy@2', 'direct', 'given', 'later', 'named']);
  expect(readdirSync(made.path('.repro/params'))).toEqual([]);
});
