/** The stage convert of the real pipeline: after a change in the data set, only what changed is converted. */
import { afterAll, expect, test } from 'vitest';
import { removeProjects } from '../repro/project.ts';
import { smallStudy } from './copy.ts';

afterAll(removeProjects);

test('convert leaves out files that did not change, and makes what a run from nothing makes', async () => {
  const study = smallStudy();
  const tune = (notes: string) => `X:1\nL:1/4\nK:C\n${notes}|\n`;
  for (const name of ['a', 'b', 'c']) study.write(`music/${name}.abc`, tune('CDEF'));
  await study.outcomes('convert', '-S', 'download.dataset=music');

  study.write('music/b.abc', tune('GABc'));
  study.write('music/d.abc', tune('c'));
  study.remove('music/c.abc');
  const { exit, stdout } = await study.repro('convert');
  expect(exit).toBe(0);
  expect(stdout).toContain('! convert: runs on what changed: 1 file added, 1 changed, 1 removed\n');
  expect(stdout).toContain('convert | 1 file is as it was\n');
  expect(study.read('data/abc/b.abc')).toContain('\nGABc|');
  expect(study.exists('data/abc/c.abc')).toBe(false);
  expect(await study.repro('verify', 'convert')).toMatchObject({
    exit: 0,
    stdout: expect.stringContaining('✓ convert: a run from nothing makes the same outputs\n'),
  });
});
