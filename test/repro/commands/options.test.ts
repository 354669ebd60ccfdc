/** Options of `repro` and its commands that have no test file of their own; help. */
import { execFileSync } from 'node:child_process';
import { chmodSync, lstatSync, statSync, symlinkSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { project, removeProjects, type TestProject } from '../project.ts';

afterEach(removeProjects);

/** A stage `make` and a stage `use` that depends on it. Both add a line to runs.log. */
function pair(): TestProject {
  return project({
    'pipeline.yaml': `
stages:
  make: {cmd: 'echo run >> runs.log; cp in.txt made.txt', deps: [in.txt], params: [p], outs: [made.txt]}
  use: {cmd: 'echo run >> runs.log; cp made.txt used.txt', deps: [made.txt], outs: [used.txt]}
`,
    'in.txt': 'one\n',
    'params.yaml': 'p: 1\n',
  });
}

describe('--no-commit', () => {
  test('runs the stages but does not change the lock, the cache or the run cache, and the stages stay stale', async () => {
    const made = pair();
    expect(await made.outcomes('--no-commit')).toEqual({ make: 'ran', use: 'ran' });
    expect(made.read('used.txt')).toBe('one\n');
    expect(['dvc-like.lock', '.repro/cache', '.repro/runs'].filter((path) => made.exists(path))).toEqual([]);
    expect(Object.keys(await made.stale())).toEqual(['make', 'use']);
    // `repro commit` records the outputs afterwards without a run.
    expect((await made.repro('commit')).stdout).toBe('2 stages committed as they are\n');
    expect(await made.outcomes()).toEqual({});
    const lock = made.read('dvc-like.lock');
    made.write('in.txt', 'two\n');
    await made.outcomes('--no-commit');
    expect(made.read('dvc-like.lock')).toBe(lock);
    expect(made.read('runs.log')).toBe('run\n'.repeat(4));
  });
});

describe('--allow-missing', () => {
  test('missing data counts as unchanged if the lock has its hash, and changed inputs still make a stage stale', async () => {
    const made = pair();
    await made.outcomes();
    for (const path of ['in.txt', 'made.txt', 'used.txt', '.repro/cache', '.repro/runs']) made.remove(path);
    const without = await made.repro('--dry');
    expect([without.exit, without.stderr]).toEqual([2, expect.stringMatching(/the dependency "in\.txt" is missing/)]);
    expect(await made.outcomes('--allow-missing')).toEqual({});
    expect(made.exists('used.txt')).toBe(false);
    made.write('params.yaml', 'p: 2\n');
    const { stdout } = await made.repro('--dry', '--allow-missing');
    expect(stdout).toMatch(/^make {2}would run: params\.yaml p: 1 → 2\nuse {3}might run: waits for make\n/);
  });

  test('missing data is an error if the lock does not have its hash', async () => {
    const made = pair();
    made.remove('in.txt');
    expect((await made.repro('--allow-missing')).exit).toBe(2);
  });
});

test('--pull with --dry fetches nothing, and foretells what would be restored', async () => {
  const made = pair();
  await made.outcomes();
  const store = project({}).root;
  await made.repro('push', '-r', store);
  for (const path of ['made.txt', '.repro/cache', '.repro/runs']) made.remove(path);
  const before = made.snapshot();
  const { exit, stdout } = await made.repro('--dry', '--pull', '-r', store);
  expect([exit, stdout]).toEqual([
    0,
    expect.stringMatching(/^make {2}would be restored: its output made\.txt is missing\n/),
  ]);
  expect(made.snapshot()).toEqual(before);
});

test('fetch copies objects into the cache without changing outputs, and checkout then restores the outputs', async () => {
  const made = pair();
  await made.outcomes();
  const store = project({}).root;
  expect((await made.repro('push', '-r', store, 'make')).stdout).toBe('1 object pushed, 0 there already\n');
  for (const path of ['made.txt', '.repro/cache', '.repro/runs']) made.remove(path);
  expect((await made.repro('fetch', '-r', store, 'make')).stdout).toBe('1 object fetched, 0 there already\n');
  expect(made.exists('made.txt')).toBe(false);
  expect((await made.repro('checkout', 'make')).stdout).toBe('1 output checked out\n');
  expect((await made.repro('checkout', 'make')).stdout).toBe('nothing to check out\n');
});

test('status prints states, reasons and totals; -q prints nothing and exits with 1 if a stage is not up to date', async () => {
  const made = pair();
  const quiet = async () => {
    const { exit, stdout, stderr } = await made.repro('status', '-q');
    return [exit, stdout + stderr];
  };
  expect(await quiet()).toEqual([1, '']);
  await made.outcomes();
  expect(await quiet()).toEqual([0, '']);
  expect((await made.repro('status')).stdout).toBe('everything is up to date (2 stages)\n');
  made.write('in.txt', 'two\n');
  const { exit, stdout } = await made.repro('status');
  expect([exit, stdout]).toEqual([
    0,
    expect.stringMatching(
      /^make: stale\n {2}in\.txt changed\nuse: maybe\n {2}waits for make\n1 stale, 1 maybe, about [\d.]+ m?s( to [\d.]+ m?s)? on \d+ workers?\n$/,
    ),
  ]);
  const many = project({
    'pipeline.yaml':
      'stages:\n  make: {matrix: {n: [1, 2, 3, 4, 5, 6]}, cmd: "cp in.txt o${item.n}", deps: [in.txt], outs: ["o${item.n}"]}\n  use: {cmd: "true", deps: [o1, o2, o3, o4, o5, o6]}\n',
    'in.txt': '1',
  });
  await many.outcomes();
  many.write('in.txt', '2');
  expect((await many.repro('status')).stdout).toMatch(
    /use: maybe\n {2}waits for make@1, make@2, make@3, make@4 and 2 more\n/,
  );
  expect(JSON.parse((await made.repro('status', '--json', 'make')).stdout)).toEqual({
    stages: {
      make: {
        state: 'stale',
        reasons: [
          {
            kind: 'dep',
            path: 'in.txt',
            old: { sha256: expect.any(String), size: 4 },
            new: { sha256: expect.any(String), size: 4 },
          },
        ],
      },
    },
  });
});

test('dag prints text, Mermaid or Graphviz, and refuses two formats at once', async () => {
  const made = project({
    'pipeline.yaml': `
stages:
  a: {matrix: {n: [1, 2]}, cmd: "true", params: [p], outs: ["a\${item.n}"]}
  b: {cmd: "true", deps: [a1, a2]}
`,
    'params.yaml': 'p: 1',
  });
  const dag = async (...args: string[]) => (await made.repro('dag', ...args)).stdout;
  expect(await dag()).toBe('a (2)\nb  ←  a\n');
  expect(await dag('a@1')).toBe('a (1)\n');
  expect(await dag('--mermaid')).toBe('flowchart TD\n  s0["a@1"]\n  s1["a@2"]\n  s2["b"]\n  s0 --> s2\n  s1 --> s2\n');
  expect(await dag('--dot')).toBe('digraph repro {\n  "a@1";\n  "a@2";\n  "b";\n  "a@1" -> "b";\n  "a@2" -> "b";\n}\n');
  const both = await made.repro('dag', '--dot', '--json');
  expect([both.exit, both.stderr]).toEqual([2, expect.stringMatching(/cannot be used with option/)]);
});

test('log -n prints the last attempts and their outcomes, also for stages that never ran or were removed', async () => {
  const made = project({
    'pipeline.yaml': 'stages:\n  a: {cmd: "echo said; exit ${p}", params: [p]}\n  b: {cmd: "true", params: [p]}\n',
    'params.yaml': 'p: 0',
  });
  expect((await made.repro('log')).stdout).toBe('nothing has run yet\n');
  await made.repro('a');
  await made.repro('a', '-S', 'p=3');
  expect(JSON.parse((await made.repro('log', '-n', '1', '--json')).stdout)).toMatchObject([
    {
      stage: 'a',
      outcome: 'failed',
      exit: 3,
      seconds: expect.any(Number),
      log: expect.stringMatching(/^\.repro\/logs\/a\//),
    },
  ]);
  expect((await made.repro('log', 'a')).stdout).toMatch(
    /^stage +started +took +outcome.*\na {2}.*ran\b.*\na {2}.*failed \(exit 3\).*\n\n.*\.log:\nsaid\n$/,
  );
  expect((await made.repro('log', 'b')).stdout).toBe('b has not run yet\n');
  const wrong = await made.repro('log', 'c');
  expect([wrong.exit, wrong.stderr]).toEqual([2, expect.stringMatching(/there is no stage or output "c"/)]);
  made.write('pipeline.yaml', 'stages:\n  b: {cmd: "true", params: [p]}\n');
  expect((await made.repro('log', 'a')).stdout).toMatch(/failed \(exit 3\)/);
});

test('metrics show and params diff print JSON and Markdown', async () => {
  const made = project({
    'pipeline.yaml':
      'stages:\n  a: {cmd: "echo \'{\\"loss\\": 0.123456789, \\"n\\": 1234567}\' > m.json", params: [p], metrics: [m.json]}\n',
    'params.yaml': 'p: 1',
  });
  expect((await made.repro('metrics', 'show')).stdout).toBe('there are no metrics yet\n');
  await made.outcomes();
  const show = async (...args: string[]) => (await made.repro('metrics', 'show', ...args)).stdout;
  expect(await show()).toBe('file    metric    value\nm.json  loss    0.12346\nm.json  n       1234567\n');
  expect(await show('--precision', '2', '--md', 'm.json')).toMatch(
    /^\| file \| metric \| value \|\n\|---\|---\|---\|\n\| m\.json \| loss \| 0\.12 \|\n/,
  );
  expect(JSON.parse(await show('--json'))).toEqual({ 'm.json': { loss: 0.123456789, n: 1234567 } });
  execFileSync('git', ['init', '-q'], { cwd: made.root });
  execFileSync('git', ['add', 'params.yaml', 'pipeline.yaml'], { cwd: made.root });
  execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.org', 'commit', '-qm', 'one'], {
    cwd: made.root,
  });
  made.write('params.yaml', 'p: 2\nq: new\n');
  expect((await made.repro('params', 'diff', '--md')).stdout).toBe(
    '| file | param | HEAD | workspace | change |\n|---|---|---|---|---|\n| params.yaml | p | 1 | 2 | +1 |\n| params.yaml | q | — | new | new |\n',
  );
});

