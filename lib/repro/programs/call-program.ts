/**
 * Calls a program that answers soon, and returns what it printed. node:child_process does it alone, because loading
 * execa takes 40 ms, a fifth of a run with nothing else to do. Programs that must end with repro are called by execa.
 */
import { spawn } from 'node:child_process';

/** How a program is called. */
export interface ProgramOptions {
  cwd?: string;
  /** All its variables; by default those of repro. */
  env?: NodeJS.ProcessEnv;
  /** The program's stdin; by default empty. */
  input?: string;
  /** How its output is decoded; by default as UTF-8. latin1 keeps each byte as one character. */
  encoding?: 'utf8' | 'latin1';
  /** Milliseconds after which it is killed. */
  timeout?: number;
  /** It gets a process group of its own, so that Ctrl-C does not reach it. */
  detached?: boolean;
}

/** How a call ended. */
export interface ProgramResult {
  /** undefined if a signal ended the program, or it could not be started. */
  exitCode?: number;
  /** The signal that ended it. */
  signal?: NodeJS.Signals;
  /** Why it could not be started, ENOENT if it is not on the PATH; or that its output is too long. */
  error?: NodeJS.ErrnoException;
  stdout: string;
  stderr: string;
}

/**
 * Calls a program and waits for its end. It never throws.
 *
 * @example const { exitCode, stdout } = await callProgram('git', ['rev-parse', 'HEAD'], { cwd: root });
 */
export function callProgram(
  program: string,
  args: readonly string[],
  { cwd, env, input, encoding = 'utf8', timeout, detached }: ProgramOptions = {},
): Promise<ProgramResult> {
  return new Promise((done) => {
    const fail = (error: unknown) => done({ error: error as NodeJS.ErrnoException, stdout: '', stderr: '' });
    try {
      const child = spawn(program, args, { cwd, env, timeout, detached });
      const chunks: { [stream in 'stdout' | 'stderr']: Buffer[] } = { stdout: [], stderr: [] };
      for (const name of ['stdout', 'stderr'] as const) child[name].on('data', (chunk) => chunks[name].push(chunk));
      child.on('error', fail);
      child.on('close', (exitCode, signal) => {
        const text = (name: 'stdout' | 'stderr') => Buffer.concat(chunks[name]).toString(encoding);
        try {
          const output = { stdout: text('stdout'), stderr: text('stderr') };
          done({ ...(exitCode === null ? {} : { exitCode }), ...(signal === null ? {} : { signal }), ...output });
        } catch (error) {
          fail(error); // The output is longer than a string can be.
        }
      });
      // A program that ends before it has read everything closes the pipe.
      child.stdin.on('error', () => {}).end(input);
    } catch (error) {
      fail(error); // The arguments are too long for the system.
    }
  });
}
