/**
 * Draws Vega-Lite specifications as SVG, in a process with limits of time and memory. Specifications are data: a stage
 * wrote them, perhaps from data of others. plot-process.ts is the program of the process. A thread would not do: an
 * expression that fills the memory ends the whole process of a thread.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describeBytes, ReproError } from '../messages/index.ts';
import type { FromPlotProcess, ToPlotProcess } from './plot-process.ts';

/** Seconds for one plot. Most take less than one. */
const MAX_SECONDS = 20;
/** The heap of the process, in MiB. A plot of a million rows takes about 500. */
const MAX_HEAP = 1024;
/** A process draws this many plots, and has this much CPU time for them. */
const PLOTS_PER_PROCESS = 100;
const MAX_CPU_SECONDS = 600;

/** Returns the text of a data file that a specification names; its path is relative to the project's folder. */
export type ReadData = (path: string) => Promise<string | undefined>;

/** Draws plots, one after another. */
export class PlotRenderer {
  readonly #program: string;
  #process: ChildProcess | undefined;
  /** How many plots have been drawn. */
  #drawn = 0;

  /** @param program the bundled plot-process.ts */
  constructor(program = fileURLToPath(new URL('./plot-process.js', import.meta.url))) {
    this.#program = program;
  }

  /**
   * Draws one specification.
   *
   * @param spec JSON
   * @param read answers for the data files that it names
   * @param maxSeconds the limit of time
   * @returns SVG
   * @throws ReproError if it is wrong, reads what it may not, or takes too long or too much memory
   */
  async draw(spec: string, read: ReadData, maxSeconds = MAX_SECONDS): Promise<string> {
    if (this.#drawn++ % PLOTS_PER_PROCESS === 0) this.close();
    this.#process ??= startProcess(this.#program);
    const child = this.#process;
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<string>((resolve, reject) => {
        const fail = (message: string) => reject(new ReproError(message, 1));
        const failAndEnd = (message: string) => {
          this.close();
          fail(message);
        };
        timer = setTimeout(() => failAndEnd(`drawing it takes more than ${maxSeconds} s`), maxSeconds * 1000);
        child.on('message', async (message: FromPlotProcess) => {
          if ('svg' in message) resolve(message.svg);
          else if ('failed' in message) fail(message.failed);
          else child.send(await answer(message.load, read));
        });
        child.on('error', (error) => failAndEnd(error.message));
        child.on('exit', (code, signal) =>
          // V8 ends a process that reaches the limit of its heap by SIGABRT.
          failAndEnd(
            signal === 'SIGABRT' || code === 134
              ? `drawing it takes more than ${describeBytes(MAX_HEAP * 2 ** 20)} of memory`
              : `the process that draws it ended with ${signal ?? `exit ${code}`}`,
          ),
        );
        child.send({ draw: spec } satisfies ToPlotProcess);
      });
    } finally {
      clearTimeout(timer);
      child.removeAllListeners();
      child.on('error', () => {}); // It may end while nothing is drawn.
    }
  }

  /** Ends the process. */
  close(): void {
    this.#process?.kill('SIGKILL');
    this.#process = undefined;
  }
}

/** Starts the process without stdin, stdout and stderr: nothing in it may print. */
function startProcess(program: string): ChildProcess {
  // The limit of CPU time holds even if repro is killed meanwhile.
  const script = `ulimit -t ${MAX_CPU_SECONDS}; exec "$0" "$@"`;
  const args = [`--max-old-space-size=${MAX_HEAP}`, program];
  const { PATH, TZ } = process.env;
  return spawn('/bin/sh', ['-c', script, process.execPath, ...args], {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    env: { PATH, TZ },
  });
}

async function answer(url: string, read: ReadData): Promise<ToPlotProcess> {
  try {
    const loaded = await read(url);
    return loaded === undefined ? { url, refused: `it reads ${url}, which is missing` } : { url, loaded };
  } catch (error) {
    return { url, refused: (error as Error).message };
  }
}