test('-S changes no file if the target is unknown or if the schema refuses the value', async () => {
  const made = project({
    'pipeline.yaml': 'schemas: {params.yaml: schema.json}\nstages:\n  a: {cmd: "true", params: [p]}\n',
    'schema.json': '{"properties": {"p": {"type": "number"}}}',
    'params.yaml': 'p: 1\n',
  });
  for (const args of [
    ['-S', 'p=2', 'b'],
    ['-S', 'p=x'],
    ['-S', 'p=2', '-S', 'r=1'],
    ['-S', 'p'],
  ]) {
    const { exit, stderr } = await made.repro(...args);
    expect([exit, stderr]).toEqual([2, expect.stringMatching(/^repro: /)]);
  }
  expect(made.read('params.yaml')).toBe('p: 1\n');
});

test('a mistyped command is reported with the nearest command; the help lists every option and command', async () => {
  const made = pair();
  expect((await made.repro('statsu')).stderr).toBe(
    'repro: there is no stage or output "statsu"; known here: make, use\nif you meant a command: repro status\n',
  );
  const help = await made.repro('--help');
  expect(help.exit).toBe(0);
  for (const option of [
    '-f',
    '-s',
    '-p',
    '--downstream',
    '--glob',
    '-j',
    '-k',
    '--ignore-errors',
    '--dry',
    '-S',
    '--no-run-cache',
    '--no-commit',
    '--allow-missing',
    '--pull',
    '--json',
  ])
    expect(help.stdout).toMatch(new RegExp(`^ {2}(-., )?${option}[ ,]`, 'm'));
  for (const command of [
    'status',
    'why',
    'dag',
    'metrics',
    'params',
    'plots',
    'log',
    'checkout',
    'commit',
    'freeze',
    'unfreeze',
    'gc',
    'trash',
    'push',
    'pull',
    'fetch',
    'init',
    'completion',
  ])
    expect(help.stdout).toMatch(new RegExp(`^ {2}${command} `, 'm'));
  const bare = project({});
  const { exit, stderr } = await bare.repro();
  expect([exit, stderr]).toEqual([
    2,
    expect.stringMatching(/^repro: there is no pipeline\.yaml in .*; `repro init` creates one\n$/),
  ]);
});

