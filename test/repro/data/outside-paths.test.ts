/** No manifest, hash or symbolic link makes repro write outside of the folder of the pipeline. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { setStages } from '../git-project.ts';
import { project, removeProjects, type TestProject } from '../project.ts';

afterEach(removeProjects);

describe('nothing is written outside of the folder of the pipeline', () => {
  const STAGE = 'a: {cmd: echo made > out.txt, deps: [u], outs: [OUT]}';
  const hash = (text: string) => createHash('sha256').update(text).digest('hex');

  /** A remote that holds these texts, and a lock that says that stage a made `out` from them. */
  function craft(made: TestProject, out: string, content: object, ...texts: string[]): string {
    const store = project({}).root;
    for (const text of texts) {
      const folder = join(store, 'sha256', hash(text).slice(0, 2));
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, hash(text).slice(2)), text);
    }
    made.write('u', 'u\n');
    setStages(made, STAGE.replace('OUT', out));
    const lines = (values: object) => Object.entries(values).map(([key, value]) => `        ${key}: ${value}\n`);
    made.write(
      'dvc-like.lock',
      `stages:
  a:
    cmd: echo made > out.txt
    deps:
      u:
${lines({ sha256: hash('u\n'), size: 2 }).join('')}    outs:
      ${out}:
${lines(content).join('')}`,
    );
    return store;
  }

  test.each(['../escaped', '/escaped', 'a/../../escaped', '', './escaped'])(
    'by a folder from a remote whose list of files has the path "%s"',
    async (path) => {
      const made = project({});
      const evil = 'evil\n';
      const list = `${JSON.stringify({ path, sha256: hash(evil), size: 5 })}\n`;
      const store = craft(made, 'out', { sha256: hash(list), size: 5, files: 1 }, evil, list);
      const pulled = await made.repro('pull', '-r', store);
      expect(pulled.exit).toBe(1);
      expect(pulled.stderr).toContain('which is not inside of it; it was not copied');
      expect(pulled.stderr).not.toContain('    at ');
      expect(readdirSync(join(made.root, '..'))).not.toContain('escaped');
      expect(existsSync('/escaped')).toBe(false);
    },
  );

  test('by a folder from a remote with an empty folder that would lie outside', async () => {
    const made = project({});
    const list = `${JSON.stringify({ path: '../escaped/' })}\n`;
    const store = craft(made, 'out', { sha256: hash(list), size: 0, files: 0 }, list);
    const pulled = await made.repro('pull', '-r', store);
    expect([pulled.exit, pulled.stderr.includes('which is not inside of it')]).toEqual([1, true]);
  });

  test('by a lock or a list of files with a hash that is a path', async () => {
    const made = project({});
    const store = craft(made, 'out', { sha256: '../../../u', size: 5 });
    const pulled = await made.repro('pull', '-r', store);
    expect([pulled.exit, pulled.stderr.includes('is not a SHA-256')]).toEqual([1, true]);
    const list = `${JSON.stringify({ path: 'x', sha256: '../../../../u', size: 5 })}\n`;
    const other = craft(made, 'out', { sha256: hash(list), size: 5, files: 1 }, list);
    const again = await made.repro('pull', '-r', other);
    expect([again.exit, again.stderr.includes('a hash that is not a SHA-256')]).toEqual([1, true]);
  });

  test('through a symbolic link, neither by a pull nor by a run, and what is there stays', async () => {
    const made = project({});
    const outside = project({ 'kept.txt': 'mine\n' });
    symlinkSync(outside.root, join(made.root, 'link'));
    const store = craft(made, 'link/kept.txt', { sha256: hash('evil\n'), size: 5 }, 'evil\n');
    const pulled = await made.repro('pull', '-r', store);
    expect(pulled.exit).toBe(1);
    expect(pulled.stderr).toContain("outside of the pipeline's folder");
    made.remove('dvc-like.lock');
    const ran = await made.repro();
    expect([ran.exit, outside.read('kept.txt')]).toEqual([1, 'mine\n']);
  });

  test('but a symbolic link that stays inside is followed', async () => {
    const made = project({ 'big/.keep': '' });
    symlinkSync('big', join(made.root, 'data'));
    made.write('u', 'u\n');
    setStages(made, 'a: {cmd: cp u data/out, deps: [u], outs: [data/out]}');
    expect(await made.outcomes()).toEqual({ a: 'ran' });
    expect(made.read('big/out')).toBe('u\n');
  });
});
