/**
 * Installs the package of the runner into an empty folder, as a stranger would, and takes the first steps there.
 * For test/repro/package and scripts/check-package.ts.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { lstatSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = resolve(fileURLToPath(import.meta.url), '../..');

/** Codes in npm's messages if the registry cannot be reached and its cache lacks a package. */
const UNREACHABLE = /E(NOTFOUND|AI_AGAIN|CONNREFUSED|CONNRESET|NETUNREACH|HOSTUNREACH|TIMEDOUT|NOTCACHED|RR_SOCKET)/;

/** The registry cannot be reached. */
export class UnreachableError extends Error {
  override name = 'UnreachableError';
}

/** The environment without the settings of an npm that runs this program, and with other programs first on PATH. */
function cleanEnvironment(bin?: string): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name) && name !== 'INIT_CWD');
  const path = [...(bin === undefined ? [] : [bin]), process.env.PATH].join(':');
  return { ...Object.fromEntries(own), PATH: path, CUDA_VISIBLE_DEVICES: '' };
}

/**
 * Makes the tarball of a package.
 *
 * @param folder of the package, relative to the project
 * @param to folder for the tarball
 * @returns the path of the tarball, its size and the sum of its files in bytes
 */
export function packTarball(folder: string, to: string): { path: string; size: number; unpackedSize: number } {
  const args = ['pack', join(ROOT, folder), '--json', '--pack-destination', to];
  const text = execFileSync('npm', args, { encoding: 'utf8', env: cleanEnvironment() });
  // npm 11.19 prints a mapping by name, earlier versions a list.
  const [{ filename, size, unpackedSize }] = Object.values(JSON.parse(text)) as {
    filename: string;
    size: number;
    unpackedSize: number;
  }[];
  return { path: join(to, filename), size, unpackedSize };
}

/**
 * Runs `npm install` with packages from npm's cache where it has them.
 *
 * @param bin folder of the Node to use; default: the one on PATH
 * @throws UnreachableError if the registry cannot be reached, Error with the output of npm if it fails otherwise
 */
export function npmInstall(folder: string, packages: readonly string[], bin?: string): void {
  const options = ['--prefer-offline', '--fetch-retries=0', '--no-audit', '--no-fund', '--no-update-notifier'];
  const { status, stdout, stderr } = spawnSync('npm', ['install', ...options, ...packages], {
    cwd: folder,
    encoding: 'utf8',
    env: cleanEnvironment(bin),
  });
  if (status === 0) return;
  if (UNREACHABLE.test(stderr)) throw new UnreachableError('the registry of npm cannot be reached');
  throw new Error(`npm install failed: ${stdout}${stderr}`);
}

/** Runs a command in a shell, in `folder`. */
export function inShell(folder: string, command: string, bin?: string): { exit: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync('sh', ['-c', `${command} 2>&1`], {
    cwd: folder,
    encoding: 'utf8',
    env: cleanEnvironment(bin),
  });
  return { exit: status, output: stdout + stderr };
}

/** The first steps: each command, and what its output must match. */
export const FIRST_STEPS: readonly [command: string, output: RegExp][] = [
  ['npx repro init', /^created pipeline\.yaml and params\.yaml/],
  ['npx repro', /4 ran in/],
  ['npx repro', /^everything is up to date \(4 stages\)$/m],
  ['git init -q . && git add . && git -c user.name=x -c user.email=x@localhost commit -qm first', /^$/],
  ["npx repro -S numbers.count=10 -S 'power.exponents=[1, 2]'", /3 ran/],
  ['npx repro metrics diff', /sum +1 +5050 +55 +-4995/],
  ["npx repro -S numbers.count=100 -S 'power.exponents=[1, 2, 3]'", /4 restored|3 restored/],
  ['npx repro status -q', /^$/],
];

/** The sum of the sizes of all files in a folder, in bytes. Two names of one file count once, as for du. */
export function folderSize(folder: string): number {
  const stats = readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((path) => lstatSync(join(folder, path)));
  const sizes = new Map(stats.filter((stat) => stat.isFile()).map(({ ino, size }) => [ino, size]));
  return [...sizes.values()].reduce((sum, size) => sum + size, 0);
}
