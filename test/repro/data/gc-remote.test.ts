/** `repro gc --remote`: what a remote holds and no commit of the repository needs. The remotes are real ones. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { git } from '../git-project.ts';
import { project, removeProjects, type TestProject } from '../project.ts';
import { RCLONE_REMOTES, type Server } from '../servers.ts';

afterEach(removeProjects);

const PIPELINE = `
stages:
  tree: {cmd: 'mkdir tree; cp in.txt tree/a; echo same > tree/b', deps: [in.txt], outs: [tree]}
  file: {cmd: 'tr a-z A-Z < tree/a > file.txt', deps: [tree], outs: [file.txt]}
`;

/** A folder that is a remote. */
const FOLDER = (): Server => {
  const base = project({ x: '' });
  return { url: base.path('store'), folder: base.path('store'), env: {}, stop: () => {} };
};
/** Objects and runs of a remote, by kind. */
function held({ folder }: Server): { objects: number; runs: number } {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return {
    objects: names.filter((name) => /^sha256\/..\/\w{62}$/.test(name)).length,
    runs: names.filter((name) => /^runs\/..\/\w{62}\.json$/.test(name)).length,
  };
}

/** A project that is a repository. */
function gitProject(text: string): TestProject {
  const made = project({ 'pipeline.yaml': PIPELINE, 'in.txt': text, '.gitignore': '.repro/\ntree\nfile.txt\n' });
  git(made, 'init', '-q');
  return made;
}

/** Runs the pipeline, commits the lock and pushes. */
async function runAndPush(made: TestProject, server: Server): Promise<void> {
  await made.outcomes();
  git(made, 'add', '-A');
  git(made, 'commit', '-qm', 'run');
  expect((await made.repro('push', '-r', server.url)).exit).toBe(0);
}

/** A project whose results of three inputs were pushed: of a commit, of a branch that was left, and of no commit. */
async function pushed(server: Server): Promise<TestProject> {
  const made = gitProject('first');
  made.env = server.env;
  await runAndPush(made, server);
  made.write('in.txt', 'never committed');
  await made.outcomes();
  expect((await made.repro('push', '-r', server.url)).exit).toBe(0);
  git(made, 'checkout', '-q', '-b', 'other');
  made.write('in.txt', 'second');
  await runAndPush(made, server);
  git(made, 'checkout', '-q', '-');
  return made;
}

test('loses what no commit names, and both commits can still be pulled', async () => {
  const server = FOLDER();
  const made = await pushed(server);
  // Of each input a list, tree/a and file.txt; tree/b is the same in all three.
  expect(held(server)).toEqual({ objects: 10, runs: 6 });
  const young = await made.repro('gc', '--remote', server.url, '--yes');
  expect([young.exit, young.stdout]).toEqual([0, expect.stringMatching(/^freed 0 bytes in 0 objects of 0 old runs/)]);
  const listed = await made.repro('gc', '--remote', server.url, '--age', '0');
  expect([listed.stdout.split('\n')[0], held(server)]).toEqual([
    expect.stringMatching(/^would free \d+ bytes in 3 objects of 2 old runs in .*; 7 objects of 2 commits/),
    { objects: 10, runs: 6 },
  ]);
  const freed = await made.repro('gc', '--remote', server.url, '--age', '0', '--yes', '--json');
  expect([JSON.parse(freed.stdout), held(server)]).toEqual([
    { objects: 3, runs: 2, bytes: expect.any(Number), kept: 7, commits: 2, freed: true },
    { objects: 7, runs: 4 },
  ]);
  for (const [branch, text] of [
    ['-', 'SECOND'],
    ['-', 'FIRST'],
  ]) {
    git(made, 'checkout', '-q', branch);
    made.remove('.repro');
    expect((await made.repro('pull', '-r', server.url)).exit).toBe(0);
    expect([made.read('file.txt'), await made.outcomes()]).toEqual([text, {}]);
  }
});

// What gc decides is the same for all remotes. Behind rclone, files have other ages, and are read and removed by rclone.
for (const [name, isThere, start] of RCLONE_REMOTES)
  describe.skipIf(!isThere)(`${name} (skipped without rclone or its server)`, () => {
    let server: Server;
    beforeAll(async () => {
      server = await start();
    });
    afterAll(() => server.stop());

    test('loses what is old and no commit names, and reads lists of files that the cache lacks', async () => {
      const made = gitProject('never committed');
      made.env = server.env;
      await made.outcomes();
      expect((await made.repro('push', '-r', server.url)).exit).toBe(0);
      made.write('in.txt', 'first');
      await runAndPush(made, server);
      made.remove('.repro/cache');
      expect(held(server)).toEqual({ objects: 7, runs: 4 });
      const gc = async (...age: string[]) =>
        JSON.parse((await made.repro('gc', '--remote', server.url, '--yes', '--json', ...age)).stdout);
      expect(await gc()).toMatchObject({ objects: 0, runs: 0, kept: 7 });
      expect([await gc('--age', '0'), held(server)]).toMatchObject([
        { objects: 3, runs: 2, kept: 4 },
        { objects: 4, runs: 2 },
      ]);
    });
  });

describe('what gc cannot know', () => {
  test('keeps all of a remote that is not part of a repository, is a shallow clone, or has a damaged list', async () => {
    const server = FOLDER();
    const made = await pushed(server);
    const all = held(server);
    const gc = (at: TestProject) => at.repro('gc', '--remote', server.url, '--age', '0', '--yes');

    const loose = project({ 'pipeline.yaml': PIPELINE, 'in.txt': '' });
    expect(await gc(loose)).toMatchObject({ exit: 2, stderr: expect.stringMatching(/not in a git repository/) });
    const shallow = project({ x: '' });
    execFileSync('git', ['clone', '-q', '--depth', '1', `file://${made.root}`, shallow.path('clone')]);
    execFileSync('cp', ['-r', '.git', '..'], { cwd: shallow.path('clone') });
    shallow.write('pipeline.yaml', PIPELINE);
    expect(await gc(shallow)).toMatchObject({ exit: 2, stderr: expect.stringMatching(/shallow clone/) });

    const lists = readdirSync(server.folder, { recursive: true, encoding: 'utf8' })
      .map((name) => join(server.folder, name))
      .filter((path) => /sha256\/..\/\w{62}$/.test(path) && readFileSync(path, 'utf8').startsWith('{"path"'));
    for (const list of lists) {
      execFileSync('chmod', ['u+w', list]);
      writeFileSync(list, 'damaged');
    }
    made.remove('.repro');
    expect(await gc(made)).toMatchObject({ exit: 1, stderr: expect.stringMatching(/list of files .* is damaged/) });
    expect(held(server)).toEqual(all);
  });

  test('another project that uses the remote is named with --project', async () => {
    const server = FOLDER();
    const made = await pushed(server);
    const other = gitProject('of another project');
    await runAndPush(other, server);
    const free = async (...options: string[]) =>
      JSON.parse((await made.repro('gc', '--remote', server.url, '--age', '0', '--json', ...options)).stdout).objects;
    expect([await free(), await free('--project', other.root)]).toEqual([6, 3]);
  });
});
