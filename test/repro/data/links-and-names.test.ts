/** Folders with symbolic links, names that are not UTF-8, and things that are neither files nor folders. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  lstatSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { contentWithin, manifestProblem } from '../../../lib/repro/hashing/index.ts';
import { setStages } from '../git-project.ts';
import { project, removeProjects, type TestProject } from '../project.ts';

afterEach(removeProjects);

/** The bytes of a path with a Latin-1 name, which is not UTF-8. */
const latin1 = (made: TestProject, folder: string, name: string) =>
  Buffer.concat([Buffer.from(`${made.path(folder)}/`), Buffer.from(name, 'latin1')]);
const isFresh = async (made: TestProject) => !('a' in (await made.stale()));

describe('a folder that a stage depends on', () => {
  test('counts a link to nothing as a link, a link out of it as what it leads to, a link inside it where that is', async () => {
    const made = project({ 'd/x': '1', 'd/sub/y': '1', 'elsewhere/z': '1' });
    setStages(made, 'a: {cmd: ls d > list, deps: [d], outs: [list]}');
    const links = { nothing: 'me@host.1234', loop: 'loop', out: '../elsewhere', inside: 'sub', 'sub/up': '..' };
    for (const [link, target] of Object.entries(links)) symlinkSync(target, made.path(`d/${link}`));
    expect(await made.outcomes()).toEqual({ a: 'ran' });
    symlinkSync('me@host.99', made.path('d/.#lock-of-emacs'));
    expect(await isFresh(made)).toBe(true);
    made.write('elsewhere/z', '2');
    expect(await isFresh(made)).toBe(false);
    made.write('elsewhere/z', '1');
    expect(await isFresh(made)).toBe(true);
    unlinkSync(made.path('d/nothing'));
    symlinkSync('you@host.1234', made.path('d/nothing'));
    expect(await isFresh(made)).toBe(false);
  });

  test('is refused with the path of a FIFO, a socket, or a link back to a folder around it', async () => {
    const made = project({ 'fifo/ok': '', 'in/loop/ok': '' });
    execFileSync('mkfifo', [made.path('fifo/queue')]);
    symlinkSync('..', made.path('in/loop/up'));
    const { exit, stderr } = await refusal(
      made,
      'a: {cmd: ls > o, deps: [fifo], outs: [o]}',
      'b: {cmd: ls > p, deps: [in/loop], outs: [p]}',
      'c: {cmd: ls > q, deps: [fifo/queue, lost], outs: [q]}',
    );
    expect(exit).toBe(2);
    expect(stderr).toContain(
      'a: fifo/queue is a FIFO, which has no content to compare; remove it, or leave it out in .reproignore',
    );
    expect(stderr).toContain('b: in/loop/up is a symbolic link that leads back to a folder that holds it');
    expect(stderr).toContain('c: fifo/queue is a FIFO, not a file or a folder');
    made.write('.reproignore', 'queue\nup\n');
    symlinkSync('nowhere', made.path('lost'));
    const again = await refusal(
      made,
      'a: {cmd: ls > o, deps: [fifo, in/loop], outs: [o]}',
      'c: {cmd: ls > q, deps: [lost], outs: [q]}',
    );
    expect(again.stderr).toMatch(
      /^repro: .*c: the dependency "lost" is missing: it is a symbolic link to nothing, and no stage makes it\n$/,
    );
  });

  test('is refused with the name that is not UTF-8, unless it is ignored', async () => {
    const made = project({ 'd/ok': '', 'd/\ufffd-is-a-character': '' });
    setStages(made, 'a: {cmd: ls d > list, deps: [d], outs: [list]}');
    writeFileSync(latin1(made, 'd', 'caf\xe9.txt'), 'x');
    for (const call of [[], ['status'], ['--dry']])
      expect(await made.repro(...call)).toMatchObject({
        exit: 2,
        stderr: expect.stringContaining('a: d/caf\\xe9.txt has a name that is not UTF-8; rename it'),
      });
    made.write('.reproignore', 'caf?.txt\n');
    expect(await made.outcomes()).toEqual({ a: 'ran' });
    made.remove('.reproignore');
    expect((await made.repro()).exit).toBe(2);
    renameSync(latin1(made, 'd', 'caf\xe9.txt'), made.path('d/café.txt'));
    expect(Object.keys(await made.stale())).toEqual(['a']);
  });

  const refusal = (made: TestProject, ...stages: string[]) => {
    setStages(made, ...stages);
    return made.repro();
  };
});

