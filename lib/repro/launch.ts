/**
 * Starts a shell in a session of its own, with descriptors of its own. The addon native/spawn does it beside the main
 * thread, which it holds up for 0.2 ms; Node's child_process forks, which holds everything up for 0.8 ms in a process of 50 MB
 * and for 2.8 ms in one of 155 MB, but is there without a compiler. Which of the two was used shows nowhere but in the
 * time; REPRO_SPAWN=node forces the latter.
 *
 *   fd 1, 2  one pipe, so that what is said stays in order     fd 3  progress     fd 4  the gate
 */
import { spawn } from 'node:child_process';
import { closeSync, existsSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Socket } from 'node:net';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { Readable, type Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';

export interface Launched {
  /** Ends when nothing that was started holds it any more. */
  output: Readable;
  /** Likewise. */
  progress: Readable;
  /** Lets the shell, which is to read a line from descriptor 4, go on. */
  openGate(): void;
}

export interface LaunchListener {
  /** With the process id of the shell, which is also its process group. */
  started(pid: number): void;
  exited(exit: number | undefined, signal: NodeJS.Signals | undefined): void;
  /** No process could be started, and nothing else is called: why. */
  failed(message: string): void;
}

/** Tells the listener in a later turn of the event loop. Throws an Error when there are no descriptors or threads left. */
export function launchShell(script: string, cwd: string, env: NodeJS.ProcessEnv, listener: LaunchListener): Launched {
  for (const text of [script, cwd, ...Object.values(env)])
    if (text?.includes('\0')) throw new Error('a NUL character cannot be part of a command or its environment');
  addon ??= loadAddon();
  return addon ? launchByAddon(addon, script, cwd, env, listener) : launchByNode(script, cwd, env, listener);
}

interface Addon {
  pipe(): [read: number, write: number];
  /**
   * The child's descriptor i is a copy of descriptors[i]; -1 stands for /dev/null. Each argument, and each NAME=value of the
   * environment, is ended by NUL.
   */
  spawn(
    file: string,
    args: string,
    env: string,
    cwd: string,
    descriptors: readonly number[],
    report: (what: 'started' | 'exit' | 'signal' | 'error', value: number | string) => void,
  ): void;
}

let addon: Addon | false | undefined;

/** false where it was not built. */
function loadAddon(): Addon | false {
  if (process.env.REPRO_SPAWN === 'node') return false;
  const own = fileURLToPath(import.meta.url);
  // This module may be a source, or part of a bundle at any depth below the folder that holds native/.
  for (let folder = dirname(own); folder !== dirname(folder); folder = dirname(folder)) {
    const native = join(folder, 'native/spawn');
    if (!existsSync(join(native, 'binding.gyp'))) continue;
    try {
      return createRequire(own)('node-gyp-build')(native) as Addon;
    } catch {
      return false;
    }
  }
  return false;
}

const signalNames = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]));

function launchByAddon(
  { pipe, spawn }: Addon,
  script: string,
  cwd: string,
  env: NodeJS.ProcessEnv,
  listener: LaunchListener,
): Launched {
  const open: number[] = [];
  const newPipe = () => {
    const ends = pipe();
    open.push(...ends);
    return ends;
  };
  try {
    const [output, theirOutput] = newPipe();
    const [progress, theirProgress] = newPipe();
    const [theirGate, gate] = newPipe();
    let environment = '';
    for (const name in env) if (env[name] !== undefined) environment += `${name}=${env[name]}\0`;
    const theirs = [-1, theirOutput, theirOutput, theirProgress, theirGate];
    spawn('/bin/sh', `/bin/sh\0-c\0${script}\0`, environment, cwd, theirs, (what, value) => {
      if (what === 'started' || what === 'error')
        for (const descriptor of [theirOutput, theirProgress, theirGate]) closeSync(descriptor);
      if (what === 'started') listener.started(Number(value));
      else if (what === 'exit') listener.exited(Number(value), undefined);
      else if (what === 'signal') listener.exited(undefined, signalNames.get(Number(value)) as NodeJS.Signals);
      else {
        closeSync(gate);
        listener.failed(String(value));
      }
    });
    return {
      output: new Socket({ fd: output, readable: true, writable: false }),
      progress: new Socket({ fd: progress, readable: true, writable: false }),
      openGate: () => {
        try {
          writeSync(gate, '\n');
        } catch {} // It was killed at the gate.
        closeSync(gate);
      },
    };
  } catch (error) {
    for (const descriptor of open) closeSync(descriptor);
    throw error;
  }
}

function launchByNode(script: string, cwd: string, env: NodeJS.ProcessEnv, listener: LaunchListener): Launched {
  const child = spawn('/bin/sh', ['-c', `exec 2>&1\n${script}`], {
    cwd,
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore', 'pipe', 'pipe'],
  });
  child.on('spawn', () => listener.started(child.pid!));
  child.on('error', (error) => listener.failed(error.message));
  child.on('exit', (exit, signal) => listener.exited(exit ?? undefined, signal ?? undefined));
  // Without a descriptor left, Node makes none of the streams.
  const [, output, , progress, gate] = child.stdio ?? [];
  gate?.on('error', () => {});
  return {
    output: (output as Readable) ?? Readable.from([]),
    progress: (progress as Readable) ?? Readable.from([]),
    openGate: () => (gate as Writable).end('\n'),
  };
}
