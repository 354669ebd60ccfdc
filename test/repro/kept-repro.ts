/**
 * A process that runs calls of repro one after another. Each test file keeps one, because a call in a process of its
 * own takes three times as long.
 *
 *   const kept = new KeptRepro();
 *   if (!kept.isBusy) await kept.call({ bundle, args: ['status'], folder, variables: {} });
 */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** How a call of repro ended. */
export interface CallResult {
  /** The exit code; null if a signal ended repro. */
  exit: number | null;
  stdout: string;
  stderr: string;
}

/** One call. */
export interface Call {
  /** The path of repro.js. */
  bundle: string;
  /** What follows `repro` on the command line. */
  args: string[];
  /** The folder in which repro is called. */
  folder: string;
  /** All environment variables. */
  variables: NodeJS.ProcessEnv;
}

/** Separates the output of a call from that of the next one. */
const MARK = '\0end of call\0';

export class KeptRepro {
  #process: ChildProcess | undefined;
  #calls = 0;
  /** Whether a call runs. Only one can. */
  isBusy = false;

  /** Runs a call. If repro ends its process, as after a second signal, the next call gets a new one. */
  async call(call: Call): Promise<CallResult> {
    this.isBusy = true;
    try {
      return await this.#run(call);
    } finally {
      this.isBusy = false;
    }
  }

  #run(call: Call): Promise<CallResult> {
    this.#process ??= this.#start();
    const child = this.#process;
    const output = { stdout: '', stderr: '' };
    let exit: number | null | undefined;
    return new Promise((done) => {
      const finish = () => {
        for (const name of ['stdout', 'stderr'] as const) child[name]!.removeAllListeners('data');
        child.removeAllListeners('message').removeAllListeners('close');
        done({
          exit: exit ?? null,
          stdout: output.stdout.replace(MARK, ''),
          stderr: output.stderr.replace(MARK, ''),
        });
      };
      const finishIfDone = () => {
        if (exit !== undefined && output.stdout.endsWith(MARK) && output.stderr.endsWith(MARK)) finish();
      };
      for (const name of ['stdout', 'stderr'] as const)
        child[name]!.on('data', (chunk) => {
          output[name] += chunk;
          finishIfDone();
        });
      child.on('message', (message: { exit: number }) => {
        exit = message.exit;
        finishIfDone();
      });
      child.on('close', (code) => {
        this.#process = undefined;
        exit = code;
        finish();
      });
      this.#calls += 1;
      child.send({ ...call, call: this.#calls, mark: MARK });
    });
  }

  #start(): ChildProcess {
    const child = fork(fileURLToPath(new URL('kept-repro.mjs', import.meta.url)), {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      execArgv: [],
    });
    for (const stream of [child.stdout!, child.stderr!]) stream.setEncoding('utf8');
    return child;
  }
}
