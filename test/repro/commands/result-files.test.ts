/** Which files `metrics` and `plots` read, and what they say of those that they cannot show. */
import { rmSync, writeFileSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { git, setStages } from '../git-project.ts';
import { project, removeProjects } from '../project.ts';

afterEach(removeProjects);

test('metrics show names what it passes over, and fails for a name that it cannot show', async () => {
  const made = project({ i: '', 'sub/own.json': '{"n": 1}' });
  setStages(
    made,
    'a: {cmd: "echo \'loss: 1\' > sub/m.yaml", deps: [i], metrics: [sub/m.yaml]}',
    'b: {cmd: "echo {} > n.json", deps: [i], metrics: [n.json], plots: [p.csv]}',
    'c: {cmd: "mkdir d; echo {} > d/n.json", deps: [i], metrics: [d]}',
  );
  await made.repro('a', 'c');
  made.write('n.json', '{}');
  const show = async (folder: string, ...args: string[]) => {
    const { exit, stdout, stderr } = await made.reproIn(folder, 'metrics', 'show', ...args);
    return [exit, stdout, stderr];
  };
  const table = 'file        metric  value\nsub/m.yaml  loss        1\n';
  expect(await show('.')).toEqual([
    0,
    table,
    'repro: d is a folder; name a file in it\nrepro: n.json holds no values\n',
  ]);
  rmSync(made.path('n.json'));
  const gap = 'repro: n.json is missing; `repro` makes it, and `repro pull` fetches it from a remote\n';
  expect(await show('.', '--json', 'n.json', 'sub/m.yaml')).toEqual([
    1,
    `${JSON.stringify({ 'sub/m.yaml': { loss: 1 } }, null, 2)}\n`,
    gap,
  ]);
  expect(await show('sub', 'm.yaml')).toEqual([0, table, '']);
  expect(await show('sub', 'own.json')).toEqual([0, expect.stringMatching(/sub\/own\.json {2}n /), '']);
  expect(await show('.', 'm.yaml')).toEqual([
    2,
    '',
    'repro: there is no file or output "m.yaml"; known here: d, n.json, sub/m.yaml\n',
  ]);
  expect(await show('.', 'sub')).toMatchObject([1, 'there are no metrics yet\n', expect.stringMatching(/is a folder/)]);

  const plots = await made.reproIn('sub', 'plots', 'show', '-o', 'page.html');
  expect([plots.exit, plots.stderr]).toEqual([0, expect.stringMatching(/^repro: p\.csv is missing; /)]);
  expect(made.exists('sub/page.html')).toBe(true);
});

test('metrics diff names values that are NaN, and metrics that only the lock of a revision knows', async () => {
  const made = project({
    'pipeline.yaml': `
stages:
  s: {cmd: "cp i m.json && cp y m.yaml", deps: [i, y], metrics: [m.json: {cache: false}, m.yaml]}
`,
    i: '{acc: 0.5, loss: NaN}',
    y: 'loss: .nan\nlow: -.inf\nn: 1\n',
  });
  await made.outcomes();
  made.write('.gitignore', '.repro/\nm.yaml\n');
  for (const args of [
    ['init', '-q'],
    ['add', '-A'],
    ['commit', '-qm', 'first'],
  ])
    git(made, ...args);
  made.write('i', '{"acc": NaN, "loss": NaN}');
  made.write('y', 'loss: 2\nlow: -.inf\nn: 1\n');
  await made.outcomes();
  const { stdout, stderr } = await made.repro('metrics', 'diff', '--json');
  expect([JSON.parse(stdout), stderr]).toEqual([
    { 'm.json': { acc: { old: 0.5, new: 'NaN' } }, 'm.yaml': { loss: { old: 'NaN', new: 2 } } },
    'repro: m.json is not valid JSON, and was read as YAML\n',
  ]);
  rmSync(made.path('.repro'), { recursive: true });
  const lost = await made.repro('metrics', 'diff', '--json');
  expect([Object.keys(JSON.parse(lost.stdout)), lost.stderr]).toEqual([
    ['m.json', 'm.yaml'],
    expect.stringContaining('repro: HEAD:m.yaml is in the lock, but neither git nor the cache has its content\n'),
  ]);
});

test('a byte order mark is no part of a metrics file, and a file in UTF-16 is named', async () => {
  const made = project({
    'pipeline.yaml': 'stages: {a: {cmd: cp in/* ., deps: [in], metrics: [m.json, t.csv, u.json]}}\n',
    'in/m.json': '\ufeff{"acc": 0.5}',
    'in/t.csv': '\ufeffstep,loss\n1,2\n',
  });
  writeFileSync(made.path('in/u.json'), Buffer.from('\ufeff{"acc": 1}', 'utf16le'));
  await made.outcomes();
  const { exit, stdout, stderr } = await made.repro('metrics', 'show', '--json');
  expect([exit, JSON.parse(stdout), stderr]).toEqual([
    0,
    { 'm.json': { acc: 0.5 }, 't.csv': { step: 1, loss: 2 } },
    'repro: u.json is not saved as UTF-8\n',
  ]);
});