describe('small faults that users met', () => {
  test('-S writes a small number in a form that PyYAML reads as a number, through a symbolic link', async () => {
    const made = project({
      'shared.yaml': 'a: 1\nlr: 0.1\nl: [1.5]\n',
      'pipeline.yaml': 'stages: {s: {cmd: "true", params: [a, lr]}}\n',
    });
    symlinkSync('shared.yaml', made.path('params.yaml'));
    chmodSync(made.path('shared.yaml'), 0o660);
    await made.outcomes('-S', 'lr=0.0000001', '-S', 'l=[1.5e-9, -2e30]');
    expect(made.read('shared.yaml')).toBe('a: 1\nlr: 1.0e-07\nl: [1.5e-09, -2.0e+30]\n');
    expect([
      lstatSync(made.path('params.yaml')).isSymbolicLink(),
      statSync(made.path('shared.yaml')).mode & 0o777,
    ]).toEqual([true, 0o660]);
  });

  test('a run goes on to its end when the reader of its output goes away', async () => {
    const made = project({
      i: 'i',
      'pipeline.yaml':
        'stages: {a: {cmd: "for i in $(seq 200); do echo line $i; sleep 0.002; done; cp i o", deps: [i], outs: [o]}, b: {cmd: cp o p, deps: [o], outs: [p]}}\n',
    });
    const { process: child, ended } = await made.spawn();
    child.stdout!.once('data', () => child.stdout!.destroy());
    expect((await ended).exit).toBe(0);
    expect(made.exists('p')).toBe(true);
  });

  test('a stage that calls repro on itself fails, and does not wait for itself', async () => {
    const made = project({ i: 'i' });
    const call = `node ${await made.bundle()}`;
    made.write(
      'pipeline.yaml',
      `stages: {a: {cmd: "${call} a || cp i o", deps: [i], outs: [o]}, b: {cmd: "${call} -s c; cp o p", deps: [o], outs: [p]}, c: {cmd: cp i q, deps: [i], outs: [q]}}\n`,
    );
    const { exit, stdout } = await made.repro('b');
    expect(exit).toBe(0);
    expect(stdout).toMatch('a is running, and this call of repro comes from its command');
    expect(made.exists('q')).toBe(true);
  });

  test('an output that a stage lists twice counts once', async () => {
    const made = project({
      i: '{"n": 1}',
      'pipeline.yaml': 'stages: {s: {cmd: cp i o, deps: [i], outs: [o, ./o], metrics: [{o: {cache: false}}]}}\n',
    });
    expect(await made.outcomes()).toEqual({ s: 'ran' });
    expect(Object.keys(made.lock().stages.s.outs)).toEqual(['o']);
    expect((await made.repro('metrics', 'show', '--json')).stdout).toMatch('"n": 1');
  });

  test('metrics with NaN or Infinity show their other values, and these by name', async () => {
    const made = project({
      i: '{"acc": 0.9, "loss": NaN, "low": -Infinity, "text": "is NaN, \\" NaN", "list": [NaN]}',
      'pipeline.yaml': 'stages: {s: {cmd: cp i m.json, deps: [i], metrics: [m.json]}}\n',
    });
    await made.outcomes();
    const { exit, stdout, stderr } = await made.repro('metrics', 'show', '--json');
    expect([exit, stderr]).toEqual([0, '']);
    expect(JSON.parse(stdout)['m.json']).toMatchObject({
      acc: 0.9,
      loss: 'NaN',
      low: '-Infinity',
      text: 'is NaN, " NaN',
    });
    expect((await made.repro('metrics', 'show')).stdout).toMatch(/loss\W+NaN/);
  });
});

test('an empty argument, as of a variable that is not set, is no stage, also when everything is up to date', async () => {
  const made = pair();
  await made.outcomes();
  const { exit, stdout, stderr } = await made.repro('');
  expect([exit, stdout, stderr]).toEqual([2, '', expect.stringContaining('there is no stage or output ""')]);
});
