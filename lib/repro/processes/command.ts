/**
 * One shell command in its own process group, with a timeout. Its output is decoded into text and progress updates.
 * When it has ended, none of the processes of its group are left. If repro itself is killed, the reaper kills the group
 * (process-groups.ts).
 */
import { StringDecoder } from 'node:string_decoder';
import type { ProgressUpdate } from '../stage-api/index.ts';
import { launchShell } from './launch.ts';
import type { LaunchedShell, LaunchRequest } from './launch-types.ts';

/** The timeout of a command and the callbacks for its output. */
export interface CommandOptions {
  /** Seconds after which it is killed. */
  timeout?: number;
  onOutput(text: string): void;
  onProgress(update: ProgressUpdate): void;
}

/** How a command ended: with an exit code, by a signal, or because it could not be started. */
export interface CommandResult {
  exit?: number;
  signal?: NodeJS.Signals;
  timedOut: boolean;
  /** Why it could not be started. */
  error?: string;
}

/** Characters of an update of the progress, at most. */
const LONGEST_UPDATE = 64 << 10;
/** Milliseconds between SIGTERM and SIGKILL. */
const GRACE_PERIOD = 5_000;

/** A running command. */
export class Command {
  /** Resolves when the command and its group have ended. It never rejects. */
  readonly result: Promise<CommandResult>;
  #shell: LaunchedShell | undefined;
  #timer: NodeJS.Timeout | undefined;
  #timedOut = false;

  /** Starts the command. */
  constructor(request: LaunchRequest, { timeout, onOutput, onProgress }: CommandOptions) {
    this.result = new Promise((resolve) => {
      const finish = (ending: Omit<CommandResult, 'timedOut'>) => {
        clearTimeout(this.#timer);
        resolve({ ...ending, timedOut: this.#timedOut });
      };
      try {
        this.#shell = launchShell(request, {
          output: textReader(onOutput),
          progress: progressReader(onProgress),
          ended: (exit, signal) => finish({ exit, signal }),
          failed: (error) => finish({ error }),
        });
        if (timeout !== undefined) this.#timer = setTimeout(() => this.#timeOut(), timeout * 1000);
      } catch (error) {
        finish({ error: (error as Error).message });
      }
    });
  }

  /** The process group; undefined before it has started and after it has ended. */
  get group(): number | undefined {
    return this.#shell?.group;
  }

  /** Sends a signal to the whole group. */
  kill(signal: NodeJS.Signals): void {
    this.#shell?.kill(signal);
  }

  #timeOut(): void {
    this.#timedOut = true;
    this.kill('SIGTERM');
    this.#timer = setTimeout(() => this.kill('SIGKILL'), GRACE_PERIOD);
  }
}

/** Decodes UTF-8 that arrives in pieces. */
function textReader(onText: (text: string) => void): (bytes: Buffer) => void {
  const decoder = new StringDecoder('utf8');
  return (bytes) => {
    const text = decoder.write(bytes);
    if (text !== '') onText(text);
  };
}

/** Parses JSON lines that arrive in pieces. Invalid lines are ignored: wrong progress must not make a stage fail. */
function progressReader(onProgress: (update: ProgressUpdate) => void): (bytes: Buffer) => void {
  let rest = '';
  return (bytes) => {
    const lines = (rest + bytes.toString()).split('\n');
    rest = lines.pop()!;
    if (rest.length > LONGEST_UPDATE) rest = '';
    for (const line of lines) {
      try {
        const update = JSON.parse(line) as ProgressUpdate;
        if (typeof update?.done === 'number') onProgress(update);
      } catch {}
    }
  };
}
