/** Remotes behind rclone: a folder, an SFTP server and an S3 server, each with the real program. */
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { project, removeProjects, type TestProject, until } from '../project.ts';
import { hasRclone, hasSftp, RCLONE_REMOTES, type Server, startFolder, startSftp } from '../servers.ts';

afterEach(removeProjects);

const PIPELINE = `
stages:
  make: {cmd: 'mkdir -p tree/sub; cp in.txt tree/sub/a; date > tree/b; echo x > "tree/a b[1]*"', deps: [in.txt], outs: [tree]}
  use: {cmd: 'tr a-z A-Z < tree/sub/a > used.txt', deps: [tree], outs: [used.txt]}
`;

/** A project as another clone has it: with the lock, without data. */
function clone(made: TestProject, server: Server): TestProject {
  const other = project({ 'pipeline.yaml': PIPELINE, 'in.txt': made.read('in.txt') });
  other.write('dvc-like.lock', made.read('dvc-like.lock'));
  other.env = server.env;
  return other;
}

/** The objects of a remote, relative to its folder. */
function objectsOf({ folder }: Server): string[] {
  const names = existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: 'utf8' }) : [];
  return names.filter((name) => /^sha256\/..\/\w{62}$/.test(name));
}

for (const [name, isThere, start] of RCLONE_REMOTES)
  describe.skipIf(!isThere)(`${name} (skipped without rclone or its server)`, () => {
    let server: Server;
    beforeAll(async () => {
      server = await start();
    });
    afterAll(() => server.stop());

    test('lists, takes, gives and removes files: push, a fetch that finds damage, and pull', async () => {
      const made = project({ 'pipeline.yaml': PIPELINE, 'in.txt': 'text' });
      made.env = server.env;
      await made.outcomes();
      // The tree has three files and a list of them.
      const push = () => made.repro('push', '-r', server.url);
      expect(await push()).toMatchObject({ exit: 0, stdout: '5 objects pushed, 0 there already\n', stderr: '' });
      expect(objectsOf(server)).toHaveLength(5);
      const [cut, changed] = objectsOf(server).map((path) => join(server.folder, path));
      // Of the right size, but with another content: a fetch sees it by its hash.
      const bytes = readFileSync(changed);
      bytes[0] ^= 1;
      writeFileSync(changed, bytes);
      const other = clone(made, server);
      const fetched = await other.repro('fetch', '-r', server.url);
      expect([fetched.exit, fetched.stderr]).toEqual([
        1,
        expect.stringMatching(
          / was damaged in the remote and was removed from it: push it again from where it is whole/,
        ),
      ]);
      // Cut short, as by a killed rclone of an old version: the next push sees it by its size.
      truncateSync(cut, 1);
      expect((await push()).stdout).toBe('1 object pushed, 3 there already, 1 repaired\n');
      expect((await other.repro('pull', '-r', server.url)).exit).toBe(0);
      expect([other.read('tree/b'), await other.outcomes()]).toEqual([made.read('tree/b'), {}]);
    });
  });

// What repro does with a remote is the same for all services.
describe.skipIf(!hasRclone)('a remote behind rclone (skipped without rclone)', () => {
  let server: Server;
  beforeEach(() => {
    server = startFolder();
  });
  afterEach(() => server.stop());

  test('push, and pull into another clone, where everything is up to date; a forecast fetches nothing', async () => {
    const made = project({ 'pipeline.yaml': PIPELINE, 'in.txt': 'text' });
    made.env = server.env;
    await made.outcomes();
    made.write('.repro/config.yaml', `remotes: {lab: "${server.url}"}\n`);
    expect((await made.repro('push')).stdout).toBe('5 objects pushed, 0 there already\n');
    expect((await made.repro('push')).stdout).toBe('0 objects pushed, 5 there already\n');

    const other = clone(made, server);
    const pulled = await other.repro('pull', '-r', server.url);
    expect(pulled).toMatchObject({ exit: 0, stdout: '5 objects fetched, 0 there already\n2 outputs checked out\n' });
    expect([other.read('tree/b'), await other.outcomes()]).toEqual([made.read('tree/b'), {}]);
    const third = clone(made, server);
    expect((await third.repro('--dry', '--pull', '-r', server.url)).stdout).toMatch(
      /^make {2}would be restored: .*\nuse {3}would be restored: /,
    );
    expect(third.exists('.repro/cache')).toBe(false);
    // A run is there too, so the other clone need not run a stage that the lock does not have.
    other.remove('dvc-like.lock');
    expect(await other.outcomes()).toEqual({ make: 'restored', use: 'restored' });
  });

  test('with --pull a run fetches what it needs, and names what the remote lacks', async () => {
    const made = project({ 'pipeline.yaml': PIPELINE, 'in.txt': 'other text' });
    made.env = server.env;
    await made.outcomes();
    await made.repro('push', '-r', server.url, 'make');
    const other = clone(made, server);
    const { exit, stderr } = await other.repro('fetch', '-r', server.url);
    expect([exit, stderr]).toEqual([1, `repro: used.txt: ${server.url} does not have it\n`]);
    expect(await other.outcomes('--pull', '-r', server.url)).toEqual({ make: 'restored', use: 'ran' });
  });
});

