/** Calls the real repro, and kills it, its process group or its stages. */
import { spawn } from 'node:child_process';
import { CRASH_ARGUMENTS } from './crash.ts';
import { processesIn } from './disk.ts';
import type { Kill } from './world.ts';

/** How a call ended. `exit` is null if a signal ended it. */
export interface Ended {
  exit: number | null;
  stdout: string;
  stderr: string;
}

/** Calls repro in one project. */
export class Calls {
  readonly #repro: string;
  readonly #root: string;
  /** How long the last call took that was not killed, in milliseconds: the scale for the moments of kills. */
  #duration = 300;
  /** The number of calls. */
  count = 0;

  /** @param repro the path of repro.js */
  constructor(repro: string, root: string) {
    this.#repro = repro;
    this.#root = root;
  }

  /**
   * Calls repro and waits for its end and that of all its processes.
   *
   * @param how whether to kill it, or only to let its commands take a while
   */
  async call(args: readonly string[], how?: Kill | 'slow'): Promise<Ended> {
    const kill = how === 'slow' ? undefined : how;
    this.count++;
    const started = performance.now();
    const isCrash = kill?.victim === 'write';
    const child = spawn(process.execPath, [...(isCrash ? CRASH_ARGUMENTS : []), this.#repro, ...args], {
      cwd: this.#root,
      env: {
        ...process.env,
        CUDA_VISIBLE_DEVICES: '',
        NO_COLOR: '1',
        MODEL_PAUSE: how && !isCrash ? '0.03' : '',
        MODEL_CRASH_AT: String(kill?.writes),
      },
      detached: kill !== undefined,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk) => (stdout += chunk));
    child.stderr.on('data', (chunk) => (stderr += chunk));
    const closed = new Promise<number | null>((done) => child.on('exit', done));
    const flushed = new Promise<void>((done) => child.on('close', () => done()));
    const timer =
      kill && !isCrash && setTimeout(() => this.#kill(child.pid!, kill), kill.moment * (this.#duration + 150));
    const exit = await closed;
    clearTimeout(timer || undefined);
    if (kill) {
      // Nothing may be left that still writes.
      while (processesIn(this.#root).length > 0) await new Promise((resolve) => setTimeout(resolve, 5));
      child.stdout.destroy();
      child.stderr.destroy();
    } else {
      await flushed;
      this.#duration = performance.now() - started;
    }
    return { exit, stdout, stderr };
  }

  #kill(repro: number, { victim }: Kill): void {
    try {
      if (victim === 'repro') process.kill(repro, 'SIGKILL');
      else if (victim === 'group') process.kill(-repro, 'SIGKILL');
      else for (const pid of processesIn(this.#root)) if (pid !== repro) process.kill(pid, 'SIGKILL');
    } catch {} // It has ended already.
  }
}
