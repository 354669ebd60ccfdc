/** Temporary files that a killed repro leaves, and who removes them. The kill comes when the file is complete. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { commitAll } from '../git-project.ts';
import { project, removeProjects, type TestProject } from '../project.ts';

afterEach(removeProjects);

/** Kills the process that is about to give a temporary file its name, if the end of the name is that of KILL_AT. */
const KILLER = `
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
for (const call of ['renameSync', 'linkSync']) {
  const real = fs[call];
  fs[call] = (from, to) => {
    if (new RegExp(process.env.KILL_AT).test(to)) process.kill(process.pid, 'SIGKILL');
    return real(from, to);
  };
}
syncBuiltinESMExports();
`;

/** The paths of all temporary files in the project. */
function temporaryFiles(made: TestProject): string[] {
  const all = readdirSync(made.root, { recursive: true, encoding: 'utf8' });
  return all.filter((path) => /\.[0-9a-f]{8}-\d+-[0-9a-f]{8}\.tmp$/.test(path)).sort();
}

/** Calls repro, which dies before a rename to a path that matches. */
async function killAt(made: TestProject, target: string, ...args: string[]): Promise<void> {
  Object.assign(made.env, {
    KILL_AT: target,
    NODE_OPTIONS: `--import "data:text/javascript,${encodeURIComponent(KILLER)}"`,
  });
  const { process, ended } = await made.spawn(...args);
  await ended;
  made.env = {};
  expect(process.signalCode).toBe('SIGKILL');
}

const PIPELINE = `
include: [part/stages.yaml]
stages:
  a: {cmd: cp in.txt a.txt, deps: [in.txt], params: [p], outs: [a.txt]}
  b: {cmd: ls conf > b.txt, deps: [conf], params: [{conf/b.yaml: [q]}], outs: [b.txt]}
`;
const FILES = {
  'pipeline.yaml': PIPELINE,
  'part/stages.yaml': 'stages: {c: {cmd: "true", params: [r]}}\n',
  'part/params.yaml': 'r: 1\n',
  'in.txt': '1',
  'shared/params.yaml': 'p: 1\n',
  'conf/b.yaml': 'q: 1\n',
};

test('whatever a killed repro was writing, the next one removes it, and files of people with such names stay', async () => {
  const made = project(FILES);
  symlinkSync('shared/params.yaml', made.path('params.yaml'));
  commitAll(made);
  /** The file that a call writes when it is killed, and the arguments of the call. */
  const kills: [file: string, ...args: string[]][] = [
    ['shared/params.yaml', '-S', 'p=2'],
    ['conf/b.yaml', '-S', 'conf/b.yaml:q=2'],
    ['part/params.yaml', '-S', 'part/params.yaml:r=2'],
    ['part/stages.yaml', 'freeze', 'part/c'],
    ['.gitignore', 'gitignore'],
    ['dvc-like.lock'],
  ];
  for (const [file, ...args] of kills) {
    await killAt(made, `/${file}$`, ...args);
    expect(temporaryFiles(made)).toContainEqual(expect.stringMatching(new RegExp(`^${file}\\.`)));
  }
  // Of a process that runs, beside a file that repro never writes, of another name, and a folder.
  const { pid: ended } = spawnSync('true');
  const [, host] = /\.([0-9a-f]{8})-\d+-/.exec(temporaryFiles(made)[0])!;
  const kept = [`dvc-like.lock.${host}-${process.pid}-0123abcd.tmp`, `in.txt.${host}-${ended}-0123abcd.tmp`];
  for (const path of [...kept, 'params.yaml.tmp']) made.write(path, 'mine');
  mkdirSync(made.path(`pipeline.yaml.${host}-${ended}-0123abcd.tmp`));
  await made.outcomes();
  expect(temporaryFiles(made).filter((path) => !path.startsWith('.repro/'))).toEqual(
    [...kept, `pipeline.yaml.${host}-${ended}-0123abcd.tmp`].sort(),
  );
  expect([made.read('b.txt'), made.read('params.yaml.tmp')]).toEqual(['b.yaml\n', 'mine']);
});

test('what a killed repro was writing in .repro is removed by the next run, or by gc', async () => {
  const made = project(FILES);
  made.write('params.yaml', 'p: 1\n');
  made.write('.repro/config.yaml', 'cache: {type: hardlink}\n');
  made.write('a.txt', 'of a person');
  for (const target of ['/moved\\.json$', '/cache/sha256/', '/runs/', '/attempting/|/unrecorded/', '/state/[a-z]+$']) {
    await killAt(made, target);
    expect([target, temporaryFiles(made)]).toEqual([
      target,
      expect.arrayContaining([expect.stringMatching(/^\.repro/)]),
    ]);
  }
  made.write('in.txt', 'new, so that the output is linked to the cache');
  await made.outcomes();
  // An output that is to stay from now on gets a copy of its own.
  made.write('pipeline.yaml', PIPELINE.replace('[a.txt]', '[{a.txt: {persist: true}}]'));
  await killAt(made, '/a\\.txt$', '-f', 'a');
  expect(temporaryFiles(made)).toContainEqual(expect.stringMatching(/^\.repro\/unlinked\./));
  await made.repro('gc', '--yes');
  expect(temporaryFiles(made)).toEqual([]);
  expect(made.exists('.repro/trash') && readdirSync(made.path('.repro/trash'))).toEqual([]);
});
