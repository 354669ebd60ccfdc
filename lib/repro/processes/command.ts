/**
 * One shell command in a process group of its own, within its time; what it says becomes text and
 * progress. Nothing it started is left when it has ended; if repro itself is killed, the reaper ends it (groups.ts).
 */
import { StringDecoder } from 'node:string_decoder';
import type { ProgressUpdate } from '../stage-api/index.ts';
import { launchShell } from './launch.ts';
import type { Launch, Launched } from './launched.ts';

export interface CommandOptions {
  /** seconds */
  timeout?: number;
  onOutput(text: string): void;
  onProgress(update: ProgressUpdate): void;
}

export interface CommandResult {
  exit?: number;
  signal?: NodeJS.Signals;
  timedOut: boolean;
  /** It could not even be started: why. */
  error?: string;
}

/** Milliseconds between a polite and a rude end. */
const GRACE = 5_000;

export class Command {
  readonly result: Promise<CommandResult>;
  #launched: Launched | undefined;
  #timer: NodeJS.Timeout | undefined;
  #timedOut = false;

  /** Starts it. */
  constructor(launch: Launch, { timeout, onOutput, onProgress }: CommandOptions) {
    this.result = new Promise((resolve) => {
      const finish = (how: Omit<CommandResult, 'timedOut'>) => {
        clearTimeout(this.#timer);
        resolve({ ...how, timedOut: this.#timedOut });
      };
      try {
        this.#launched = launchShell(launch, {
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
    return this.#launched?.group;
  }

  /** To the whole group. */
  kill(signal: NodeJS.Signals): void {
    this.#launched?.kill(signal);
  }

  #timeOut(): void {
    this.#timedOut = true;
    this.kill('SIGTERM');
    this.#timer = setTimeout(() => this.kill('SIGKILL'), GRACE);
  }
}

function textReader(onText: (text: string) => void): (bytes: Buffer) => void {
  const decoder = new StringDecoder('utf8');
  return (bytes) => {
    const text = decoder.write(bytes);
    if (text !== '') onText(text);
  };
}

/** Lines that are no progress are passed over: a stage's slip must not fail it. */
function progressReader(onProgress: (update: ProgressUpdate) => void): (bytes: Buffer) => void {
  let rest = '';
  return (bytes) => {
    const lines = (rest + bytes.toString()).split('\n');
    rest = lines.pop()!;
    for (const line of lines) {
      try {
        const update = JSON.parse(line) as ProgressUpdate;
        if (typeof update?.done === 'number') onProgress(update);
      } catch {}
    }
  };
}
