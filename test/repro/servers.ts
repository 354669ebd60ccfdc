/**
 * Servers for remotes, on this machine: OpenSSH's for SFTP, and rclone's own for S3. Each has its files in a temporary
 * folder, and is gone after the tests of the file.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';

/** A server for one remote. */
export interface Server {
  /** The address of the remote for repro. */
  url: string;
  /** The folder that has the remote's files. */
  folder: string;
  /** Variables with the credentials. */
  env: { [name: string]: string };
  stop(): void;
}

const SSHD = '/usr/sbin/sshd';

/** Whether rclone is on the PATH. */
export const hasRclone = spawnSync('rclone', ['version']).status === 0;
export const hasSftp = hasRclone && process.getuid?.() === 0 && spawnSync(SSHD, ['-V']).error === undefined;
export const hasS3 =
  hasRclone && /^\s+s3 /m.test(spawnSync('rclone', ['serve', '--help'], { encoding: 'utf8' }).stdout);

/** The remotes behind rclone that tests use: their name, whether this machine has what they need, and their start. */
export const RCLONE_REMOTES: readonly [name: string, isThere: boolean, start: () => Server | Promise<Server>][] = [
  ['a folder behind rclone', hasRclone, startFolder],
  ['SFTP', hasSftp, startSftp],
  ['S3', hasS3, startS3],
];

/** A folder, behind rclone all the same. */
export function startFolder(): Server {
  const base = mkdtempSync(join(tmpdir(), 'repro-server-'));
  const folder = join(base, 'store');
  const env = { RCLONE_CONFIG_LAB_TYPE: 'local', ...withoutConfig(base) };
  return { url: `rclone:lab:${folder}`, folder, env, stop: () => rmSync(base, { recursive: true }) };
}

/** An SFTP server. */
export async function startSftp(): Promise<Server> {
  const base = mkdtempSync(join(tmpdir(), 'repro-server-'));
  const at = (name: string) => join(base, name);
  const port = await freePort();
  for (const key of ['host', 'user']) spawnSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', at(key)]);
  mkdirSync('/run/sshd', { recursive: true });
  chmodSync(base, 0o700);
  const settings = [
    ...[`ListenAddress 127.0.0.1:${port}`, `HostKey ${at('host')}`, `AuthorizedKeysFile ${at('user.pub')}`],
    ...['StrictModes no', 'UsePAM no', 'PasswordAuthentication no', 'PermitRootLogin prohibit-password'],
    ...['MaxStartups 100:30:200', 'PidFile none', 'Subsystem sftp internal-sftp'],
  ];
  writeFileSync(at('config'), settings.map((line) => `${line}\n`).join(''));
  const child = spawn(SSHD, ['-D', '-f', at('config'), '-E', at('log')], { stdio: 'ignore' });
  await untilListening(port);
  const folder = at('store');
  return {
    url: `sftp://${userInfo().username}@127.0.0.1:${port}${folder}`,
    folder,
    env: { RCLONE_SFTP_KEY_FILE: at('user'), ...withoutConfig(base) },
    stop: () => end(child, base),
  };
}

/** An S3 server with the bucket "lab". */
export async function startS3(): Promise<Server> {
  const base = mkdtempSync(join(tmpdir(), 'repro-server-'));
  const port = await freePort();
  mkdirSync(join(base, 'data/lab'), { recursive: true });
  const [id, secret] = ['test', 'a-secret-of-the-tests'];
  const options = ['--addr', `127.0.0.1:${port}`, '--auth-key', `${id},${secret}`, '--config', join(base, 'none.conf')];
  const child = spawn('rclone', ['serve', 's3', ...options, join(base, 'data')], { stdio: 'ignore' });
  await untilListening(port);
  return {
    url: 's3://lab/store',
    folder: join(base, 'data/lab/store'),
    env: {
      ...{
        RCLONE_S3_PROVIDER: 'Rclone',
        RCLONE_S3_ENDPOINT: `http://127.0.0.1:${port}`,
        RCLONE_S3_REGION: 'us-east-1',
      },
      ...{ RCLONE_S3_ACCESS_KEY_ID: id, RCLONE_S3_SECRET_ACCESS_KEY: secret, ...withoutConfig(base) },
    },
    stop: () => end(child, base),
  };
}

/** The user's own settings of rclone are not used. */
function withoutConfig(base: string): { RCLONE_CONFIG: string } {
  const file = join(base, 'none.conf');
  writeFileSync(file, '');
  return { RCLONE_CONFIG: file };
}

function end(child: ChildProcess, base: string): void {
  child.kill('SIGKILL');
  rmSync(base, { recursive: true, force: true });
}

function freePort(): Promise<number> {
  return new Promise((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => done(port));
    });
  });
}

/** Resolves when something listens on the port. */
function untilListening(port: number): Promise<void> {
  return new Promise((done) => {
    const attempt = () => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.destroy();
        done();
      });
      socket.on('error', () => setTimeout(attempt, 20));
    };
    attempt();
  });
}
