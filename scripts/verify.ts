/**
 * Repeats the first steps of a new user: clones into an empty folder, with an empty npm cache, and runs the README's
 * commands. Prints the time and peak memory of each command.
 *
 *     npx tsx scripts/verify.ts [--revision HEAD] [--keep]
 *
 * It checks the committed revision, not the working tree, and changes nothing in this folder. Run it before a release.
 * It needs GNU time.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { $, argv, cd } from 'zx';

$.verbose = false;
const revision = String(argv.revision ?? 'HEAD');
const source = (await $`git rev-parse --show-toplevel`).stdout.trim();
const commit = (await $`git rev-parse ${revision}`).stdout.trim();
const folder = await mkdtemp(join(tmpdir(), 'verify-'));
await $`git clone --quiet ${source} ${join(folder, 'clone')}`;
cd(join(folder, 'clone'));
await $`git checkout --quiet ${commit}`;
$.env = { ...process.env, npm_config_cache: join(folder, 'npm-cache') };

const steps: { command: string; says?: RegExp }[] = [
  { command: 'npm ci' },
  { command: 'npx repro' },
  { command: 'npx repro', says: /everything is up to date/ },
  { command: 'npx repro metrics diff HEAD' },
  { command: 'npm test' },
];

let failed = false;
for (const { command, says } of steps) {
  const start = performance.now();
  const result = await $({ nothrow: true })`/usr/bin/time -f ${'peak %M KB'} sh -c ${command}`;
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  const peak = /peak (\d+) KB/.exec(result.stderr)?.[1];
  const memory = peak ? `, largest process ${Math.round(Number(peak) / 1024)} MB` : '';
  const ok = result.exitCode === 0 && (says?.test(result.stdout) ?? true);
  console.log(`${ok ? 'ok    ' : 'FAILED'} ${command}: ${seconds} s${memory}`);
  if (!ok) {
    failed = true;
    console.log(`${result.stdout}\n${result.stderr}`.trim().split('\n').slice(-40).join('\n'));
  }
}
if (argv.keep) console.log(`kept: ${folder}`);
else await rm(folder, { recursive: true, force: true });
process.exitCode = failed ? 1 : 0;
