/**
 * docs/recipes.md, carried out: its files are written, its shell steps run, and the steps of its workflow too. `npx`
 * and `npm ci` are short scripts here: install.test.ts has the real ones.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test, vi } from 'vitest';
import { parse } from 'yaml';
import { project, removeProjects, type TestProject } from '../project.ts';

afterEach(removeProjects);
// Each test is a dozen calls of other programs.
vi.setConfig({ testTimeout: 240_000 });

const PAGE = readFileSync(fileURLToPath(new URL('../../../docs/recipes.md', import.meta.url)), 'utf8');

/** The files of a recipe, named after the language of their block, and its shell blocks. */
function recipe(heading: string): { files: { [path: string]: string }; steps: string[] } {
  const section = PAGE.split(/^## /m).find((each) => each.startsWith(`${heading}\n`))!;
  const blocks = [...section.matchAll(/^```(\w+)(?: (\S+))?\n(.*?)^```$/gms)];
  return {
    files: Object.fromEntries(blocks.filter(([, , path]) => path).map(([, , path, text]) => [path, text])),
    steps: blocks.filter(([, language]) => language === 'sh').map(([, , , text]) => text),
  };
}

/** A project with repro in node_modules, and programs that stand for npm. */
async function installed(files: { [path: string]: string }): Promise<TestProject> {
  const made = project(files);
  const npx =
    '#!/bin/sh\nat=$PWD\nuntil [ -e "$at/node_modules/.bin/$1" ]; do at=${at%/*}; done\nexec "$at/node_modules/.bin/$@"\n';
  for (const [name, text] of Object.entries({ npx, npm: '#!/bin/sh\nexit 0\n' })) {
    made.write(`programs/${name}`, text);
    chmodSync(made.path(`programs/${name}`), 0o755);
  }
  mkdirSync(made.path('node_modules/.bin'), { recursive: true });
  symlinkSync(await made.bundle(), made.path('node_modules/.bin/repro'));
  return made;
}

function shell(made: TestProject, folder: string, script: string): { exit: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync('bash', ['-e', '-o', 'pipefail', '-c', script], {
    cwd: made.path(folder),
    encoding: 'utf8',
    env: { ...process.env, CUDA_VISIBLE_DEVICES: '', PATH: `${made.path('programs')}:${process.env.PATH}` },
  });
  return { exit: status, output: stdout + stderr };
}

/** What `repro init` writes. */
async function initialised(files: { [path: string]: string }): Promise<TestProject> {
  const made = await installed(files);
  expect((await made.repro('init')).exit).toBe(0);
  return made;
}

test('GitHub Actions: a clone without data is checked, and a job runs only what an edit made stale', async () => {
  const { files } = recipe('GitHub Actions');
  const { jobs } = parse(files['.github/workflows/pipeline.yml']);
  const commands = (job: string) => jobs[job].steps.flatMap(({ run }: { run?: string }) => run ?? []) as string[];
  const cached: string[] = jobs.run.steps
    .find(({ uses }: { uses?: string }) => uses?.includes('/cache@'))
    .with.path.trim()
    .split('\n');

  const made = await initialised(files);
  const git = (...args: string[]) =>
    execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@localhost', ...args], { cwd: made.root });
  made.write('.gitignore', `${made.read('.gitignore')}node_modules\nprograms\nclone*\n`);
  await made.outcomes();
  git('init', '-q');
  git('add', '.');
  git('commit', '-qm', 'first');

  /** A job in a fresh clone, which restores the cache of the job before and saves its own. */
  const job = (name: string, folder: string, before?: string) => {
    git('clone', '-q', '.', folder);
    if (before !== undefined)
      for (const path of cached)
        cpSync(made.path(`${before}/${path}`), made.path(`${folder}/${path}`), { recursive: true });
    return shell(made, folder, `export GITHUB_STEP_SUMMARY=$PWD/summary.md\n${commands(name).join('\n')}`);
  };
  expect(job('check', 'clone-1')).toEqual({ exit: 0, output: '' });
  made.write('params.yaml', made.read('params.yaml').replace('count: 100', 'count: 10'));
  git('commit', '-qam', 'edited, and repro not run');
  expect(job('check', 'clone-2')).toEqual({ exit: 1, output: '' });

  expect(job('run', 'clone-3').output).toMatch(/^4 ran in/m);
  made.write('params.yaml', made.read('params.yaml').replace('[1, 2, 3]', '[1, 2, 3, 4]'));
  git('commit', '-qam', 'one more exponent');
  expect(job('run', 'clone-4', 'clone-3').output).toMatch(/^1 ran, 4 restored in/m);
  expect(made.read('clone-4/summary.md')).toMatch(/^\|.*sum.*5050.*55/m);
});

test('make: a target calls repro each time, and is rebuilt only if a result changed', async () => {
  const { files, steps } = recipe('make');
  const made = await initialised(files);
  made.write('package-lock.json', '{}');
  const { output, exit } = shell(made, '.', steps.join('\n'));
  expect([exit, output.match(/awk -F/g)?.length, output.match(/everything is up to date/g)?.length]).toEqual([0, 1, 1]);
  expect(made.read('summary.txt')).toBe('sum of squares: 338350\n');
  expect(shell(made, '.', 'npx repro -S numbers.count=10 && make summary.txt').output).toMatch(/awk -F/);
});

test('monorepo: the pipeline of a folder runs there, and the code of a workspace package counts', async () => {
  const { files, steps } = recipe('A monorepo');
  const made = await installed(files);
  symlinkSync('../packages/stats', made.path('node_modules/stats'));
  const { exit, output } = shell(made, '.', steps.join('\n'));
  expect([exit, output]).toEqual([0, expect.stringMatching(/words +9[\s\S]*packages\/stats/)]);
});

test('Python: a stage reports progress, and an edit of a module that it imports makes it stale', async () => {
  const { files, steps } = recipe('A Python project');
  const made = await installed(files);
  made.write('.gitignore', 'node_modules\nprograms\n.repro\nmodel.json\n');
  execFileSync('git', ['init', '-q'], { cwd: made.root });
  const [first] = steps[0].split('\n');
  expect(shell(made, '.', `${first} --json`).output).toMatch(/"event":"progress".*"done":50,"total":50,"unit":"steps"/);
  shell(made, '.', 'git add . && git -c user.name=a -c user.email=a@localhost commit -qm first');
  const { exit, output } = shell(made, '.', steps.join('\n'));
  expect([exit, output]).toEqual([0, expect.stringMatching(/train +metrics|loss/)]);
  made.write('progress.py', `${made.read('progress.py')}\n# edited\n`);
  expect(Object.keys(await made.stale())).toEqual(['train']);
});

test('each block with a file is used by a test', () => {
  const all = PAGE.split(/^## /m)
    .slice(1)
    .map((section) => section.split('\n')[0]);
  expect(all).toEqual(['GitHub Actions', 'make', 'A monorepo', 'A Python project']);
  expect(dirname(Object.keys(recipe('GitHub Actions').files)[0])).toBe('.github/workflows');
});
