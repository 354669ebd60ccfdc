/** `repro show STAGE`: what a stage is, reads, makes and costs. */
import { afterEach, expect, test } from 'vitest';
import { project, removeProjects } from '../project.ts';

afterEach(removeProjects);

test('show prints the definition with its templates filled in, the neighbours and the last run; a group by its first cell', async () => {
  const made = project({
    'pipeline.yaml': `
stages:
  get: {cmd: 'echo 1 > data', params: [url], outs: [data]}
  train:
    desc: one model
    matrix: {size: [small, large]}
    cmd: ['mkdir -p models', {argv: [cp, data, 'models/\${item.size}']}]
    deps: [data, {notes.txt: {optional: true}}]
    params: [lr, 'sizes.\${item.size}']
    outs: ['models/\${item.size}': {cache: false}]
    resources: {cpus: 1, memory: 64MiB}
`,
    'params.yaml': 'url: x\nlr: 1e-3\nsizes: {small: {width: 8}, large: {width: 16}}\n',
  });
  const run = await made.repro('train@large');
  expect([run.exit, run.stderr]).toEqual([0, '']);
  expect((await made.repro('show', 'train@large')).stdout.replace(/ran in .*/, 'ran')).toBe(`train@large: one model
  runs       mkdir -p models
             cp data models/large
  reads      data
             notes.txt (may be missing)
  params     params.yaml lr: 1e-3
             params.yaml sizes.large: {"width":16}
  makes      models/large (kept by git)
  takes      1 cpu, 64.0 MiB
  after      get
  last run   ran
`);
  expect((await made.repro('show', 'train')).stdout).toMatch(
    /^train@small: one model\n {2}one of 2 cells: train@small, train@large\n/,
  );
  expect((await made.repro('show', 'get')).stdout).toContain('  before     train@small, train@large\n');
  const { stages } = JSON.parse((await made.repro('show', '--json', 'train@large')).stdout);
  expect(stages['train@large'].cmd).toEqual(['mkdir -p models', { argv: ['cp', 'data', 'models/large'] }]);
  expect((await made.repro('show', 'trian')).exit).toBe(2);
});
