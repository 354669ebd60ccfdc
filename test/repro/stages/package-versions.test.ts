/** Packages that a stage's code imports: their versions are part of its fingerprint. */
import { afterEach, expect, test } from 'vitest';
import { lockedLines } from '../../../lib/repro/hashing/package-versions.ts';
import { project, removeProjects } from '../project.ts';

afterEach(removeProjects);

test('a package counts with all packages that it depends on, each from the folder in which Node finds it', () => {
  const packages = {
    '': { dependencies: { a: '^1.0.0', unused: '*' } },
    'node_modules/a': {
      version: '1.0.0',
      integrity: 'A',
      dependencies: { '@s/b': '*', c: '*' },
      peerDependencies: { gone: '*' },
    },
    'node_modules/a/node_modules/c': { version: '3.0.0', optionalDependencies: { d: '*' } },
    'node_modules/@s/b': { version: '2.0.0', resolved: 'R', dependencies: { a: '*', c: '*' } },
    'node_modules/c': { version: '4.0.0' },
    'node_modules/d': { version: '5.0.0' },
    'node_modules/unused': { version: '6.0.0' },
  };
  expect(lockedLines(packages, 'node_modules/a').map((line) => line.trimEnd())).toEqual([
    'node_modules/@s/b 2.0.0 R',
    'node_modules/a 1.0.0  A',
    'node_modules/a/node_modules/c 3.0.0',
    'node_modules/c 4.0.0',
    'node_modules/d 5.0.0',
  ]);
  expect(lockedLines(packages, 'node_modules/other')).toEqual([]);
});

test('a stage is stale when a package that its code imports changes, but not if its last run recorded no packages', async () => {
  const lock = { lockfileVersion: 3, packages: {} as { [folder: string]: object } };
  lock.packages['node_modules/a'] = { version: '1.0.0', dependencies: { b: '*' } };
  lock.packages['node_modules/b'] = { version: '1.0.0' };
  lock.packages['node_modules/other'] = { version: '1.0.0' };
  const made = project({
    'pipeline.yaml': 'stages:\n  s: {cmd: node main.mjs > out, code: [main.mjs], outs: [out]}\n',
    'main.mjs': "import a from 'a';\nconsole.log(a);\n",
    'node_modules/a/package.json': '{"name": "a", "version": "1.0.0", "main": "main.js"}',
    'node_modules/a/main.js': 'module.exports = 1;\n',
    'node_modules/b/package.json': '{"version": "1.0.0"}',
    'package-lock.json': JSON.stringify(lock),
  });
  const setVersion = (name: string, version: string) => {
    lock.packages[`node_modules/${name}`] = { ...lock.packages[`node_modules/${name}`], version };
    made.write('package-lock.json', JSON.stringify(lock));
  };
  await made.outcomes();
  expect(made.lock().stages.s.packages).toEqual({ a: expect.stringMatching(/^1\.0\.0 [0-9a-f]{12}$/) });
  setVersion('other', '2.0.0');
  expect((await made.repro()).stdout).toBe('everything is up to date (1 stage)\n');

  setVersion('b', '2.0.0');
  expect((await made.repro('why', 's')).stdout).toBe(
    's: stale\n  package a 1.0.0: package-lock.json changed for it or for its dependencies\n',
  );
  setVersion('b', '1.0.0');
  made.write('node_modules/a/package.json', '{"name": "a", "version": "1.1.0", "main": "main.js"}');
  expect((await made.repro()).stdout).toContain('> s  package a 1.0.0 → 1.1.0\n');
  expect(made.lock().stages.s.packages.a).toMatch(/^1\.1\.0 /);

  made.write('dvc-like.lock', made.read('dvc-like.lock').replace(/ {4}packages:\n {6}a: .*\n/, ''));
  expect(made.lock().stages.s.packages).toBeUndefined();
  expect(await made.stale()).toEqual({});
});