// Where rclone is killed, SFTP may keep a file that was cut short under its final name.
describe.skipIf(!hasSftp)('SFTP (skipped without rclone or sshd)', () => {
  let server: Server;
  beforeAll(async () => {
    server = await startSftp();
  });
  afterAll(() => server.stop());

  test('a push or pull that is killed is whole after the next one', async () => {
    const pipeline = `
stages:
  many: {cmd: 'mkdir out; for n in $(seq 60); do head -c 100000 /dev/urandom > out/$n; done', deps: [in.txt], outs: [out]}
`;
    const made = project({ 'pipeline.yaml': pipeline, 'in.txt': '' });
    made.env = server.env;
    await made.outcomes();
    const push = await made.spawn('push', '-r', server.url);
    await until(() => objectsOf(server).length > 2);
    push.process.kill('SIGKILL');
    await push.ended;
    expect((await made.repro('push', '-r', server.url)).exit).toBe(0);
    const other = project({ 'pipeline.yaml': pipeline, 'in.txt': '', 'dvc-like.lock': made.read('dvc-like.lock') });
    other.env = server.env;
    mkdirSync(other.path('.repro/cache/incoming'), { recursive: true });
    const pull = await other.spawn('pull', '-r', server.url);
    await until(
      () => other.exists('.repro/cache/incoming') && readdirSync(other.path('.repro/cache/incoming')).length > 0,
    );
    pull.process.kill('SIGKILL');
    await pull.ended;
    expect((await other.repro('pull', '-r', server.url)).exit).toBe(0);
    expect(await other.outcomes()).toEqual({});
  });
});

describe('bad remotes', () => {
  const made = () => project({ 'pipeline.yaml': PIPELINE, 'in.txt': '1' });

  test('without rclone, a sentence says how to get it', async () => {
    const here = made();
    await here.outcomes();
    here.env = { PATH: '/nowhere' };
    expect(await here.repro('push', '-r', 's3://bucket/store')).toMatchObject({
      exit: 2,
      stderr:
        "repro: s3://bucket/store needs the program rclone, which is not on the PATH; install it from your system's packages or from rclone.org\n",
    });
  });

  test('rclone that is too old is named with its version, when it fails', async () => {
    const here = made();
    await here.outcomes();
    const script = 'case $1 in version) echo "rclone v1.53.3-DEV";; *) echo "Error: unknown flag" >&2; exit 1;; esac';
    here.write('bin/rclone', `#!/bin/sh\n${script}\n`);
    chmodSync(here.path('bin/rclone'), 0o755);
    here.env = { PATH: `${here.path('bin')}:${process.env.PATH}` };
    expect((await here.repro('push', '-r', 's3://bucket/store')).stderr).toBe(
      'repro: rclone 1.53 is too old for s3://bucket/store; it must be 1.54 or newer\n',
    );
  });

  test('an error of rclone that has several lines is told whole, in one line', async () => {
    const here = made();
    await here.outcomes();
    // What rclone 1.60 says with AWS_CA_BUNDLE.
    here.write(
      'bin/rclone',
      `#!/bin/sh
[ "$1" = version ] && { echo 'rclone v1.60.1'; exit; }
cat >&2 <<'END'
2026/11/30 01:43:52 NOTICE: Config file "rclone.conf" not found - using defaults
2026/11/30 01:43:52 Failed to create file system for ":s3:bucket": LoadCustomCABundleError: unable to load custom CA bundle
caused by: unsupported transport, *fshttp.Transport
END
exit 1
`,
    );
    chmodSync(here.path('bin/rclone'), 0o755);
    here.env = { PATH: `${here.path('bin')}:${process.env.PATH}` };
    expect((await here.repro('push', '-r', 's3://bucket/store')).stderr).toBe(
      'repro: the remote s3://bucket/store cannot be read: Failed to create file system for ":s3:bucket": ' +
        'LoadCustomCABundleError: unable to load custom CA bundle caused by: unsupported transport, *fshttp.Transport\n',
    );
  });

  test.skipIf(!hasRclone)(
    'a remote that rclone does not know, and a server that is not there, are named in a sentence',
    async () => {
      const here = made();
      await here.outcomes();
      const { exit, stderr } = await here.repro('push', '-r', 'rclone:nosuch:x');
      expect([exit, stderr]).toEqual([
        1,
        expect.stringMatching(/^repro: the remote rclone:nosuch:x cannot be read: .*didn't find section/),
      ]);
      expect(stderr.split('\n')).toHaveLength(2);
    },
  );
});
