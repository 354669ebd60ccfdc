/**
 * Runs one shell command in a process group of its own and tells what it says. Nothing it started is left when it has
 * ended; if repro itself is killed, the reaper ends it.
 *
 * The shell waits at the gate until the process group has been noted down (lease, reaper): there is no moment at which a
 * kill of repro could leave a command running that nobody knows of. If repro dies first, the gate closes and it ends.
 */
import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { type Launched, type LaunchListener, launchShell } from './launch.ts';
import type { ProgressUpdate } from './progress.ts';

export interface CommandOptions {
  cwd: string;
  env: NodeJS.ProcessEnv;
  /** seconds */
  timeout?: number;
  /** Called with the process group before the command begins. */
  onGroup(group: number): void;
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

export interface RunningCommand {
  result: Promise<CommandResult>;
  /** To the whole group. */
  kill(signal: NodeJS.Signals): void;
}

const GATE = 'read -r _ <&4 && exec 4<&- || exit 125\n';
/** Milliseconds between a polite and a rude end, and that output may stay open after the end. */
const GRACE = 5_000;
const LINGER = 500;

export function startCommand(cmd: string, options: CommandOptions): RunningCommand {
  let group: number | undefined;
  let wanted: NodeJS.Signals | undefined;
  const kill = (signal: NodeJS.Signals) => {
    if (group === undefined) wanted = signal;
    else killGroup(group, signal);
  };
  let timedOut = false;
  const timers: NodeJS.Timeout[] = [];
  if (options.timeout !== undefined) {
    const stop = () => {
      timedOut = true;
      kill('SIGTERM');
      timers.push(setTimeout(() => kill('SIGKILL'), GRACE));
    };
    timers.push(setTimeout(stop, options.timeout * 1000));
  }

  const result = new Promise<CommandResult>((resolve) => {
    const finish = (how: Omit<CommandResult, 'timedOut'>) => {
      for (const timer of timers) clearTimeout(timer);
      resolve({ ...how, timedOut });
    };
    let streams: Readable[] = [];
    let launched: Launched | undefined;
    const listener: LaunchListener = {
      started: (pid) => {
        group = pid;
        options.onGroup(pid);
        if (wanted) kill(wanted);
        launched!.openGate();
      },
      exited: (exit, signal) => {
        for (const timer of timers) clearTimeout(timer);
        // What it left behind in its group ends with it.
        kill('SIGKILL');
        const lingering = setTimeout(() => {
          for (const stream of streams) stream.destroy();
        }, LINGER);
        void Promise.all(streams.map(closed)).then(() => {
          clearTimeout(lingering);
          finish({ exit, signal });
        });
      },
      failed: (error) => finish({ error }),
    };
    try {
      launched = launchShell(GATE + cmd, options.cwd, { ...options.env, REPRO_PROGRESS_FD: '3' }, listener);
    } catch (error) {
      return finish({ error: (error as Error).message });
    }
    streams = [launched.output, launched.progress];
    readText(launched.output, options.onOutput);
    readProgress(launched.progress, options.onProgress);
  });
  return { result, kill };
}

function closed(stream: Readable): Promise<void> {
  return new Promise((resolve) => {
    if (stream.closed) resolve();
    else stream.once('close', () => resolve());
  });
}

function killGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch {
    // It has ended.
  }
}

function readText(stream: Readable, onText: (text: string) => void): void {
  const decoder = new StringDecoder('utf8');
  stream.on('data', (chunk: Buffer) => {
    const text = decoder.write(chunk);
    if (text !== '') onText(text);
  });
  stream.on('error', () => {});
}

/** Lines that are no progress are passed over: a stage's slip must not fail it. */
function readProgress(stream: Readable, onProgress: (update: ProgressUpdate) => void): void {
  let rest = '';
  stream.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split('\n');
    rest = lines.pop()!;
    for (const line of lines) {
      try {
        const update = JSON.parse(line) as ProgressUpdate;
        if (typeof update?.done === 'number') onProgress(update);
      } catch {}
    }
  });
  stream.on('error', () => {});
}
