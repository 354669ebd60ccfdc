/**
 * The runner as a package (scripts/pack-runner.ts): it is packed, installed into an empty folder, and used there. Skipped
 * if the registry of npm cannot be reached and npm's cache lacks a dependency.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { packRunner } from '../../../scripts/pack-runner.ts';
import { FIRST_STEPS, inShell, npmInstall, packTarball, UnreachableError } from '../../../scripts/try-package.ts';

const ROOT = resolve(fileURLToPath(import.meta.url), '../../../..');
const PACKAGE = `node_modules/.cache/package-${process.pid}`;
const folder = mkdtempSync(join(tmpdir(), 'repro-install-'));
const tarballs = mkdtempSync(join(tmpdir(), 'repro-tarball-'));
let missing: string | undefined;
// Each test is a dozen calls of other programs.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

beforeAll(async () => {
  await packRunner(PACKAGE);
  try {
    npmInstall(folder, [packTarball(PACKAGE, tarballs).path]);
  } catch (error) {
    if (!(error instanceof UnreachableError)) throw error;
    missing = error.message;
  }
});
afterAll(() => {
  for (const each of [folder, tarballs, join(ROOT, PACKAGE)]) rmSync(each, { recursive: true, force: true });
});

const installed = (name: string, run: () => void | Promise<void>) =>
  test(name, async ({ skip }) => {
    skip(missing !== undefined, missing);
    await run();
  });
const repro = (args: string) => inShell(folder, `node_modules/.bin/repro ${args}`);

describe('installed into an empty folder', () => {
  installed('it takes the first steps: init, run, edit, diff, restore', () => {
    for (const [i, [command, output]] of FIRST_STEPS.entries()) {
      // npx takes half a second a call, so only the first goes through it.
      const done = inShell(folder, i < 1 ? command : command.replace(/^npx /, 'node_modules/.bin/'));
      expect([command, done.exit, done.output.trim()]).toEqual([command, 0, expect.stringMatching(output)]);
    }
  });

  installed('git gets the pipeline, its lock and its metrics, and nothing else', () => {
    expect(inShell(folder, 'git ls-files').output.trim().split('\n')).toEqual([
      '.gitignore',
      'dvc-like.lock',
      'package-lock.json',
      'package.json',
      'params.yaml',
      'pipeline.yaml',
      'sum-1.json',
      'sum-2.json',
      'sum-3.json',
    ]);
  });

  installed('it brings few packages, and none of the project', () => {
    const { packages } = JSON.parse(readFileSync(join(folder, 'node_modules/.package-lock.json'), 'utf8'));
    expect(Object.keys(packages).length).toBeLessThanOrEqual(16);
    expect(readdirSync(join(folder, 'node_modules/repro')).sort()).toEqual([
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
      'THIRD-PARTY-LICENSES.txt',
      'dist',
      'docs',
      'native',
      'package.json',
      'pipeline.schema.json',
      'types',
    ]);
  });

  installed('editors find the schema that the first line of pipeline.yaml names', () => {
    const [, path] = /^# yaml-language-server: \$schema=(\S+)\n/.exec(text('pipeline.yaml')) ?? [];
    expect(JSON.parse(text(path!)).title).toBe('pipeline.yaml');
  });

  installed('the addon that starts commands is loaded from the package', () => {
    if (readdirSync(join(folder, 'node_modules/repro/native/spawn')).includes('prebuilds')) {
      const load = `console.log(typeof require('node-gyp-build')('./node_modules/repro/native/spawn').spawn)`;
      expect(inShell(folder, `node -e "${load}"`).output.trim()).toBe('function');
    }
  });

  installed('without a fitting addon and without a compiler, it installs with a note, and works', () => {
    inShell(folder, 'cd node_modules/repro/native/spawn && mv prebuilds kept');
    const install = `PATH=/nonexistent ${process.execPath} node_modules/repro/native/spawn/install.mjs`;
    expect(inShell(folder, install)).toEqual({
      exit: 0,
      output: 'repro: native/spawn was not built; repro works without it, but starts each command 1 to 3 ms later\n',
    });
    expect(repro('-sf power@1').output).toMatch(/1 ran/);
    inShell(folder, 'cd node_modules/repro/native/spawn && mv kept prebuilds');
  });

  installed('programs import the library, in ES modules and, where Node can, in CommonJS', () => {
    write(
      'stage.mjs',
      "import { readParams } from 'repro';\nconsole.log((await readParams('params.yaml')).numbers.count);",
    );
    expect(inShell(folder, 'node stage.mjs').output.trim()).toBe('100');
    write('stage.cjs', "import('repro').then(({ openProgress }) => console.log(typeof openProgress().update));");
    expect(inShell(folder, 'node stage.cjs').output.trim()).toBe('function');
  });

  installed('TypeScript knows the types of the library', () => {
    write(
      'types/right.mts',
      [
        "import { describeError, openProgress, type Progress, ReproError, readParams } from 'repro';",
        "const { steps } = await readParams('params.yaml', { schema: 'params.schema.json' });",
        'const progress: Progress = openProgress();',
        "progress.update({ done: 1, total: steps, unit: 'steps' });",
        "throw new ReproError({ message: describeError(new Error('x')), place: { file: 'a', line: 1 } }, 1);",
      ].join('\n'),
    );
    write('types/wrong.mts', "import { openProgress } from 'repro';\nopenProgress().update({ total: 1 });");
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
    const { output } = inShell(folder, `node ${tsc} --noEmit --strict --module nodenext --types '' types/*.mts`);
    expect(output.match(/^types.*error.*$/gm)).toEqual([
      expect.stringMatching(/^types\/wrong\.mts\(2,.*'done' is missing/),
    ]);
  });

  installed('plots of tables say which packages they need, images need none', () => {
    write(
      'plots/pipeline.yaml',
      'stages:\n  a:\n    cmd: "true"\n    always_changed: true\n    plots: [{t.csv: {cache: false}}, {i.svg: {cache: false}}]\n',
    );
    write('plots/t.csv', 'x,y\n1,2\n');
    write('plots/i.svg', '<svg xmlns="http://www.w3.org/2000/svg"/>');
    const { output } = inShell(folder, 'cd plots && ../node_modules/.bin/repro plots show');
    expect(output).toMatch(/t\.csv cannot be drawn: this needs two more packages: npm install vega@6 vega-lite@6/);
    expect(output).toMatch(/1 plot in /);
    for (const name of ['vega', 'vega-lite'])
      symlinkSync(join(ROOT, 'node_modules', name), join(folder, 'node_modules', name));
    expect(inShell(folder, 'cd plots && ../node_modules/.bin/repro plots show').output).toMatch(/^2 plots in /);
  });

  installed('it says its version, and where to read more', () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    expect(repro('--version')).toEqual({ exit: 0, output: `${version}\n` });
  });
});

describe('the package', () => {
  test('names no file that it lacks: every link of its pages leads to one', () => {
    const pages = readdirSync(join(ROOT, PACKAGE), { recursive: true, encoding: 'utf8' }).filter((f) =>
      f.endsWith('.md'),
    );
    const dead = pages.flatMap((page) =>
      [...readFileSync(join(ROOT, PACKAGE, page), 'utf8').matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)]
        .map(([, link]) => link)
        .filter((link) => !/^\w+:/.test(link) && !existsSync(join(ROOT, PACKAGE, dirname(page), link)))
        .map((link) => `${page}: ${link}`),
    );
    expect(dead).toEqual([]);
  });

  test('has the licence of each package that it bundles', () => {
    const licences = readFileSync(join(ROOT, PACKAGE, 'THIRD-PARTY-LICENSES.txt'), 'utf8');
    for (const name of ['yaml', 'ajv', 'commander', 'execa', 'picomatch', 'ignore'])
      expect(licences).toMatch(new RegExp(`^${name} \\d`, 'm'));
  });
});

function text(path: string): string {
  return readFileSync(join(folder, path), 'utf8');
}

function write(path: string, content: string): void {
  inShell(folder, `mkdir -p ${dirname(path)}`);
  writeFileSync(join(folder, path), content);
}
