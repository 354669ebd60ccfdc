/**
 * Times `repro push` and `repro fetch` beside a bare `rclone copy` of the same objects, to and from servers on this
 * machine: a folder behind rclone, OpenSSH's SFTP, and rclone's own S3. Each call of repro is a whole process. repro
 * hashes every object before a push and after a fetch, which rclone does not.
 *
 *     npm run bench -- remotes [--quick] [--rounds 3] [--kills 5] [--only-kills]
 *
 * Then pushes and pulls are killed at random moments of their time and repeated, and the result is compared with the
 * original, byte by byte. Every other kill ends repro alone, and leaves its rclone to itself; the others end both, as a
 * power cut does. Needs rclone on the PATH (`serve s3`: 1.65 or newer) and, for SFTP, root and sshd.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleRunner } from '../../scripts/bundle-runner.mjs';
import { parseOptions } from '../../scripts/command-line.ts';
import { RCLONE_REMOTES, type Server } from '../../test/repro/servers.ts';

const { values } = parseOptions(import.meta.url, {
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '3' },
    kills: { type: 'string', default: '5' },
    'only-kills': { type: 'boolean', default: false },
  },
});
const [rounds, kills] = [Number(values.rounds), Number(values.kills)];
const scratch = mkdtempSync(join(tmpdir(), 'bench-remotes-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));
const bundle = 'node_modules/.cache/bench-remotes';
await bundleRunner(bundle);
const repro = join(process.cwd(), bundle, 'repro.js');

const many = values.quick ? 50 : 1000;
const MIB = 2 ** 20;
const large = values.quick ? 16 : 1024;
/** Projects by what their only output is. */
const PROJECTS: { [what: string]: string } = {
  [`${many} objects of 100 kB`]: `mkdir out; for n in $(seq ${many}); do head -c 100000 /dev/urandom > out/$n; done`,
  [`one object of ${large} MiB`]: `head -c ${large * MIB} /dev/urandom > out`,
};

console.log(
  `${cpus()[0].model}, ${cpus().length} cores, Node ${process.versions.node}; medians of ${rounds} rounds.\n`,
);
if (values.quick) console.log('--quick: the sizes are reduced, so the figures mean nothing.\n');
if (!values['only-kills']) {
  console.log('| remote | what | repro push | rclone copy | ratio | repro fetch | rclone copy | ratio |');
  console.log('| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |');
}
const made = Object.entries(PROJECTS).map(([what, cmd], i) => ({ what, folder: makeProject(`made-${i}`, cmd) }));
const survived: string[] = [];
let uploads = 0;
for (const [name, isThere, start] of RCLONE_REMOTES) {
  if (!isThere) {
    console.log(`| ${name} | left out: rclone or its server is missing |`);
    continue;
  }
  const server = await start();
  if (!values['only-kills']) for (const { what, folder } of made) measure(name, what, folder, server);
  for (const { what, folder } of made) survived.push(await killAndRepeat(`${name}, ${what}`, folder, server));
  server.stop();
}
console.log(`\n${survived.join('\n')}`);

/** A project that has run. */
function makeProject(name: string, cmd: string): string {
  const folder = join(scratch, name);
  mkdirSync(folder);
  writeFileSync(
    join(folder, 'pipeline.yaml'),
    `stages:\n  make: {cmd: ${JSON.stringify(cmd)}, deps: [seed.txt], outs: [out]}\n`,
  );
  writeFileSync(join(folder, 'seed.txt'), '');
  call(process.execPath, [repro, '-q'], folder, {});
  return folder;
}

/** A clone that has the lock and no data. */
function cloneOf(folder: string): string {
  const clone = mkdtempSync(join(scratch, 'clone-'));
  for (const name of ['pipeline.yaml', 'dvc-like.lock', 'seed.txt']) cpSync(join(folder, name), join(clone, name));
  return clone;
}

/** Prints a row. */
function measure(remote: string, what: string, folder: string, server: Server): void {
  const times: number[][] = [[], [], [], []];
  // repro's address of the remote in rclone's form is the same as what the user's rclone calls it.
  const address = rcloneAddress(server);
  for (let round = 0; round < rounds; round++) {
    // Each upload has a folder of its own: a server may remember what was in one.
    const [own, bare] = [`remote-${++uploads}`, `remote-${++uploads}`];
    times[0].push(call(process.execPath, [repro, 'push', '-r', `${server.url}/${own}`], folder, server.env));
    const clone = cloneOf(folder);
    times[2].push(call(process.execPath, [repro, 'fetch', '-r', `${server.url}/${own}`], clone, server.env));
    rmSync(clone, { recursive: true });
    const copy = (from: string, to: string) =>
      call('rclone', ['copy', '-q', from, to, '--transfers', '8'], folder, server.env);
    times[1].push(copy(join(folder, '.repro/cache/sha256'), `${address}/${bare}/sha256`));
    const back = mkdtempSync(join(scratch, 'back-'));
    times[3].push(copy(`${address}/${bare}/sha256`, back));
    rmSync(back, { recursive: true });
  }
  const [push, up, fetch, down] = times.map((list) => list.sort((a, b) => a - b)[list.length >> 1]);
  const s = (ms: number) => `${(ms / 1000).toFixed(1)} s`;
  console.log(
    `| ${remote} | ${what} | ${s(push)} | ${s(up)} | ${(push / up).toFixed(2)} | ${s(fetch)} | ${s(down)} | ${(fetch / down).toFixed(2)} |`,
  );
}

