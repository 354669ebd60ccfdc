/** A project on a network file system: sshfs, with the cache times of NFS, to a real SFTP server on this machine. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { project, removeProjects, type TestProject } from '../project.ts';
import { hasSftp, type Server, startSftp } from '../servers.ts';

const hasSshfs = hasSftp && spawnSync('sshfs', ['--version']).status === 0 && existsSync('/dev/fuse');

describe.skipIf(!hasSshfs)('a folder that another host writes to (skipped without root, sshd, sshfs and FUSE)', () => {
  let server: Server;
  const mounted: string[] = [];

  beforeAll(async () => {
    server = await startSftp();
    execFileSync('mkdir', ['-p', server.folder]);
  });
  afterEach(() => {
    for (const folder of mounted.splice(0)) execFileSync('fusermount3', ['-u', '-z', folder]);
    removeProjects();
  });
  afterAll(() => server.stop());

  /** A project whose folder is the server's. A name that was not there stays so for two seconds. */
  function mount(pipeline: string): TestProject {
    const made = project({});
    const { port, username } = new URL(server.url);
    const seconds = ['negative_timeout', 'entry_timeout', 'attr_timeout'].map((name) => `${name}=2`);
    const ssh = [`IdentityFile=${server.env.RCLONE_SFTP_KEY_FILE}`, 'StrictHostKeyChecking=no'];
    const options = [...seconds, ...ssh, 'UserKnownHostsFile=/dev/null', `Port=${port}`].join(',');
    execFileSync('sshfs', [`${username}@127.0.0.1:${server.folder}`, made.root, '-o', options], { stdio: 'ignore' });
    mounted.push(made.root);
    made.write('pipeline.yaml', pipeline);
    made.write('in.txt', '');
    // What another host does: it writes to the server's disk.
    writeFileSync(join(server.folder, 'elsewhere.sh'), `cd ${server.folder} && echo late > "$1"\n`);
    return made;
  }

  test('an output that another host wrote counts, although its name was not there a moment before', async () => {
    const made = mount(
      'stages:\n  a: {cmd: "test ! -e out.txt; sh elsewhere.sh out.txt", deps: [in.txt], outs: [out.txt]}\n',
    );
    expect(await made.outcomes()).toEqual({ a: 'ran' });
    expect([made.read('out.txt'), await made.outcomes()]).toEqual(['late\n', {}]);
  });

  test('an output that nobody wrote is missing', async () => {
    const made = mount('stages:\n  a: {cmd: sh elsewhere.sh other.txt, deps: [in.txt], outs: [out.txt]}\n');
    const { exit, stderr, stdout } = await made.repro();
    expect([exit, stdout + stderr]).toEqual([1, expect.stringMatching(/did not make its output out\.txt|out\.txt/)]);
    expect(made.exists('out.txt')).toBe(false);
  });
});
