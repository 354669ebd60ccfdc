/** Whole processes timed in turns, and what one of them read and held. */
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';

export interface Contender {
  name: string;
  /** Not timed. */
  prepare?: () => void;
  run: () => void;
}

/** Median milliseconds of each, taken in turns, so that whatever else the machine does falls on all alike. */
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

export function printTable(medians: ReadonlyMap<string, number>, beside: string): void {
  console.log(`| | median ms | beside ${beside} |\n|---|---|---|`);
  for (const [name, ms] of medians)
    console.log(
      `| ${name} | ${ms.toFixed(0)} | ${name === beside ? '' : `${(ms / medians.get(beside)!).toFixed(2)} ×`} |`,
    );
  console.log();
}

/** Throws when it does not exit 0: a failure must not pass for speed. */
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

export interface Use {
  /** MiB */
  peak: number;
  /** bytes, by all read calls of the process, its own program included; Linux only */
  read: number;
  output: string;
}

/** Runs a program of Node's and says what the process used. */
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

export function forget(folder: string, ...names: string[]): void {
  for (const name of names) rmSync(join(folder, name), { recursive: true, force: true });
}
