/** Times whole processes in turn, and measures what one process reads and how much memory it takes. */
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';

/** One side of a comparison. */
export interface Contender {
  name: string;
  /** Runs before each `run`; not timed. */
  prepare?: () => void;
  run: () => void;
}

/**
 * Runs the contenders in turn, so that other load on the machine affects all of them equally.
 *
 * @returns median milliseconds, by name
 */
export function race(contenders: readonly Contender[], rounds: number): Map<string, number> {
  const times = contenders.map((): number[] => []);
  for (let round = 0; round < rounds; round++)
    for (const [i, { prepare, run }] of contenders.entries()) {
      prepare?.();
      const started = performance.now();
      run();
      times[i].push(performance.now() - started);
    }
  const median = (list: number[]) => list.sort((a, b) => a - b)[list.length >> 1];
  return new Map(contenders.map(({ name }, i) => [name, median(times[i])]));
}

/** Prints a Markdown table of medians, each with its ratio to the contender named `baseline`. */
export function printTable(medians: ReadonlyMap<string, number>, baseline: string): void {
  console.log(`| | median ms | ratio to ${baseline} |\n|---|---|---|`);
  for (const [name, ms] of medians)
    console.log(
      `| ${name} | ${ms.toFixed(0)} | ${name === baseline ? '' : `${(ms / medians.get(baseline)!).toFixed(2)} ×`} |`,
    );
  console.log();
}

/**
 * Runs Node and returns its stdout and stderr.
 *
 * @throws Error if it does not exit with 0, because the time of a failed run must not count
 */
export function node(cwd: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd,
    env: { ...process.env, ...env },
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (status !== 0) throw new Error(`node ${args.join(' ')} ended with exit ${status}: ${stdout}${stderr}`);
  return stdout + stderr;
}

/** Resources that a process used. */
export interface Use {
  /** Peak memory in MiB. */
  peak: number;
  /** Bytes of all read calls of the process, including its own program; NaN except on Linux. */
  read: number;
  output: string;
}

/** Runs Node and measures the process. */
export function used(cwd: string, args: readonly string[]): Use {
  const hook = `process.on('exit', () => {
    let read = NaN;
    try { read = Number(/rchar: (\\d+)/.exec(require('fs').readFileSync('/proc/self/io', 'utf8'))[1]); } catch {}
    console.error('\\nused', process.resourceUsage().maxRSS / 1024, read);
  })`;
  const module = `import { createRequire } from 'node:module'; const require = createRequire('${cwd}/'); ${hook}`;
  const output = node(cwd, ['--import', `data:text/javascript,${encodeURIComponent(module)}`, ...args]);
  const [, peak, read] = /used ([\d.]+) (\d+|NaN)/.exec(output)!;
  return { peak: Number(peak), read: Number(read), output };
}

/** Removes files and folders below `folder`. */
export function forget(folder: string, ...names: string[]): void {
  for (const name of names) rmSync(join(folder, name), { recursive: true, force: true });
}
