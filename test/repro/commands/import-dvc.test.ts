/** `repro import-dvc`: a DVC project becomes a pipeline.yaml that does the same. */
import { afterEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { project, removeProjects } from '../project.ts';

afterEach(removeProjects);

const PARAMS = 'sizes: [small, large]\nflags: --fast --seed 3\nnote: one word\nempty: ""\nlr: 1e-3\n';

describe('a project with everything', () => {
  const DVC = `# the pipeline of a study
vars:
  - out: model.txt # where the model goes

stages:
  prepare:
    cmd: |
      mkdir -p work
      cp data/raw.csv work/clean.csv
    deps: [data/raw.csv] # tracked by DVC
    outs:
      - work/clean.csv
  train:
    foreach: \${sizes}
    do:
      desc: one model
      # flags are several words
      cmd: echo \${flags} "\${note}" \${item} \${empty} > \${item}-\${out}
      deps:
        - work/clean.csv
        - s3://bucket/extra
      params:
        - lr
      outs:
        - \${item}-\${out}:
            push: false
            remote: store
  evaluate:
    wdir: eval
    cmd: mkdir -p results && echo '{"acc":1}' > results/metrics.json && echo a,b > results/roc.csv
    deps: [../small-model.txt, ../work/clean.csv]
    params: [lr, config.py: [depth]]
    outs:
      - results
      - scratch:
          checkpoint: true
    live:
      logs:
        summary: false
    frozen: false
    always_changed: false
    meta: {owner: me}

metrics: [eval/results/metrics.json, gone.json]
plots:
  - roc:
      template: simple
      x: fpr
      y: {eval/results/roc.csv: tpr}
params: [params.yaml]
artifacts:
  model: {path: small-model.txt, type: model}
`;
  const FILES = {
    'dvc.yaml': DVC,
    'params.yaml': PARAMS,
    'data/raw.csv.dvc': 'outs:\n- md5: 22a1a2931c8370d3aeedd7183606fd7f\n  size: 2048\n  path: raw.csv\n',
    'eval/config.py': 'depth = 3\n',
    'eval/params.yaml': 'lr: 1\n',
    '.dvcignore': '# comments of DVC\n*.log\n',
    'dvc.lock': 'schema: 2.0\n',
    '.dvc/config': '[core]\n    remote = store\n[\'remote "store"\']\n    url = s3://bucket\n',
  };

  test('keeps what both have, byte for byte, and translates the rest', async () => {
    const made = project(FILES);
    const { exit, stderr } = await made.repro('import-dvc');
    expect([exit, stderr]).toEqual([0, '']);
    const text = made.read('pipeline.yaml');
    for (const comment of ['# the pipeline of a study', '# where the model goes', '# tracked by DVC', '# flags are'])
      expect(text).toContain(comment);
    const pipeline = parse(text);
    expect(pipeline.stages.prepare).toEqual({
      cmd: ['mkdir -p work', 'cp data/raw.csv work/clean.csv'],
      deps: ['data/raw.csv'],
      outs: ['work/clean.csv'],
    });
    // Two words and an empty text are inserted as DVC does it; a value in quotes and one word need not be.
    expect(text).toContain('cmd: echo ${raw:flags} "${note}" ${item} ${raw:empty} > ${item}-${out}');
    expect(pipeline.stages.train.do).toMatchObject({ deps: ['work/clean.csv'], outs: ['${item}-${out}'] });
    expect(pipeline.stages.evaluate).toEqual({
      wdir: 'eval',
      cmd: expect.any(String),
      deps: ['../small-model.txt', '../work/clean.csv', 'config.py'],
      params: ['lr'],
      outs: ['results', { scratch: { persist: true } }],
      plots: ['logs'],
      frozen: false,
      always_changed: false,
      meta: { owner: 'me' },
    });
    expect(pipeline.metrics).toEqual(['eval/results/metrics.json']);
    expect(pipeline.plots).toEqual([{ 'eval/results/roc.csv': { title: 'roc', x: 'fpr', y: 'tpr' } }]);
    expect(made.read('.reproignore')).toBe(FILES['.dvcignore']);
    expect(made.read('dvc.yaml')).toBe(DVC);
  });

  test('reports what was taken over, dropped, and is left to do, with file and line', async () => {
    const made = project(FILES);
    expect((await made.repro('import-dvc')).stdout).toBe(`wrote pipeline.yaml from dvc.yaml
wrote .reproignore from .dvcignore
taken over:
  prepare: the 2 lines of cmd as a list, with a shell for each, as DVC runs them
  artifacts, which have no effect: repro has no model registry
  dvc.yaml: 3 stages, vars, metrics, plots, params
  .dvcignore: its patterns, with the same syntax
dropped:
  dvc.yaml:27: train: "remote" of an output: repro has no such option
  dvc.yaml:46: plot roc: template simple; repro draws lines, and a .vl.json as it is
to do:
  dvc.yaml:18: train: \${raw:flags} inserts its value as code, as DVC does, because the value is not one plain word; if it is one argument, write \${flags}
  dvc.yaml:18: train: \${raw:empty} inserts its value as code, as DVC does, because the value is not one plain word; if it is one argument, write \${empty}
  dvc.yaml:21: train: s3://bucket/extra is not a file of this machine, so deps does not list it; add a stage that downloads it
  dvc.yaml:25: train: push: false of \${item}-\${out} has no effect: \`repro push\` copies it
  dvc.yaml:37: evaluate: live: logs became the plots logs; check that the command writes these
  dvc.yaml:35: evaluate: checkpoint: true of scratch became persist: true, so the command still finds it; if only interrupted attempts need it, use the stage's key "checkpoint"
  dvc.yaml:32: evaluate: config.py became a dependency, because repro reads params from YAML, JSON and TOML
  dvc.yaml:44: no stage makes gone.json, so metrics does not list it; add it to the outputs of a stage
  data/raw.csv.dvc:1: data/raw.csv: md5 22a1a2931c8370d3aeedd7183606fd7f, 2.0 KiB, read by prepare; it is missing here: dvc pull
  dvc.lock and .dvc/cache are not used: \`repro commit\` records the outputs that exist, without a run
  the remote store of DVC: \`repro push -r ADDRESS\` copies to a folder or a service, in a layout of its own
4 stages; \`repro --dry\` shows what would run, \`repro commit\` records the outputs that exist
`);
  });

  test('the new pipeline runs, and the lists at the top work', async () => {
    const made = project({ ...FILES, 'data/raw.csv': '1\n', 'eval/scratch/x': '', 'eval/logs/a.csv': '' });
    await made.repro('import-dvc');
    made.write(
      'pipeline.yaml',
      made.read('pipeline.yaml').replace('mkdir -p results', 'mkdir -p results scratch logs'),
    );
    const run = await made.repro();
    expect([run.exit, run.stderr]).toEqual([
      0,
      expect.stringMatching(/^repro: pipeline\.yaml:\d+: artifacts, meta: keys of DVC that have no effect here\n$/),
    ]);
    expect(made.read('small-model.txt')).toBe('--fast --seed 3 one word small\n');
    const shown = await made.repro('metrics', 'show', '--json');
    expect(JSON.parse(shown.stdout)).toEqual({ 'eval/results/metrics.json': { acc: 1 } });
    // The note comes when pipeline.yaml is read anew, not each time.
    expect((await made.repro('status')).stderr).toBe('');
  });

  test('overwrites nothing; --force moves what is in the way to the trash; --dry writes nothing', async () => {
    const made = project({ ...FILES, 'pipeline.yaml': 'stages: {}\n' });
    const before = made.snapshot();
    const refused = await made.repro('import-dvc');
    expect([refused.exit, refused.stderr]).toEqual([
      2,
      'repro: pipeline.yaml exists and is not overwritten; --force moves it to the trash first, --dry shows the new text\n',
    ]);
    const dry = await made.repro('import-dvc', '--dry');
    expect([dry.exit, dry.stdout.includes('# pipeline.yaml\n# the pipeline of a study')]).toEqual([0, true]);
    expect(made.snapshot()).toEqual(before);
    expect((await made.repro('import-dvc', '--force')).exit).toBe(0);
    expect((await made.repro('trash')).stdout).toContain('pipeline.yaml');
  });
});

test.each([
  ['data.xml.dvc', 'data/raw/data.xml'],
  ['data/raw/data.xml.dvc', 'data/raw/data.xml'],
  ['data.dvc', 'data/raw/data.xml'],
])('a run without data that %s tracks names that file', async (tracker, dep) => {
  const isAbove = dep.startsWith(tracker.slice(0, -'.dvc'.length));
  const made = project({
    'pipeline.yaml': `stages:\n  a:\n    cmd: cp ${dep} a.txt\n    deps: [${dep}]\n    outs: [a.txt]\n`,
    [tracker]: 'outs:\n- path: data\n',
  });
  const { exit, stderr } = await made.repro();
  const hint = isAbove ? `; ${tracker} says that DVC keeps it: dvc pull` : '';
  expect([exit, stderr]).toEqual([
    2,
    `repro: pipeline.yaml:4:12: a: the dependency "${dep}" is missing, and no stage makes it${hint}\n`,
  ]);
});

test('dvc.yaml files in folders become included files, and .dvcignore files stay in their folders', async () => {
  const made = project({
    'vision/dvc.yaml':
      'stages:\n  train:\n    cmd: cp ../raw.txt ${out}\n    deps: [../raw.txt]\n    outs: ["${out}"]\n',
    'vision/params.yaml': 'out: model.txt\n',
    'vision/.dvcignore': 'tmp\n',
    'text/dvc.yaml':
      'stages:\n  train:\n    cmd: cat ../vision/model.txt > model.txt\n    deps: [../vision/model.txt]\n    outs: [model.txt]\n',
    'raw.txt': '1',
    'other/.dvc/config': '',
    'other/dvc.yaml': 'stages: {}\n',
  });
  expect((await made.repro('import-dvc')).exit).toBe(0);
  expect(made.read('vision/.reproignore')).toBe('tmp\n');
  expect(made.exists('other/stages.yaml')).toBe(false);
  expect(await made.outcomes()).toEqual({ 'vision/train': 'ran', 'text/train': 'ran' });
});

test('a pipeline that needs mending is written, and each problem is named with its line', async () => {
  const made = project({ 'dvc.yaml': 'stages:\n  a:\n    cmd: echo ${missing} > a\n    outs: [a]\n    typo: 1\n' });
  const { exit, stdout } = await made.repro('import-dvc');
  expect(exit).toBe(1);
  expect(stdout).toContain('to do:\n  mend pipeline.yaml:5:5: unknown key "typo" in stages.a');
  expect(stdout).toContain('1 problem to mend before repro can run\n');
});

test('says what is wrong where there is nothing to import', async () => {
  const made = project({ 'x/dvc.yaml': 'stages: [\n' });
  expect((await made.repro('import-dvc')).stderr).toMatch(/^repro: x\/dvc\.yaml:\d:\d: this is not valid YAML: /);
  made.remove('x');
  expect((await made.repro('import-dvc')).stderr).toContain('there is no dvc.yaml in ');
  expect((await made.repro('import-dvc', 'nowhere')).stderr).toBe('repro: nowhere is not a folder\n');
});