describe('a folder that a stage makes', () => {
  test('comes back with its links and executable files, by restore, checkout and pull', async () => {
    const made = project({ u: '1', 'in/x': '1' });
    setStages(
      made,
      'a: {cmd: "mkdir -p out/sub && cp u out/tool && chmod +x out/tool && cp u out/data && ln -s tool out/latest && ln -s ../data out/sub/up && ln -s sub/ out/dir && ln -s later out/sub/nothing && ln -s ../in out/in", deps: [u, in], outs: [out]}',
      'b: {cmd: cp out/sub/up v, deps: [out], outs: [v]}',
    );
    await made.outcomes();
    const check = () => {
      expect(statSync(made.path('out/tool')).mode & 0o111).toBe(0o111);
      expect(statSync(made.path('out/data')).mode & 0o111).toBe(0);
      const links = ['latest', 'sub/up', 'dir', 'sub/nothing'].map((link) => readlinkSync(made.path(`out/${link}`)));
      expect(links).toEqual(['tool', '../data', 'sub/', 'later']);
      // A link that leads out of the folder comes back as the content, which is all that the cache has.
      expect([lstatSync(made.path('out/in')).isDirectory(), made.read('out/in/x')]).toEqual([true, '1']);
    };
    made.write('u', '2');
    await made.outcomes();
    made.write('u', '1');
    expect(await made.outcomes()).toEqual({ a: 'restored', b: 'restored' });
    check();
    const store = project({}).root;
    expect((await made.repro('push', '-r', store)).exit).toBe(0);
    for (const path of ['out', '.repro']) made.remove(path);
    expect((await made.repro('pull', '-r', store)).exit).toBe(0);
    check();
    unlinkSync(made.path('out/latest'));
    symlinkSync('data', made.path('out/latest'));
    expect(Object.keys(await made.stale())).toEqual(['a']);
    made.remove('out');
    expect((await made.repro('checkout')).exit).toBe(0);
    check();
    expect(await made.stale()).toEqual({});
  });

  test('fails its stage if it holds a name that is not UTF-8 or a link to nothing outside; a corrected stage then runs', async () => {
    const made = project({ u: '1' });
    const stage = (cmd: string) => setStages(made, `a: {cmd: '${cmd}', deps: [u], outs: [out]}`);
    stage('mkdir out && touch out/"$(printf "caf\\\\351")"');
    expect(await made.repro()).toMatchObject({
      exit: 1,
      stdout: expect.stringContaining('out/caf\\xe9 has a name that is not UTF-8'),
    });
    stage('mkdir out && ln -s ../../secret out/link && mkfifo out/fifo');
    expect(await made.repro()).toMatchObject({ exit: 1, stdout: expect.stringContaining('out/fifo is a FIFO') });
    stage('mkdir out && ln -s ../../secret out/link');
    expect(await made.repro()).toMatchObject({
      exit: 1,
      stdout: expect.stringContaining('its symbolic link "link" to "../../secret" leads outside of it'),
    });
    stage('mkdir out && cp u out/x');
    expect(await made.outcomes()).toEqual({ a: 'ran' });
    // What a person left there afterwards is not lost either.
    writeFileSync(latin1(made, 'out', 'caf\xe9'), 'mine');
    expect((await made.stale()).a.reasons[0].problem).toContain('out/caf\\xe9 has a name that is not UTF-8');
    expect((await made.repro()).stdout).toContain('! a: moved out to .repro/trash');
  });

  test('is not restored by a list of files whose links lead outside, or that has files behind links', () => {
    const hash = createHash('sha256').digest('hex');
    const file = (path: string) => ({ path, sha256: hash, size: 0 });
    const link = (path: string, target: unknown) => ({ path, link: target as string });
    const good = [[link('a', 'b')], [link('a/b/c', '../../x/y')], [link('a', './x//')], [file('a/x'), link('b', 'a')]];
    for (const entries of good) expect(manifestProblem(entries)).toBe(undefined);
    const outside = ['/etc', '..', 'x/../..', 'x/..', '../a', '', 'a\0b', 7, null];
    for (const target of outside)
      expect(manifestProblem([link('a', target)]), String(target)).toContain('leads outside of it');
    expect(manifestProblem([link('../a', 'x')])).toContain('which is not inside of it');
    for (const entries of [
      [link('a', 'b'), file('a/x')],
      [file('a'), link('a', 'b')],
      [link('a', 'b'), link('a', 'c')],
      [link('a', 'b'), { path: 'a/' }],
    ])
      expect(manifestProblem(entries)).toContain('twice, or inside of a symbolic link');
  });

  test('has the content behind its links where another stage names a path through one', () => {
    const file = { path: 'run-2/m.json', sha256: 'a'.repeat(64), size: 1 };
    const links = { latest: 'run-2', 'x/up': '../latest/', round: 'round', out: '../else' };
    const manifest = [file, ...Object.entries(links).map(([path, link]) => ({ path, link }))];
    const content = { sha256: file.sha256, size: 1 };
    for (const path of ['run-2/m.json', 'latest/m.json', 'x/up/m.json'])
      expect(contentWithin(manifest, path), path).toEqual(content);
    expect(contentWithin(manifest, 'latest')).toEqual(contentWithin(manifest, 'run-2'));
    for (const path of ['round', 'round/x', 'out', 'out/m.json', 'x', 'none'])
      expect(contentWithin(manifest, path), path).toBe(undefined);
  });
});

