/** A small pipeline in a temporary folder, and the real `repro`, bundled from the sources as they are, run in it. */
import { type ChildProcess, spawn } from 'node:child_process';
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

const ROOT = resolve(fileURLToPath(import.meta.url), '../../..');

/** The bundle's path; built once for each state of the sources. */
async function bundled(): Promise<string> {
  const sources = readdirSync(join(ROOT, 'lib/repro'), { recursive: true, encoding: 'utf8' }).filter((name) =>
    /\.(ts|json)$/.test(name),
  );
  const hash = createHash('sha256');
  for (const name of sources.sort()) hash.update(name).update(readFileSync(join(ROOT, 'lib/repro', name)));
  const folder = join('node_modules/.cache', `repro-${hash.digest('hex').slice(0, 16)}`);
  if (!existsSync(join(ROOT, folder))) {
    const building = `${folder}.${process.pid}`;
    await bundleRunner(building);
    try {
      renameSync(join(ROOT, building), join(ROOT, folder));
    } catch {
      rmSync(join(ROOT, building), { recursive: true, force: true }); // Another test file was quicker.
    }
  }
  return join(ROOT, folder, 'repro.js');
}

export interface Ended {
  exit: number | null;
  stdout: string;
  stderr: string;
}

export class TestProject {
  readonly root = realpathSync(mkdtempSync(join(tmpdir(), 'repro-test-')));
  /** Added to the environment of every call. */
  env: NodeJS.ProcessEnv = {};

  constructor(files: { [path: string]: string }) {
    for (const [path, text] of Object.entries(files)) this.write(path, text);
  }

  path(path: string): string {
    return join(this.root, path);
  }

  write(path: string, text: string): void {
    mkdirSync(dirname(this.path(path)), { recursive: true });
    writeFileSync(this.path(path), text);
  }

  read(path: string): string {
    return readFileSync(this.path(path), 'utf8');
  }

  exists(path: string): boolean {
    return existsSync(this.path(path));
  }

  remove(path: string): void {
    rmSync(this.path(path), { recursive: true });
  }

  /** All that is in the folder, .repro included, by path; of a folder, that it is one. */
  snapshot(): { [path: string]: string } {
    const names = readdirSync(this.root, { recursive: true, encoding: 'utf8' }).sort();
    return Object.fromEntries(
      names.map((name) => [
        name,
        statSync(this.path(name)).isDirectory() ? 'folder' : readFileSync(this.path(name), 'latin1'),
      ]),
    );
  }

  async spawn(...args: string[]): Promise<{ process: ChildProcess; ended: Promise<Ended> }> {
    return this.#spawnIn('.', args);
  }

  async #spawnIn(
    folder: string,
    args: readonly string[],
    shell?: string,
  ): Promise<{ process: ChildProcess; ended: Promise<Ended> }> {
    const call = [process.execPath, await bundled(), ...args];
    const [program, ...rest] = shell === undefined ? call : ['sh', '-c', `${shell}; exec "$0" "$@"`, ...call];
    const child = spawn(program, rest, {
      cwd: this.path(folder),
      env: { ...process.env, CUDA_VISIBLE_DEVICES: '', ...this.env },
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk) => (stdout += chunk));
    child.stderr.on('data', (chunk) => (stderr += chunk));
    const ended = new Promise<Ended>((done) => child.on('close', (exit) => done({ exit, stdout, stderr })));
    return { process: child, ended };
  }

  /** The program that is tested. */
  bundle(): Promise<string> {
    return bundled();
  }

  /** On a terminal of its own, by script(1) of util-linux; `seen` is all that was written to it so far. */
  async onTerminal(
    size: { columns: number; rows: number },
    ...args: string[]
  ): Promise<{ seen: () => string; ended: Promise<number | null> }> {
    const words = [process.execPath, await bundled(), ...args].map((word) => `'${word.replaceAll("'", `'\\''`)}'`);
    const call = `stty cols ${size.columns} rows ${size.rows}; exec ${words.join(' ')}`;
    const child = spawn('script', ['-qefc', call, '/dev/null'], {
      cwd: this.root,
      env: { ...process.env, CUDA_VISIBLE_DEVICES: '', TERM: 'xterm', NO_COLOR: '', ...this.env },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let seen = '';
    child.stdout.setEncoding('utf8').on('data', (chunk) => (seen += chunk));
    return { seen: () => seen, ended: new Promise((done) => child.on('close', done)) };
  }

  /** repro in a shell that has done something to itself first, such as `ulimit`. */
  async reproAfter(shell: string, ...args: string[]): Promise<Ended> {
    return (await this.#spawnIn('.', args, shell)).ended;
  }

  async repro(...args: string[]): Promise<Ended> {
    return (await this.spawn(...args)).ended;
  }

  /** Called from a folder below. */
  async reproIn(folder: string, ...args: string[]): Promise<Ended> {
    return (await this.#spawnIn(folder, args)).ended;
  }

  /** How each stage ended that did not stay as it was; throws when repro does not exit 0. */
  async outcomes(...args: string[]): Promise<{ [stage: string]: string }> {
    const { exit, stdout, stderr } = await this.repro('--json', ...args);
    if (exit !== 0) throw new Error(`exit ${exit}: ${stderr}${stdout}`);
    return outcomesIn(stdout);
  }

  /** Reasons by stage, without the fresh ones. */
  async stale(...args: string[]): Promise<{ [stage: string]: { state: string; reasons: Record<string, unknown>[] } }> {
    const { stdout, stderr } = await this.repro('status', '--json', ...args);
    if (stdout === '') throw new Error(stderr);
    const stages = JSON.parse(stdout).stages as {
      [stage: string]: { state: string; reasons: Record<string, unknown>[] };
    };
    return Object.fromEntries(Object.entries(stages).filter(([, { state }]) => state !== 'fresh'));
  }

  // biome-ignore lint/suspicious/noExplicitAny: as the file has it
  lock(): { stages: { [stage: string]: any } } {
    return parse(this.read('dvc-like.lock'));
  }

  dispose(): void {
    rmSync(this.root, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }
}

// biome-ignore lint/suspicious/noExplicitAny: as each event has it
export function events(stdout: string): Record<string, any>[] {
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

/** Without the fresh ones. */
export function outcomesIn(stdout: string): { [stage: string]: string } {
  const ends = events(stdout).filter(({ event, outcome }) => event === 'end' && outcome !== 'fresh');
  return Object.fromEntries(ends.map(({ stage, outcome }) => [stage, outcome]));
}

const projects: TestProject[] = [];

/** A project that `removeProjects` removes. */
export function project(files: { [path: string]: string }): TestProject {
  const made = new TestProject(files);
  projects.push(made);
  return made;
}

export function removeProjects(): void {
  for (const made of projects.splice(0)) made.dispose();
}

/** Resolves when `condition` holds; the test's own time limit is the limit. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2)); // The cores are for what is tested.
}
