/**
 * Kills a run of the study with SIGKILL at random moments, lets it finish, and compares its files with those of a run
 * that nothing disturbed.
 *
 *     npx tsx scripts/kill-study.ts [--kills 20] [--seed 1] [--keep] [-S key=value ...]
 *
 * Both runs are clones of the committed revision in temporary folders, with the packages and builds of this folder.
 * Every second kill takes repro alone, and the others its commands too. Prints each difference, and exits with 1 if
 * there is one. outputs/times is left out: it has the times, rates and memory, which differ between runs.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { $, argv } from 'zx';
import { Random } from '../test/repro/model/random.ts';

const ROOT = resolve(fileURLToPath(import.meta.url), '../..');
const kills = Number(argv.kills ?? 20);
const edits = [argv.S ?? []].flat().flatMap((edit) => ['-S', String(edit)]);

$.verbose = false;
const folder = mkdtempSync(join(tmpdir(), 'kill-study-'));
const [calm, killed] = [await clone('calm'), await clone('killed')];
const start = performance.now();
await finish(calm);
const duration = performance.now() - start;
console.log(`undisturbed: ${(duration / 1000).toFixed(0)} s`);

const random = new Random(Number(argv.seed ?? 1));
for (let kill = 1; kill <= kills; kill++) {
  // Twice the mean distance, so that the kills lie over the whole run, though each loses a part of the work.
  const after = (random.next() * 2 * duration) / kills;
  const repro = spawn('node', ['dist/repro.js', ...edits], { cwd: killed, detached: true, stdio: 'ignore' });
  const ended = once(repro, 'exit');
  await Promise.race([setTimeout(after), ended]);
  const over = repro.exitCode !== null;
  if (!over) process.kill(kill % 2 ? repro.pid! : -repro.pid!, 'SIGKILL');
  await ended;
  console.log(`${kill}: ${over ? 'the run was over' : `killed after ${(after / 1000).toFixed(1)} s`}`);
  if (over) break;
}
await finish(killed);

const paths = [calm, killed].map((project) => files(project).filter((path) => !path.startsWith('outputs/times/')));
const all = [...new Set(paths.flat())].sort();
const different = all.filter((path) => content(calm, path) !== content(killed, path));
for (const path of different) console.log(`differs: ${path}`);
console.log(`${all.length - different.length} of ${all.length} files are equal`);
if (argv.keep) console.log(folder);
else rmSync(folder, { recursive: true });
process.exitCode = different.length ? 1 : 0;

/** Clones the committed revision, without its results, and lends it the packages and builds of this folder. */
async function clone(name: string): Promise<string> {
  const project = join(folder, name);
  await $`git clone --quiet ${ROOT} ${project}`;
  rmSync(join(project, 'outputs'), { recursive: true });
  for (const path of ['node_modules', 'dist']) symlinkSync(join(ROOT, path), join(project, path));
  for (const addon of ['bpe', 'engine', 'spawn']) {
    const build = join('native', addon, 'build');
    if (existsSync(join(ROOT, build))) cpSync(join(ROOT, build), join(project, build), { recursive: true });
  }
  return project;
}

async function finish(project: string): Promise<void> {
  await $({ cwd: project })`node dist/repro.js ${edits}`;
}

/** Paths of the files in data and outputs, relative to the project. */
function files(project: string): string[] {
  return ['data', 'outputs'].flatMap((top) =>
    readdirSync(join(project, top), { recursive: true, encoding: 'utf8' })
      .map((name) => join(top, name))
      .filter((path) => statSync(join(project, path)).isFile()),
  );
}

/** The bytes of a file, as text. Undefined if the file does not exist. */
function content(project: string, path: string): string | undefined {
  return existsSync(join(project, path)) ? readFileSync(join(project, path), 'latin1') : undefined;
}