/** Kills pushes and pulls at random moments of their time, and says what was whole at the end. */
async function killAndRepeat(what: string, folder: string, server: Server): Promise<string> {
  const remote = () => `${server.url}/remote-${++uploads}`;
  const whole = remote();
  const pushTime = call(process.execPath, [repro, 'push', '-r', whole], folder, server.env);
  const first = cloneOf(folder);
  const pullTime = call(process.execPath, [repro, 'pull', '-r', whole], first, server.env);
  rmSync(first, { recursive: true });
  const counts = { push: 0, pull: 0, cut: 0 };
  for (let i = 0; i < kills; i++) {
    const url = remote();
    const withRclone = i % 2 === 1;
    counts.cut += await killed(['push', '-r', url], folder, server, { longest: pushTime, withRclone });
    call(process.execPath, [repro, 'push', '-r', url], folder, server.env);
    const fromPushed = cloneOf(folder);
    call(process.execPath, [repro, 'pull', '-r', url], fromPushed, server.env);
    if (isWhole(fromPushed, folder)) counts.push++;
    rmSync(fromPushed, { recursive: true });
    const clone = cloneOf(folder);
    counts.cut += await killed(['pull', '-r', url], clone, server, { longest: pullTime, withRclone });
    call(process.execPath, [repro, 'pull', '-r', url], clone, server.env);
    if (isWhole(clone, folder)) counts.pull++;
    rmSync(clone, { recursive: true });
    // A remote for each kill: the disk need not have room for all of them.
    rmSync(join(server.folder, url.split('/').at(-1)!), { recursive: true, force: true });
  }
  const cut = `${counts.cut} of ${2 * kills} were still running when they were killed`;
  return `${what}: whole after a kill and a second call: ${counts.push} of ${kills} pushes, ${counts.pull} of ${kills} pulls; ${cut}.`;
}

/** Whether a clone has the output of the original, byte by byte, and finds itself fresh. */
function isWhole(clone: string, folder: string): boolean {
  const isSame = spawnSync('diff', ['-r', join(folder, 'out'), join(clone, 'out')]).status === 0;
  return isSame && spawnSync(process.execPath, [repro, 'status', '-q'], { cwd: clone }).status === 0;
}

/** Kills a call at a random moment. @param how.longest milliseconds that it takes @returns 1 if it was still running */
async function killed(
  args: string[],
  cwd: string,
  server: Server,
  { longest, withRclone }: { longest: number; withRclone: boolean },
): Promise<number> {
  const env = { ...process.env, ...server.env };
  const child = spawn(process.execPath, [repro, ...args], { cwd, env, stdio: 'ignore' });
  let wasRunning = 0;
  const ended = new Promise((done) => child.on('exit', done));
  const timer = setTimeout(
    () => {
      const children = withRclone ? childrenOf(child.pid!) : [];
      wasRunning = child.kill('SIGKILL') ? 1 : 0;
      for (const pid of children) process.kill(pid, 'SIGKILL');
    },
    // Node needs some time before it begins.
    150 + Math.random() * Math.max(100, longest - 200),
  );
  await ended;
  clearTimeout(timer);
  return wasRunning;
}

/** The ids of the processes that a process has started. */
function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
}

/** Runs a program to its end. @returns milliseconds @throws Error if it fails */
function call(program: string, args: string[], cwd: string, env: { [name: string]: string }): number {
  const started = performance.now();
  execFileSync(program, args, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'ignore', 'inherit'] });
  return performance.now() - started;
}

/** What the user's rclone calls the remote. */
function rcloneAddress({ url, env }: Server): string {
  if (url.startsWith('rclone:')) return url.slice('rclone:'.length);
  if (url.startsWith('s3://')) return `:s3,env_auth=true:${url.slice('s3://'.length)}`;
  const [, user, host, port, path] = /^sftp:\/\/(\w+)@([\w.]+):(\d+)(.*)$/.exec(url)!;
  if (!existsSync(env.RCLONE_SFTP_KEY_FILE)) throw new Error('the SFTP server has no key');
  return `:sftp,disable_hashcheck=true,host=${host},user=${user},port=${port}:${path}`;
}
