/**
 * Helpers for tests of the runner. A test writes a small pipeline into a temporary folder and runs the real `repro`
 * there, bundled from the current sources.
 *
 *   afterEach(removeProjects);
 *
 *   const pipeline = 'stages:\n  a: {cmd: cat in.txt > a.txt, deps: [in.txt], outs: [a.txt]}\n';
 *   const made = project({ 'pipeline.yaml': pipeline, 'in.txt': '1' });
 *   expect(await made.outcomes()).toEqual({ a: 'ran' }); // runs repro, which must exit with 0
 *   made.write('in.txt', '2');
 *   expect(Object.keys(await made.stale())).toEqual(['a']); // asks `repro status`
 *   const { exit, stderr } = await made.repro('--forse'); // any other command line
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { bundleRunner } from '../../scripts/bundle-runner.mjs';
import { type CallResult, KeptRepro } from './kept-repro.ts';

export type { CallResult };

const ROOT = resolve(fileURLToPath(import.meta.url), '../../..');

/** Runs the calls of this test file, unless one runs already. */
const kept = new KeptRepro();

/** What every call of repro gets in addition to the environment of the tests: no GPUs, and no cache of the user. */
const ENVIRONMENT = { CUDA_VISIBLE_DEVICES: '', XDG_CACHE_HOME: join(ROOT, 'node_modules/.cache/user') };

/**
 * Bundles lib/repro into node_modules/.cache, once for each state of the sources.
 *
 * @returns the path of repro.js
 */
async function bundleOnce(): Promise<string> {
  const sources = readdirSync(join(ROOT, 'lib/repro'), { recursive: true, encoding: 'utf8' }).filter((name) =>
    /\.(ts|json)$/.test(name),
  );
  const hash = createHash('sha256');
  for (const name of sources.sort()) hash.update(name).update(readFileSync(join(ROOT, 'lib/repro', name)));
  for (const name of ['package.json', 'scripts/bundle-runner.mjs']) hash.update(readFileSync(join(ROOT, name)));
  const folder = join('node_modules/.cache', `repro-${hash.digest('hex').slice(0, 16)}`);
  if (!existsSync(join(ROOT, folder))) {
    const unfinished = `${folder}.${process.pid}`;
    await bundleRunner(unfinished);
    try {
      renameSync(join(ROOT, unfinished), join(ROOT, folder));
    } catch {
      // Another test file has put its bundle there first.
      rmSync(join(ROOT, unfinished), { recursive: true, force: true });
    }
  }
  return join(ROOT, folder, 'repro.js');
}

/** A temporary folder with files and a pipeline. Make one with `project`. Paths are relative to the folder. */
export class TestProject {
  /** The absolute path of the folder. */
  readonly root = realpathSync(mkdtempSync(join(tmpdir(), 'repro-test-')));
  /** Variables to add to the environment of every call of repro. */
  env: NodeJS.ProcessEnv = {};

  /** Whether each call has a process of its own, for tests of what a process does at its start or end. */
  hasOwnProcesses = false;

  /** @param files the texts of the files to write, by path */
  constructor(files: { [path: string]: string }) {
    for (const [path, text] of Object.entries(files)) this.write(path, text);
  }

  /** The absolute path of a file. */
  path(path: string): string {
    return join(this.root, path);
  }

  /** Writes a file and creates the folders above it. */
  write(path: string, text: string): void {
    mkdirSync(dirname(this.path(path)), { recursive: true });
    writeFileSync(this.path(path), text);
  }

  /** The text of a file. */
  read(path: string): string {
    return readFileSync(this.path(path), 'utf8');
  }

  /** Whether there is a file or folder at this path. */
  exists(path: string): boolean {
    return existsSync(this.path(path));
  }

  /** Removes a file or a folder. */
  remove(path: string): void {
    rmSync(this.path(path), { recursive: true });
  }

  /**
   * The content of every file by path, .repro included, but not .repro/state, which only remembers hashes. The entry of
   * a folder is "folder".
   */
  snapshot(): { [path: string]: string } {
    const all = readdirSync(this.root, { recursive: true, encoding: 'utf8' }).sort();
    const names = all.filter((name) => !name.startsWith('.repro/state/'));
    return Object.fromEntries(
      names.map((name) => [
        name,
        statSync(this.path(name)).isDirectory() ? 'folder' : readFileSync(this.path(name), 'latin1'),
      ]),
    );
  }

  /** Runs repro in the project's folder and waits for its end. */
  async repro(...args: string[]): Promise<CallResult> {
    return this.reproIn('.', ...args);
  }

