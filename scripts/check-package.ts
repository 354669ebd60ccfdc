/**
 * Checks the package of the runner before a release, and prints its figures:
 *
 *   publint                  whether package.json says what package managers and bundlers expect
 *   arethetypeswrong         whether TypeScript finds the types, as ES modules
 *   Node 20, 22 and 24       each installs the tarball into an empty folder and takes the first steps there
 *
 *     npm run check:package
 *
 * Needs the registry of npm: publint, arethetypeswrong and the versions of Node are packages that are not installed
 * otherwise. It leaves dist/package and the tarball beside it.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FIRST_STEPS, folderSize, inShell, npmInstall, packTarball } from './try-package.ts';

const ROOT = resolve(fileURLToPath(import.meta.url), '../..');
/** The first version that is supported, and those in use. Packages named `node` hold the binaries. */
const NODES = ['20.6.0', '20', '22', '24'];
const TOOLS = { publint: 'publint@0.3.25', attw: '@arethetypeswrong/cli@0.18.5' };

const mebibytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
const seconds = (since: number) => `${((performance.now() - since) / 1000).toFixed(1)} s`;
const run = (...command: string[]) =>
  execFileSync(command[0], command.slice(1), { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });

/** Installs and uses the package with one version of Node. */
function tryWith(version: string, tarball: string): void {
  const folder = mkdtempSync(join(tmpdir(), 'repro-check-'));
  try {
    inShell(folder, 'mkdir node project');
    npmInstall(join(folder, 'node'), [`node@${version}`]);
    const bin = join(folder, 'node/node_modules/node/bin');
    if (!existsSync(join(bin, 'node')))
      inShell(join(folder, 'node'), 'node node_modules/node/installArchSpecificPackage.js');
    const project = join(folder, 'project');
    const started = performance.now();
    npmInstall(project, [tarball], bin);
    const installed = seconds(started);
    const times = FIRST_STEPS.map(([command, output]) => {
      const step = performance.now();
      const done = inShell(project, command, bin);
      // npm itself warns if it is too new for the version of Node.
      if (done.exit !== 0 || !output.test(done.output.replace(/^npm warn.*\n/gm, '').trim()))
        throw new Error(`Node ${version}: ${command} ended with ${done.exit}: ${done.output}`);
      return seconds(step);
    });
    const { output: own } = inShell(project, 'node --version', bin);
    const modules = join(project, 'node_modules');
    const { packages } = JSON.parse(readFileSync(join(modules, '.package-lock.json'), 'utf8'));
    const count = Object.keys(packages).length;
    const size = mebibytes(folderSize(modules));
    console.log(
      `Node ${own.trim()}: ${count} packages, ${size}, installed in ${installed}; npx repro: first ${times[1]}, with nothing to do ${times[2]}`,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

run('npm', 'run', 'pack:runner');
const tarball = packTarball('dist/package', join(ROOT, 'dist'));
console.log(`${tarball.path}: ${mebibytes(tarball.size)}, unpacked ${mebibytes(tarball.unpackedSize)}`);
console.log(run('npx', '--yes', TOOLS.publint, 'dist/package', '--strict').trim());
console.log(run('npx', '--yes', '--package', TOOLS.attw, 'attw', tarball.path, '--profile', 'esm-only').trim());
for (const version of NODES) tryWith(version, tarball.path);
