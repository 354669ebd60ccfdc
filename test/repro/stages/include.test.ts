/** `include`: several files are one pipeline, with one graph and one lock. */
import { afterEach, expect, test } from 'vitest';
import { project, removeProjects } from '../project.ts';

afterEach(removeProjects);

const FILES = {
  'pipeline.yaml': `include: [vision/stages.yaml]
stages:
  get: {cmd: 'echo \${size} > raw.txt', params: [size], outs: [raw.txt]}
  report: {cmd: cat vision/models/*.txt > report.txt, deps: [vision/models], outs: [report.txt]}
`,
  'params.yaml': 'size: 1\n',
  'vision/stages.yaml': `vars: [more.yaml]
stages:
  train:
    matrix: {arch: "\${archs}"}
    cmd: cat ../raw.txt > models/\${item.arch}.txt; echo \${lr} \${more} >> models/\${item.arch}.txt; pwd
    deps: [../raw.txt]
    params: [lr]
    outs: ['models/\${item.arch}.txt']
  score:
    wdir: models
    cmd: wc -l < a.txt > score.json
    deps: [a.txt]
    outs: [score.json]
metrics: [models/score.json]
`,
  'vision/params.yaml': 'archs: [a, b]\nlr: 0.1\n',
  'vision/more.yaml': 'more: 7\n',
};

test('stages are named after their folder, and their paths, params and vars are relative to it', async () => {
  const made = project(FILES);
  expect(await made.outcomes()).toEqual({
    get: 'ran',
    'vision/train@a': 'ran',
    'vision/train@b': 'ran',
    'vision/score': 'ran',
    report: 'ran',
  });
  expect(made.read('vision/models/a.txt')).toBe('1\n0.1 7\n');
  expect(Object.keys(made.lock().stages['vision/train@a'].params)).toEqual(['vision/params.yaml']);
  made.write('vision/params.yaml', 'archs: [a, b]\nlr: 0.2\n');
  expect(Object.keys(await made.stale())).toEqual(['vision/train@a', 'vision/train@b', 'vision/score', 'report']);
  expect((await made.stale('vision/train'))['vision/train@b'].reasons).toContainEqual({
    kind: 'param',
    file: 'vision/params.yaml',
    key: 'lr',
    old: 0.1,
    new: 0.2,
  });
  expect(JSON.parse((await made.repro('metrics', 'show', '--json')).stdout)).toEqual({
    'vision/models/score.json': { '': 2 },
  });
});

test('freeze changes the included file, and errors name it', async () => {
  const made = project(FILES);
  expect((await made.repro('freeze', 'vision/score')).exit).toBe(0);
  expect(made.read('vision/stages.yaml')).toContain('frozen: true');
  expect(made.read('pipeline.yaml')).toBe(FILES['pipeline.yaml']);
  made.write('vision/stages.yaml', FILES['vision/stages.yaml'].replace('[a.txt]', '[none.txt]'));
  expect((await made.repro('--dry')).stderr).toBe(
    'repro: vision/stages.yaml:12:12: vision/score: the dependency "vision/models/none.txt" is missing, and no stage makes it\n',
  );
  made.write('vision/stages.yaml', 'stages: {a: {cmd: x, dep: []}}\n');
  expect((await made.repro()).stderr).toBe(
    'repro: vision/stages.yaml:1:22: unknown key "dep" in stages.a; did you mean "deps"?\n',
  );
});

test('files that cannot be included are refused with a reason', async () => {
  const refused = async (include: string, files: { [path: string]: string } = {}) => {
    const made = project({ 'pipeline.yaml': `include: [${include}]\n`, ...files });
    return (await made.repro()).stderr;
  };
  expect(await refused('x/stages.yaml')).toBe(
    'repro: pipeline.yaml:1:11: there is no file "x/stages.yaml" to include\n',
  );
  expect(await refused('../x.yaml')).toContain("lies outside of the pipeline's folder");
  expect(await refused('x/pipeline.yaml', { 'x/pipeline.yaml': 'stages: {}\n' })).toContain(
    '"x/pipeline.yaml" cannot be included: a folder with a pipeline.yaml is a pipeline of its own',
  );
  expect(await refused('a.yaml, a.yaml', { 'a.yaml': 'stages: {}\n' })).toContain('"a.yaml" is included twice');
  expect(await refused('a.yaml', { 'a.yaml': 'limits: {net: 1}\nstages: {}\n' })).toBe(
    'repro: a.yaml:1:1: "limits" is about the whole pipeline, so it belongs into pipeline.yaml, which includes this file\n',
  );
  expect(
    await refused('a.yaml', {
      'pipeline.yaml': 'include: [a.yaml]\nstages: {s: {cmd: x}}\n',
      'a.yaml': 'stages: {s: {cmd: y}}\n',
    }),
  ).toBe('repro: a.yaml:1:10: two stages would be named "s"\n');
});

test('a metrics file or plot at the top must be an output, or lie in one', async () => {
  const made = project({ 'pipeline.yaml': 'stages: {a: {cmd: x, outs: [out.json]}}\nmetrics: [oot.json]\n' });
  expect((await made.repro('--dry')).stderr).toBe(
    'repro: pipeline.yaml:2:11: no stage makes "oot.json"; did you mean "out.json"?; name a file or folder that is an output, or lies in one\n',
  );
});

test('a plot at the top may be a table in an output, with several columns and names for the axes', async () => {
  const made = project({
    'pipeline.yaml':
      'stages:\n  a: {cmd: \'mkdir -p out; printf "step,train,val\\n1,2,3\\n2,1,2\\n" > out/loss.csv\', params: [x], outs: [out]}\n' +
      'plots:\n  - out/loss.csv: {x: step, y: [train, val], x_label: Steps, y_label: Nats, title: Losses}\n',
    'params.yaml': 'x: 1\n',
  });
  await made.outcomes();
  expect((await made.repro('plots', 'show', '-o', 'page.html')).stdout).toMatch(/^1 plot in /);
  const page = made.read('page.html');
  expect(page).toContain('<figcaption>Losses</figcaption>');
  const svg = Buffer.from(/base64,([^"]+)/.exec(page)![1], 'base64').toString();
  for (const text of ['>Steps<', '>Nats<', '>train<', '>val<']) expect(svg).toContain(text);
});