  /** Runs repro in a folder below the project's folder. */
  async reproIn(folder: string, ...args: string[]): Promise<CallResult> {
    if (kept.isBusy || this.hasOwnProcesses) return (await this.#spawnIn(folder, args)).ended;
    kept.isBusy = true;
    const bundle = await bundleOnce();
    return kept.call({ bundle, args, folder: this.path(folder), variables: this.#variables() });
  }

  /** Runs repro from a shell that first runs another command, such as `ulimit`. */
  async reproAfter(shell: string, ...args: string[]): Promise<CallResult> {
    return (await this.#spawnIn('.', args, shell)).ended;
  }

  /** Starts repro and does not wait, for tests that change something or send a signal while it runs. */
  async spawn(...args: string[]): Promise<{ process: ChildProcess; ended: Promise<CallResult> }> {
    return this.#spawnIn('.', args);
  }

  #variables(): NodeJS.ProcessEnv {
    return { ...process.env, ...ENVIRONMENT, ...this.env };
  }

  async #spawnIn(
    folder: string,
    args: readonly string[],
    shell?: string,
  ): Promise<{ process: ChildProcess; ended: Promise<CallResult> }> {
    const call = [process.execPath, await bundleOnce(), ...args];
    const [program, ...rest] = shell === undefined ? call : ['sh', '-c', `${shell}; exec "$0" "$@"`, ...call];
    const child = spawn(program, rest, {
      cwd: this.path(folder),
      env: this.#variables(),
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk) => (stdout += chunk));
    child.stderr.on('data', (chunk) => (stderr += chunk));
    const ended = new Promise<CallResult>((done) => child.on('close', (exit) => done({ exit, stdout, stderr })));
    return { process: child, ended };
  }

  /**
   * Starts repro on its own terminal, with script(1) of util-linux.
   *
   * @returns `written`: everything written to the terminal so far, escape codes included. `type`: presses keys. `ended`:
   *   the exit code
   */
  async onTerminal(
    size: { columns: number; rows: number },
    ...args: string[]
  ): Promise<{ written: () => string; type(keys: string): void; ended: Promise<number | null> }> {
    const words = [process.execPath, await bundleOnce(), ...args].map((word) => `'${word.replaceAll("'", `'\\''`)}'`);
    const call = `stty cols ${size.columns} rows ${size.rows}; exec ${words.join(' ')}`;
    const child = spawn('script', ['-qefc', call, '/dev/null'], {
      cwd: this.root,
      env: { ...process.env, ...ENVIRONMENT, TERM: 'xterm', NO_COLOR: '', ...this.env },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let written = '';
    child.stdout.setEncoding('utf8').on('data', (chunk) => (written += chunk));
    return {
      written: () => written,
      type: (keys) => child.stdin.write(keys),
      ended: new Promise((done) => child.on('close', done)),
    };
  }

  /** The path of the bundled repro.js that is tested. */
  bundle(): Promise<string> {
    return bundleOnce();
  }

  /**
   * Runs `repro --json` and returns the outcome of each stage that was not fresh.
   *
   * @throws Error if repro does not exit with 0
   */
  async outcomes(...args: string[]): Promise<{ [stage: string]: string }> {
    const { exit, stdout, stderr } = await this.repro('--json', ...args);
    if (exit !== 0) throw new Error(`exit ${exit}: ${stderr}${stdout}`);
    return outcomesIn(stdout);
  }

  /** Runs `repro status --json` and returns the state and reasons of each stage that is not fresh. */
  async stale(...args: string[]): Promise<{ [stage: string]: { state: string; reasons: Record<string, unknown>[] } }> {
    const { stdout, stderr } = await this.repro('status', '--json', ...args);
    if (stdout === '') throw new Error(stderr);
    const stages = JSON.parse(stdout).stages as {
      [stage: string]: { state: string; reasons: Record<string, unknown>[] };
    };
    return Object.fromEntries(Object.entries(stages).filter(([, { state }]) => state !== 'fresh'));
  }

  /** The parsed lock file. */
  // biome-ignore lint/suspicious/noExplicitAny: the tests know the format
  lock(): { stages: { [stage: string]: any } } {
    return parse(this.read('dvc-like.lock'));
  }

  /** Removes the folder. Stages that have just been ended may still write, so this retries. */
  dispose(): void {
    rmSync(this.root, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }
}

/** Parses the events that `repro --json` printed. */
// biome-ignore lint/suspicious/noExplicitAny: the tests know the fields of each event
export function events(stdout: string): Record<string, any>[] {
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

/** The outcome of each stage in the output of `repro --json`. Fresh stages are left out. */
export function outcomesIn(stdout: string): { [stage: string]: string } {
  const ends = events(stdout).filter(({ event, outcome }) => event === 'end' && outcome !== 'fresh');
  return Object.fromEntries(ends.map(({ stage, outcome }) => [stage, outcome]));
}

const projects: TestProject[] = [];

/**
 * Makes a project in a temporary folder. `removeProjects` removes it.
 *
 * @param files the texts of the files to write, by path
 */
export function project(files: { [path: string]: string }): TestProject {
  const made = new TestProject(files);
  projects.push(made);
  return made;
}

/** Removes all projects; for `afterEach` or `afterAll`. */
export function removeProjects(): void {
  for (const made of projects.splice(0)) made.dispose();
}

/** Whether script(1) of util-linux is installed, which `onTerminal` needs. */
export function hasScript(): boolean {
  try {
    return execFileSync('script', ['--version'], { encoding: 'utf8' }).includes('util-linux');
  } catch {
    return false;
  }
}

/**
 * Waits until `condition` holds. Only the test's own time limit ends the wait. The pauses leave the cores to repro: they
 * are longer if a look takes long, as one that calls a program does.
 */
export async function until(condition: () => boolean): Promise<void> {
  for (;;) {
    const start = performance.now();
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 5 + 10 * (performance.now() - start)));
  }
}