describe('what Node reads as another text is refused:', () => {
  test('a current folder whose path is not UTF-8, or that was removed, instead of the pipeline above it', async () => {
    const made = project({ 'above.txt': '' });
    setStages(made, 'a: {cmd: cat above.txt > o, deps: [above.txt], outs: [o]}');
    expect(await made.outcomes()).toEqual({ a: 'ran' });
    const notUtf8 = await made.reproAfter(`mkdir "$(printf 'caf\\351')" && cd "$(printf 'caf\\351')"`);
    expect(notUtf8.stderr).toMatch(/^repro: the path of this folder is not UTF-8, .*caf\ufffd; rename the folder\n$/);
    const removed = await made.reproAfter('mkdir gone && cd gone && rmdir ../gone', 'status');
    expect(removed.stderr).toBe('repro: the current folder cannot be found; it was removed, or may not be entered\n');
    expect([notUtf8.exit, removed.exit]).toEqual([2, 2]);
  });

  test('bytes in params.yaml that are not UTF-8, also by -S, which leaves the file as it is', async () => {
    const made = project({ 'params.yaml': '' });
    setStages(made, 'a: {cmd: "echo ${a} > o", params: [a], outs: [o]}');
    const bytes = Buffer.from('a: 1\nb: caf\xe9\n', 'latin1');
    writeFileSync(made.path('params.yaml'), bytes);
    const refused = { exit: 2, stderr: expect.stringMatching(/^repro: params\.yaml:2:7: .*not UTF-8; save the file/) };
    expect(await made.repro()).toMatchObject(refused);
    expect(await made.repro('-S', 'a=2')).toMatchObject(refused);
    expect(readFileSync(made.path('params.yaml'))).toEqual(bytes);
  });
});
